/** Work of several people in one database transaction: each as if alone, with rights and trail of their own. SECURITY AZ-05, CP-08 */
import { expect } from 'chai';
import type { Caller } from '../src/ports/caller.ts';
import type { Criteria, Resource, ResourceStore, StoreTransaction } from '../src/ports/resource-store.ts';
import { criteriaOf } from '../src/rest/criteria.ts';
import { withSharedTransactions } from '../src/shared-transactions.ts';
import { FhirError, notFound } from '../src/standards/fhir/outcome.ts';
import { openAuditedDatabase } from './postgres/audit/audited-database.ts';
import { patientApp, person } from './support/callers.ts';
import { ROOT } from './support/policy-store.ts';
import { createMaker, createRandom, createWorld, IDS, STATUSES, type World } from './support/policy-world.ts';
import { testSeed } from './support/seed.ts';

const SEED = testSeed();
const CASES = { quick: 40, ci: 200, long: 2_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 40;
const TYPES = ['Patient', 'MedicationRequest', 'Observation', 'Task', 'Encounter', 'AllergyIntolerance', 'Provenance'];
const SHARED = { mayShare: true } as const;

/** Counts who opens transactions of the store below. */
function counted<S extends ResourceStore>(store: S): { readonly store: S; readonly openers: string[] } {
  const openers: string[] = [];
  const transaction: ResourceStore['transaction'] = (caller, work, options) => {
    openers.push(caller.name);
    return store.transaction(caller, work, options);
  };
  return { store: { ...store, transaction }, openers };
}

const patient = (id: string, organization: string): Resource => ({
  resourceType: 'Patient',
  id,
  managingOrganization: { reference: `Organization/${organization}` },
});
const order = (id: string, patientId: string): Resource => ({
  resourceType: 'MedicationRequest',
  id,
  status: 'active',
  intent: 'order',
  medicationCodeableConcept: { text: 'test' },
  subject: { reference: `Patient/${patientId}` },
});

describe('transactions that people share', () => {
  let world: World;
  let shared: ResourceStore;
  let openers: string[];
  const criteria = (type: string, query: string): Criteria => criteriaOf(world.store.services, type, query);
  const of = (surgery: string): Caller => person('DOCTOR', { practitioner: `d-${surgery}`, organizations: [surgery] });

  before(async function () {
    this.timeout(180_000);
    world = await createWorld(SEED);
    const below = counted(world.store.store);
    openers = below.openers;
    shared = withSharedTransactions(below.store);
    for (const id of ['east', 'west']) {
      await world.store.put({ resourceType: 'Organization', id, name: id });
      await world.store.put(patient(`${id}-1`, id));
      await world.store.put(patient(`${id}-2`, id));
    }
  });
  beforeEach(() => {
    openers.length = 0;
  });
  after(() => world.stop());

  const idsOf = async (tx: StoreTransaction, asked: readonly Criteria[]): Promise<string[][]> =>
    (await tx.findCurrent(asked, 100)).map((versions) => versions.map(({ id }) => id).sort());

  /** Writes an order; `about` is whom it is for. */
  const prescribe = (caller: Caller, id: string, about: string, store = shared): Promise<string> =>
    store.transaction(
      caller,
      async (tx) => {
        const [found] = await idsOf(tx, [criteria('Patient', `_id=${about}`)]);
        await tx.write([{ kind: 'create', id, resource: order(id, about) }], async () => {});
        return found?.join() ?? '';
      },
      SHARED,
    );

  it('each sees and writes their own, and the database transaction is nobody’s', async () => {
    const found = await Promise.all([
      prescribe(of('east'), 'shared-e1', 'east-1'),
      prescribe(of('west'), 'shared-w1', 'west-1'),
      prescribe(of('east'), 'shared-e2', 'east-2'),
      prescribe(patientAppOf('west-2'), 'shared-none', 'west-2').catch((error: FhirError) => error.status),
    ]);
    expect(found).to.deep.equal(['east-1', 'west-1', 'east-2', 403]);
    for (const id of ['shared-e1', 'shared-w1', 'shared-e2'])
      expect((await world.store.store.read(ROOT, 'MedicationRequest', id)).versionId).to.equal(1);
    expect(openers[0]).to.equal('shared');
  });

  it('[AZ-05] [CP-11] one who writes of another’s patient is refused, and the others are not', async () => {
    const results = await Promise.allSettled([
      prescribe(of('east'), 'mixed-1', 'east-1'),
      prescribe(of('west'), 'mixed-2', 'east-2'),
      prescribe(of('west'), 'mixed-3', 'west-1'),
    ]);
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]?.status === 'rejected' && results[1].reason.status).to.equal(403);
    expect(await idsIn('mixed-1', 'mixed-2', 'mixed-3')).to.deep.equal(['mixed-1', 'mixed-3']);
  });

  it('[AZ-05] what one found in a shared transaction nobody else may refer to', async () => {
    const results = await Promise.allSettled([
      prescribe(of('east'), 'found-1', 'east-1'),
      shared.transaction(
        of('west'),
        async (tx) => {
          await tx.findCurrent([criteria('Patient', '_id=east-1')], 1);
          const note = {
            resourceType: 'Provenance',
            target: [{ reference: 'Patient/west-1' }, { reference: 'Patient/east-1' }],
            recorded: '2026-01-01T00:00:00Z',
            agent: [{ who: { reference: 'Practitioner/d-west' } }],
          };
          await tx.write([{ kind: 'create', id: 'found-2', resource: note }], async () => {});
        },
        SHARED,
      ),
    ]);
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected']);
  });

  it('two who change the same resource: one does, the other is told', async () => {
    const settle = (note: string): Promise<unknown> =>
      shared.transaction(
        of('east'),
        async (tx) => {
          const [[found] = []] = await tx.findCurrent([criteria('MedicationRequest', '_id=shared-e1')], 1);
          if (!found) throw notFound('it');
          const change = (now: Resource | undefined): Resource => ({ ...(now as Resource), note: [{ text: note }] }); // it is there
          await tx.write(
            [
              {
                kind: 'update',
                operation: 'update',
                type: 'MedicationRequest',
                id: found.id,
                ifMatch: found.versionId,
                change,
              },
            ],
            async () => {},
          );
        },
        SHARED,
      );
    // The second gives way, is worked by itself after the first, and so finds the first one's version.
    await Promise.all([settle('a'), settle('b')]);
    expect((await world.store.store.read(ROOT, 'MedicationRequest', 'shared-e1')).versionId).to.equal(3);
  });

  it('versions of one type are replaced together: each with its old one and its search values', async () => {
    const ids = ['shared-e1', 'shared-e2', 'mixed-1'];
    const end = (id: string): Promise<unknown> =>
      shared.transaction(
        of('east'),
        async (tx) => {
          await tx.findCurrent([criteria('MedicationRequest', `_id=${id}`)], 1);
          const change = (now: Resource | undefined): Resource => ({ ...(now as Resource), status: 'stopped' }); // it is there
          await tx.write(
            [{ kind: 'update', operation: 'update', type: 'MedicationRequest', id, change }],
            async () => {},
          );
        },
        SHARED,
      );
    await Promise.all(ids.map(end));
    expect(openers).to.deep.equal(['shared']);
    expect(await world.store.ids(ROOT, `MedicationRequest?status=stopped&_id=${ids.join(',')}`)).to.have.members(ids);
    expect(await world.store.ids(ROOT, `MedicationRequest?status=active&_id=${ids.join(',')}`)).to.deep.equal([]);
    for (const id of ids) {
      const history = await world.store.store.history(ROOT, { type: 'MedicationRequest', id, count: 10 });
      const statuses = history.versions.map(({ content }) => JSON.parse(content).status);
      expect(statuses.slice(0, 2)).to.deep.equal(['stopped', 'active']);
    }
  });

  it('[AZ-01] in the name of nobody nothing is found, read or written', async () => {
    const asNobody = <T>(work: (tx: StoreTransaction) => Promise<T>): Promise<unknown> =>
      world.store.store
        .transaction({ kind: 'service', name: 'shared', correlationId: 'x', scopes: [], otherScopes: [] }, work)
        .catch((error: FhirError) => error.status);
    expect(await asNobody((tx) => tx.findCurrent([criteria('Patient', '_id=east-1')], 1))).to.equal(403);
    expect(await asNobody((tx) => tx.read('Patient', 'east-1'))).to.equal(403);
    const write = { kind: 'create', id: 'nobody', resource: order('nobody', 'east-1') } as const;
    expect(await asNobody((tx) => tx.write([write]))).to.equal(403);
    // What a shared transaction has no step for is done alone, as who asks.
    const read = (caller: Caller) =>
      shared
        .transaction(caller, async (tx) => (await tx.read('Patient', 'east-1')).id, SHARED)
        .catch((error: FhirError) => error.status);
    expect(await Promise.all([read(of('east')), read(of('west'))])).to.deep.equal(['east-1', 404]);
  });

  it(`[CP-08] ${CASES} times six people at once find what each finds alone, seed ${SEED}`, async function () {
    this.timeout(300_000);
    const random = createRandom(SEED);
    const { pick, chance } = createMaker(random);
    let found = 0;
    for (let i = 0; i < CASES; i++) {
      const asking = Array.from({ length: 6 }, () => ({
        caller: pick([
          person('DOCTOR', { practitioner: pick(IDS), organizations: [pick(IDS)] }),
          person('PHARMACIST', { practitioner: pick(IDS), organizations: [pick(IDS)] }),
          patientAppOf(pick(IDS)),
        ]),
        asked: Array.from({ length: 2 }, () => {
          const type = pick(chance(90) ? ['Patient', 'MedicationRequest'] : TYPES);
          const query =
            type !== 'Patient' && chance(50) ? `patient=Patient/${pick(IDS)}` : `_id=${pick(IDS)},${pick(IDS)}`;
          const more = ['MedicationRequest', 'Task', 'Encounter'].includes(type) && chance(50);
          return criteria(type, more ? `${query}&status=${pick(STATUSES)},${pick(STATUSES)}` : query);
        }),
      }));
      const ask = (options?: typeof SHARED): Promise<unknown[]> =>
        Promise.all(
          asking.map(({ caller, asked }) =>
            shared
              .transaction(caller, (tx) => idsOf(tx, asked), options)
              .catch((error: unknown) => (error instanceof FhirError ? error.status : String(error))),
          ),
        );
      const together = await ask(SHARED);
      expect(together, JSON.stringify(asking)).to.deep.equal(await ask());
      found += together.flat(2).filter((id) => typeof id === 'string').length;
    }
    expect(found, 'something was seen').to.be.greaterThan(CASES / 2);
    expect(openers.filter((name) => name === 'shared').length).to.equal(CASES);
    // Six alone for each; where one of them was refused, six more.
    const broken = (openers.length - 7 * CASES) / 6;
    expect(broken, 'most were not broken off').to.be.lessThan(CASES / 2);
  });

  const patientAppOf = (id: string): Caller => patientApp(id);
  const idsIn = (...ids: string[]): Promise<string[]> =>
    world.store.ids(ROOT, `MedicationRequest?_id=${ids.join(',')}`).then((found) => found.sort());
});

describe('the trail of a shared transaction', () => {
  it('[AU-06] names whoever wrote, with their own request', async () => {
    const audited = await openAuditedDatabase();
    try {
      const shared = withSharedTransactions(audited.store);
      const write = (user: string): Promise<unknown> => {
        const { user: someone, ...rest } = person('DOCTOR', { practitioner: user });
        const system = { ...rest, correlationId: `request-${user}`, user: { ...(someone as object), id: user } };
        return shared.transaction(
          system as Caller, // with another id
          async (tx) => {
            await tx.write(
              [{ kind: 'create', id: `by-${user}`, resource: patient(`by-${user}`, 'o') }],
              async () => {},
              () => [{ id: `beside-${user}`, resource: { resourceType: 'Basic', code: { text: 'x' } } }],
            );
          },
          SHARED,
        );
      };
      await Promise.all(['a', 'b', 'c'].map(write));
      const rows = await audited.asSuperuser<{ ref: string; user_id: string; correlation: string; xid: string }>(
        'select e.ref, a.user_id, e.correlation, e.xid::text as xid from audit.entry e join audit.agent a on a.id = e.agent order by e.ref',
      );
      expect(rows.map(({ ref, user_id, correlation }) => [ref, user_id, correlation])).to.deep.equal([
        ...['a', 'b', 'c'].map((id) => [`beside-${id}`, id, `request-${id}`]),
        ...['a', 'b', 'c'].map((id) => [`by-${id}`, id, `request-${id}`]),
      ]);
      expect(new Set(rows.map(({ xid }) => xid)).size, 'one transaction').to.equal(1);
    } finally {
      await audited.stop();
    }
  });
});
