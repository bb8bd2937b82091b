/** `_contained` and `_containedType`. https://hl7.org/fhir/R4/search.html#contained */
import { expect } from 'chai';
import { withElementRights } from '../../../src/postgres/element-rights.ts';
import { person } from '../../support/callers.ts';
import { bundleOf, createFhirClient, type FhirClient, type Json, linkOf } from '../../support/fhir-client.ts';
import { openPolicyStore, type PolicyStore, parameters, parseQuery, ROOT } from '../../support/policy-store.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const SCT = 'http://snomed.info/sct';
const medication = (id: string, code: string, more: object = {}) => ({
  resourceType: 'Medication',
  id,
  code: { coding: [{ system: SCT, code }], text: `Medicine ${code}` },
  ...more,
});
const order = (id: string, contained: readonly object[], more: object = {}) => ({
  resourceType: 'MedicationRequest',
  id,
  status: 'active',
  intent: 'order',
  subject: { reference: 'Patient/p' },
  medicationReference: { reference: `#${(contained[0] as { id: string }).id}` },
  contained,
  ...more,
});

const dispense = (id: string, authorizingPrescription: readonly object[], more: object = {}) => ({
  resourceType: 'MedicationDispense',
  id,
  status: 'completed',
  medicationCodeableConcept: { text: 'x' },
  subject: { reference: 'Patient/p' },
  authorizingPrescription,
  ...more,
});

const RESOURCES: readonly (Json & { readonly resourceType: string; readonly id: string })[] = [
  { resourceType: 'Organization', id: 'maker', name: 'Maker' },
  { resourceType: 'Patient', id: 'p' },
  medication('plain', '111'),
  {
    resourceType: 'MedicationRequest',
    id: 'r6',
    status: 'active',
    intent: 'order',
    subject: { reference: 'Patient/p' },
    medicationReference: { reference: 'Medication/plain' },
  },
  order('r1', [medication('m1', '111', { manufacturer: { reference: 'Organization/maker' } })]),
  order('r2', [medication('m1', '222', { status: 'inactive' })]),
  order(
    'r3',
    [
      medication('m1', '111', { batch: { lotNumber: 'L1', expirationDate: '2027-03-01' } }),
      medication('m2', '333', {
        text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Quokka extract</div>' },
      }),
    ],
    { note: [{ text: 'r3' }], supportingInformation: [{ reference: '#m2' }] },
  ),
  {
    resourceType: 'Observation',
    id: 'o1',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: '#pat' },
    contained: [
      {
        resourceType: 'Patient',
        id: 'pat',
        name: [{ family: 'Hüllen', given: ['Ada'] }],
        birthDate: '1970-05-06',
        gender: 'female',
        identifier: [{ system: 'urn:ids', value: 'id-7' }],
      },
    ],
  },
  {
    resourceType: 'Observation',
    id: 'o2',
    status: 'final',
    code: { text: 'x' },
    hasMember: [{ reference: '#inner' }],
    contained: [
      {
        resourceType: 'Observation',
        id: 'inner',
        status: 'final',
        code: { coding: [{ system: SCT, code: 'pulse' }] },
        valueQuantity: { value: 72, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
        effectiveDateTime: '2026-01-02',
        subject: { reference: 'Patient/p' },
      },
    ],
  },
];

interface Entry {
  readonly fullUrl: string;
  readonly resource: Json;
  readonly search: { readonly mode: string };
}
/** Beside the others, of whose chains more than the first link leads into something. */
const FURTHER_RESOURCES: typeof RESOURCES = [
  { resourceType: 'Patient', id: 'q' },
  dispense('d1', [{ reference: 'MedicationRequest/r1' }]),
  dispense('d2', [{ reference: 'MedicationRequest/r7' }]),
  order('r7', [medication('m1', '333')], { status: 'stopped', subject: { reference: 'Patient/q' } }),
  dispense('d3', [{ reference: '#order' }], {
    subject: { reference: 'Patient/q' },
    supportingInformation: [{ reference: '#beside' }],
    contained: [
      {
        resourceType: 'MedicationRequest',
        id: 'order',
        status: 'active',
        intent: 'order',
        subject: { reference: 'Patient/q' },
        medicationReference: { reference: '#medicine' },
      },
      medication('medicine', '888', { manufacturer: { reference: '#maker' } }),
      medication('beside', '777'),
      { resourceType: 'Organization', id: 'maker', name: 'Inner' },
    ],
  }),
];

const entriesOf = (bundle: object): readonly Entry[] => (bundle as { readonly entry?: readonly Entry[] }).entry ?? [];

describe('search › _contained', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    for (const resource of RESOURCES) {
      const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
      expect(reply.status, reply.text).equal(201);
    }
    // What was contained once is not any more; what is deleted contains nothing.
    const changed = order('r4', [medication('m1', '111')]);
    await fhir.put('MedicationRequest/r4', changed);
    await fhir.put('MedicationRequest/r4', order('r4', [medication('m1', '444')]));
    await fhir.put('MedicationRequest/r5', order('r5', [medication('m1', '111')]));
    await fhir.delete('MedicationRequest/r5');
  });
  after(() => stopChecked(server));

  const found = async (query: string): Promise<string> => {
    const reply = await fhir.get(query);
    expect(reply.status, reply.text).equal(200);
    return entriesOf(bundleOf(reply))
      .map(({ fullUrl, search }) => {
        expect(search.mode).equal('match');
        return fullUrl.slice(fhir.base.length + 1);
      })
      .sort()
      .join(' ');
  };

  const MR = 'MedicationRequest';
  const CASES: readonly (readonly [query: string, found: string])[] = [
    ['Medication?code=111', 'Medication/plain'],
    ['Medication?code=111&_contained=false', 'Medication/plain'],
    ['Medication?code=111&_contained=true', `${MR}/r1 ${MR}/r3`],
    ['Medication?code=111&_contained=true&_containedType=container', `${MR}/r1 ${MR}/r3`],
    ['Medication?code=111&_contained=true&_containedType=contained', `${MR}/r1#m1 ${MR}/r3#m1`],
    ['Medication?code=111&_contained=both', `Medication/plain ${MR}/r1 ${MR}/r3`],
    ['Medication?code=111&_contained=both&_containedType=contained', `Medication/plain ${MR}/r1#m1 ${MR}/r3#m1`],
    [
      'Medication?_contained=true&_containedType=contained',
      `${MR}/r1#m1 ${MR}/r2#m1 ${MR}/r3#m1 ${MR}/r3#m2 ${MR}/r4#m1`,
    ],
    [`Medication?code=${SCT}|333&_contained=true&_containedType=contained`, `${MR}/r3#m2`],
    ['Medication?code:not=111&_contained=true&_containedType=contained', `${MR}/r2#m1 ${MR}/r3#m2 ${MR}/r4#m1`],
    ['Medication?code:text=medicine 3&_contained=true&_containedType=contained', `${MR}/r3#m2`],
    ['Medication?status:missing=false&_contained=true', `${MR}/r2`],
    ['Medication?manufacturer=Organization/maker&_contained=true', `${MR}/r1`],
    ['Medication?manufacturer:Organization._id=maker&_contained=true', `${MR}/r1`],
    ['Medication?lot-number=L1&code=111&_contained=true', `${MR}/r3`],
    ['Medication?lot-number=L1&code=333&_contained=true', ''],
    ['Medication?expiration-date=2027-03&_contained=true', `${MR}/r3`],
    ['Medication?_id=m2&_contained=true&_containedType=contained', `${MR}/r3#m2`],
    ['Medication?_text=quokka&_contained=true&_containedType=contained', `${MR}/r3#m2`],
    ['Medication?_filter=code eq 333 or code eq 222&_contained=true', `${MR}/r2 ${MR}/r3`],
    ['Medication?_has:MedicationRequest:medication:status=active&_contained=true', ''],
    ['Patient?family=hull&_contained=true', 'Observation/o1'],
    ['Patient?name:exact=Ada&_contained=true', 'Observation/o1'],
    ['Patient?name:contains=lle&_contained=true', 'Observation/o1'],
    ['Patient?birthdate=ge1970-05&birthdate=lt1971&_contained=true', 'Observation/o1'],
    ['Patient?birthdate=1971&_contained=true', ''],
    ['Patient?identifier=urn:ids|id-7&_contained=true&_containedType=contained', 'Observation/o1#pat'],
    ['Patient?gender=male&_contained=true', ''],
    ['Patient?_contained=both', 'Observation/o1 Patient/p'],
    ['Observation?value-quantity=gt70&_contained=true', 'Observation/o2'],
    ['Observation?code-value-quantity=pulse$72&_contained=true', 'Observation/o2'],
    ['Observation?date=2026-01&_contained=true&_containedType=contained', 'Observation/o2#inner'],
    ['Observation?patient=p&_contained=true', 'Observation/o2'],
    ['Patient/p/Observation?_contained=true', 'Observation/o2'],
    ['Organization?_contained=true', ''],
  ];
  for (const [query, expected] of CASES) it(query, async () => expect(await found(query)).equal(expected));

  const CHAINS: readonly (readonly [query: string, found: string])[] = [
    [`${MR}?medication.code=111`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
    [`${MR}?medication:Medication.code=${SCT}|111`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
    // r3 contains it, and refers to the other one as its medication.
    [`${MR}?medication.code=333`, ''],
    [`${MR}?medication.code=444`, `${MR}/r4`],
    [`${MR}?medication.code=222&status=active`, `${MR}/r2`],
    [`${MR}?medication.code=222&status=completed`, ''],
    [`${MR}?medication.code=111&medication.lot-number=L1`, `${MR}/r3`],
    [`${MR}?medication.code=111&patient=p&_sort=-_id`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
    [`${MR}?medication.code=111&patient=other`, ''],
    [`${MR}?medication.code:not=111`, `${MR}/r2 ${MR}/r4`],
    [`${MR}?medication.status:missing=true`, `${MR}/r1 ${MR}/r3 ${MR}/r4 ${MR}/r6`],
    [`${MR}?medication.manufacturer.name=mak`, `${MR}/r1`],
    [`${MR}?medication.expiration-date=2027-03`, `${MR}/r3`],
    ['Observation?subject:Patient.family=hull', 'Observation/o1'],
    ['Observation?patient.name=ada&patient.birthdate=1970', 'Observation/o1'],
    ['Observation?patient.identifier=urn:ids|id-7', 'Observation/o1'],
    ['Observation?patient.gender=male', ''],
    ['Observation?has-member:Observation.value-quantity=72', 'Observation/o2'],
    ['Observation?has-member:Observation.patient=p', 'Observation/o2'],
    ['Observation?subject:Patient.family=hull&_contained=true', ''],
    [`?_type=${MR},MedicationDispense&medication.code=111`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
  ];
  for (const [query, expected] of CHAINS)
    it(`a chain into it: ${query}`, async () => {
      expect(await found(query)).equal(expected);
      const { total } = bundleOf(await fhir.get(`${query}&_summary=count`));
      expect(total).equal(expected === '' ? 0 : expected.split(' ').length);
    });

  it('chains into it in pages, as an entry of a transaction, and by POST', async () => {
    const seen: string[] = [];
    let path: string | undefined = `${MR}?medication.code=111&_count=1`;
    while (path !== undefined) {
      const page = bundleOf(await fhir.get(path));
      seen.push(...entriesOf(page).map(({ resource }) => String(resource['id'])));
      path = linkOf(page, 'next');
    }
    expect(seen.sort()).deep.equal(['r1', 'r3', 'r6']);
    const reply = await fhir.post('', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ request: { method: 'GET', url: `${MR}?medication.code=444` } }],
    });
    expect(reply.text).include('"id":"r4"').and.not.include('"id":"r1"');
  });

  it('a contained resource is given out by itself, under the URL of its place', async () => {
    const [entry] = entriesOf(bundleOf(await fhir.get('Medication?code=333&_contained=true&_containedType=contained')));
    expect(entry?.fullUrl).equal(`${fhir.base}/MedicationRequest/r3#m2`);
    expect(entry?.resource).include({ resourceType: 'Medication', id: 'm2' });
    const some = await fhir.get('Medication?code=333&_contained=true&_containedType=contained&_elements=status');
    expect(Object.keys(entriesOf(bundleOf(some))[0]?.resource ?? {})).not.include('code');
  });

  it('in pages and with totals each is met once', async () => {
    for (const [query, all] of [
      ['Medication?_contained=true&_containedType=contained', 5],
      ['Medication?_contained=true', 4],
      ['Medication?_contained=both&_containedType=contained', 6],
      ['Medication?_contained=both', 5],
    ] as const)
      for (const count of [1, 2, 3, 5, 6]) {
        const seen: string[] = [];
        let path: string | undefined = `${query}&_count=${count}&_total=accurate`;
        while (path !== undefined) {
          const page = bundleOf(await fhir.get(path));
          expect(page, path).include({ total: all });
          const entries = entriesOf(page);
          expect(entries.length).most(count);
          seen.push(...entries.map(({ fullUrl }) => fullUrl));
          path = linkOf(page, 'next');
        }
        expect(new Set(seen).size, `${query} by ${count}`).equal(all);
        expect(seen, `${query} by ${count}`).to.have.length(all);
      }
    expect(bundleOf(await fhir.get('Medication?_contained=both&_summary=count'))).include({ total: 5 });
  });

  for (const query of [
    '_sort=code',
    '_include=Medication:manufacturer',
    '_revinclude=MedicationRequest:medication',
    '_offset=2',
  ])
    it(`does not go with ${query}`, async () => {
      const reply = await fhir.get(`Medication?_contained=true&${query}`);
      expect(reply.status).equal(400);
      expect(reply.text).contains('_contained');
    });
  it('another _containedType is refused', async () =>
    expect((await fhir.get('Medication?_contained=true&_containedType=x')).status).equal(400));

  it('[CP-02] a type that is not in scope is not looked into, nor for', async () => {
    const client = async (scope: string): Promise<FhirClient> => {
      const token = await operatorToken(server, { scope });
      return createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: { authorization: `Bearer ${token}` } });
    };
    const narrow = await client('system/Medication.rs');
    expect(entriesOf(bundleOf(await narrow.get('Medication?_contained=both')))).to.have.length(1);
    expect(bundleOf(await narrow.get('Medication?_contained=true&_total=accurate'))).include({ total: 0 });
    const other = await client('system/MedicationRequest.rs');
    expect((await other.get('Medication?_contained=true')).status).equal(403);
    // A chain leads into what may be searched only, here as elsewhere.
    expect((await other.get('MedicationRequest?medication.code=111')).status).equal(403);
    const both = await client('system/MedicationRequest.rs system/Medication.rs');
    expect(entriesOf(bundleOf(await both.get('MedicationRequest?medication.code=111')))).to.have.length(3);
  });

  /** The chain's later links, those within `_has`, and of `_filter`. */
  const FURTHER: readonly (readonly [query: string, found: string])[] = [
    // A stored order that contains the medicine.
    ['MedicationDispense?prescription.medication.code=111', 'MedicationDispense/d1'],
    ['MedicationDispense?prescription:MedicationRequest.medication:Medication.lot-number=L1', ''],
    ['MedicationDispense?prescription.medication.code=999', ''],
    ['MedicationDispense?prescription.medication.code=333', 'MedicationDispense/d2'],
    ['MedicationDispense?prescription.medication.manufacturer.name=mak', 'MedicationDispense/d1'],
    // An order within the dispense that refers to a medicine within it.
    ['MedicationDispense?prescription.medication.code=888', 'MedicationDispense/d3'],
    ['MedicationDispense?prescription.medication.code=777', ''],
    ['MedicationDispense?prescription.medication.manufacturer.name=inn', 'MedicationDispense/d3'],
    ['MedicationDispense?prescription.medication.code=888&status=completed', 'MedicationDispense/d3'],
    ['MedicationDispense?prescription.medication.code=888&status=cancelled', ''],
    ['MedicationDispense?prescription.medication.code:not=111', 'MedicationDispense/d2 MedicationDispense/d3'],
    ['Patient?_has:MedicationRequest:patient:medication.code=444', 'Patient/p'],
    ['Patient?_has:MedicationRequest:patient:medication.code=999', ''],
    ['Patient?_has:MedicationDispense:patient:prescription.medication.code=888', 'Patient/q'],
    [`${MR}?_has:MedicationDispense:prescription:prescription.medication.code=111`, `${MR}/r1`],
    [`${MR}?_filter=medication.code eq 111`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
    [`${MR}?_filter=medication.code eq 111 and status eq active`, `${MR}/r1 ${MR}/r3 ${MR}/r6`],
    [`${MR}?_filter=medication.code eq 222 or medication.code eq 444`, `${MR}/r2 ${MR}/r4`],
    [`${MR}?_filter=not(medication.code eq 111)`, `${MR}/r2 ${MR}/r4 ${MR}/r7`],
    ['MedicationDispense?_filter=prescription.medication.code eq 888', 'MedicationDispense/d3'],
    ['Patient?_filter=_has:MedicationRequest:patient:medication.code eq 444', 'Patient/p'],
  ];
  describe('links further on', () => {
    before(async () => {
      for (const resource of FURTHER_RESOURCES) {
        const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
        expect(reply.status, reply.text).equal(201);
      }
    });
    for (const [query, expected] of FURTHER)
      it(`further on: ${query}`, async () => {
        const sent = query.replaceAll(' ', '%20');
        expect(await found(sent)).equal(expected);
        const { total } = bundleOf(await fhir.get(`${sent}&_summary=count`));
        expect(total).equal(expected === '' ? 0 : expected.split(' ').length);
        const entry = [{ request: { method: 'GET', url: sent } }];
        const reply = await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry });
        const [page] = (reply.json() as { readonly entry: readonly { readonly resource: object }[] }).entry;
        expect(entriesOf(page?.resource ?? {}).length).equal(total);
      });
  });
});

describe('search › _contained under the policy', () => {
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore();
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o' } });
    await world.put({ resourceType: 'Patient', id: 'q' });
    const contained = [medication('m', '111')];
    await world.put(order('of-p', contained));
    await world.put(order('of-q', contained, { subject: { reference: 'Patient/q' } }));
  });
  after(() => world.stop());
  const ids = (page: { readonly matches: readonly { readonly id: string }[] }) =>
    page.matches.map(({ id }) => id).sort();

  it('[CP-03] a container that the caller may not see is not found by what it contains, nor counted', async () => {
    const request = parseQuery('Medication', 'code=111&_contained=true&_total=accurate');
    const all = await world.store.search(ROOT, request);
    expect(ids(all)).deep.equal(['of-p', 'of-q']);
    const doctor = person('DOCTOR', { organizations: ['o'] });
    const own = await world.store.search(doctor, request);
    expect(ids(own)).deep.equal(['of-p']);
    expect(own.total).equal(1);
    const inside = await world.store.transaction(doctor, (tx) => tx.search(request));
    expect(ids(inside)).deep.equal(['of-p']);
  });

  it('[CP-03] [CP-06] nor by a chain into it', async () => {
    const request = parseQuery('MedicationRequest', 'medication.code=111&_total=accurate');
    expect(ids(await world.store.search(ROOT, request))).deep.equal(['of-p', 'of-q']);
    const doctor = person('DOCTOR', { organizations: ['o'] });
    for (const page of [
      await world.store.search(doctor, request),
      await world.store.transaction(doctor, (tx) => tx.search(request)),
    ]) {
      expect(ids(page)).deep.equal(['of-p']);
      expect(page.total).equal(1);
    }
  });

  it('[CP-03] [CP-06] [AZ-04] nor by a link further on', async () => {
    const shown = withElementRights(world.store, world.policy, parameters);
    const receptionist = person('RECEPTIONIST', { organizations: ['o'] });
    const doctor = person('DOCTOR', { organizations: ['o'] });
    const found = async (store: Pick<typeof world.store, 'search'>, caller: typeof ROOT, query: string) =>
      ids(await store.search(caller, parseQuery('Patient', query)));
    for (const query of [
      '_has:MedicationRequest:patient:medication.code=111',
      '_filter=_has:MedicationRequest:patient:medication.code eq 111',
    ]) {
      expect(await found(world.store, ROOT, query), query).deep.equal(['p', 'q']);
      expect(await found(world.store, doctor, query), query).deep.equal(['p']);
      expect(await found(shown, doctor, query), query).deep.equal(['p']);
      // What the front desk is shown of an order is not what the order contains.
      expect(await found(shown, receptionist, query), query).deep.equal([]);
    }
    const not = '_filter=not(_has:MedicationRequest:patient:medication.code eq 111)';
    expect(await found(shown, receptionist, not)).include('p');
    expect(await found(world.store, doctor, not)).not.include('p');
  });

  it('[CP-05] a paging link is the caller’s own', async () => {
    const request = parseQuery('Medication', 'code=111&_contained=true&_count=1');
    const { next } = await world.store.search(ROOT, request);
    if (next === undefined) throw new Error('there is another page');
    const doctor = person('DOCTOR', { organizations: ['o'] });
    const status = await world.store.search(doctor, { ...request, cursor: next }).then(
      () => 200,
      (error: { readonly status?: number }) => error.status,
    );
    expect(status).equal(400);
  });

  it('[AZ-04] who is not shown what an order contains does not find it by that', async () => {
    const store = withElementRights(world.store, world.policy, parameters);
    const receptionist = person('RECEPTIONIST', { organizations: ['o'] });
    const orders = await store.search(receptionist, parseQuery('MedicationRequest', 'status=active'));
    expect(ids(orders)).deep.equal(['of-p']);
    const request = parseQuery('Medication', 'code=111&_contained=true&_total=accurate');
    const answer = await store.search(receptionist, request).then(
      (page) => page.total,
      (error: { readonly status?: number }) => error.status,
    );
    expect(answer).oneOf([0, 403]);
    for (const query of ['medication.code=111', 'status=active&medication:Medication.code=111']) {
      const chain = parseQuery('MedicationRequest', `${query}&_total=accurate`);
      expect((await world.store.search(receptionist, chain)).total).equal(1);
      const { type, conditions, contained: _contained, ...rest } = chain;
      const over = { ...rest, parts: [{ type, conditions }], isNamed: true };
      expect((await world.store.searchSystem(receptionist, over)).total).equal(1);
      for (const ask of [
        () => store.search(receptionist, chain),
        () => store.transaction(receptionist, (tx) => tx.search(chain)),
        () => store.searchSystem(receptionist, over),
        () => store.transaction(receptionist, (tx) => tx.searchSystem(over)),
      ])
        expect((await ask()).total, query).equal(0);
    }
  });

  it('a chain looks into 1,000 containers, and says so where there are more', async () => {
    const contained = [medication('m', '555')];
    await world.store.transaction(ROOT, async (tx) => {
      await tx.write(
        Array.from({ length: 1150 }, (_, n) => ({
          kind: 'update' as const,
          operation: 'update' as const,
          type: 'MedicationRequest',
          id: `many-${n}`,
          change: () => order(`many-${n}`, contained, n === 7 ? { status: 'completed' } : {}),
        })),
      );
    });
    const all = await world.store.search(ROOT, parseQuery('MedicationRequest', 'medication.code=555&_total=accurate'));
    expect(all.total).within(1000, 1100);
    expect(all.issues.map(({ code, severity }) => `${severity} ${code}`)).deep.equal(['warning incomplete']);
    // What else is asked narrows what is looked into.
    const one = await world.store.search(ROOT, parseQuery('MedicationRequest', 'medication.code=555&status=completed'));
    expect(ids(one)).deep.equal(['many-7']);
    expect(one.issues).deep.equal([]);
  });
});
