/** FHIR as HL7 v2: ADT, SIU, OMP, RDE, RDS and ORU of a Bundle. docs/hl7v2.md "FHIR to HL7 v2" */
import { isError, issue } from '../../../standards/fhir/outcome.ts';
import { findCharacterSet } from '../../../standards/hl7v2/character-set.ts';
import { formatInstant } from '../../../standards/hl7v2/date-time.ts';
import { type Encoding, STANDARD_ENCODING } from '../../../standards/hl7v2/encoding.ts';
import { createMessage } from '../../../standards/hl7v2/format.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';
import type { Mapped } from '../../../standards/mapped.ts';
import type { Json } from '../compact.ts';
import { writeAdministration } from './administration.ts';
import { writeAllergies, writeAllergyActions } from './allergy.ts';
import { writeAppointment } from './appointment.ts';
import { classOf, writeCoverages, writeDiagnoses, writeEncounter } from './encounter.ts';
import { writeDispense, writeMedicationRequest } from './orders.ts';
import type { Outbound, OutboundContext } from './outbound.ts';
import { writeMerge, writePatient, writeRelatedPersons } from './patient.ts';
import { writeReport } from './results.ts';
import { SegmentWriter } from './segment-writer.ts';
import { listOf, Source, textOf } from './source.ts';

type Writer = (to: Outbound) => void;

/** Writers by message type; which event it is makes no difference to what is written, but for merges. */
const WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ['ADT', writeAdmission],
  ['SIU', writeAppointments],
  ['OMP', (to) => writeOrders('RXO', to)],
  ['RDE', (to) => writeOrders('RXE', to)],
  ['RDS', writeDispenses],
  ['RAS', writeAdministrations],
  ['ORU', writeReports],
]);

/** Events that are written otherwise than others of their type. */
const KINDS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ['ADT^A40', writeMerges],
  ['ADT^A37', writeUnlinked],
  ['ADT^A60', writeAllergyUpdate],
]);

/** Structures of MSH-9.3 where they are not named after the event. */
const STRUCTURES = new Map([
  ...['A04', 'A08', 'A13'].map((event): [string, string] => [`ADT^${event}`, 'ADT_A01']),
  ...['A14', 'A28', 'A31'].map((event): [string, string] => [`ADT^${event}`, 'ADT_A05']),
  ['ADT^A07', 'ADT_A06'],
  ['ADT^A60', 'ADT_A60'],
  ...['A10', 'A11'].map((event): [string, string] => [`ADT^${event}`, 'ADT_A09']),
  ...['A22', 'A23', 'A29'].map((event): [string, string] => [`ADT^${event}`, 'ADT_A21']),
  ['ADT^A40', 'ADT_A39'],
]);
const structureOf = (kind: string): string =>
  STRUCTURES.get(kind) ?? (kind.startsWith('SIU') ? 'SIU_S12' : kind.replace('^', '_'));

/** Message kinds that can be written, without the event. */
export const WRITTEN_TYPES: readonly string[] = [...WRITERS.keys()];

/** A Bundle, or one resource, as a message. Pure and total: what cannot be written are issues. */
export function mapFromFhir(content: unknown, context: OutboundContext): Mapped<Message> {
  const from = new Source(content);
  const kind = context.kind ?? kindFor(from);
  const write = WRITERS.get(kind?.split('^', 1)[0] ?? '');
  if (kind === undefined || write === undefined || !/^[A-Z]{3}\^[A-Z]\d\d$/.test(kind))
    return {
      issues: [issue('not-supported', `No message can be written of this; there is: ${WRITTEN_TYPES.join(', ')}`)],
    };
  const { version = '2.5.1', country = 'GBR' } = context;
  const { characterSet = 'UNICODE UTF-8', orderControl = 'NW' } = context;
  const charset = findCharacterSet(characterSet);
  if (charset === undefined)
    return { issues: [issue('not-supported', 'The character set cannot be written', 'MSH-18')] };
  const encoding: Encoding = { ...STANDARD_ENCODING, charset };
  const out = new SegmentWriter(encoding);
  const isUk = /^(?:GBR|GB|UK)$/.test(country);
  const to: Outbound = { from, out, version: numberOf(version), isUk, orderControl };
  writeHeader(kind, version, country, out, context);
  if (kind.startsWith('ADT')) out.write('EVN', { 1: kind.slice(4), 2: formatInstant(context.at) });
  (KINDS.get(kind) ?? write)(to);
  from.tellUnused();
  if (from.issues.some(isError)) return { issues: from.issues };
  return { value: createMessage(out.texts, encoding), issues: from.issues };
}

const numberOf = (version: string): number => {
  const [major = '2', minor = '5', patch = '0'] = version.split('.');
  return Number(major) * 100 + Number(minor) * 10 + Number(patch);
};

function writeHeader(
  kind: string,
  version: string,
  country: string,
  out: SegmentWriter,
  context: OutboundContext,
): void {
  const [type, event] = kind.split('^');
  out.write('MSH', {
    3: context.from.application,
    4: context.from.facility,
    5: context.to.application,
    6: context.to.facility,
    7: formatInstant(context.at),
    9: [type, event, structureOf(kind)],
    10: context.controlId,
    11: context.processingId ?? 'P',
    12: version,
    15: context.acknowledgements?.accept,
    16: context.acknowledgements?.application,
    17: country,
    18: context.characterSet ?? 'UNICODE UTF-8',
  });
}

/** What the Bundle is about, by the most particular of what it holds. */
function kindFor(from: Source): string | undefined {
  if (from.has('DiagnosticReport')) return 'ORU^R01';
  if (from.has('MedicationAdministration')) return 'RAS^O17';
  if (from.has('MedicationDispense')) return 'RDS^O13';
  if (from.has('MedicationRequest')) return 'RDE^O11';
  if (from.has('Appointment'))
    return `SIU^${APPOINTMENTS.get(textOf(from.first('Appointment')?.['status']) ?? '') ?? 'S14'}`;
  const patients = from.all('Patient');
  if (patients.some(isRetired)) return 'ADT^A40';
  const encounter = from.first('Encounter');
  if (encounter !== undefined) return `ADT^${eventOf(encounter)}`;
  if (patients.length === 0) return undefined;
  return patients[0]?.['active'] === false ? 'ADT^A29' : 'ADT^A31';
}

const APPOINTMENTS = new Map([
  ['booked', 'S12'],
  ['cancelled', 'S15'],
  ['entered-in-error', 'S17'],
  ['noshow', 'S26'],
]);
const ENCOUNTERS = new Map([
  ['planned', 'A05'],
  ['arrived', 'A04'],
  ['triaged', 'A04'],
  ['onleave', 'A21'],
  ['finished', 'A03'],
  ['cancelled', 'A11'],
  ['entered-in-error', 'A23'],
]);

function eventOf(encounter: Json): string {
  const status = textOf(encounter['status']) ?? '';
  if (status !== 'in-progress') return ENCOUNTERS.get(status) ?? 'A08';
  return classOf(encounter) === 'I' ? 'A01' : 'A04';
}

const isRetired = (patient: Json): boolean => listOf(patient['link']).some(({ type }) => type === 'replaced-by');

/** The patient of the message, with the visit; undefined, with an error, when there is none or there are several. */
function writeSubject(to: Outbound): Json | undefined {
  const { from } = to;
  const patients = from.all('Patient').filter((patient) => !isRetired(patient));
  const [patient] = patients;
  if (patient === undefined || patients.length > 1) {
    from.fail('A message is about one patient, who is in the Bundle', 'Patient');
    return undefined;
  }
  writePatient(patient, to);
  return patient;
}

function writeAdmission(to: Outbound): void {
  const { from, out } = to;
  const patient = writeSubject(to);
  if (patient === undefined) return;
  writeRelatedPersons(patient, to);
  const encounter = from.first('Encounter');
  if (encounter === undefined) out.write('PV1', { 1: '1', 2: 'N' });
  else writeEncounter(encounter, to);
  writeAllergies(to);
  writeDiagnoses(encounter, to);
  writeCoverages(to);
}

/** Every record that gives way, after the one that stays. */
function writeMerges(to: Outbound): void {
  const { from } = to;
  const patients = from.all('Patient');
  for (const retired of patients.filter(isRetired)) {
    const link = listOf(retired['link']).find(({ type }) => type === 'replaced-by');
    const survivor = from.resolve(link?.['other']) ?? patients.find((patient) => !isRetired(patient));
    if (survivor === undefined) {
      from.fail('The record that stays is not in the Bundle', 'Patient.link');
      continue;
    }
    writePatient(survivor, to);
    writeMerge(retired, to);
  }
}

/** Records that are two again, each after the other. */
function writeUnlinked(to: Outbound): void {
  const patients = to.from.all('Patient');
  if (patients.length !== 2) to.from.fail('Two records are parted', 'Patient');
  for (const patient of patients) writePatient(patient, to);
}

function writeAllergyUpdate(to: Outbound): void {
  if (writeSubject(to) !== undefined) writeAllergyActions(to);
}

function writeVisit(to: Outbound): void {
  const encounter = to.from.first('Encounter');
  if (encounter !== undefined) writeEncounter(encounter, to);
}

function writeAppointments(to: Outbound): void {
  const [appointment, another] = to.from.all('Appointment');
  if (appointment === undefined || another !== undefined)
    to.from.fail('A message is about one appointment, which is in the Bundle', 'Appointment');
  else writeAppointment(appointment, to);
}

function writeOrders(name: 'RXO' | 'RXE', to: Outbound): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  writeAllergies(to);
  for (const request of to.from.all('MedicationRequest')) writeMedicationRequest(request, name, to);
}

function writeDispenses(to: Outbound): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  for (const dispense of to.from.all('MedicationDispense')) writeDispense(dispense, to);
}

function writeAdministrations(to: Outbound): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  for (const given of to.from.all('MedicationAdministration')) writeAdministration(given, to);
}

function writeReports(to: Outbound): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  for (const report of to.from.all('DiagnosticReport')) writeReport(report, to);
}
