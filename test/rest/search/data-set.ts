/** A small set of resources whose search results can be told by eye. */
import type { FhirClient, Json } from '../../support/fhir-client.ts';

export type StoredResource = Json & { readonly resourceType: string; readonly id: string };

const LOINC = 'http://loinc.org';
const UCUM = 'http://unitsofmeasure.org';
const NHS = 'https://fhir.nhs.uk/Id/nhs-number';

const patient = (id: string, rest: Json): StoredResource => ({ resourceType: 'Patient', id, ...rest });
const observation = (id: string, rest: Json): StoredResource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  ...rest,
});
const coded = (system: string | undefined, code: string, display?: string): Json => ({
  coding: [{ ...(system !== undefined && { system }), code, ...(display !== undefined && { display }) }],
});
const grams = (value: number): Json => ({ value, unit: 'gram', system: UCUM, code: 'g' });
const pressure = (systolic: number, diastolic: number): Json => ({
  component: [
    { code: coded(LOINC, '8480-6'), valueQuantity: { value: systolic, unit: 'mmHg', system: UCUM, code: 'mm[Hg]' } },
    { code: coded(LOINC, '8462-4'), valueQuantity: { value: diastolic, unit: 'mmHg', system: UCUM, code: 'mm[Hg]' } },
  ],
});

/** Targets first. `base`: the server's own. */
export const dataSet = (base: string): readonly StoredResource[] => [
  { resourceType: 'Organization', id: 'org-top', name: 'Leeds Health', identifier: [{ value: 'top' }] },
  { resourceType: 'Organization', id: 'org-mid', name: 'Ward', partOf: { reference: 'Organization/org-top' } },
  { resourceType: 'Organization', id: 'org-low', name: 'Bay', partOf: { reference: 'Organization/org-mid' } },
  {
    resourceType: 'Practitioner',
    id: 'doc',
    text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Liver <b>clinic</b></div>' },
    name: [{ family: 'House' }],
  },
  { resourceType: 'Group', id: 'group', type: 'person', actual: true },
  patient('p1', {
    active: true,
    gender: 'male',
    birthDate: '1980-05-06',
    name: [{ family: 'Müller', given: ['Jürgen', 'Ann Marie'] }],
    identifier: [
      {
        type: coded('http://terminology.hl7.org/CodeSystem/v2-0203', 'MR'),
        system: NHS,
        value: '9000000009',
      },
    ],
    telecom: [{ system: 'phone', use: 'home', value: '0113 496' }],
    address: [{ city: 'Straße', postalCode: 'LS1 4AP' }],
    managingOrganization: { reference: 'Organization/org-low' },
  }),
  patient('p2', {
    active: false,
    gender: 'female',
    birthDate: '1980-05',
    name: [{ family: "O'Neil", given: ['Mary'] }],
    identifier: [{ system: NHS, value: '9000000017' }, { value: 'local/1' }],
    managingOrganization: { reference: 'Organization/org-top' },
    deceasedDateTime: '2020-02-03',
  }),
  patient('p3', {
    gender: 'female',
    birthDate: '1981',
    name: [{ family: 'mull', given: ['ann'] }],
    identifier: [{ system: 'urn:other', value: '9000000009' }],
    managingOrganization: { identifier: { system: 'urn:ods', value: 'A1' } },
    generalPractitioner: [{ reference: 'Practitioner/doc' }],
  }),
  patient('p4', { name: [{ text: 'Somebody' }] }),
  {
    resourceType: 'Encounter',
    id: 'e-year',
    status: 'finished',
    class: { code: 'IMP' },
    subject: { reference: 'Patient/p1' },
    period: { start: '2013', end: '2013' },
  },
  {
    resourceType: 'Encounter',
    id: 'e-long',
    status: 'finished',
    class: { code: 'IMP' },
    subject: { reference: 'Patient/p1' },
    period: { start: '2013-01-10', end: '2013-03-20' },
  },
  {
    resourceType: 'Encounter',
    id: 'e-day',
    status: 'finished',
    class: { code: 'AMB' },
    subject: { reference: 'Patient/p2' },
    period: { start: '2013-01-14', end: '2013-01-14' },
  },
  {
    resourceType: 'Encounter',
    id: 'e-open',
    status: 'in-progress',
    class: { system: 'urn:act', code: 'AMB' },
    subject: { reference: 'Patient/p2' },
    period: { start: '2013-01-15T10:00:00Z' },
  },
  {
    resourceType: 'Encounter',
    id: 'e-until',
    status: 'finished',
    class: { code: 'EMER' },
    subject: { reference: 'Group/group' },
    period: { end: '2012-12-31' },
  },
  {
    resourceType: 'Encounter',
    id: 'e-none',
    status: 'planned',
    class: { code: 'EMER' },
    serviceProvider: { reference: 'Organization/org-mid' },
  },
  observation('o-text', {
    code: { text: 'Weight by eye' },
    subject: { reference: 'Patient/p1' },
    valueString: 'Rather heavy',
  }),
  observation('o-5', {
    code: coded(LOINC, '29463-7', 'Body Weight'),
    subject: { reference: 'Patient/p1' },
    encounter: { reference: 'Encounter/e-day' },
    effectiveDateTime: '2013-01-14',
    valueQuantity: grams(5),
  }),
  observation('o-5.4', {
    code: coded(LOINC, '29463-7'),
    subject: { reference: `${base}/Patient/p2` },
    effectiveDateTime: '2013-01-14T10:00:00+02:00',
    valueQuantity: grams(5.4),
  }),
  observation('o-less', {
    code: coded('urn:local', '29463-7'),
    subject: { reference: 'Group/group' },
    effectiveDateTime: '2013-01',
    valueQuantity: { value: 5, comparator: '<', unit: 'kg' },
  }),
  observation('o-100', {
    code: coded(undefined, 'weight'),
    subject: { reference: 'https://other.example/fhir/Patient/p1' },
    effectivePeriod: { start: '2013-01-10', end: '2013-03-20' },
    valueQuantity: { value: 100, unit: 'g' },
  }),
  observation('o-bp', {
    code: {
      coding: [
        { system: LOINC, code: '85354-9' },
        { system: 'urn:local', code: 'bp' },
      ],
    },
    subject: { reference: 'Patient/p1', identifier: { system: NHS, value: '9000000009' } },
    effectiveInstant: '2014-06-01T00:00:00Z',
    performer: [{ reference: 'Practitioner/doc' }],
    ...pressure(120, 80),
  }),
  observation('o-bp2', {
    code: coded(LOINC, '85354-9'),
    subject: { reference: 'Patient/p3' },
    hasMember: [{ reference: 'Observation/o-bp' }],
    effectiveDateTime: '2014',
    ...pressure(95, 110),
  }),
  observation('o-colour', {
    code: coded(LOINC, '5778-6', 'Color of Urine'),
    subject: { reference: 'Patient/p3' },
    valueCodeableConcept: coded('http://snomed.info/sct', '371244009', 'Yellow'),
    category: [coded('urn:category', 'lab'), coded('urn:category', 'urine')],
  }),
  {
    resourceType: 'MedicationRequest',
    id: 'm1',
    status: 'active',
    intent: 'order',
    authoredOn: '2020-01-01',
    subject: { reference: 'Patient/p1' },
    encounter: { reference: 'Encounter/e-year' },
    medicationCodeableConcept: coded('urn:drug', 'a'),
    dosageInstruction: [{ timing: { event: ['2020-01-02', '2020-01-09'] } }],
  },
  {
    resourceType: 'MedicationRequest',
    id: 'm2',
    status: 'active',
    intent: 'plan',
    subject: { reference: 'Patient/p2' },
    medicationCodeableConcept: coded('urn:drug', 'b'),
    dosageInstruction: [{ timing: { event: ['2020-01-05'] } }],
  },
  {
    resourceType: 'MedicationRequest',
    id: 'm3',
    status: 'stopped',
    intent: 'order',
    authoredOn: '2021-02',
    subject: { reference: 'Patient/p1' },
    medicationReference: { reference: 'Medication/med' },
  },
  {
    resourceType: 'Condition',
    id: 'c1',
    subject: { reference: 'Patient/p1' },
    code: coded('urn:c', 'flu'),
    recordedDate: '2019-03-04',
    clinicalStatus: coded('http://terminology.hl7.org/CodeSystem/condition-clinical', 'resolved'),
    abatementDateTime: '2019-03',
    onsetDateTime: '2019-02-27',
  },
  {
    resourceType: 'Condition',
    id: 'c2',
    subject: { reference: 'Patient/p2' },
    code: coded('urn:c', 'flu'),
    recordedDate: '2019-04-05T06:07:08.900Z',
    onsetAge: { value: 52, unit: 'years', system: UCUM, code: 'a' },
  },
  {
    resourceType: 'Condition',
    id: 'c3',
    subject: { reference: 'Patient/p2' },
    code: coded('urn:c', 'cold'),
    recordedDate: '2020',
    clinicalStatus: coded('http://terminology.hl7.org/CodeSystem/condition-clinical', 'resolved'),
    abatementPeriod: { start: '2019-12-01' },
  },
  {
    resourceType: 'RiskAssessment',
    id: 'r1',
    status: 'final',
    subject: { reference: 'Patient/p1' },
    prediction: [{ probabilityDecimal: 0.1 }, { probabilityDecimal: 0.75 }],
  },
  {
    resourceType: 'RiskAssessment',
    id: 'r2',
    status: 'final',
    subject: { reference: 'Patient/p2' },
    prediction: [{ probabilityDecimal: 0.7 }],
  },
  { resourceType: 'RiskAssessment', id: 'r3', status: 'final', subject: { reference: 'Patient/p2' } },
  { resourceType: 'ValueSet', id: 'v1', status: 'active', url: 'http://acme.org/fhir/ValueSet/123', version: '1' },
  {
    resourceType: 'ValueSet',
    id: 'v2',
    status: 'draft',
    url: 'http://acme.org/fhir/ValueSet/123/_history/5',
    version: '2',
  },
  { resourceType: 'ValueSet', id: 'v3', status: 'draft', url: 'urn:oid:1.2.3' },
  {
    resourceType: 'QuestionnaireResponse',
    id: 'q1',
    status: 'completed',
    questionnaire: 'http://acme.org/fhir/Questionnaire/q|1.0',
  },
  {
    resourceType: 'QuestionnaireResponse',
    id: 'q2',
    status: 'completed',
    questionnaire: 'http://acme.org/fhir/Questionnaire/q|2.0',
  },
  {
    resourceType: 'QuestionnaireResponse',
    id: 'q3',
    status: 'completed',
    questionnaire: 'http://acme.org/fhir/Questionnaire/q',
  },
];

/** Puts the set, one resource after another, with two that were once there and one that was otherwise. */
export async function loadDataSet(client: FhirClient): Promise<void> {
  const put = async (resource: StoredResource): Promise<void> => {
    const reply = await client.put(`${resource.resourceType}/${resource.id}`, resource);
    if (reply.status >= 300) throw new Error(`${resource.id}: ${reply.status} ${reply.text}`);
  };
  const [p1] = dataSet(client.base).filter((r) => r.id === 'p1');
  await put({
    ...patient('p1', { name: [{ family: 'Formerly' }], birthDate: '1970-01-01', identifier: [{ value: 'old' }] }),
    gender: 'other',
  });
  for (const resource of dataSet(client.base)) await put(resource);
  await put({ ...p1, resourceType: 'Patient', id: 'gone', name: [{ family: 'Gone' }] });
  await put(
    observation('o-gone', {
      code: coded(LOINC, '29463-7'),
      subject: { reference: 'Patient/p1' },
      effectiveDateTime: '2013-01-14',
      valueQuantity: grams(5),
    }),
  );
  for (const path of ['Patient/gone', 'Observation/o-gone']) {
    const reply = await client.delete(path);
    if (reply.status >= 300) throw new Error(`${path}: ${reply.status} ${reply.text}`);
  }
}
