/** What each message is made of, segment by segment. Reference: HL7 v2.5.1 chapters 3, 4, 6 to 10. */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import type { Json } from '../compact.ts';
import { writeAdministration } from './administration.ts';
import { writeAllergies, writeAllergyActions } from './allergy.ts';
import { writeAppointment, writeBlockedTime } from './appointment.ts';
import { type AccountFields, accountFields, writeCharge } from './charges.ts';
import { writeDocumentReference } from './document.ts';
import { writeCoverages, writeDiagnoses, writeEncounter } from './encounter.ts';
import { isGive, writeGive } from './give.ts';
import { writeImmunization } from './immunization.ts';
import { writePlaces, writeStaff } from './master-file.ts';
import { writeDispense, writeMedicationRequest } from './orders.ts';
import type { Outbound } from './outbound.ts';
import { isRetired, writeFormerNumbers, writeMerge, writePatient, writeRelatedPersons } from './patient.ts';
import { writeProcedures } from './procedure.ts';
import { writeServiceRequest } from './requests.ts';
import { writeObservation, writeReport } from './results.ts';
import { listOf } from './source.ts';

type Writer = (to: Outbound, event: string) => void;

/** Writers by message type. */
export const WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ['ADT', writeAdmission],
  ['BAR', writeAccount],
  ['DFT', writeCharges],
  ['SIU', writeAppointments],
  ['OMP', (to) => writeOrders('RXO', to)],
  ['RDE', (to) => writeOrders('RXE', to)],
  ['RDS', (to) => writeEach('MedicationDispense', writeDispense, to)],
  ['RGV', (to) => writeEach('Task', writeGive, to, isGive)],
  ['RAS', (to) => writeEach('MedicationAdministration', writeAdministration, to)],
  ['ORM', writeImagingOrders],
  ['OML', writeLaboratoryOrders],
  ['ORU', writeReports],
  ['VXU', (to) => writeEach('Immunization', writeImmunization, to)],
  ['MDM', writeDocuments],
  ['MFN', writePlaces],
]);

/** Events that are written otherwise than others of their type. */
export const EVENT_WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ...['A18', 'A30', 'A34', 'A39', 'A40'].map((event): [string, Writer] => [`ADT^${event}`, writeMerges]),
  ...['A46', 'A47'].map((event): [string, Writer] => [`ADT^${event}`, writeNewNumbers]),
  ['ADT^A17', writeVisitors],
  ...['A24', 'A37'].map((event): [string, Writer] => [`ADT^${event}`, writePair]),
  ['ADT^A60', writeAllergyUpdate],
  ...['S23', 'S24'].map((event): [string, Writer] => [`SIU^${event}`, writeBlockedTime]),
  ['MFN^M02', writeStaff],
]);

/** The patient of the message, with the visit; undefined, with an error, when there is none or there are several. */
function writeSubject(to: Outbound, account?: FieldInput): Json | undefined {
  const { from } = to;
  const patients = from.all('Patient').filter((patient) => !isRetired(patient));
  const [patient] = patients;
  if (patient === undefined || patients.length > 1) {
    from.fail('A message is about one patient, who is in the Bundle', 'Patient');
    return undefined;
  }
  writePatient(patient, to, account);
  return patient;
}

function writeAdmission(to: Outbound): void {
  writePerson(to, { number: undefined, kind: undefined });
}

/** The patient side that ADT, BAR and DFT have in common. */
function writePerson(to: Outbound, account: AccountFields): void {
  const { from, out } = to;
  const patient = writeSubject(to, account.number);
  if (patient === undefined) return;
  writeRelatedPersons(patient, to);
  const encounter = from.first('Encounter');
  if (encounter === undefined) out.write('PV1', { 1: '1', 2: 'N', 20: account.kind });
  else writeEncounter(encounter, to, account.kind);
  writeMeasurements(to);
  writeAllergies(to);
  writeDiagnoses(encounter, to);
  writeProcedures(to);
  writeCoverages(to);
}

/** Observations that belong to no order, report or vaccination. */
function writeMeasurements(to: Outbound): void {
  for (const observation of to.from.all('Observation')) writeObservation(observation, to);
}

function writeAccount(to: Outbound): void {
  if (!to.from.has('Account')) to.from.fail('A message of this event is about an account in the Bundle', 'Account');
  writePerson(to, accountFields(to));
}

/** DFT^P03 has no OBX of the patient before FT1, and its DG1, PR1 and IN1 after it. */
function writeCharges(to: Outbound): void {
  const { from, out } = to;
  const account = accountFields(to);
  if (writeSubject(to, account.number) === undefined) return;
  const encounter = from.first('Encounter');
  if (encounter !== undefined) writeEncounter(encounter, to, account.kind);
  else if (account.kind !== undefined) out.write('PV1', { 1: '1', 2: 'N', 20: account.kind });
  if (!from.has('ChargeItem')) from.fail('A message of this event is about charges in the Bundle', 'ChargeItem');
  for (const charge of from.all('ChargeItem')) writeCharge(charge, to);
  writeDiagnoses(encounter, to);
  writeProcedures(to);
  writeCoverages(to);
}

/** Every record that gives way, after the one that stays. */
function writeMerges(to: Outbound): void {
  const { from } = to;
  const patients = from.all('Patient');
  if (!patients.some(isRetired)) from.fail('No record in the Bundle gives way to another', 'Patient.link');
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

/** Records that are linked (A24), or two again (A37), each after the other. */
function writePair(to: Outbound): void {
  const patients = to.from.all('Patient');
  if (patients.length !== 2) to.from.fail('A message of this event is about two records', 'Patient');
  for (const patient of patients) writePatient(patient, to);
}

/** Patients under a new number, each with the one before. */
function writeNewNumbers(to: Outbound): void {
  for (const patient of patientsOf(to)) {
    writePatient(patient, to);
    writeFormerNumbers(patient, to);
  }
}

/** Patients who change places (A17), each with the visit. */
function writeVisitors(to: Outbound): void {
  for (const patient of patientsOf(to)) {
    writePatient(patient, to);
    const visit = visitOf(patient, to);
    if (visit === undefined) to.from.fail('Each patient has a visit in the Bundle', 'Encounter');
    else writeEncounter(visit, to);
  }
}

/** At least one, or an error. */
function patientsOf({ from }: Outbound): readonly Json[] {
  const patients = from.all('Patient').filter((patient) => !isRetired(patient));
  if (patients.length === 0) from.fail('A message is about a patient, who is in the Bundle', 'Patient');
  return patients;
}

/** The visit of this one of several patients. */
const visitOf = (patient: Json, { from }: Outbound): Json | undefined =>
  from.all('Encounter').find((encounter) => from.pointsAt(encounter['subject'], patient));

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

/** Resources of one type after the patient and the visit; `isMeant` tells those that the message is about. */
function writeEach(
  type: string,
  write: (resource: Json, to: Outbound) => void,
  to: Outbound,
  isMeant: (resource: Json) => boolean = () => true,
): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  const found = to.from.all(type).filter(isMeant);
  if (found.length === 0) to.from.fail(`A message of this event is about something in the Bundle`, type);
  for (const resource of found) write(resource, to);
}

/** ORM^O01 takes orders of every kind, also those for drugs. */
function writeImagingOrders(to: Outbound): void {
  if (writeSubject(to) === undefined) return;
  writeVisit(to);
  writeAllergies(to);
  const [services, drugs] = [to.from.all('ServiceRequest'), to.from.all('MedicationRequest')];
  if (services.length + drugs.length === 0)
    to.from.fail('A message of this event is about orders in the Bundle', 'ServiceRequest');
  for (const request of services) writeServiceRequest(request, false, to);
  for (const request of drugs) writeMedicationRequest(request, 'RXO', to);
}

function writeLaboratoryOrders(to: Outbound): void {
  writeEach('ServiceRequest', (request) => writeServiceRequest(request, true, to), to);
}

/** Reports of several patients stand after each of them. */
function writeReports(to: Outbound): void {
  const { from } = to;
  const patients = patientsOf(to);
  const reports = from.all('DiagnosticReport');
  if (reports.length === 0) from.fail('A message of this event is about reports in the Bundle', 'DiagnosticReport');
  for (const patient of patients) {
    writePatient(patient, to);
    const isOnly = patients.length === 1;
    const visit = isOnly ? from.first('Encounter') : visitOf(patient, to);
    if (visit !== undefined) writeEncounter(visit, to);
    for (const report of reports) if (isOnly || from.pointsAt(report['subject'], patient)) writeReport(report, to);
  }
}

function writeDocuments(to: Outbound, event: string): void {
  const { from, out } = to;
  const [document, another] = from.all('DocumentReference');
  if (document === undefined || another !== undefined) {
    from.fail('A message is about one document, which is in the Bundle', 'DocumentReference');
    return;
  }
  if (writeSubject(to) === undefined) return;
  const encounter = from.first('Encounter');
  if (encounter === undefined) out.write('PV1', { 1: '1', 2: 'N' });
  else writeEncounter(encounter, to);
  writeDocumentReference(document, event, to);
}
