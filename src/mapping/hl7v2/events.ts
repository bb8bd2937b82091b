/** Events that are mapped, and what each says about the visit or the appointment. Reference: HL7 v2.5.1 chapters 3, 4, 6 to 10. */

export type EncounterStatus = 'planned' | 'in-progress' | 'onleave' | 'finished' | 'cancelled' | 'entered-in-error';
export type AppointmentStatus = 'booked' | 'cancelled' | 'entered-in-error' | 'noshow';

/** The maps that read a message. */
export type Family =
  | 'adt'
  | 'charges'
  | 'deletion'
  | 'document'
  | 'identifiers'
  | 'link'
  | 'merge'
  | 'move'
  | 'move-identifiers'
  | 'orders'
  | 'pharmacy'
  | 'places'
  | 'results'
  | 'scheduling'
  | 'staff'
  | 'unlink'
  | 'vaccination';

export interface EventRule {
  readonly family: Family;
  /** Status the visit has after the event. `stored`: that it has; what the message implies only for a new one. */
  readonly encounter?: EncounterStatus | 'stored';
  /** The same for an appointment. */
  readonly appointment?: AppointmentStatus | 'stored';
  /** Elements of the visit that the event takes back. */
  readonly takesBack?: readonly string[];
  /** How many patients the message is about; `one` when it does not say. */
  readonly patients?: 'one' | 'many' | 'none';
  /** Segments without which the message says nothing. */
  readonly needs?: readonly string[];
}

const VISIT = { encounter: 'stored' } as const;
const PHARMACY = { family: 'pharmacy', needs: ['ORC'], ...VISIT } as const;
const SCHEDULING = { family: 'scheduling', needs: ['SCH'], patients: 'many', ...VISIT } as const;
const MERGE = { family: 'merge', needs: ['MRG'], patients: 'many' } as const;
const MOVE = { family: 'move', needs: ['MRG'], patients: 'many' } as const;
const LINK = { family: 'link', patients: 'many' } as const;
const DOCUMENT = { family: 'document', needs: ['TXA'], ...VISIT } as const;
const MASTER = { patients: 'none', needs: ['MFE'] } as const;

/** Events of ADT that are about one visit or about no visit at all. */
const VISITS: readonly (readonly [events: string, encounter: EventRule['encounter'], takesBack?: readonly string[]])[] =
  [
    ['A01 A02 A04 A06 A07 A22', 'in-progress'],
    ['A03', 'finished'],
    ['A05 A14', 'planned'],
    ['A08 A09 A10 A12 A15 A16 A25 A26 A54 A55', 'stored'],
    ['A11 A27 A38', 'cancelled'],
    ['A13', 'in-progress', ['hospitalization']],
    ['A21', 'onleave'],
    ['A23', 'entered-in-error'],
    ['A28 A31 A60', undefined],
  ];

const named = (type: string, events: string, rule: EventRule): (readonly [string, EventRule])[] =>
  events.split(' ').map((event) => [`${type}^${event}`, rule] as const);

export const EVENTS: ReadonlyMap<string, EventRule> = new Map<string, EventRule>([
  ...VISITS.flatMap(([events, encounter, takesBack]) =>
    named('ADT', events, {
      family: 'adt',
      ...(encounter !== undefined && { encounter }),
      ...(takesBack !== undefined && { takesBack }),
    }),
  ),
  ...named('ADT', 'A17', { family: 'adt', encounter: 'in-progress', patients: 'many' }),
  ...named('ADT', 'A18 A30 A34 A39 A40', MERGE),
  ...named('ADT', 'A24', LINK),
  ...named('ADT', 'A37', { ...LINK, family: 'unlink' }),
  ...named('ADT', 'A29', { family: 'deletion' }),
  ...named('ADT', 'A35 A41 A44 A45', MOVE),
  ...named('ADT', 'A43', { ...MERGE, family: 'move-identifiers' }),
  ...named('ADT', 'A46 A47', { ...MERGE, family: 'identifiers' }),
  ...named('BAR', 'P01 P02 P05', { family: 'charges', ...VISIT }),
  ...named('DFT', 'P03', { family: 'charges', ...VISIT }),
  ...named('SIU', 'S12 S13', { ...SCHEDULING, appointment: 'booked' }),
  ...named('SIU', 'S14 S18 S19 S20 S21 S22', { ...SCHEDULING, appointment: 'stored' }),
  ...named('SIU', 'S15 S16', { ...SCHEDULING, appointment: 'cancelled' }),
  ...named('SIU', 'S17', { ...SCHEDULING, appointment: 'entered-in-error' }),
  ...named('SIU', 'S23 S24', { ...SCHEDULING, patients: 'none' }),
  ...named('SIU', 'S26', { ...SCHEDULING, appointment: 'noshow' }),
  ...named('RDE', 'O11 O25', PHARMACY),
  ...named('OMP', 'O09', PHARMACY),
  ...named('RDS', 'O13', { ...PHARMACY, needs: ['ORC', 'RXD'] }),
  ...named('RGV', 'O15', { ...PHARMACY, needs: ['ORC', 'RXG'] }),
  ...named('RAS', 'O17', { ...PHARMACY, needs: ['ORC', 'RXA'] }),
  ...named('ORM', 'O01', { family: 'orders', ...VISIT }),
  ...named('OML', 'O21', { family: 'orders', ...VISIT }),
  ...named('ORU', 'R01', { family: 'results', needs: ['OBR'], patients: 'many', ...VISIT }),
  ...named('VXU', 'V04', { family: 'vaccination', needs: ['RXA'], ...VISIT }),
  ...named('MDM', 'T01 T02 T03 T04 T05 T06 T07 T08 T09 T10 T11', DOCUMENT),
  ...named('MFN', 'M02', { family: 'staff', ...MASTER }),
  ...named('MFN', 'M05', { family: 'places', ...MASTER }),
]);
