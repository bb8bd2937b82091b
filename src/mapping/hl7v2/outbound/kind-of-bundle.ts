/** Which message a Bundle is, by what it holds. docs/hl7v2.md "FHIR to HL7 v2" */
import type { Json } from '../compact.ts';
import { documentEvent } from './document.ts';
import { classOf } from './encounter.ts';
import { isGive } from './give.ts';
import { isRetired } from './patient.ts';
import { listOf, type Source, textOf } from './source.ts';

/** What the Bundle is about, by the most particular of what it holds. */
export function kindFor(from: Source): string | undefined {
  if (from.has('DiagnosticReport')) return 'ORU^R01';
  if (from.has('MedicationAdministration')) return 'RAS^O17';
  if (from.has('MedicationDispense')) return 'RDS^O13';
  if (from.has('Task', isGive)) return 'RGV^O15';
  const document = from.first('DocumentReference');
  if (document !== undefined) return `MDM^${documentEvent(document)}`;
  if (from.has('ServiceRequest')) return 'ORM^O01';
  if (from.has('MedicationRequest')) return 'RDE^O11';
  if (from.has('Immunization')) return 'VXU^V04';
  if (from.has('ChargeItem')) return 'DFT^P03';
  if (from.has('Account')) return from.first('Account')?.['status'] === 'active' ? 'BAR^P05' : 'BAR^P02';
  if (from.has('Appointment'))
    return `SIU^${APPOINTMENTS.get(textOf(from.first('Appointment')?.['status']) ?? '') ?? 'S14'}`;
  if (from.has('Slot')) return from.first('Slot')?.['status'] === 'free' ? 'SIU^S24' : 'SIU^S23';
  const patients = from.all('Patient');
  if (patients.some(isRetired)) return 'ADT^A40';
  const encounter = from.first('Encounter');
  if (encounter !== undefined) return `ADT^${eventOf(encounter)}`;
  if (patients.length === 0) return from.has('Practitioner') ? 'MFN^M02' : from.has('Location') ? 'MFN^M05' : undefined;
  if (patients.length === 2 && patients.every(isLinked)) return 'ADT^A24';
  return patients[0]?.['active'] === false ? 'ADT^A29' : 'ADT^A31';
}

const APPOINTMENTS = new Map([
  ['booked', 'S12'],
  ['cancelled', 'S15'],
  ['entered-in-error', 'S17'],
  ['noshow', 'S26'],
]);
/** The event of table 0003 for a state of a visit; one under way depends on its class. */
export const VISIT_EVENTS: ReadonlyMap<string, string> = new Map([
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
  if (status !== 'in-progress') return VISIT_EVENTS.get(status) ?? 'A08';
  return classOf(encounter) === 'I' ? 'A01' : 'A04';
}

const isLinked = (patient: Json): boolean => listOf(patient['link']).some(({ type }) => type === 'seealso');
