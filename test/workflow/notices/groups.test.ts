/**
 * Notices that are told of together: one waiting job a group, none lost and none told twice. docs/notifications.md;
 * SECURITY RL-15, RL-17, RL-21, RL-24, DP-05, DP-10
 *
 * | what happens                                  | jobs of the group        | messages                              |
 * |-----------------------------------------------|--------------------------|---------------------------------------|
 * | several come in one turn                      | one                      | one, of all                           |
 * | more come while it waits                      | the one                  | one at its time, of all               |
 * | one comes while it works                      | the next, after it       | it waits out the time, then one       |
 * | the process dies at any step                  | the same again           | under the id of the first             |
 * | several processes follow and work             | one waits, one works     | one a group                           |
 * | the way is closed                             | two at most              | one of all once it is open            |
 * | it is given up                                | dead, or the next        | the next of the group, or a replay    |
 * | switched off, or quiet hours, while it waits  | none; one                | none; as they end                     |
 * | some patients are restricted                  | the one, and one a held  | of the others; later of them, once    |
 * | more than go into one message                 | the next                 | the rest with the next                |
 * | jobs of the release before                    | one                      | one, of all                           |
 */
import { expect } from 'chai';
import type { TakenJob } from '../../../src/ports/jobs.ts';
import { HOUR_MS, type NoticeWorld, openNoticeWorld, type Process } from '../../support/notice-world.ts';

const ACTING = { kind: 'notice-deliver-group', state: 'ready' };

describe('workflow › notices › groups', function () {
  this.timeout(180_000);
  let world: NoticeWorld;
  let practice: string;
  let number = 0;
  before(async () => {
    world = await openNoticeWorld();
  });
  beforeEach(async () => {
    await another();
    // The hour in which ten were sent is over, and so is the night.
    world.clock.pass(24 * HOUR_MS);
  });
  afterEach(() => world.rest());
  after(() => world.end());

  async function another(): Promise<void> {
    number += 1;
    practice = await world.practice(`practice-${number}`);
    world.sent.length = 0;
  }
  const mails = (of = practice): readonly string[] =>
    world.mailbox
      .list(`${of.split('/')[1]}@practice.example`)
      .map(({ text }) => /worklist: (\d+)\./.exec(text)?.[1] ?? text)
      .reverse();
  const told = async (options: Parameters<NoticeWorld['tell']>[1] = {}, of = practice): Promise<void> => {
    await world.tell(of, options);
    await world.follow();
  };
  const pass = async (ms: number): Promise<void> => {
    world.clock.pass(ms);
    await world.settled();
  };
  /** The first that is due, as a runner takes it. */
  const take = async (of: Process = world): Promise<TakenJob | undefined> =>
    (await of.jobs.take({ kinds: of.handlers.map(({ kind }) => kind), limit: 1, leaseMs: 1 }))[0];
  const runOne = async (of: Process, job: TakenJob): Promise<void> =>
    of.handlers.find(({ kind }) => kind === job.kind)?.run(job, new AbortController().signal);

  it('several in one turn are one job and one message', async () => {
    await told({ count: 7 });
    expect(await world.open()).length(1);
    world.run();
    await world.settled();
    expect([mails(), await world.states(practice), await world.open()]).eql([['7'], { sent: 7 }, []]);
  });

  it('what comes while the next message waits adds no job, and is told of in it', async () => {
    world.run();
    await told();
    await world.settled();
    for (let turn = 0; turn < 6; turn += 1) {
      await told({ count: 3 });
      await pass(60_000);
      expect((await world.open()).map(({ kind, state }) => ({ kind, state }))).eql([ACTING]);
    }
    expect((await world.open())[0]?.in).equal(234);
    expect(mails()).eql(['1']);
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([['1', '18'], { sent: 19 }, []]);
  });

  it('[RL-17] what joins as the job works gets another, which runs after it', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const sending = new Promise<void>((resolve) => {
      world
        .process((options) => ({
          ...options,
          mail: async (message) => {
            resolve();
            await gate;
            return (await options.mail?.(message)) ?? 'refused';
          },
        }))
        .run();
    });
    await told();
    await sending;
    await told({ count: 2 });
    expect((await world.open()).map(({ state }) => state).toSorted()).eql(['ready', 'running']);
    open();
    await world.settled();
    expect([mails(), (await world.open()).map(({ kind, state }) => ({ kind, state }))]).eql([['1'], [ACTING]]);
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([['1', '2'], { sent: 3 }, []]);
  });

  for (const [name, prepare, expected] of [
    ['a message that goes out', async () => {}, { mails: ['3'], states: { sent: 3 } }],
    [
      'one that must wait for its time',
      async (run: () => Promise<void>) => {
        await told();
        await run();
      },
      { mails: ['1', '3'], states: { sent: 4 } },
    ],
    [
      'a patient whose data may not be sent',
      async () => {
        await world.restrict(`r-${number}`);
        await told({ patient: `r-${number}` });
      },
      { mails: ['3'], states: { sent: 3, waiting: 1 } },
    ],
  ] as const)
    it(`[RL-17] [RL-24] the process dies at any step: ${name}`, async () => {
      for (let step = 1, died = true; died; step += 1) {
        await another();
        let left = Number.POSITIVE_INFINITY;
        // What has died does nothing any more.
        const dies =
          <A extends readonly unknown[], R>(work: (...args: A) => Promise<R>) =>
          async (...args: A): Promise<R> => {
            left -= 1;
            if (left <= 0) throw new Error('killed');
            return work(...args);
          };
        const mortal = world.process((options) => ({
          ...options,
          store: { search: dies(options.store.search), transaction: dies(options.store.transaction) },
          book: {
            ...options.book,
            waysOf: dies(options.book.waysOf),
            findGroup: dies(options.book.findGroup),
            sentTimes: dies(options.book.sentTimes),
            settle: dies(options.book.settle),
          },
          addJobs: dies(options.addJobs),
          stop: { ...options.stop, restrictedAmong: dies(options.stop.restrictedAmong) },
          mail: dies(options.mail as NonNullable<typeof options.mail>),
        }));
        const all = async (): Promise<void> => {
          for (let job = await take(); job; job = await take()) {
            await runOne(world, job);
            await world.jobs.complete(job);
          }
        };
        await prepare(all);
        const before = new Set(world.sent);
        await told({ count: 3 });
        left = step;
        const job = (await take(mortal)) as TakenJob;
        died = false;
        await runOne(mortal, job).catch((error: Error) => {
          if (error.message !== 'killed') throw error;
          died = true;
        });
        // Nor does it say that it has done: its lease runs out.
        await new Promise((resolve) => setTimeout(resolve, 5));
        expect(await world.jobs.reclaim(), `step ${step}`).equal(1);
        world.run();
        await world.settled();
        await pass(4 * HOUR_MS);
        const ids = new Set(world.sent.filter((id) => !before.has(id)));
        expect([mails(), await world.states(practice), ids.size], `step ${step}`).eql([
          expected.mails,
          expected.states,
          1,
        ]);
        const held = (await world.open()).filter(({ state }) => state === 'held');
        expect(held.length, `held, step ${step}`).equal('waiting' in expected.states ? 1 : 0);
        expect((await world.open()).length, `left, step ${step}`).equal(held.length);
        await world.rest();
      }
    });

  it('[RL-15] [RL-17] three processes follow and work at once: each practice is written to once, of everything', async () => {
    const others = await Promise.all(['a', 'b', 'c'].map((id) => world.practice(`${id}-${number}`)));
    const processes = [world.process(), world.process(), world.process()];
    for (const one of processes) one.run();
    const turns = async ({ follow }: Process): Promise<void> => {
      for (let turn = 0; turn < 30; turn += 1)
        await follow().catch((error: { status?: number }) => {
          if (error.status !== 409) throw error; // another was first
        });
    };
    await Promise.all([
      ...processes.map(turns),
      (async () => {
        for (let i = 0; i < 20; i += 1) for (const one of others) await world.tell(one);
      })(),
    ]);
    await world.follow();
    await world.settled();
    await pass(4 * HOUR_MS);
    for (const one of others) {
      const counts = mails(one).map(Number);
      expect(await world.states(one)).eql({ sent: 20 });
      expect(counts.length).at.most(2);
      expect(counts.reduce((sum, count) => sum + count, 0)).equal(20);
    }
    expect(new Set(world.sent).size, 'no message twice').equal(world.sent.length);
    expect(await world.open()).eql([]);
  });

  it('[RL-21] the way is closed: two jobs at most, and one message of all once it is open', async () => {
    let isOpen = false;
    const process = world.process((options) => ({
      ...options,
      mail: async (message) => {
        if (!isOpen) throw new Error('the mail server does not answer');
        return (await options.mail?.(message)) ?? 'refused';
      },
    }));
    for (let turn = 0; turn < 4; turn += 1) {
      await told({ count: 2 });
      const job = await take(process);
      expect((await world.open()).length, 'jobs').at.most(2);
      if (!job) continue; // the first waits to be tried again
      await runOne(process, job).then(
        () => expect.fail('it was sent'),
        () => process.jobs.retry(job, 60_000, 'closed'),
      );
    }
    isOpen = true;
    process.run();
    await pass(60_000);
    expect([mails(), await world.states(practice)]).eql([['8'], { sent: 8 }]);
    await pass(4 * HOUR_MS);
    expect(await world.open()).eql([]);
  });

  for (const [name, again] of [
    ['the next of its group', () => told()],
    ['a replay', () => world.jobs.replay({ kind: 'notice-deliver-group' })],
  ] as const)
    it(`[RL-21] what was given up is told of by ${name}`, async () => {
      await told({ count: 2 });
      const job = (await take()) as TakenJob;
      await world.jobs.bury(job, 'the mail server is gone');
      expect(await world.states(practice)).eql({ waiting: 2 });
      await again();
      world.run();
      await world.settled();
      const count = name === 'a replay' ? 2 : 3;
      expect([mails(), await world.states(practice)]).eql([[String(count)], { sent: count }]);
    });

  it('[RL-21] a dead letter of one alone is sent when it is replayed, and what waits apart is not given up with it', async () => {
    for (const [id, telecom] of [
      [`pat-${number}`, [{ system: 'email', value: `pat-${number}@example.org` }]],
      [`held-${number}`, [{ system: 'email', value: `held-${number}@example.org` }]],
    ] as const)
      await world.put({ resourceType: 'Patient', id, telecom });
    const [patient, restricted] = [`Patient/pat-${number}`, `Patient/held-${number}`];
    await world.restrict(`held-${number}`);
    await world.tell(patient, { kind: 'request-received', patient: `pat-${number}` });
    await world.tell(restricted, { kind: 'request-received', patient: `held-${number}` });
    await world.follow();
    const closed = world.process((options) => ({
      ...options,
      mail: async () => {
        throw new Error('the mail server does not answer');
      },
    }));
    const job = (await take(closed)) as TakenJob;
    for (let attempt = 0; attempt < 3; attempt += 1)
      await runOne(closed, job).then(
        () => expect.fail('it was sent'),
        () => undefined,
      );
    await closed.jobs.bury(job, 'given up');
    await closed.handlers.find(({ kind }) => kind === job.kind)?.onDead?.(job);
    expect([await world.states(patient), await world.states(restricted)]).eql([{ dead: 1 }, { waiting: 1 }]);
    expect(
      (await world.open()).map(({ kind }) => kind),
      'one, however often it was tried',
    ).eql(['notice-deliver-one']);
    await world.jobs.replay({ kind: job.kind });
    world.run();
    await world.settled();
    expect([await world.states(patient), await world.states(restricted)]).eql([{ sent: 1 }, { waiting: 1 }]);
    await world.lift(`held-${number}`);
    await world.settled();
    expect(await world.states(restricted)).eql({ sent: 1 });
    expect(await world.open()).eql([]);
  });

  it('[DP-10] what is switched off while it waits is not sent, and nothing is left to do', async () => {
    world.run();
    await told();
    await world.settled();
    await told({ count: 4 });
    await world.settled();
    await world.book.changePreferences(practice, () => ({ channels: { '*': { email: false } } }), 'test');
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([
      ['1'],
      { sent: 1, 'skipped switched-off': 4 },
      [],
    ]);
  });

  it('[DP-10] quiet hours: one job waits for their end, put on before or while it waits', async () => {
    const doctor = `Practitioner/doc-${number}`;
    await world.put({
      resourceType: 'Practitioner',
      id: `doc-${number}`,
      telecom: [{ system: 'phone', use: 'mobile', value: `077009001${10 + number}` }],
    });
    const hour = (ahead: number): string => new Date(world.clock.now() + ahead * HOUR_MS).toISOString().slice(11, 16);
    const asked = { kind: 'cancellation-asked' };
    const wants = (from: number, until: number) =>
      world.book.changePreferences(
        doctor,
        () => ({
          channels: { '*': { sms: true, email: false } },
          quiet: { from: hour(from), until: hour(until), timeZone: 'UTC' },
        }),
        'test',
      );
    const texts = () => world.mailbox.list(`+4477009001${10 + number}`).length;
    /** Hours; quiet hours end with a minute. */
    const waits = async () => Math.round(((await world.open())[0]?.in ?? 0) / 6) / 10;
    world.run();
    await wants(-1, 2);
    for (let turn = 0; turn < 3; turn += 1) {
      await told({ ...asked, count: 2 }, doctor);
      await world.settled();
      expect((await world.open()).map(({ kind, state }) => ({ kind, state }))).eql([ACTING]);
    }
    expect([texts(), await waits()]).eql([0, 2]);
    await pass(2 * HOUR_MS);
    expect([texts(), await world.states(doctor)]).eql([1, { sent: 6 }]);
    // Half an hour must pass; at its end it is quiet.
    await told(asked, doctor);
    await world.settled();
    await wants(0, 3);
    await pass(HOUR_MS / 2);
    expect([texts(), await waits()]).eql([1, 2.5]);
    await pass(3 * HOUR_MS);
    expect([texts(), await world.states(doctor), await world.open()]).eql([2, { sent: 7 }, []]);
  });

  it('[DP-05] whose data may not be sent waits alone, once, and is told of with the next when that ends', async () => {
    const patient = `r-${number}`;
    world.run();
    await told();
    await world.settled();
    // It comes before the restriction, and the group waits for its time.
    await told({ patient, count: 2 });
    await told({ count: 3 });
    await world.settled();
    await world.restrict(patient);
    for (const count of ['3', '4', '5']) {
      await pass(4 * HOUR_MS);
      expect(mails().at(-1)).equal(count);
      expect((await world.open()).map(({ state }) => state)).eql(['held', 'held']);
      await told({ count: Number(count) + 1 });
      await world.settled();
    }
    expect(await world.states(practice)).eql({ sent: 13, waiting: 8 });
    await world.lift(patient);
    await world.settled();
    expect((await world.open()).map(({ kind, state }) => ({ kind, state }))).eql([ACTING]);
    await pass(4 * HOUR_MS);
    expect([mails().at(-1), await world.states(practice), await world.open()]).eql(['8', { sent: 21 }, []]);
  });

  it('[DP-05] a restriction that is put on and lifted while the group waits changes nothing', async () => {
    const patient = `r-${number}`;
    world.run();
    await told();
    await world.settled();
    await told({ patient });
    await world.settled();
    await world.restrict(patient);
    await world.lift(patient);
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([['1', '1'], { sent: 2 }, []]);
  });

  it('[DP-05] all of them restricted: nothing is sent, and no job of the group stays', async () => {
    const patient = `r-${number}`;
    await world.restrict(patient);
    world.run();
    await told({ patient, count: 3 });
    await world.settled();
    expect([mails(), (await world.open()).map(({ state }) => state)]).eql([[], ['held', 'held', 'held']]);
    await world.lift(patient);
    await world.settled();
    // All three come back at one time; what the first message does not tell of waits for the next.
    await pass(4 * HOUR_MS);
    expect(await world.states(practice)).eql({ sent: 3 });
    expect(mails().reduce((sum, count) => sum + Number(count), 0)).equal(3);
  });

  it('alerts, of Communications without words: after three in a week the digest counts them, and nothing waits', async () => {
    world.run();
    const alert = { kind: 'controlled-drug' };
    for (let alerts = 0; alerts < 5; alerts += 1) {
      await told(alert);
      await pass(2 * HOUR_MS);
    }
    expect([await world.states(practice), await world.open()]).eql([{ sent: 3, 'skipped in-the-digest': 2 }, []]);
    await pass(7 * 24 * HOUR_MS);
    await told(alert);
    await world.settled();
    expect(await world.states(practice)).eql({ sent: 4, 'skipped in-the-digest': 2 });
  });

  it('more than go into one message: the rest comes with the next', async () => {
    await told();
    await world.rows(
      `insert into mortar.notice_delivery (notice, recipient, channel, kind, created_at)
select 'many-' || n, $1, 'email', 'prescription-requested', $2 from generate_series(1, 5001) n`,
      [practice, world.clock.now()],
    );
    world.run();
    await world.settled();
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([['5000', '2'], { sent: 5002 }, []]);
  });

  it('jobs of the release before, one for each notice, are told of in one message', async () => {
    await told({ count: 3 });
    await world.rows('delete from mortar.job');
    const waiting = await world.rows('select id::text from mortar.notice_delivery where recipient = $1', [practice]);
    await world.jobs.add(
      waiting.map(({ id }) => ({
        kind: 'notice-deliver-one',
        key: `${practice} email prescription-requested`,
        payload: { delivery: id },
      })),
    );
    world.run();
    await world.settled();
    await pass(4 * HOUR_MS);
    expect([mails(), await world.states(practice), await world.open()]).eql([['3'], { sent: 3 }, []]);
  });
});
