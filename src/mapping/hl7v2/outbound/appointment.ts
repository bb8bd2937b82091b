/** Appointment as SCH, TQ1, RGS and the AIx of its participants. */
import { APPOINTMENT_REASON, APPOINTMENT_TYPE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { codesOf } from './encounter.ts';
import { cwe, dtm, ei, identifierOf, isOwnKey, pl, plainIdentifier, repeated, xcn } from './fields.ts';
import { writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { writePatient } from './patient.ts';
import { listOf, objectOf, textOf } from './source.ts';

/** Table 0278. */
const STATUSES = new Map([
  ['proposed', 'Pending'],
  ['pending', 'Pending'],
  ['booked', 'Booked'],
  ['arrived', 'Started'],
  ['checked-in', 'Started'],
  ['fulfilled', 'Complete'],
  ['cancelled', 'Cancelled'],
  ['noshow', 'Noshow'],
  ['entered-in-error', 'Deleted'],
  ['waitlist', 'Waitlist'],
]);

const SENT = [
  ...['identifier', 'status', 'cancelationReason', 'serviceType', 'appointmentType', 'reasonCode', 'start', 'end'],
  ...['minutesDuration', 'comment', 'basedOn', 'participant'],
];

export function writeAppointment(appointment: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(appointment, SENT);
  const filled = identifierOf(appointment, 'FILL') ?? plainIdentifier(appointment);
  const minutes = minutesOf(appointment);
  const [reason] = listOf(appointment['reasonCode']);
  const participants = listOf(appointment['participant']);
  const booked = participants.filter((participant) => codesOf(participant['type']).includes('CALLBCK'));
  const isLegacy = to.version < 250;
  const [start, end] = [dtm(appointment['start']), dtm(appointment['end'])];
  if (filled === undefined && identifierOf(appointment, 'PLAC') === undefined)
    from.fail('An appointment without a number cannot be sent', 'Appointment.identifier');
  out.write('SCH', {
    1: ei(identifierOf(appointment, 'PLAC')),
    2: ei(filled),
    6: cwe(appointment['cancelationReason'], APPOINTMENT_REASON),
    7: cwe(reason, APPOINTMENT_REASON),
    8: cwe(appointment['appointmentType'], APPOINTMENT_TYPE),
    9: minutes,
    10: minutes === undefined ? undefined : 'MIN',
    11: isLegacy || start !== undefined ? [undefined, undefined, minutes, start, end] : undefined,
    16: repeated(booked.flatMap((participant) => xcn(participant['actor'], from))),
    25: STATUSES.get(textOf(appointment['status']) ?? ''),
    26: repeated(ordersOf(appointment, 'PLAC', to)),
    27: repeated(ordersOf(appointment, 'FILL', to)),
  });
  if (!isLegacy && start !== undefined) out.write('TQ1', { 1: '1', 7: start, 8: end });
  writeNotes(textOf(appointment['comment']), out);
  const people = participants.filter((participant) => !booked.includes(participant));
  const patients = people
    .map(({ actor }) => from.resolve(actor))
    .filter((actor) => actor?.['resourceType'] === 'Patient');
  for (const patient of patients) if (patient !== undefined) writePatient(patient, to);
  if (patients.length === 0)
    from.fail('The patient of the appointment is not in the Bundle', 'Appointment.participant');
  out.write('RGS', { 1: '1', 2: 'A' });
  for (const service of listOf(appointment['serviceType']))
    out.write('AIS', { 1: out.next('AIS'), 2: 'A', 3: cwe(service), 4: start, 7: minutes, 8: minutes && 'MIN' });
  for (const participant of people) writeResource(participant, { start, minutes }, to);
}

function minutesOf(appointment: Json): string | undefined {
  const sent = textOf(appointment['minutesDuration']);
  const [start, end] = [Date.parse(textOf(appointment['start']) ?? ''), Date.parse(textOf(appointment['end']) ?? '')];
  const minutes = Math.round((end - start) / 60_000);
  return sent ?? (minutes > 0 ? String(minutes) : undefined);
}

function ordersOf(appointment: Json, type: string, { from }: Outbound): readonly ReturnType<typeof ei>[] {
  const orders = Array.isArray(appointment['basedOn']) ? appointment['basedOn'] : [];
  return orders.map((reference) => ei(identifierOf(from.resolve(reference), type)));
}

interface Time {
  readonly start: string | undefined;
  readonly minutes: string | undefined;
}

function writeResource(participant: Json, { start, minutes }: Time, { from, out }: Outbound): void {
  const actor = from.resolve(participant['actor']);
  const kind = textOf(actor?.['resourceType']);
  if (kind === 'Patient') return;
  const type = cwe(listOf(participant['type'])[0]);
  const own = dtm(objectOf(participant['period'])?.['start']) ?? start;
  const unit = minutes && 'MIN';
  const timed = { 6: own, 9: minutes, 10: unit };
  if (kind === 'Location')
    out.write('AIL', { 1: out.next('AIL'), 2: 'A', 3: pl(participant['actor'], from), 4: type, ...timed });
  else if (kind === 'Practitioner' || kind === 'PractitionerRole')
    out.write('AIP', { 1: out.next('AIP'), 2: 'A', 3: repeated(xcn(participant['actor'], from)), 4: type, ...timed });
  else {
    const number = listOf(actor?.['identifier']).find((identifier) => !isOwnKey(identifier));
    const name = textOf(objectOf(participant['actor'])?.['display']);
    if (number === undefined && name === undefined) return;
    out.write('AIG', {
      1: out.next('AIG'),
      2: 'A',
      3: [textOf(number?.['value']), name],
      4: type,
      8: own,
      11: minutes,
      12: unit,
    });
  }
}
