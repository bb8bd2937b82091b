/** What is current of a patient. https://hl7.org/fhir/R4/lifecycle.html#current */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const coded = (system: string, code: string) => ({
  coding: [{ system: `http://terminology.hl7.org/CodeSystem/${system}`, code }],
});
const condition = (id: string, clinical: string | undefined, verification?: string, category?: string) => ({
  resourceType: 'Condition',
  id,
  subject: { reference: 'Patient/p' },
  ...(clinical && { clinicalStatus: coded('condition-clinical', clinical) }),
  ...(verification && { verificationStatus: coded('condition-ver-status', verification) }),
  ...(category && { category: [coded('condition-category', category)] }),
});
const allergy = (id: string, clinical: string | undefined, verification?: string, category?: string) => ({
  resourceType: 'AllergyIntolerance',
  id,
  patient: { reference: 'Patient/p' },
  ...(clinical && { clinicalStatus: coded('allergyintolerance-clinical', clinical) }),
  ...(verification && { verificationStatus: coded('allergyintolerance-verification', verification) }),
  ...(category && { category: [category] }),
});
const order = (id: string, status: string, intent: string) => ({
  resourceType: 'MedicationRequest',
  id,
  status,
  intent,
  medicationCodeableConcept: { text: 'x' },
  subject: { reference: 'Patient/p' },
});
const statement = (id: string, status: string) => ({
  resourceType: 'MedicationStatement',
  id,
  status,
  medicationCodeableConcept: { text: 'x' },
  subject: { reference: 'Patient/p' },
});

const RESOURCES = [
  { resourceType: 'Patient', id: 'p' },
  condition('c-active', 'active', 'confirmed', 'problem-list-item'),
  condition('c-bare', 'recurrence'),
  condition('c-concern', 'relapse', 'provisional', 'health-concern'),
  condition('c-visit', 'active', 'confirmed', 'encounter-diagnosis'),
  condition('c-over', 'resolved', 'confirmed', 'problem-list-item'),
  condition('c-refuted', 'active', 'refuted', 'problem-list-item'),
  condition('c-error', undefined, 'entered-in-error'),
  { ...condition('c-other', 'active'), subject: { reference: 'Patient/q' } },
  allergy('a-drug', 'active', 'confirmed', 'medication'),
  allergy('a-food', 'active', undefined, 'food'),
  allergy('a-bare', 'active'),
  allergy('a-over', 'resolved', 'confirmed', 'medication'),
  allergy('a-refuted', 'active', 'refuted', 'medication'),
  allergy('a-error', undefined, 'entered-in-error', 'medication'),
  order('m-order', 'active', 'order'),
  order('m-plan', 'active', 'plan'),
  order('m-proposal', 'active', 'proposal'),
  order('m-done', 'completed', 'order'),
  order('m-held', 'on-hold', 'order'),
  statement('s-active', 'active'),
  statement('s-over', 'completed'),
];

describe('search › _list=$current-…', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const patient = { resourceType: 'Patient', id: 'q' };
    for (const resource of [patient, ...RESOURCES]) {
      const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
      expect(reply.status, reply.text).equal(201);
    }
  });
  after(() => stopChecked(server));

  const CASES: readonly (readonly [query: string, ids: string])[] = [
    ['Condition?patient=p&_list=$current-problems', 'c-active c-bare c-concern'],
    ['Condition?_list=$current-problems', 'c-active c-bare c-concern c-other'],
    ['Patient/p/Condition?_list=$current-problems', 'c-active c-bare c-concern'],
    ['AllergyIntolerance?patient=p&_list=$current-allergies', 'a-bare a-drug a-food'],
    ['AllergyIntolerance?patient=p&_list=$current-drug-allergies', 'a-drug'],
    ['AllergyIntolerance?patient=q&_list=$current-allergies', ''],
    ['MedicationRequest?patient=p&_list=$current-medications', 'm-order'],
    ['MedicationStatement?patient=p&_list=$current-medications', 's-active'],
    ['?_type=MedicationRequest,MedicationStatement&patient=p&_list=$current-medications', 'm-order s-active'],
    ['?_list=$current-medications', 'm-order s-active'],
    ['Patient?_has:AllergyIntolerance:patient:_list=$current-drug-allergies', 'p'],
    ['Patient?_has:Condition:patient:_list=$current-problems', 'p q'],
  ];
  for (const [query, ids] of CASES)
    it(query, async () => {
      const reply = await fhir.get(query);
      expect(reply.status, reply.text).equal(200);
      expect(matchIds(bundleOf(reply)).sort().join(' ')).equal(ids);
    });

  it('a list of another type, and one that there is not, are refused by name', async () => {
    for (const [query, text] of [
      ['Patient?_list=$current-problems', /list of Condition, not of Patient/],
      ['Condition?_list=$current-medications', /list of MedicationRequest and MedicationStatement/],
      ['Condition?_list=$current-weather', /no such list.*\$current-drug-allergies/],
    ] as const) {
      const reply = await fhir.get(query);
      expect(reply.status, query).equal(400);
      expect(outcomeOf(reply).diagnostics).match(text);
    }
  });

  it('[CP-02] who may not see the type is told nothing', async () => {
    const token = await operatorToken(server, { scope: 'system/Patient.rs' });
    const narrow = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: { authorization: `Bearer ${token}` } });
    expect((await narrow.get('Condition?_list=$current-problems')).status).equal(403);
    expect((await narrow.get('Patient?_has:Condition:patient:_list=$current-problems')).status).equal(403);
  });
});
