/** The shapes of seed 001: doctors, patients with their summary, encounters and prescriptions. MISSION M9 */
import type { Caller } from '../../ports/caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { forbidden, notFound } from '../../standards/fhir/outcome.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { idIn, instructionsOf, listOf, medicineOf, type Node, nameOf, nodeOf, textIn } from './chart.ts';
import { idQuery, type Prescribing } from './desk.ts';
import { search } from './read.ts';
import { shownStatusV2 } from './states.ts';
import { statusOf, type Whole } from './view.ts';

const orNull = (value: unknown): unknown => value ?? null;
const contact = (resource: Node, system: string): unknown =>
  orNull(listOf(resource['telecom']).find((one) => one['system'] === system)?.['value']);
const nameParts = (resource: Node): object => {
  const [name = {}] = listOf(resource['name']);
  const given = Array.isArray(name['given']) ? (name['given'] as string[]) : []; // validated
  return { name: nameOf(resource), firstName: given.join(' '), lastName: orNull(name['family']) };
};
const textOfConcept = (concept: Node): string | null =>
  textIn(concept['text']) ??
  textIn(listOf(concept['coding'])[0]?.['display']) ??
  textIn(listOf(concept['coding'])[0]?.['code']) ??
  null;

/** A Practitioner with the specialty of their roles. Throws not-found. */
export async function readDoctor(desk: Prescribing, caller: Caller, id: string): Promise<object> {
  const [practitioners, roles] = await Promise.all([
    search(desk, caller, 'Practitioner', idQuery(id), 1),
    search(desk, caller, 'PractitionerRole', `practitioner=Practitioner/${encodeURIComponent(id)}`, 20),
  ]);
  const [practitioner] = practitioners.resources;
  if (!practitioner) throw notFound('That doctor');
  const licence =
    listOf(practitioner['qualification']).flatMap((one) => listOf(one['identifier']))[0] ??
    listOf(practitioner['identifier'])[0];
  const specialty = roles.resources.flatMap((role) => listOf(role['specialty'])).map(textOfConcept)[0];
  return {
    id,
    ...nameParts(practitioner),
    licenseNumber: orNull(licence?.['value']),
    specialty: orNull(specialty),
    phone: contact(practitioner, 'phone'),
    email: contact(practitioner, 'email'),
  };
}

export const patientJson = (patient: Resource): object => ({
  id: patient['id'],
  ...nameParts(patient),
  dob: orNull(patient['birthDate']),
  gender: orNull(patient['gender']),
  phone: contact(patient, 'phone'),
  email: contact(patient, 'email'),
  address: listOf(patient['address'])[0] ?? null,
  identifiers: listOf(patient['identifier']).map(({ system, value }) => ({
    system: orNull(system),
    value: orNull(value),
  })),
});

/** Throws not-found, also where the caller may not see the patient. */
export async function readPatient(desk: Prescribing, caller: Caller, id: string): Promise<Resource> {
  const [patient] = (await search(desk, caller, 'Patient', idQuery(id), 1)).resources;
  if (!patient) throw notFound('That patient');
  return patient;
}

/** Vitals, diagnoses, allergies, medicines and encounters: the newest of each. */
export async function summaryOf(desk: Prescribing, caller: Caller, id: string): Promise<object> {
  const patient = await readPatient(desk, caller, id);
  const of = async (type: string, query: string, count: number): Promise<readonly Resource[]> =>
    (await search(desk, caller, type, `patient=${encodeURIComponent(id)}${query}`, count)).resources;
  const [vitals, diagnoses, allergies, orders, encounters, catalogue] = await Promise.all([
    of('Observation', '&category=vital-signs&_sort=-date', 20),
    of('Condition', '&_sort=-recorded-date', 50),
    of('AllergyIntolerance', '', 50),
    of('MedicationRequest', '&intent=order&_sort=-authoredon', 50),
    of('Encounter', '&_sort=-date', 20),
    desk.openCatalogue(),
  ]);
  return {
    patient: patientJson(patient),
    vitals: vitals.map((one) => ({
      id: one['id'],
      name: textOfConcept(nodeOf(one['code'])),
      value: orNull(nodeOf(one['valueQuantity'])['value']),
      unit: orNull(nodeOf(one['valueQuantity'])['unit']),
      date: orNull(one['effectiveDateTime']),
    })),
    diagnoses: diagnoses.map((one) => ({
      id: one['id'],
      name: textOfConcept(nodeOf(one['code'])),
      status: orNull(listOf(nodeOf(one['clinicalStatus'])['coding'])[0]?.['code']),
      date: orNull(one['recordedDate'] ?? one['onsetDateTime']),
    })),
    allergies: allergies.map(allergyJson),
    medications: orders.map((one) => ({
      id: one['id'],
      name: medicineOf(one, catalogue).name,
      dosage: instructionsOf(one),
      status: orNull(one['status']),
      prescribedAt: orNull(one['authoredOn']),
    })),
    encounters: encounters.map(encounterJson),
  };
}

/** low, moderate, high of the seed: by the worst reaction, else by criticality. */
const SEVERITY = new Map([
  ['mild', 'low'],
  ['moderate', 'moderate'],
  ['severe', 'high'],
]);
function allergyJson(one: Resource): object {
  const [reaction] = listOf(one['reaction']);
  const severity =
    SEVERITY.get(String(reaction?.['severity'])) ??
    (one['criticality'] === 'high' ? 'high' : one['criticality'] === 'low' ? 'low' : null);
  return {
    id: one['id'],
    substance: textOfConcept(nodeOf(one['code'])),
    reaction: reaction ? (listOf(reaction['manifestation']).map(textOfConcept)[0] ?? null) : null,
    severity,
  };
}

export const encounterJson = (encounter: Resource): object => ({
  id: encounter['id'],
  patientId: orNull(idIn(encounter['subject'], 'Patient')),
  doctorId: orNull(listOf(encounter['participant']).map((one) => idIn(one['individual'], 'Practitioner'))[0]),
  facilityId: orNull(idIn(encounter['serviceProvider'], 'Organization')),
  status:
    encounter['status'] === 'finished'
      ? 'closed'
      : encounter['status'] === 'in-progress'
        ? 'open'
        : encounter['status'],
  startedAt: orNull(nodeOf(encounter['period'])['start']),
  endedAt: orNull(nodeOf(encounter['period'])['end']),
});

/** An encounter of the caller with a patient of theirs. */
export async function openEncounter(desk: Prescribing, caller: Caller, patientId: string): Promise<Resource> {
  const { user } = caller;
  if (user?.practitionerId === undefined) throw forbidden();
  const [organizationId] = user.organizationIds;
  const encounter: Resource = {
    resourceType: 'Encounter',
    status: 'in-progress',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB', display: 'ambulatory' },
    subject: { reference: `Patient/${patientId}` },
    participant: [{ individual: { reference: `Practitioner/${user.practitionerId}` } }],
    period: { start: new Date(desk.now()).toISOString() },
    ...(organizationId !== undefined && { serviceProvider: { reference: `Organization/${organizationId}` } }),
  };
  const id = desk.store.newId();
  await desk.store.transaction(caller, (tx) => tx.write([{ kind: 'create', id, resource: encounter }]));
  return { ...encounter, id };
}

export async function setEncounter(
  desk: Prescribing,
  caller: Caller,
  id: string,
  status: 'open' | 'closed',
): Promise<Resource> {
  const [found] = (await search(desk, caller, 'Encounter', idQuery(id), 1)).resources;
  if (!found) throw notFound('That encounter');
  const { end: _end, ...period } = nodeOf(found['period']);
  const changed: Resource = {
    ...found,
    resourceType: 'Encounter',
    status: status === 'closed' ? 'finished' : 'in-progress',
    period: status === 'closed' ? { ...period, end: new Date(desk.now()).toISOString() } : period,
  };
  await desk.store.transaction(caller, (tx) =>
    tx.write([{ kind: 'update', operation: 'update', type: 'Encounter', id, change: () => changed }]),
  );
  return changed;
}

/** A prescription as seed 001 answers it. */
export async function prescriptionV2(
  desk: Prescribing,
  caller: Caller,
  whole: Whole,
  catalogue: Catalogue,
): Promise<object> {
  const { orders, proposals, read, task } = whole;
  const items = orders.length > 0 ? orders : proposals;
  const [first] = orders;
  const implicated = orders.map((one) => `MedicationRequest/${String(one['id'])}`).join(',');
  const doctorId = idIn(first?.['requester'], 'Practitioner');
  const [issues, patients, doctors] = await Promise.all([
    implicated === '' ? { resources: [] } : search(desk, caller, 'DetectedIssue', `implicated=${implicated}`, 100),
    search(desk, caller, 'Patient', idQuery(read.patientId), 1),
    doctorId === undefined ? { resources: [] } : search(desk, caller, 'Practitioner', idQuery(doctorId), 1),
  ]);
  const named = (resource: Resource | undefined, id: string | undefined): object | null =>
    id === undefined ? null : { id, name: resource ? nameOf(resource) : '' };
  return {
    id: task['id'],
    status: shownStatusV2(statusOf(whole)),
    issuedAt: orNull(first?.['authoredOn']),
    expiresAt: orNull(nodeOf(nodeOf(first?.['dispenseRequest'])['validityPeriod'])['end']),
    encounterId: orNull(idIn(first?.['encounter'], 'Encounter')),
    doctor: named(doctors.resources[0], doctorId),
    patient: named(patients.resources[0], read.patientId),
    notes: orNull(read.notes),
    items: items.map((one) => itemV2(one, catalogue)),
    interactionWarnings: issues.resources.map((one) => ({
      type: typeOfRule(textIn(listOf(nodeOf(one['code'])['coding'])[0]?.['code'])),
      message: textIn(one['detail']) ?? '',
      severity: orNull(one['severity']),
    })),
  };
}

const typeOfRule = (code = ''): string => code.replace(/^RX-/, '').split('-')[0]?.toLowerCase() ?? '';

function itemV2(order: Resource, catalogue: Catalogue): object {
  const { name, entry } = medicineOf(order, catalogue);
  const dosage = listOf(order['dosageInstruction'])[0] ?? {};
  const quantity = nodeOf(nodeOf(order['dispenseRequest'])['quantity']);
  return {
    id: order['id'],
    medicationId: entry?.id ?? null,
    medicationName: name,
    dose: textIn(nodeOf(listOf(dosage['doseAndRate'])[0]?.['type'])['text']) ?? null,
    route: textIn(nodeOf(dosage['route'])['text']) ?? null,
    dosage: instructionsOf(order),
    quantity: [quantity['value'], quantity['unit']]
      .filter((part) => part !== undefined)
      .map(String)
      .join(' '),
    instructions: textIn(dosage['patientInstruction']) ?? null,
    status: order['status'],
  };
}
