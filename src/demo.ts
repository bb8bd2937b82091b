/** Demo data of our own writing: a small practice with patients, prescriptions and appointments. No real person. */
import type { Caller } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { Resource, ResourceStore, TransactionWrite } from './ports/resource-store.ts';
import type { Issue } from './standards/fhir/outcome.ts';
import { importProvenance } from './workflow/import-provenance.ts';
import { PHARMACY_CODE_DEFAULT } from './workflow/prescribing/systems.ts';

const NHS = 'https://fhir.nhs.uk/Id/nhs-number';
const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code';
const DMD = 'http://snomed.info/sct';

interface DemoPatient {
  readonly id: string;
  readonly nhsNumber: string;
  readonly family: string;
  readonly given: string;
  readonly gender: 'female' | 'male';
  readonly birthDate: string;
  readonly medicine: readonly [code: string, display: string, dose: string];
}

/** NHS numbers from the test range 999. */
const PATIENTS: readonly DemoPatient[] = [
  {
    id: 'demo-patient-1',
    nhsNumber: '9990000018',
    family: 'Ashworth',
    given: 'Nell',
    gender: 'female',
    birthDate: '1958-03-14',
    medicine: ['322236009', 'Paracetamol 500mg tablets', 'Take two tablets up to four times a day when needed'],
  },
  {
    id: 'demo-patient-2',
    nhsNumber: '9990000026',
    family: 'Okafor',
    given: 'Tobe',
    gender: 'male',
    birthDate: '1983-11-02',
    medicine: ['319775004', 'Aspirin 75mg tablets', 'Take one tablet once a day'],
  },
  {
    id: 'demo-patient-3',
    nhsNumber: '9990000034',
    family: 'Lindqvist',
    given: 'Maja',
    gender: 'female',
    birthDate: '2001-07-29',
    medicine: ['325072002', 'Amoxicillin 500mg capsules', 'Take one capsule three times a day for five days'],
  },
];

function demoResources(): Resource[] {
  return [
    {
      resourceType: 'Organization',
      id: 'demo-surgery',
      identifier: [{ system: ODS, value: 'Z99901' }],
      name: 'Millbrook Surgery (demo)',
      address: [{ line: ['1 Mill Lane'], city: 'Millbrook', postalCode: 'ZZ99 1AA' }],
    },
    {
      resourceType: 'Organization',
      id: 'demo-pharmacy',
      identifier: [
        { system: ODS, value: 'Z99902' },
        { system: PHARMACY_CODE_DEFAULT, value: 'PHB-PH-000001' },
      ],
      name: 'Millbrook Pharmacy (demo)',
    },
    {
      resourceType: 'Practitioner',
      id: 'demo-gp',
      name: [{ family: 'Fairweather', given: ['Imogen'], prefix: ['Dr'] }],
    },
    ...PATIENTS.flatMap(patientResources),
  ];
}

function patientResources(patient: DemoPatient): Resource[] {
  const subject = { reference: `Patient/${patient.id}` };
  const [code, display, dose] = patient.medicine;
  return [
    {
      resourceType: 'Patient',
      id: patient.id,
      identifier: [{ system: NHS, value: patient.nhsNumber }],
      name: [{ use: 'official', family: patient.family, given: [patient.given] }],
      gender: patient.gender,
      birthDate: patient.birthDate,
      generalPractitioner: [{ reference: 'Organization/demo-surgery' }],
    },
    {
      resourceType: 'MedicationRequest',
      id: `${patient.id}-order`,
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: { coding: [{ system: DMD, code, display }] },
      subject,
      authoredOn: '2026-10-05T09:30:00+01:00',
      requester: { reference: 'Practitioner/demo-gp' },
      dosageInstruction: [{ text: dose }],
      dispenseRequest: { performer: { reference: 'Organization/demo-pharmacy' } },
    },
    {
      resourceType: 'Appointment',
      id: `${patient.id}-review`,
      status: 'booked',
      description: 'Medication review',
      start: '2026-12-01T10:15:00Z',
      end: '2026-12-01T10:30:00Z',
      participant: [
        { actor: subject, status: 'accepted' },
        { actor: { reference: 'Practitioner/demo-gp' }, status: 'accepted' },
      ],
    },
  ];
}

const ORIGIN = { kind: 'demo data', sender: { type: 'Device', display: 'Mortar: demo data' } };

/** Stores the demo resources under fixed ids; doing it again changes nothing. Returns a line for the operator. */
export async function loadDemo(
  store: ResourceStore,
  validate: (resource: unknown) => readonly Issue[],
  caller: Caller,
  now: Clock,
): Promise<string> {
  const resources = demoResources();
  for (const resource of resources) {
    const [fault] = validate(resource);
    if (fault) throw new Error(`demo data: ${fault.expression?.[0] ?? resource.resourceType}: ${fault.diagnostics}`);
  }
  const writes = resources.map((resource): TransactionWrite => {
    const { resourceType: type, id } = resource as Resource & { readonly id: string }; // written above
    return { kind: 'update', operation: 'update', type, id, change: () => resource };
  });
  const provenance = importProvenance(ORIGIN, now(), store.newId);
  const results = await store.transaction(caller, (tx) => tx.write(writes, undefined, provenance));
  const made = results.slice(0, writes.length).filter((result) => result.outcome !== 'unchanged').length;
  return `Demo data: ${resources.length} resources, ${made} of them new. Try /fhir/R4/Patient?name=ashworth`;
}
