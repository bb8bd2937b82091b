/**
 * Notices on a store of their own with a clock that is moved: practices, a prescriber, and as many processes as a test
 * wants, each with connections, a follower and a runner of its own. What is sent lies in one mailbox.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMailbox } from '../../src/gateways/mail/mailbox.ts';
import { createDeliveryJobs } from '../../src/jobs/delivery-jobs.ts';
import { createJobRunner, type JobHandler, type JobRunner } from '../../src/jobs/runner.ts';
import { createCipher } from '../../src/pki/key-file.ts';
import type { SendMail } from '../../src/ports/mail.ts';
import type { NoticeBook, NoticeChannel } from '../../src/ports/notices.ts';
import { createJobs, type Jobs } from '../../src/postgres/jobs.ts';
import { createNoticeBook } from '../../src/postgres/notices.ts';
import { createPools, type Pools } from '../../src/postgres/pools.ts';
import { createRestrictions } from '../../src/postgres/subject-access/restrictions.ts';
import { createNoticeDelivery, type DeliveryOptions } from '../../src/workflow/notices/deliver.ts';
import { createNoticeFollow } from '../../src/workflow/notices/follow.ts';
import { noticeKinds } from '../../src/workflow/notices/kinds.ts';
import { withClient } from './database.ts';
import { silentLog } from './log.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from './policy-store.ts';

export const HOUR_MS = 3_600_000;
const CATEGORY = 'https://mortar-fhir.org/CodeSystem/communication-category';
const CHANNELS: readonly NoticeChannel[] = ['email', 'sms'];
const KINDS = noticeKinds({ alertGroupMs: HOUR_MS, alertsAWeek: 3 });

export interface Process {
  readonly jobs: Jobs;
  readonly book: NoticeBook;
  readonly handlers: readonly JobHandler[];
  readonly follow: () => Promise<number>;
  /** Runs jobs until the test ends. */
  run(): JobRunner;
}

/** Between the work and what it asks for: the tests make ways break, and processes die. */
export type Between = (options: DeliveryOptions) => DeliveryOptions;

export async function openNoticeWorld() {
  const world: PolicyStore = await openPolicyStore();
  const { store, clock, database } = world;
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const mailbox = createMailbox(clock.now);
  /** Ids of messages, each time they were sent. */
  const sent: string[] = [];
  const mail: SendMail = (message) => {
    sent.push(message.id);
    return mailbox.sendMail(message);
  };
  const opened: Pools[] = [];
  const runners: JobRunner[] = [];

  function process(between: Between = (options) => options): Process {
    const pools = createPools({
      connection: database.connection('app'),
      readConnections: 1,
      writeConnections: 2,
      transactionConnections: 2,
      log: silentLog,
    });
    opened.push(pools);
    const { now } = clock;
    const book = createNoticeBook({ ...pools, cipher, now });
    const jobs = createJobs({ ...pools, now });
    const stop = createRestrictions(pools, cipher);
    const delivery = createNoticeDelivery(
      between({
        store,
        searchOf: parseQuery,
        book,
        addJobs: (those) => jobs.add(those),
        stop,
        kinds: KINDS,
        mail,
        text: mailbox.sendText,
        digestOf: async () => undefined,
        cipher,
        url: 'https://mortar.example',
        now,
      }),
    );
    const { handlers } = createDeliveryJobs({ delivery, book, keptMs: 30 * 24 * HOUR_MS, now });
    return {
      jobs,
      book,
      handlers,
      follow: createNoticeFollow({ store, changes: store.changes, book, kinds: KINDS, channels: CHANNELS, now }),
      run() {
        const runner = createJobRunner({
          table: jobs,
          handlers,
          stop,
          concurrency: 4,
          pollMs: 10,
          now,
          random: () => 0,
          log: silentLog,
        });
        runners.push(runner);
        return runner;
      },
    };
  }

  const here = process();
  const restrictions = createRestrictions(opened[0] as Pools, cipher); // `here` has opened it
  const rows = (text: string, values: readonly unknown[] = []) =>
    withClient(database.connection('owner'), async (client) => (await client.query(text, [...values])).rows);
  await here.follow(); // from here on nothing is passed over

  return {
    ...world,
    ...here,
    process,
    mailbox,
    sent,
    rows,
    /** A practice with an address. */
    practice: async (id: string) => {
      await world.put({
        resourceType: 'Organization',
        id,
        name: id,
        telecom: [{ system: 'email', value: `${id}@practice.example` }],
      });
      return `Organization/${id}`;
    },
    /** Writes notices; who follows sees them. */
    async tell(recipient: string, { kind = 'prescription-requested', patient = 'p', count = 1 } = {}): Promise<void> {
      await Promise.all(
        Array.from({ length: count }, () =>
          store.create(
            ROOT,
            {
              resourceType: 'Communication',
              status: 'completed',
              category: [{ coding: [{ system: CATEGORY, code: kind }] }],
              subject: { reference: `Patient/${patient}` },
              recipient: [{ reference: recipient }],
              sent: new Date(clock.now()).toISOString(),
            },
            store.newId(),
          ),
        ),
      );
    },
    /** Jobs that wait, run or are held, the first due first. */
    open: (): Promise<{ kind: string; state: string; in: number; payload: Record<string, string> }[]> =>
      rows(
        `select kind, state, round(extract(epoch from run_at - $1::timestamptz) / 60)::float8 as in, payload from mortar.job
where state <> 'dead' order by run_at, created_at`,
        [new Date(clock.now())],
      ),
    /** What became of them: how many of each state. */
    async states(recipient: string): Promise<Record<string, number>> {
      const found = await rows(
        `select state || coalesce(' ' || why, '') as state, count(*)::int as n from mortar.notice_delivery
where recipient = $1 group by 1`,
        [recipient],
      );
      return Object.fromEntries(found.map(({ state, n }) => [state, n]));
    },
    /** Until nothing is due that can run. */
    async settled(): Promise<void> {
      for (let quiet = 0, tries = 0; quiet < 2; tries += 1) {
        if (tries > 1000) throw new Error('there is always something due');
        await sleep(15);
        const [due] = await rows(
          "select count(*)::int as n from mortar.job where state in ('ready', 'running') and run_at <= $1",
          [new Date(clock.now())],
        );
        quiet = due.n === 0 ? quiet + 1 : 0;
      }
    },
    restrict: (patientId: string) =>
      restrictions.place({ id: randomUUID(), patientId, reason: 'asked for', placedBy: 'one', placedAt: clock.now() }),
    async lift(patientId: string): Promise<void> {
      await restrictions.askLift(patientId, { by: 'one', at: clock.now(), reason: 'settled' });
      await restrictions.lift(patientId, 'two', clock.now());
      await here.jobs.resume(patientId);
    },
    /** Ends the other processes and all runners, and empties the table of jobs. */
    async rest(): Promise<void> {
      await Promise.all(runners.splice(0).map((runner) => runner.stop(5000)));
      await Promise.all(opened.splice(1).map((pools) => pools.end()));
      await rows('delete from mortar.job');
    },
    async end(): Promise<void> {
      await Promise.all(runners.splice(0).map((runner) => runner.stop(5000)));
      await Promise.all(opened.map((pools) => pools.end()));
      await world.stop();
    },
  };
}

export type NoticeWorld = Awaited<ReturnType<typeof openNoticeWorld>>;
