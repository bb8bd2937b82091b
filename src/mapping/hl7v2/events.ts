/** Events that are mapped, and what each says about the visit. Reference: HL7 v2.5.1 section 3.3. */

export type EncounterStatus = 'planned' | 'in-progress' | 'onleave' | 'finished' | 'cancelled' | 'entered-in-error';

export interface EventRule {
  /** The maps that read the message. */
  readonly family: 'adt' | 'pharmacy';
  /** Status the visit has after the event. `stored`: that it has; what the message implies only for a new one. */
  readonly encounter?: EncounterStatus | 'stored';
  /** Elements of the visit that the event takes back. */
  readonly takesBack?: readonly string[];
}

const ADT = { family: 'adt' } as const;
const PHARMACY = { family: 'pharmacy', encounter: 'stored' } as const;

export const EVENTS: ReadonlyMap<string, EventRule> = new Map<string, EventRule>([
  ['ADT^A01', { ...ADT, encounter: 'in-progress' }],
  ['ADT^A02', { ...ADT, encounter: 'in-progress' }],
  ['ADT^A03', { ...ADT, encounter: 'finished' }],
  ['ADT^A04', { ...ADT, encounter: 'in-progress' }],
  ['ADT^A05', { ...ADT, encounter: 'planned' }],
  ['ADT^A08', { ...ADT, encounter: 'stored' }],
  ['ADT^A11', { ...ADT, encounter: 'cancelled' }],
  ['ADT^A13', { ...ADT, encounter: 'in-progress', takesBack: ['hospitalization'] }],
  ['ADT^A28', ADT],
  ['ADT^A31', ADT],
  ['RDE^O11', PHARMACY],
  ['OMP^O09', PHARMACY],
]);
