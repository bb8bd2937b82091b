/** Who follows the change log misses nothing, and is told of nothing before its time. SECURITY RL-17, RL-19 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { ChangePage } from '../../src/ports/change-feed.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { withClient } from '../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const PATIENTS = new Set(['Patient']);

describe('change feed', () => {
  let world: PolicyStore;
  let consumer = '';
  before(async () => {
    world = await openPolicyStore();
  });
  after(() => world.stop());
  beforeEach(() => {
    consumer = `test ${randomUUID()}`;
  });

  const read = (limit = 100): Promise<ChangePage> => world.store.changes.read(consumer, PATIENTS, limit);
  const advance = ({ from, to }: ChangePage): Promise<void> =>
    world.store.transaction(ROOT, (tx) => tx.consumers.advance(consumer, from, to));
  const put = (id: string, family = 'A') =>
    world.put({ resourceType: 'Patient', id, name: [{ family }], identifier: [{ system: 'urn:x', value: id }] });
  const seen = ({ versions }: ChangePage): string[] => versions.map(({ id, versionId }) => `${id}/${versionId}`);

  it('begins with what is changed from then on; shows it again until the position has moved', async () => {
    await put('before');
    expect(seen(await read())).eql([]);
    await put('p1');
    await put('p1', 'B');
    await world.put({ resourceType: 'Organization', id: 'o1', name: 'not asked for' });
    await put('p2');
    expect(seen(await read())).eql(['p1/1', 'p1/2', 'p2/1']);
    const page = await read();
    expect(seen(page), 'again').eql(['p1/1', 'p1/2', 'p2/1']);
    expect(page.versions[1]?.content).include('"B"');
    await advance(page);
    expect(seen(await read())).eql([]);
  });

  it('goes in pages of any size, past what is not asked for', async () => {
    await read();
    for (const id of ['q1', 'q2', 'q3']) {
      await world.put({ resourceType: 'Organization', id: `o-${id}`, name: id });
      await put(id);
    }
    const all: string[] = [];
    for (let page = await read(1); ; page = await read(1)) {
      all.push(...seen(page));
      if (page.from === page.to) break;
      await advance(page);
    }
    expect(all).eql(['q1/1', 'q2/1', 'q3/1']);
  });

  it('[RL-19] waits for a transaction that began earlier and commits later', async () => {
    await read();
    await withClient(world.database.connection('owner'), async (client) => {
      await client.query('begin');
      await client.query('select pg_current_xact_id()');
      await put('early');
      expect(seen(await read()), 'while one is under way').eql([]);
      await client.query('commit');
    });
    expect(seen(await read())).eql(['early/1']);
  });

  it('[RL-17] of two that tell of the same changes one is kept, with all it wrote', async () => {
    await read();
    await put('twice');
    const page = await read();
    const tell = (word: string): Promise<void> =>
      world.store.transaction(ROOT, async (tx) => {
        await tx.consumers.advance(consumer, page.from, page.to);
        await tx.jobs.add([{ kind: `told ${consumer}`, payload: { word } }]);
      });
    const [first, second] = await Promise.allSettled([tell('one'), tell('two')]);
    const failed = [first, second].filter((one) => one.status === 'rejected');
    expect(failed.length).equal(1);
    expect(failed[0]?.reason).instanceOf(FhirError).property('status', 409);
    const jobs = await world.store.jobs.take({ kinds: [`told ${consumer}`], limit: 9, leaseMs: 1000 });
    expect(jobs.length).equal(1);
  });

  it('tells what was stored encrypted in clear', async () => {
    const sealed = await openPolicyStore({ encrypted: 'Patient.name' });
    try {
      await sealed.store.changes.read('sealed', PATIENTS, 10);
      await sealed.put({ resourceType: 'Patient', id: 's1', name: [{ family: 'Hidden' }] });
      const { versions } = await sealed.store.changes.read('sealed', PATIENTS, 10);
      expect(versions[0]?.content).include('Hidden');
    } finally {
      await sealed.stop();
    }
  });

  it('keeps the number of the last message of a sequence', async () => {
    const sender = `S|${consumer}`;
    expect(await world.store.changes.readSequence(sender)).equal(undefined);
    for (const number of [7, 8]) await world.store.changes.writeSequence(sender, number);
    expect(await world.store.changes.readSequence(sender)).equal(8);
  });
});
