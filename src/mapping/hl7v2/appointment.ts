/** SCH with AIS, AIG, AIL and AIP as Appointment. Source: message map SIU_S12. */
import type { FhirResource } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import { mapAdmission } from './admission.ts';
import { APPOINTMENT_REASON, APPOINTMENT_TYPE, FILLER_STATUS, systemUrl } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { codeOf, concept, instant } from './data-types.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { noteText } from './observation.ts';
import { orderReference } from './order-numbers.ts';
import type { MappedPatient } from './patient.ts';
import {
  groupResources,
  minutesOf,
  type Resources,
  resourceParticipants,
  serviceTypes,
} from './scheduled-resources.ts';
import { firstOf, sectionsFrom, segmentsOf } from './sections.ts';
import { mapBlockedTime } from './slot.ts';
import { endAfter } from './timing.ts';
import type { Translation } from './translation.ts';

/** One appointment, of one patient or of a group; or time that is blocked for everybody. */
export function mapScheduling(to: Translation): void {
  const sch = firstOf(to, 'SCH');
  if (sch === undefined) return;
  const numbers = appointmentNumbers(sch, to);
  if (to.rule.appointment === undefined) mapBlockedTime(sch, numbers, to);
  else mapAppointment(sch, numbers, to);
}

/** SCH-2 is the number of who holds the book; SCH-1 of who asked. */
function appointmentNumbers(sch: SegmentCursor, { reading }: Translation): readonly Json[] {
  const numbers = [
    sch.at(2).isValued ? ei(sch.at(2), 'FILL', localSystem(reading, 'appointment')) : undefined,
    sch.at(1).isValued ? ei(sch.at(1), 'PLAC', localSystem(reading, 'appointment-request')) : undefined,
  ];
  return present(numbers);
}

function mapAppointment(sch: SegmentCursor, numbers: readonly Json[], to: Translation): void {
  const keys = keysOf(numbers).slice(0, 1);
  if (keys.length === 0) {
    sch.at(1).tell('error', 'required', 'The appointment has no number by which it may be found');
    return;
  }
  const patients = sectionsFrom(to, 'PID').flatMap((section) => mapAdmission(section)?.patient ?? []);
  const [patient] = patients;
  if (patient === undefined) return;
  const resources = groupResources(to);
  for (const rgs of segmentsOf(to, 'RGS')) rgs.ignore(2);
  const time = timesOf(sch, resources, to);
  const { status, isDefault } = statusOf(sch, time, to);
  const isOff = status === 'cancelled' || status === 'noshow';
  const appointment = compact({
    resourceType: 'Appointment',
    identifier: numbers,
    status,
    cancelationReason: isOff ? reasonOf(sch.at(6)) : undefined,
    serviceType: serviceTypes(resources),
    appointmentType: typeOf(sch),
    reasonCode: reasonCodes(sch, isOff),
    start: time.start,
    end: time.end,
    minutesDuration: time.minutes,
    comment: noteText(resources.notes),
    basedOn: ordersOf(sch, patient, to),
    participant: [
      ...patients.map(({ reference }) => ({ actor: reference, required: 'required', status: 'accepted' })),
      ...resourceParticipants(resources, to),
      ...contactsOf(sch, to),
    ],
  }) as FhirResource; // it has its resourceType
  to.entries.store(appointment, keys, { defaults: isDefault ? ['status'] : [] });
}

interface Times {
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly minutes: number | undefined;
}

/** SCH-11, else TQ1, else the earliest of the resources; the length gives the end where it was not sent. */
function timesOf(sch: SegmentCursor, resources: Resources, to: Translation): Times {
  const [tq, tq1] = [sch.at(11), firstOf(to, 'TQ1')];
  const minutes = minutesOf(sch.at(9), sch.at(10)) ?? resources.minutes ?? plainMinutes(tq.at(3));
  if (minutes !== undefined) tq.at(3).ignore();
  const start = timeAt(tq.at(4)) ?? timeAt(tq1?.at(7)) ?? resources.start;
  const sent = timeAt(tq.at(5)) ?? timeAt(tq1?.at(8));
  if (start === undefined) return { start: undefined, end: undefined, minutes };
  const counted = minutes === undefined ? undefined : endAfter(start, { code: 'min', value: minutes });
  const end = sent !== undefined && Date.parse(sent) >= Date.parse(start) ? sent : counted;
  // Both or neither (app-2).
  return end === undefined ? { start: undefined, end: undefined, minutes } : { start, end, minutes };
}

/** Some put the length into TQ-3, as minutes. */
const plainMinutes = (cursor: Cursor): number | undefined =>
  /^[1-9]\d{0,3}$/.test(cursor.text) ? Number(cursor.text) : undefined;

const timeAt = (cursor: Cursor | undefined): string | undefined => (cursor?.isValued ? instant(cursor) : undefined);

/** The event says it; else SCH-25; else it is booked. Only some may be without a time (app-3). */
function statusOf(sch: SegmentCursor, { start }: Times, { rule }: Translation): { status: string; isDefault: boolean } {
  const filler = sch.at(25);
  const sent = filler.isValued ? codeOf(FILLER_STATUS)(filler) : undefined;
  for (const n of [2, 3]) filler.at(n).ignore();
  const decided = rule.appointment === 'stored' || rule.appointment === 'booked' ? sent : rule.appointment;
  const status = decided ?? 'booked';
  const isDefault = decided === undefined && rule.appointment === 'stored';
  if (start !== undefined || status === 'cancelled' || status === 'waitlist') return { status, isDefault };
  sch.at(11).warn('required', 'The appointment has no beginning and end: it is taken for one that is proposed or off');
  return { status: status === 'entered-in-error' || status === 'noshow' ? 'cancelled' : 'proposed', isDefault };
}

/** SCH-7 names a reason, unless it says that it names a type. */
const isType = (cursor: Cursor): boolean => /^HL70277$/i.test(cursor.at(3).text);

const reasonOf = (cursor: Cursor): Json | undefined =>
  cursor.isValued ? concept(APPOINTMENT_REASON)(cursor) : undefined;

function reasonCodes(sch: SegmentCursor, isOff: boolean): readonly Json[] {
  const reason = sch.at(7).isValued && !isType(sch.at(7)) ? reasonOf(sch.at(7)) : undefined;
  // Before it is off, the reason of the event is why it was made or moved.
  return present([reason, isOff ? undefined : reasonOf(sch.at(6))]);
}

function typeOf(sch: SegmentCursor): Json | undefined {
  const sent = isType(sch.at(7)) && sch.at(7).isValued ? sch.at(7) : sch.at(8);
  return sent.isValued ? concept(APPOINTMENT_TYPE)(sent) : undefined;
}

function ordersOf(sch: SegmentCursor, patient: MappedPatient, to: Translation): readonly Json[] {
  const system = localSystem(to.reading, 'order');
  const placed = sch.all(26).map((cursor) => ({ placed: ei(cursor, 'PLAC', system), filled: undefined }));
  const filled = sch.all(27).map((cursor) => ({ placed: undefined, filled: ei(cursor, 'FILL', system) }));
  return present([...placed, ...filled].map((numbers) => orderReference(numbers, {}, patient, to)));
}

/** SCH-12 asked for it, SCH-16 booked it, SCH-20 entered it: people to be called back. */
function contactsOf(sch: SegmentCursor, to: Translation): readonly Json[] {
  const type = [{ coding: [{ system: systemUrl('v3-ParticipationType'), code: 'CALLBCK' }] }];
  const people = practitioners([...sch.all(16), ...sch.all(12), ...sch.all(20)], to);
  return people.map((actor) => ({ type, actor, required: 'information-only', status: 'accepted' }));
}
