import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { AddedJob, NewJob, TakenJob } from '../../src/ports/jobs.ts';
import type { Row, Statement } from '../../src/postgres/pools.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

const take = { kinds: ['a'], limit: 10, leaseMs: 10_000 };

describe('job table', () => {
  let store: MessageStore;
  before(async () => {
    store = await openMessageStore();
  });
  afterEach(() => store.pools.writes.query({ text: 'delete from mortar.job', values: [] }));
  after(() => store.stop());

  const within = async (
    end: 'commit' | 'rollback',
    work: (send: (s: Statement) => Promise<readonly Row[]>) => Promise<void>,
  ) => {
    const client = await store.pools.transactions.connect();
    try {
      await client.query('begin');
      await work(
        async ({ text, values }) => (await client.query({ text, values: values as unknown[], rowMode: 'array' })).rows,
      );
      await client.query(end);
    } finally {
      client.release();
    }
  };

  it('a job added in a transaction is there when that commits, and only then', async () => {
    for (const end of ['rollback', 'commit'] as const) {
      const added: AddedJob[] = [];
      await within(end, async (send) => {
        await store.jobs.transaction(send, (jobs) => added.push(...jobs)).add([{ kind: 'a', payload: { end } }]);
        expect(await store.jobs.take(take), 'before the end').deep.equal([]);
      });
      expect(added).length(1);
      expect((await store.jobs.take(take)).map((job) => job.payload)).deep.equal(end === 'commit' ? [{ end }] : []);
    }
  });

  it('[RL-21] what a stale holder does is refused, in a transaction too', async () => {
    await store.jobs.add([{ kind: 'a', payload: {} }]);
    const [stale] = (await store.jobs.take({ ...take, leaseMs: 1 })) as [TakenJob];
    await sleep(20);
    expect(await store.jobs.reclaim()).equal(1);
    expect(await store.jobs.complete(stale), 'reclaimed').equal(false);
    const [holder] = (await store.jobs.take(take)) as [TakenJob];
    expect(holder).deep.include({ id: stale.id, attempt: 2, fence: stale.fence + 1 });
    for (const result of [
      await store.jobs.complete(stale),
      await store.jobs.extend(stale, 1000),
      await store.jobs.retry(stale, 0, 'x'),
      await store.jobs.postpone(stale, 0, 'x'),
      await store.jobs.bury(stale, 'x'),
      await store.jobs.release(stale),
    ])
      expect(result).equal(false);
    await within('rollback', async (send) => {
      const error = await store.jobs
        .transaction(send, () => undefined)
        .complete(stale)
        .catch((e: unknown) => e);
      expect(error).instanceOf(FhirError).property('status', 409);
    });
    await within('commit', (send) => store.jobs.transaction(send, () => undefined).complete(holder));
    expect(await store.jobs.complete(holder), 'done once').equal(false);
  });

  it('[RL-17] of a word that gathers one job waits; once it is taken the next is added, and runs after it', async () => {
    const gathering = (n: number): NewJob => ({ kind: 'a', key: 'k', gather: 'k', payload: { n } });
    await store.jobs.add([
      gathering(1),
      gathering(2),
      { kind: 'a', payload: { n: 3 } },
      { ...gathering(4), gather: 'l' },
    ]);
    await store.jobs.add([gathering(5)]);
    const taken = await store.jobs.take(take);
    expect(taken.map(({ payload }) => payload['n']).toSorted()).eql([1, 3]);
    await store.jobs.add([gathering(6)]);
    await store.jobs.add([gathering(7)]);
    expect(await store.jobs.take(take), 'the first of the key runs').eql([]);
    const first = taken.find(({ payload }) => payload['n'] === 1) as TakenJob;
    // It waits again beside the next of its word, and goes before it.
    expect(await store.jobs.retry(first, 0, 'x')).equal(true);
    for (const n of [1, 4, 6]) {
      const [job] = (await store.jobs.take(take)) as [TakenJob];
      expect(job.payload).eql({ n });
      await store.jobs.complete(job);
    }
    expect(await store.jobs.take(take)).eql([]);
  });

  for (const end of ['commit', 'rollback'] as const)
    it(`[RL-17] a job that gathers is not taken while something joins it, ended by ${end}`, async () => {
      const job: NewJob = { kind: 'a', key: 'k', gather: 'k', payload: {} };
      await store.jobs.add([job]);
      const added: AddedJob[] = [];
      await within(end, async (send) => {
        await store.jobs.transaction(send, (jobs) => added.push(...jobs)).add([job]);
        expect(await store.jobs.take(take), 'what joins cannot be seen yet').eql([]);
      });
      expect([added.length, (await store.jobs.take(take)).length]).eql([0, 1]);
    });

  it('[RL-17] who joins as the job is taken waits for that, and adds the next', async () => {
    const job: NewJob = { kind: 'a', key: 'k', gather: 'k', payload: {} };
    await store.jobs.add([job]);
    const taker = await store.pools.transactions.connect();
    try {
      await taker.query('begin');
      await taker.query("update mortar.job set state = 'running', gather = null where kind = 'a'");
      const added: AddedJob[] = [];
      const joining = within('commit', (send) =>
        store.jobs.transaction(send, (jobs) => added.push(...jobs)).add([job]),
      );
      await sleep(50);
      expect(added).eql([]);
      await taker.query('commit');
      await joining;
      expect(added).length(1);
    } finally {
      taker.release();
    }
  });

  it('what is postponed keeps its place in the order and its number of attempts', async () => {
    await store.jobs.add([
      { kind: 'a', key: 'k', payload: { n: 1 } },
      { kind: 'a', key: 'k', payload: { n: 2 } },
    ]);
    for (let times = 0; times < 3; times++) {
      const [job] = (await store.jobs.take(take)) as [TakenJob];
      expect(job).deep.include({ payload: { n: 1 }, attempt: 1 });
      expect(await store.jobs.postpone(job, 0, 'nobody is there')).equal(true);
    }
    const [job] = (await store.jobs.take(take)) as [TakenJob];
    await store.jobs.postpone(job, 60_000, 'nobody is there');
    expect(await store.jobs.take(take), 'the next waits for it').eql([]);
  });

  it('counts what waits or runs under some keys, up to a bound', async () => {
    const job = (key: string) => ({ kind: 'a', key, payload: {} });
    await store.jobs.add([job('x'), job('x'), job('y'), job('z')]);
    await store.jobs.take({ ...take, limit: 1 });
    expect(await store.jobs.countOpen('a', ['x', 'y'], 10)).equal(3);
    expect(await store.jobs.countOpen('a', ['x', 'y'], 2)).equal(2);
    expect(await store.jobs.countOpen('b', ['x'], 2)).equal(0);
  });

  it('of one word only one waits or runs', async () => {
    const job = { kind: 'a', dedupe: 'sweep', payload: {} };
    await store.jobs.add([job, job]);
    await store.jobs.add([job]);
    const taken = await store.jobs.take(take);
    expect(taken).length(1);
    await store.jobs.add([job]);
    expect(await store.jobs.take(take), 'while it runs').length(0);
    await store.jobs.complete(taken[0] as TakenJob);
    await store.jobs.add([job]);
    expect(await store.jobs.take(take), 'after it').length(1);
  });

  it('two takers never get the same job, nor two of one key', async () => {
    await store.jobs.add(Array.from({ length: 30 }, (_, n) => ({ kind: 'a', key: `k${n % 3}`, payload: { n } })));
    const taken = (await Promise.all(Array.from({ length: 8 }, () => store.jobs.take(take)))).flat();
    expect(taken.map((job) => job.payload['n']).toSorted()).deep.equal([0, 1, 2]);
  });

  it('a schedule that ten processes run adds one job', async () => {
    const schedule = { name: 's', everyMs: 60_000, job: { kind: 'a', payload: {} } };
    expect(await store.jobs.runSchedule(schedule), 'the first time comes after an interval').equal(false);
    await store.pools.writes.query({
      text: "update mortar.schedule set next_at = now() - interval '1 s' where name = 's'",
      values: [],
    });
    const ran = await Promise.all(Array.from({ length: 10 }, () => store.jobs.runSchedule(schedule)));
    expect(ran.filter(Boolean)).length(1);
    expect(await store.jobs.take(take)).length(1);
  });
});
