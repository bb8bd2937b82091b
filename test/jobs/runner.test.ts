/** One suite for both ways to carry jobs: the table alone, and Bull on a real Redis. SECURITY RL-15 … RL-22 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createBullCarrier } from '../../src/jobs/bull-carrier.ts';
import { createJobRunner, type JobHandler, type JobRunner, PermanentJobError } from '../../src/jobs/runner.ts';
import type { Schedule, TakenJob } from '../../src/ports/jobs.ts';
import type { Jobs } from '../../src/postgres/jobs.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';
import { hasRedis, startRedis, type TestRedis } from '../support/redis.ts';

const SIZES: Record<string, number> = { quick: 60, ci: 300, long: 3000 };
const SIZE = SIZES[process.env['TEST_SIZE'] ?? 'quick'] ?? 60;

async function until(what: string, done: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(10);
  }
}

const handler = (kind: string, run: JobHandler['run'], more: Partial<JobHandler> = {}): JobHandler => ({
  kind,
  run,
  attemptsMax: 3,
  delayMs: 20,
  delayMaxMs: 100,
  ...more,
});

interface World {
  readonly store: MessageStore;
  readonly redis?: TestRedis;
  /** A runner as another process would have it; stopped after the test. */
  run(
    handlers: readonly JobHandler[],
    options?: { concurrency?: number; leaseMs?: number; schedules?: readonly Schedule[]; jobs?: Jobs },
  ): JobRunner;
}

function suite(open: () => Promise<World & { stop(): Promise<void>; end(): Promise<void> }>): void {
  let world: Awaited<ReturnType<typeof open>>;
  let jobs: Jobs;
  before(async () => {
    world = await open();
    jobs = world.store.jobs;
  });
  afterEach(async () => {
    await world.stop();
    await world.store.pools.writes.query({ text: 'delete from mortar.job', values: [] });
    await world.store.pools.writes.query({ text: 'delete from mortar.schedule', values: [] });
  });
  after(() => world.end());

  const left = async (): Promise<number> => {
    const [row] = await world.store.pools.writes.query({ text: 'select count(*)::int from mortar.job', values: [] });
    return row?.[0] as number;
  };
  const isEmpty = async (): Promise<boolean> => (await left()) === 0;

  it('runs what is added, once, with its payload, and its row goes', async () => {
    const ran: unknown[] = [];
    world.run([handler('a', async (job) => void ran.push(job.payload['n']))]);
    await jobs.add([1, 2, 3].map((n) => ({ kind: 'a', payload: { n } })));
    await until('all ran', isEmpty);
    expect(ran.toSorted()).deep.equal([1, 2, 3]);
  });

  it('runs what was there before it started, and leaves kinds it does not know', async () => {
    await jobs.add([
      { kind: 'a', payload: {} },
      { kind: 'other', payload: {} },
    ]);
    let ran = 0;
    world.run([
      handler('a', async () => {
        ran += 1;
      }),
    ]);
    await until('it ran', () => ran === 1);
    await until('the row went', async () => (await left()) === 1);
  });

  it('waits for the time of a job', async () => {
    const started = Date.now();
    let ranAt = 0;
    world.run([
      handler('a', async () => {
        ranAt = Date.now();
      }),
    ]);
    await jobs.add([{ kind: 'a', payload: {}, runAt: started + 600 }]);
    await until('it ran', () => ranAt > 0);
    expect(ranAt - started).greaterThanOrEqual(590);
  });

  it('[RL-18] keeps the order of a key over two runners, while other keys go on', async function () {
    this.timeout(180_000);
    const another = await world.store.openAnother();
    try {
      const ran = new Map<string, number[]>();
      let together = 0;
      const busy = new Set<string>();
      const work = handler('ordered', async (job) => {
        const key = job.key as string;
        if (busy.has(key)) together += 1;
        busy.add(key);
        await sleep(Math.random() * 4);
        ran.set(key, [...(ran.get(key) ?? []), job.payload['n'] as number]);
        busy.delete(key);
      });
      world.run([work], { concurrency: 6 });
      world.run([work], { concurrency: 6, jobs: another.jobs });
      for (let n = 0; n < SIZE; n += 4)
        await jobs.add(
          [0, 1, 2, 3].map((i) => ({ kind: 'ordered', key: `patient ${(n + i) % 5}`, payload: { n: n + i } })),
        );
      await until('all ran', isEmpty, 50_000);
      expect(together).equal(0);
      expect([...ran.values()].flat()).length(SIZE);
      for (const [key, order] of ran) expect(order, key).deep.equal(order.toSorted((a, b) => a - b));
    } finally {
      await world.stop();
      await another.end();
    }
  });

  it('[RL-18] a failing first of a key holds back that key alone', async () => {
    const ran: string[] = [];
    let fail = true;
    world.run(
      [
        handler(
          'held',
          async (job) => {
            if (job.payload['name'] === 'a1' && fail) throw new Error('not yet');
            ran.push(job.payload['name'] as string);
          },
          { attemptsMax: 1000 },
        ),
      ],
      { concurrency: 4 },
    );
    await jobs.add([
      { kind: 'held', key: 'a', payload: { name: 'a1' } },
      { kind: 'held', key: 'a', payload: { name: 'a2' } },
      { kind: 'held', key: 'b', payload: { name: 'b1' } },
      { kind: 'held', key: 'b', payload: { name: 'b2' } },
    ]);
    await until('b ran', () => ran.length === 2);
    expect(ran).deep.equal(['b1', 'b2']);
    fail = false;
    await until('a ran', isEmpty);
    expect(ran).deep.equal(['b1', 'b2', 'a1', 'a2']);
  });

  it('[RL-15] tries again with a delay, then buries with the error; the rest flow on; a replay runs it', async () => {
    let broken = true;
    const attempts: number[] = [];
    const buried: string[] = [];
    let others = 0;
    world.run([
      handler(
        'poison',
        async (job) => {
          attempts.push(job.attempt);
          if (broken) throw new Error('it does not fit');
        },
        { onDead: async (job) => void buried.push(job.id) },
      ),
      handler('good', async () => {
        others += 1;
      }),
    ]);
    await jobs.add([
      { kind: 'poison', payload: {} },
      ...Array.from({ length: 20 }, () => ({ kind: 'good', payload: {} })),
    ]);
    await until('it is dead', async () => (await jobs.list('dead', 10)).length === 1);
    await until('the others ran', () => others === 20);
    expect(attempts).deep.equal([1, 2, 3]);
    const [dead] = await jobs.list('dead', 10);
    expect(dead).deep.include({ kind: 'poison', attempts: 3, error: 'it does not fit' });
    expect(buried).deep.equal([dead?.id]);
    broken = false;
    expect(await jobs.replay({ kind: 'poison' })).equal(1);
    expect(await jobs.replay({ kind: 'poison' }), 'pressed twice').equal(0);
    await until('it ran', isEmpty);
    expect(attempts).deep.equal([1, 2, 3, 1]);
  });

  it('[RL-15] does not try again what cannot be mended', async () => {
    let attempts = 0;
    world.run([
      handler('hopeless', async () => {
        attempts += 1;
        throw new PermanentJobError('gone');
      }),
    ]);
    await jobs.add([{ kind: 'hopeless', payload: {} }]);
    await until('it is dead', async () => (await jobs.list('dead', 10)).length === 1);
    expect(attempts).equal(1);
  });

  it('[RL-15] a job that ends its worker each time is buried', async () => {
    await jobs.add([{ kind: 'deadly', payload: {} }]);
    for (let i = 0; i < 3; i++) {
      // A worker takes it and is never heard of again.
      await until(
        'it was taken',
        async () => (await jobs.take({ kinds: ['deadly'], limit: 1, leaseMs: 1 })).length === 1,
      );
      await until('its lease ran out', async () => (await jobs.reclaim()) === 1);
    }
    world.run([handler('deadly', async () => expect.fail('it must not run'))]);
    await until('it is dead', async () => (await jobs.list('dead', 10)).length === 1);
    expect((await jobs.list('dead', 10))[0]?.error).contain('ended its worker 3 times');
  });

  it('keeps the lease of work that takes longer than it', async () => {
    let runs = 0;
    const another = await world.store.openAnother();
    const slow = handler('slow', async () => {
      runs += 1;
      await sleep(900);
    });
    try {
      world.run([slow], { leaseMs: 300 });
      world.run([slow], { leaseMs: 300, jobs: another.jobs });
      await jobs.add([{ kind: 'slow', payload: {} }]);
      await until('it ran', isEmpty);
      expect(runs).equal(1);
    } finally {
      await world.stop();
      await another.end();
    }
  });

  it('[RL-21] a schedule adds its job once in the fleet', async () => {
    const another = await world.store.openAnother();
    const ran: string[] = [];
    const tick = handler('tick', async (job) => void ran.push(job.id));
    const schedules = [{ name: 'ticking', everyMs: 400, job: { kind: 'tick', payload: {} } }];
    try {
      for (const table of [jobs, another.jobs, jobs]) world.run([tick], { schedules, jobs: table });
      await sleep(1900);
      await world.stop();
      expect(ran.length).within(2, 4);
      expect(new Set(ran).size).equal(ran.length);
    } finally {
      await another.end();
    }
  });

  it('[RL-30] stops: waits for what runs, and gives back what does not end', async () => {
    let ended = 0;
    const runner = world.run([
      handler('short', async () => {
        await sleep(200);
        ended += 1;
      }),
      handler(
        'long',
        (_job, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ),
    ]);
    await jobs.add([
      { kind: 'short', payload: {} },
      { kind: 'long', payload: {} },
    ]);
    await until('both run', () => runner.stats().running === 2);
    await runner.stop(500);
    expect(ended).equal(1);
    expect(await jobs.list('ready', 10)).length(1);
    expect((await jobs.list('ready', 10))[0]).deep.include({ kind: 'long', attempts: 0 });
  });
}

const runnersOf = (store: MessageStore, carrierOf: (concurrency: number) => object) => {
  const runners: JobRunner[] = [];
  return {
    run: (handlers: readonly JobHandler[], options: Parameters<World['run']>[1] = {}): JobRunner => {
      const concurrency = options.concurrency ?? 4;
      const runner = createJobRunner({
        table: options.jobs ?? store.jobs,
        handlers,
        concurrency,
        pollMs: 100,
        sweepMs: 200,
        ...(options.leaseMs !== undefined && { leaseMs: options.leaseMs }),
        ...(options.schedules && { schedules: options.schedules }),
        ...carrierOf(concurrency),
        now: Date.now,
        log: silentLog,
      });
      runners.push(runner);
      return runner;
    },
    stop: async (): Promise<void> => void (await Promise.all(runners.splice(0).map((runner) => runner.stop(2000)))),
  };
};

describe('jobs › a carrier that carries nothing', function () {
  this.timeout(180_000);

  it('[RL-22] holds nothing up: the sweep takes what is due itself', async () => {
    const store = await openMessageStore();
    const carrier = {
      isReady: () => true,
      carry: () => undefined,
      start: () => undefined,
      stop: async () => undefined,
    };
    const runners = runnersOf(store, () => ({ carrier }));
    let ran = 0;
    try {
      runners.run([
        handler('n', async () => {
          ran += 1;
        }),
      ]);
      await store.jobs.add(Array.from({ length: 30 }, () => ({ kind: 'n', key: 'one', payload: {} })));
      await until('all ran', () => ran === 30);
    } finally {
      await runners.stop();
      await store.stop();
    }
  });
});

describe('jobs › the table alone', function () {
  this.timeout(180_000);
  suite(async () => {
    const store = await openMessageStore();
    return { store, ...runnersOf(store, () => ({})), end: () => store.stop() };
  });
});

if (hasRedis())
  describe('jobs › Bull on Redis [RL-22]', function () {
    this.timeout(180_000);
    let redis: TestRedis;
    const carrierOn = (url: string, name: string) => (concurrency: number) => ({
      carrier: createBullCarrier({ redisUrl: url, name, concurrency, now: Date.now, log: silentLog }),
    });
    before(async () => {
      redis = await startRedis();
    });
    after(() => redis.stop());
    suite(async () => {
      const store = await openMessageStore();
      return { store, ...runnersOf(store, carrierOn(redis.url, 'suite')), end: () => store.stop() };
    });

    describe('Redis holds no truth', () => {
      let store: MessageStore;
      let runners: ReturnType<typeof runnersOf>;
      beforeEach(async () => {
        store = await openMessageStore();
        runners = runnersOf(store, carrierOn(redis.url, `truth-${store.database.name}`));
      });
      afterEach(async () => {
        await runners.stop();
        await store.stop();
      });
      const count = async (): Promise<number> =>
        (
          await store.pools.writes.query({ text: 'select count(*)::int from mortar.job', values: [] })
        )[0]?.[0] as number;

      it('is emptied again and again: nothing is lost, nothing done twice', async () => {
        const ran: number[] = [];
        const work = handler('n', async (job: TakenJob) => {
          await sleep(2);
          ran.push(job.payload['n'] as number);
        });
        runners.run([work], { concurrency: 5 });
        runners.run([work], { concurrency: 5 });
        for (let n = 0; n < SIZE; n += 10) {
          await store.jobs.add(
            Array.from({ length: 10 }, (_, i) => ({
              kind: 'n',
              payload: { n: n + i },
              runAt: Date.now() + ((n * 7) % 300),
            })),
          );
          if (n % 30 === 0) await redis.command('FLUSHALL');
          await sleep(10);
        }
        await redis.command('FLUSHALL');
        await until('all ran', async () => (await count()) === 0, 30_000);
        expect(ran.toSorted((a, b) => a - b)).deep.equal(Array.from({ length: SIZE }, (_, n) => n));
      });

      it('is killed and comes back: jobs go on meanwhile, and after', async () => {
        let ran = 0;
        runners.run([
          handler('n', async () => {
            ran += 1;
          }),
        ]);
        await store.jobs.add([{ kind: 'n', payload: {} }]);
        await until('the first ran', () => ran === 1);
        await redis.kill();
        await store.jobs.add(Array.from({ length: 5 }, () => ({ kind: 'n', payload: {} })));
        await until('they ran without Redis', () => ran === 6);
        await redis.start();
        await sleep(300);
        await store.jobs.add(Array.from({ length: 5 }, () => ({ kind: 'n', payload: {} })));
        await until('they ran after its return', () => ran === 11);
      });

      it('carries: a runner that hardly polls hears of a job that another process added', async () => {
        const another = await store.openAnother();
        const carry = carrierOn(redis.url, `truth-${store.database.name}`);
        let ran = 0;
        const work = handler('n', async () => {
          ran += 1;
        });
        const idle = { handlers: [work], pollMs: 600_000, sweepMs: 600_000, now: Date.now, log: silentLog };
        const hearing = createJobRunner({ table: another.jobs, concurrency: 2, ...idle, ...carry(2) });
        const adding = createJobRunner({ table: store.jobs, concurrency: 0, ...idle, ...carry(1) });
        try {
          await sleep(300);
          await adding.stop(0); // it no longer takes, and its table still tells of what it adds
          const carrier = carry(1).carrier;
          await until('its carrier is ready', () => carrier.isReady());
          store.jobs.onAdded((jobs) => carrier.carry(jobs));
          await store.jobs.add([{ kind: 'n', payload: {} }]);
          await until('it was heard', () => ran === 1, 3000);
          await carrier.stop();
        } finally {
          await hearing.stop(1000);
          await another.end();
        }
      });

      it('is given ids alone', async () => {
        await store.jobs.add([{ kind: 'n', payload: { planted: 'PLANTED' }, runAt: Date.now() + 60_000 }]);
        runners.run([handler('n', async () => undefined)]);
        await sleep(500);
        await store.jobs.add([
          { kind: 'n', key: 'PLANTED-KEY', payload: { planted: 'PLANTED' }, runAt: Date.now() + 60_000 },
        ]);
        await until('it is carried', async () => (await redis.command('KEYS', '*')).includes('delayed'));
        const keys = (await redis.command('KEYS', '*')).split('\r\n').filter((line) => line.startsWith('{'));
        const hashes = await Promise.all(keys.map((key) => redis.command('HGETALL', key)));
        expect(hashes.join(''), 'the queue holds the job').contain('"id"');
        expect(hashes.join('') + keys.join('')).not.contain('PLANTED');
      });
    });
  });
else console.log('jobs on Bull: needs redis-server on the PATH (Debian package redis-server); not run here');
