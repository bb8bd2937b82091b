/** SECURITY CP-*: a search parameter that somebody posts opens nothing, and decides about nobody's rights. */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { ResourceStore } from '../../src/ports/resource-store.ts';
import { withElementRights } from '../../src/postgres/element-rights.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { withClient } from '../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const LINK = 'http://example.org/link';

const parameter = (code: string, base: string, type: string, expression: string, more: object = {}) => ({
  resourceType: 'SearchParameter' as const,
  id: code,
  url: `http://example.org/SearchParameter/${code}`,
  name: 'test',
  status: 'active',
  description: 'test',
  code,
  base: [base],
  type,
  expression,
  ...more,
});

/** Stores it, and waits until it is searched by. */
async function post(world: PolicyStore, resource: ReturnType<typeof parameter>): Promise<void> {
  await world.put(resource);
  for (let turn = 0; ; turn++)
    try {
      const [base = ''] = resource.base;
      world.parse(/Resource$/.test(base) ? 'Patient' : base, `${resource.code}:missing=true`);
      return;
    } catch (error) {
      if (turn > 400) throw error;
      await setTimeout(25);
    }
}

async function statusOf(asked: Promise<unknown>): Promise<number> {
  try {
    await asked;
    return 200;
  } catch (error) {
    if (error instanceof FhirError) return error.status;
    throw error;
  }
}

describe('access › custom search parameters', () => {
  let world: PolicyStore;
  let store: ResourceStore;
  const receptionist = person('RECEPTIONIST', { organizations: ['o'] });
  const alice = patientApp('a');
  const link = (reference: string) => ({ extension: [{ url: LINK, valueReference: { reference } }] });
  const observation = (id: string, subject: string, to: string, code = 'x') => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { coding: [{ code }] },
    subject: { reference: subject },
    ...link(to),
  });
  before(async () => {
    world = await openPolicyStore({ custom: true });
    store = withElementRights(world.store, world.policy, world.services.parameters);
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    for (const id of ['a', 'b'])
      await world.put({ resourceType: 'Patient', id, managingOrganization: { reference: 'Organization/o' } });
    await world.put({
      resourceType: 'MedicationRequest',
      id: 'order',
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: { text: 'Sertraline' },
      subject: { reference: 'Patient/a' },
      reasonReference: [{ reference: 'Observation/of-b' }],
      note: [{ text: 'low mood' }],
    });
    await world.put(observation('of-b', 'Patient/b', 'Patient/a', 'secret'));
    await world.put(observation('of-a', 'Patient/a', 'Observation/of-b'));
    await world.put({ resourceType: 'Location', id: 'l', ...link('Patient/b') });
    await post(world, parameter('remark', 'MedicationRequest', 'string', 'MedicationRequest.note.text'));
    await post(world, parameter('why', 'MedicationRequest', 'reference', 'MedicationRequest.reasonReference'));
    await post(world, parameter('state', 'MedicationRequest', 'token', 'MedicationRequest.status.as(code)'));
    await post(world, parameter('link', 'Observation', 'reference', `Observation.extension('${LINK}').value`));
    const R4 = 'http://hl7.org/fhir/SearchParameter';
    const composite = (code: string, ...components: readonly (readonly [string, string])[]) =>
      parameter(code, 'MedicationRequest', 'composite', 'MedicationRequest', {
        component: components.map(([definition, expression]) => ({ definition, expression })),
      });
    const status = [`${R4}/medications-status`, 'status'] as const;
    await post(world, composite('status-remark', status, ['http://example.org/SearchParameter/remark', 'note.text']));
    await post(world, composite('status-intent', status, [`${R4}/MedicationRequest-intent`, 'intent']));
    await post(
      world,
      parameter('any-link', 'DomainResource', 'reference', `DomainResource.extension('${LINK}').value as Reference`),
    );
    // A name that the Patient compartment knows, on types that have no such parameter.
    await post(world, parameter('patient', 'Location', 'reference', `Location.extension('${LINK}').value`));
  });
  after(() => world.stop());

  const ids = async (caller: Caller, type: string, query: string): Promise<string[]> => {
    const { matches, included } = await store.search(caller, world.parse(type, query));
    return [...matches, ...included].map((one) => `${one.type}/${one.id}`).sort();
  };

  for (const [type, query] of [
    ['MedicationRequest', 'remark=low'],
    ['MedicationRequest', 'remark=absent'],
    ['MedicationRequest', 'remark:missing=false'],
    ['MedicationRequest', '_sort=remark'],
    ['MedicationRequest', '_filter=remark eq "low mood"'],
    ['Patient', '_has:MedicationRequest:subject:remark=low'],
    ['MedicationRequest', 'why=Observation/of-b'],
    ['MedicationRequest', 'why.code=secret'],
    ['MedicationRequest', '_include=MedicationRequest:why'],
    ['Observation', '_revinclude=MedicationRequest:why'],
    ['MedicationRequest', 'status-remark=active$low'],
    ['MedicationRequest', 'status-remark:missing=false'],
    ['MedicationRequest', 'any-link=Patient/a'],
    ['Patient', '_has:MedicationRequest:subject:status-remark=active$low'],
  ] as const)
    it(`[AZ-04] [CP-07] ${type}?${query}: an element that is not shown has no parameter either`, async () => {
      expect(await statusOf(ids(receptionist, type, query))).equal(403);
      expect(await statusOf(store.transaction(receptionist, (tx) => tx.search(world.parse(type, query))))).equal(403);
      expect(await statusOf(ids(ROOT, type, query))).equal(200);
    });

  it('[AZ-04] one of an element that is shown answers', async () => {
    for (const query of ['state=active', 'status-intent=active$order'])
      expect(await ids(receptionist, 'MedicationRequest', query), query).deep.equal(['MedicationRequest/order']);
    expect(await ids(ROOT, 'MedicationRequest', 'status-remark=active$low')).deep.equal(['MedicationRequest/order']);
  });

  it('[CP-01] [CP-03] a reference that only a custom parameter knows makes nothing part of a record', async () => {
    expect(await ids(ROOT, 'Observation', 'link=Patient/a')).deep.equal(['Observation/of-b']);
    expect(await ids(alice, 'Observation', 'link=Patient/a')).deep.equal([]);
    expect((await store.search(alice, world.parse('Observation', 'link=Patient/a&_total=accurate'))).total).equal(0);
    expect(await statusOf(store.read(alice, 'Observation', 'of-b'))).equal(404);
    expect(await ids(alice, 'Patient', '_revinclude=Observation:link')).deep.equal(['Patient/a']);
    expect(await ids(alice, 'Patient', '_has:Observation:link:code=secret')).deep.equal([]);
  });

  it('[CP-01] [CP-06] one of every type finds of each type what the caller sees there', async () => {
    expect(await ids(ROOT, 'Observation', 'any-link=Patient/a')).deep.equal(['Observation/of-b']);
    expect(await ids(ROOT, 'Location', 'any-link=Patient/b')).deep.equal(['Location/l']);
    expect(await ids(alice, 'Observation', 'any-link=Patient/a')).deep.equal([]);
    expect(await ids(alice, 'Observation', 'any-link:missing=false')).deep.equal(['Observation/of-a']);
    expect(await ids(alice, 'Patient', '_revinclude=Observation:any-link')).deep.equal(['Patient/a']);
    expect(await ids(alice, 'Observation', '_include=Observation:any-link')).deep.equal(['Observation/of-a']);
    expect(await ids(alice, 'Observation', 'any-link:Observation.code=secret')).deep.equal([]);
    expect(() => world.parse('AuditEvent', 'any-link=Patient/a')).throw(/Unknown parameter/);
  });

  it('[CP-04] [CP-06] it leads to nothing that the caller may not see', async () => {
    expect(await ids(ROOT, 'Observation', '_id=of-a&_include=Observation:link')).include('Observation/of-b');
    expect(await ids(alice, 'Observation', '_include=Observation:link')).deep.equal(['Observation/of-a']);
    expect(await ids(alice, 'Observation', '_include=*')).not.include('Observation/of-b');
    expect(await ids(alice, 'Observation', 'link:Observation.code=secret')).deep.equal([]);
    expect(await ids(ROOT, 'Observation', 'link:Observation.code=secret')).deep.equal(['Observation/of-a']);
  });

  it('[CP-24] one that is called patient does not make its type part of records', async () => {
    expect(await ids(ROOT, 'Location', 'patient=b')).deep.equal(['Location/l']);
    // Shared before, and shared still: the patient named has no more say in it than before.
    expect(await ids(alice, 'Location', '_id=l')).deep.equal(['Location/l']);
    const { scopes } = patientApp('b', 'patient/Location.rs');
    expect(await ids({ ...patientApp('b'), scopes }, 'Location', 'patient=b')).deep.equal(['Location/l']);
  });

  it('[SC-08] a scope cannot be narrowed by one: it may be gone tomorrow, and then it would widen', async () => {
    const narrowed = client('system/Observation.rs?link=Patient/a');
    expect(await statusOf(ids(narrowed, 'Observation', '')).catch(() => 403)).not.equal(200);
  });

  it('[AZ-02] [CP-10] only who may write definitions may write one', async () => {
    const wanted = parameter('mine', 'Patient', 'string', 'Patient.name.family');
    for (const caller of [alice, receptionist, person('PHARMACIST', { organizations: ['o'] }), client('system/*.rs')]) {
      expect(await statusOf(world.store.create(caller, wanted, world.store.newId()))).equal(403);
      expect(await statusOf(world.store.update(caller, 'SearchParameter', 'link', () => wanted))).equal(403);
      expect(await statusOf(world.store.delete(caller, 'SearchParameter', 'link'))).equal(403);
    }
    expect(await statusOf(ids(ROOT, 'Observation', 'link=Patient/a'))).equal(200);
    expect(() => world.parse('Patient', 'mine=x')).throw(/Unknown parameter/);
  });
});

describe('access › custom search parameters of encrypted elements', () => {
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore({ custom: true, encrypted: 'Patient.name,Patient.contact' });
    await world.put({
      resourceType: 'Patient',
      id: 'p',
      name: [{ family: 'Vandeleur-Quillon' }],
      contact: [
        { gender: 'female', name: { text: 'Zarathustra Ibbotson' }, organization: { reference: 'Organization/o' } },
      ],
    });
    await post(world, parameter('next-of-kin', 'Patient', 'string', 'Patient.contact.name.text'));
    await post(
      world,
      parameter('gender-kin', 'Patient', 'composite', 'Patient.contact', {
        component: [
          { definition: 'http://hl7.org/fhir/SearchParameter/individual-gender', expression: 'gender' },
          { definition: 'http://example.org/SearchParameter/next-of-kin', expression: 'name.text' },
        ],
      }),
    );
  });
  after(() => world.stop());

  const found = async (query: string): Promise<string[]> => world.ids(ROOT, `Patient?${query}`);

  it('[KS-08] [KS-09] whole words are looked up, the rest is refused, and no text of it is stored', async () => {
    expect(await found('next-of-kin=ibbotson')).deep.equal(['p']);
    expect(await found('next-of-kin:exact=Zarathustra Ibbotson')).deep.equal(['p']);
    expect(await found('next-of-kin:missing=false')).deep.equal(['p']);
    expect(await found('next-of-kin=other')).deep.equal([]);
    for (const query of [
      'next-of-kin:contains=bbots',
      'gender-kin=female$zarathustra',
      '_sort=next-of-kin',
      '_filter=next-of-kin gt "a"',
    ])
      expect(await statusOf(found(query)), query).equal(400);
    await withClient(world.database.connection('owner'), async (db) => {
      const { rows } = await db.query<{ v: string }>('select v from fhir.patient_s');
      expect(rows.filter(({ v }) => /ibbotson|zarathustra|vandeleur/.test(v))).deep.equal([]);
    });
  });

  it('[KS-08] a request that was read before others came and went is judged as it was', async () => {
    const contains = world.parse('Patient', 'next-of-kin:contains=bbots');
    const sorted = world.parse('Patient', '_sort=next-of-kin');
    // Its id comes first, so that the atoms of the others move.
    await post(world, parameter('a-first', 'Patient', 'token', 'Patient.active'));
    for (const request of [contains, sorted]) expect(await statusOf(world.store.search(ROOT, request))).equal(400);
    expect(await found('next-of-kin=ibbotson')).deep.equal(['p']);
    const active = world.parse('Patient', 'a-first:missing=true');
    expect((await world.store.search(ROOT, active)).matches.map(({ id }) => id)).deep.equal(['p']);
  });

  it('[KS-07] references that are encrypted cannot be searched by', async () => {
    const wanted = parameter('kin-org', 'Patient', 'reference', 'Patient.contact.organization');
    expect(await statusOf(world.store.create(ROOT, wanted, world.store.newId()))).equal(422);
  });
});
