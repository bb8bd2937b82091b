import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Resource, TransactionWrite } from '../../../src/ports/resource-store.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { person } from '../../support/callers.ts';
import { withClient } from '../../support/database.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../../support/policy-store.ts';
import { openProtectionWorld, type ProtectionWorld } from '../protection/world.ts';

const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
const wrapping = createCipher([{ number: 1, key: randomBytes(32) }]);
const options = { encrypted: 'Patient.name,Observation.value', wrapping, cipher };
const DOCTOR = person('DOCTOR', { practitioner: 'd', organizations: ['o'] });
const patient = (id: string, family: string): Resource => ({
  resourceType: 'Patient',
  id,
  managingOrganization: { reference: 'Organization/o' },
  name: [{ family }],
});
const observation = (id: string, of: string, valueString: string): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'seen' },
  subject: { reference: `Patient/${of}` },
  valueString,
});
const statusOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 200,
    (error: unknown) => (error instanceof FhirError ? error.status : error),
  );

/** Two stores on one database, as two processes have them. */
describe('encryption › keys that another process has destroyed', function () {
  this.timeout(180_000);
  let here: ProtectionWorld;
  let other: PolicyStore;
  beforeEach(async () => {
    here = await openProtectionWorld(options);
    other = await openPolicyStore({ ...options, database: here.database });
    await other.put({ resourceType: 'Organization', id: 'o' });
  });
  afterEach(async () => {
    await other.stop();
    await here.stop();
  });

  /** What is stored under a key that is no more. */
  const unopenable = async (): Promise<unknown[]> =>
    (
      await here.sql(`select id from (
  select id, content from fhir.patient union all select id, content from fhir.observation
  union all select m.id, h.content from fhir.observation_h h join fhir.observation m using (rid)) t
where content like '%"~":"v1.%' and not exists (
  select from mortar.data_key k where k.id = substring(content from '"~":"v1\\.([0-9a-f]{16})'))`)
    ).flat();
  const both = async (type: string, id: string): Promise<string[]> => {
    const contents = await Promise.all([here, other].map(({ store }) => store.read(ROOT, type, id)));
    return contents.map(({ content }) => content);
  };
  /** Removes the record here, while the other process remembers its key. */
  async function destroyed(id: string): Promise<void> {
    await other.put(patient(id, 'Before'));
    await here.store.removal.remove([id]);
    expect((await other.services.store.search(ROOT, parseQuery('Patient', ''))).matches).to.deep.equal([]);
  }
  const asBundle = (caller: Caller, ...writes: TransactionWrite[]): Promise<unknown> =>
    other.store.transaction(caller, (tx) => tx.write(writes));

  for (const [how, write] of [
    ['a create', () => other.store.create(ROOT, observation('new', 'gone', 'WordNew'), 'new')],
    [
      'creates that are committed together',
      () =>
        Promise.all(
          Array.from({ length: 40 }, (_, n) => {
            const id = n === 0 ? 'new' : `new-${n}`;
            return other.store.create(ROOT, observation(id, 'gone', `WordNew${n}`), id);
          }),
        ),
    ],
    ['an update that creates', () => other.put(observation('new', 'gone', 'WordNew'))],
    [
      'an update',
      async () => {
        await other.put(observation('new', 'stays', 'WordOld'));
        await other.put(observation('new', 'gone', 'WordNew'));
      },
    ],
    [
      'a bundle',
      async () => {
        await other.put(observation('new', 'stays', 'WordOld'));
        await asBundle(
          ROOT,
          {
            kind: 'update',
            operation: 'update',
            type: 'Observation',
            id: 'new',
            change: () => observation('new', 'gone', 'WordNew'),
          },
          { kind: 'create', id: 'beside', resource: observation('beside', 'gone', 'WordBeside') },
        );
      },
    ],
    [
      'a bundle of somebody whose rights are checked as it is written',
      async () => {
        await here.put(patient('gone', 'Again'));
        await asBundle(DOCTOR, { kind: 'create', id: 'new', resource: observation('new', 'gone', 'WordNew') });
      },
    ],
  ] as const)
    it(`[KS-06] [DP-04] ${how} is sealed with another key, and both read it`, async () => {
      await other.put(patient('stays', 'Stays'));
      await other.put(patient('gone', 'Before'));
      await here.store.removal.remove(['gone']);
      await write();
      for (const content of await both('Observation', 'new')) expect(content).to.contain('WordNew');
      expect(await unopenable()).to.deep.equal([]);
      other.clock.pass(6 * 60_000);
      for (const content of await both('Observation', 'new')) expect(content).to.contain('WordNew');
      expect(JSON.stringify(await here.sql('select content from fhir.observation'))).not.to.contain('WordNew');
    });

  it('[KS-06] [DP-04] the patient under the same id is somebody new', async () => {
    await destroyed('gone');
    const { outcome } = await other.store.update(ROOT, 'Patient', 'gone', () => patient('gone', 'New'));
    expect(outcome).to.equal('created');
    for (const content of await both('Patient', 'gone')) expect(content).to.contain('"New"');
    expect((await here.sql('select 1 from mortar.data_key where pat is not null')).length).to.equal(1);
  });

  for (const [how, change] of [
    ['an update', (to: Resource) => other.store.update(ROOT, 'Patient', 'gone', () => to)],
    [
      'a bundle',
      (to: Resource) =>
        asBundle(ROOT, { kind: 'update', operation: 'update', type: 'Patient', id: 'gone', change: () => to }),
    ],
  ] as const)
    it(`[KS-06] ${how} under way and the end of a removal wait for each other in one order`, async () => {
      await other.put(patient('gone', 'Before'));
      const waiting = async (n: number): Promise<void> => {
        for (;;) {
          const [count] = await here.sql<number[]>(
            "select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          );
          if (Number(count?.[0]) >= n) return;
          await setTimeout(5);
        }
      };
      let writing: Promise<unknown> = Promise.resolve();
      let removing: Promise<unknown> = Promise.resolve();
      await withClient(here.database.connection('superuser'), async (client) => {
        await client.query('begin');
        await client.query('select from mortar.data_key for update');
        writing = statusOf(change(patient('gone', 'After')));
        await waiting(1);
        removing = here.store.removal.remove(['gone']).catch((error: unknown) => error);
        await waiting(2);
        await client.query('rollback');
      });
      expect(await Promise.all([writing, removing])).to.deep.equal([200, undefined]);
      expect(await statusOf(other.store.read(ROOT, 'Patient', 'gone'))).to.equal(404);
      expect(await here.sql('select 1 from mortar.data_key where pat is not null')).to.deep.equal([]);
    });

  it('[KS-06] [DP-04] what is written while the last step of a removal is done waits, and has another key', async () => {
    await other.put(patient('gone', 'Before'));
    let late: Promise<unknown> = Promise.resolve();
    await here.store.removal.remove(['gone'], {
      note: async (_send, { dataKeys }) => {
        if (dataKeys !== 1) return;
        late = Promise.all([
          other.store.create(ROOT, observation('late', 'gone', 'WordLate'), 'late'),
          asBundle(ROOT, { kind: 'create', id: 'later', resource: observation('later', 'gone', 'WordLate') }),
        ]);
        await setTimeout(50);
      },
    });
    await late;
    expect(await unopenable()).to.deep.equal([]);
    for (const id of ['late', 'later'])
      for (const content of await both('Observation', id)) expect(content).to.contain('WordLate');
  });

  it('[KS-06] [DP-04] what was written to the record before its keys go is removed with it, deleted again or not', async () => {
    await other.put(patient('gone', 'Before'));
    let rounds = 0;
    await here.store.removal.remove(['gone'], {
      note: async (_send, { messages }) => {
        if (messages === undefined || ++rounds > 1) return;
        await other.put(observation('late', 'gone', 'WordLate'));
        await other.put(observation('brief', 'gone', 'WordBrief'));
        await other.store.delete(ROOT, 'Observation', 'brief');
      },
    });
    expect(rounds).to.be.greaterThan(1);
    expect(await here.sql('select id from fhir.observation union all select rid::text from fhir.observation_h')).to.eql(
      [],
    );
  });
});

describe('encryption › a value that nobody can open', function () {
  this.timeout(180_000);
  let world: ProtectionWorld;
  before(async () => {
    const first = await openProtectionWorld(options);
    for (const id of ['lost', 'kept']) {
      await first.put(patient(id, `Family${id}`));
      await first.put(patient(id, `Second${id}`));
      await first.put(observation(`of-${id}`, id, `Word${id}`));
    }
    await first.put({ ...observation('both', 'kept', 'WordBoth'), performer: [{ reference: 'Patient/lost' }] });
    const rid = String(first.store.contacts.keys.rids.rid('lost'));
    await first.sql('delete from mortar.data_key where pat = $1', [rid]);
    world = first;
    world.clock.pass(6 * 60_000);
  });
  after(() => world.stop());
  const alerts = (): number =>
    world.log.lines.filter(({ level, fields }) => level === 'error' && fields?.['alert'] === true).length;
  const search = (caller: Caller, type: string, query: string) => world.store.search(caller, parseQuery(type, query));

  for (const [who, caller] of [
    ['the server', ROOT],
    ['a doctor', DOCTOR],
  ] as const) {
    it(`[KS-06] ${who} gets pages of others without it, and it is told as an alert`, async () => {
      const before = alerts();
      const found = async (type: string, query = ''): Promise<string[]> =>
        (await search(caller, type, query)).matches.map(({ id }) => id).sort();
      expect(await found('Patient')).to.deep.equal(['kept']);
      expect(await found('Observation')).to.deep.equal(['both', 'of-kept']);
      expect(await world.store.transaction(caller, async (tx) => tx.search(parseQuery('Patient', ''))))
        .to.have.property('matches')
        .with.length(1);
      expect(alerts()).to.be.greaterThan(before);
      expect(JSON.stringify(world.log.lines)).not.to.match(/Familylost|Wordlost/);
    });

    it(`[KS-06] ${who} gets what an _include and a _revinclude bring without it`, async () => {
      const { matches, included } = await search(
        caller,
        'Observation',
        '_id=both&_include=Observation:performer&_include=Observation:subject',
      );
      expect([...matches, ...included].map(({ id }) => id)).to.deep.equal(['both', 'kept']);
      const back = await search(caller, 'Patient', '_id=kept&_revinclude=Observation:subject');
      expect(back.included.map(({ id }) => id).sort()).to.deep.equal(['both', 'of-kept']);
    });

    it(`[KS-06] ${who} gets histories of others without it`, async () => {
      const { versions } = await world.store.history(caller, { type: 'Patient', count: 10 });
      expect(versions.map(({ id, versionId }) => `${id} ${versionId}`)).to.deep.equal(['kept 2', 'kept 1']);
      const all = await world.store.history(caller, { count: 20 });
      expect(new Set(all.versions.map(({ id }) => id))).to.deep.equal(new Set(['both', 'of-kept', 'kept']));
    });

    it(`[KS-06] [KS-10] ${who} who reads it gets 503`, async () => {
      expect(await statusOf(world.store.read(caller, 'Patient', 'lost'))).to.equal(503);
      expect(await statusOf(world.store.vread(caller, 'Patient', 'lost', 1))).to.equal(503);
      expect(await statusOf(world.store.history(caller, { type: 'Patient', id: 'lost', count: 9 }))).to.equal(503);
      expect(await statusOf(world.store.transaction(caller, (tx) => tx.read('Patient', 'lost')))).to.equal(503);
      expect(await statusOf(world.store.read(caller, 'Patient', 'kept'))).to.equal(200);
    });
  }

  it('[DP-04] what is left of such a record can still be erased', async () => {
    await world.store.removal.remove(['lost']);
    expect(await world.ids(ROOT, 'Observation?performer=Patient/lost')).to.deep.equal([]);
    expect(await world.sql('select id from fhir.patient')).to.deep.equal([['kept']]);
    expect(await world.sql("select id from fhir.observation where id = 'of-lost'")).to.deep.equal([]);
    expect((await world.store.read(ROOT, 'Observation', 'both')).content).to.contain('WordBoth');
  });
});
