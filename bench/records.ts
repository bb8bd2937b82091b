/** Records of invented patients for measuring: about 1.1 KB a resource, deterministic. */
import type { Resource } from '../src/ports/resource-store.ts';

const FAMILIES = 'Abbot Barlow Carver Dunmore Ellison Fenwick Garrick Holloway Ingram Jessop Kettle Lomax'.split(' ');
const GIVENS = 'Ada Bruno Cora Dylan Edith Felix Greta Hugo Iris Jonah Kit Lena Milo Nora Otis Priya'.split(' ');
const TOWNS = 'Millbrook Eastcombe Harrowby Netherton Overstone Penworth'.split(' ');
const MEASURES = [
  ['8867-4', 'Heart rate', '/min', 60, 100],
  ['8480-6', 'Systolic blood pressure', 'mm[Hg]', 90, 150],
  ['8462-4', 'Diastolic blood pressure', 'mm[Hg]', 55, 95],
  ['29463-7', 'Body weight', 'kg', 45, 120],
  ['8302-2', 'Body height', 'cm', 150, 195],
  ['2339-0', 'Glucose', 'mg/dL', 70, 140],
  ['2093-3', 'Cholesterol', 'mg/dL', 120, 240],
  ['718-7', 'Haemoglobin', 'g/dL', 11, 17],
  ['2160-0', 'Creatinine', 'mg/dL', 0.5, 1.6],
  ['6298-4', 'Potassium', 'mmol/L', 3.2, 5.4],
] as const;
const MEDICINES = [
  ['322236009', 'Paracetamol 500mg tablets'],
  ['319775004', 'Aspirin 75mg tablets'],
  ['325072002', 'Amoxicillin 500mg capsules'],
  ['318135008', 'Bisoprolol 5mg tablets'],
] as const;
const PROBLEMS = [
  ['44054006', 'Diabetes mellitus type 2'],
  ['38341003', 'Hypertension'],
  ['195967001', 'Asthma'],
  ['13645005', 'Chronic obstructive lung disease'],
] as const;

export const IDENTIFIER_SYSTEM = 'https://mortar.example/bench/patient';
export const MEASURE_CODES = MEASURES.map(([code]) => code);
export { FAMILIES };

export type Measure = (typeof MEASURES)[number];
const measureOf = (code: string): Measure => MEASURES.find(([one]) => one === code) as Measure; // it is in the list
export const GLUCOSE = measureOf('2339-0');
export const CHOLESTEROL = measureOf('2093-3');
const VISITS = 8;
const MEASURED_A_VISIT = 6;
/** Observations of one measure that a patient has on average. */
export const MEASURED_A_PATIENT = (VISITS * MEASURED_A_VISIT) / MEASURES.length;

/** The value that a share of the values of a measure lies above. */
export const valueBelow = ([, , , low, high]: Measure, share: number): number => high - share * (high - low);

type Random = () => number;

/** Small seeded generator (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const snomed = ([code, display]: readonly [string, string]) => concept('http://snomed.info/sct', code, display);
const concept = (system: string, code: string, display: string) => ({
  coding: [{ system, code, display }],
  text: display,
});

/** Resources of patient `n`, the Patient first; references are `urn:uuid:` fullUrls `urn:uuid:…n-i`. */
export function recordOf(n: number): { readonly fullUrl: string; readonly resource: Resource }[] {
  const random = createRandom(1000003 * (n + 1));
  const urn = (i: number): string =>
    `urn:uuid:${n.toString(16).padStart(8, '0')}-0000-4000-8000-${i.toString(16).padStart(12, '0')}`;
  const patient = urn(0);
  const family = `${pick(random, FAMILIES)}${Math.floor(random() * 900)}`;
  const subject = { reference: patient, display: family };
  const list: { fullUrl: string; resource: Resource }[] = [
    {
      fullUrl: patient,
      resource: {
        resourceType: 'Patient',
        meta: { profile: ['https://mortar.example/fhir/StructureDefinition/bench-patient'] },
        identifier: [
          { use: 'official', system: IDENTIFIER_SYSTEM, value: `P-${n}` },
          {
            type: concept('http://terminology.hl7.org/CodeSystem/v2-0203', 'MR', 'Medical record number'),
            system: 'https://mortar.example/bench/mrn',
            value: `MR-${n}`,
          },
        ],
        active: true,
        name: [{ use: 'official', family, given: [pick(random, GIVENS), pick(random, GIVENS)], prefix: ['Mx'] }],
        telecom: [{ system: 'phone', value: `01632 96${String(n % 10000).padStart(4, '0')}`, use: 'home' }],
        gender: random() < 0.5 ? 'female' : 'male',
        birthDate: `${1930 + Math.floor(random() * 90)}-0${1 + Math.floor(random() * 9)}-1${Math.floor(random() * 9)}`,
        address: [
          { line: [`${1 + (n % 200)} Mill Lane`], city: pick(random, TOWNS), postalCode: 'ZZ99 1AA', country: 'GB' },
        ],
      },
    },
  ];
  const add = (resource: Resource): string => {
    const fullUrl = urn(list.length);
    list.push({ fullUrl, resource });
    return fullUrl;
  };
  for (let visit = 0; visit < VISITS; visit++) {
    const start = instant(random);
    const encounter = add({
      resourceType: 'Encounter',
      identifier: [{ system: 'https://mortar.example/bench/encounter', value: `E-${n}-${visit}` }],
      status: 'finished',
      class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB', display: 'ambulatory' },
      type: [concept('http://snomed.info/sct', '185345009', 'Encounter for symptom')],
      subject,
      participant: [{ period: { start, end: after(start, 20) } }],
      period: { start, end: after(start, 20) },
      reasonCode: [snomed(pick(random, PROBLEMS))],
    });
    for (let i = 0; i < MEASURED_A_VISIT; i++) {
      const [code, display, unit, low, high] = pick(random, MEASURES);
      add({
        resourceType: 'Observation',
        meta: { profile: ['https://mortar.example/fhir/StructureDefinition/bench-observation'] },
        identifier: [{ system: 'https://mortar.example/bench/observation', value: `O-${n}-${visit}-${i}` }],
        status: 'final',
        category: [
          {
            coding: [
              {
                system: 'http://terminology.hl7.org/CodeSystem/observation-category',
                code: i % 2 === 0 ? 'vital-signs' : 'laboratory',
                display: i % 2 === 0 ? 'Vital signs' : 'Laboratory',
              },
            ],
          },
        ],
        code: concept('http://loinc.org', code, display),
        subject,
        encounter: { reference: encounter },
        effectiveDateTime: after(start, i),
        issued: after(start, i + 1),
        valueQuantity: {
          value: Math.round((low + random() * (high - low)) * 100) / 100,
          unit,
          system: 'http://unitsofmeasure.org',
          code: unit,
        },
        note: [
          { text: 'Taken seated after five minutes of rest, right arm, repeated once and averaged by the device.' },
        ],
      });
    }
    if (visit % 2 === 0)
      add({
        resourceType: 'Condition',
        clinicalStatus: {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
        },
        category: [
          {
            coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'problem-list-item' }],
          },
        ],
        code: snomed(pick(random, PROBLEMS)),
        subject,
        encounter: { reference: encounter },
        onsetDateTime: start,
        recordedDate: start,
      });
    add({
      resourceType: 'MedicationRequest',
      identifier: [{ system: 'https://mortar.example/bench/order', value: `RX-${n}-${visit}` }],
      status: visit % 2 === 0 ? 'active' : 'completed',
      intent: 'order',
      medicationCodeableConcept: snomed(pick(random, MEDICINES)),
      subject,
      encounter: { reference: encounter },
      authoredOn: start,
      dosageInstruction: [
        {
          sequence: 1,
          text: 'Take one tablet once a day',
          timing: { repeat: { frequency: 1, period: 1, periodUnit: 'd' } },
          doseAndRate: [
            { doseQuantity: { value: 1, unit: 'tablet', system: 'http://unitsofmeasure.org', code: '{tbl}' } },
          ],
        },
      ],
    });
  }
  return list;
}

/** A transaction bundle that creates the resources. */
export const transactionOf = (resources: readonly { fullUrl: string; resource: Resource }[]) => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: resources.map(({ fullUrl, resource }) => ({
    fullUrl,
    resource,
    request: { method: 'POST', url: resource.resourceType },
  })),
});

function instant(random: Random): string {
  const day = new Date(
    Date.UTC(
      2012 + Math.floor(random() * 14),
      Math.floor(random() * 12),
      1 + Math.floor(random() * 28),
      Math.floor(random() * 24),
      Math.floor(random() * 60),
    ),
  );
  return `${day.toISOString().slice(0, 19)}Z`;
}

const after = (iso: string, minutes: number): string =>
  `${new Date(Date.parse(iso) + minutes * 60_000).toISOString().slice(0, 19)}Z`;

/** Resources a patient has. */
export const RECORD_SIZE = recordOf(0).length;
