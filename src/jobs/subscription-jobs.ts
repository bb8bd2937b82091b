/**
 * Tells subscribers, in the order of each, again until they take it. Who does not for long is told of in the Subscription,
 * what is given up becomes a dead letter. docs/subscriptions.md, SECURITY RL-16, RL-18, IN-41, DP-05
 */
import type { JobTable, TakenJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { SubscriptionBook } from '../ports/subscriptions.ts';
import type { Delivery } from '../workflow/subscriptions/deliver.ts';
import { SEND_KIND, sendJob } from '../workflow/subscriptions/match.ts';
import type { Plans } from '../workflow/subscriptions/plans.ts';
import { type JobHandler, type JobSet, PermanentJobError } from './runner.ts';

export interface SubscriptionJobsOptions {
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly delivery: Delivery;
  readonly jobs: Pick<JobTable, 'add'>;
  readonly now: () => number;
  /** Before the second attempt; it doubles. */
  readonly delayMs?: number;
  readonly attemptsMax?: number;
  /** How long events are kept to be asked for again. */
  readonly retentionDays?: number;
  readonly log: Log;
}

const BEAT_KIND = 'subscription-beat';
const PURGE_KIND = 'subscription-purge';
const DELAY_MS = 1000;
const DELAY_MAX_MS = 3_600_000;
/** With the delays, a day and a half. */
const ATTEMPTS_MAX = 48;
/** From this attempt on the Subscription says that its endpoint does not answer. */
const ATTEMPTS_QUIET = 3;
const BEAT_MS = 5000;
const PURGE_MS = 3_600_000;
const PURGE_MAX = 10_000;
const DAY_MS = 86_400_000;
const CONCURRENCY = 16;

export function createSubscriptionJobs(options: SubscriptionJobsOptions): JobSet {
  const { book, plans, delivery, jobs, now, log } = options;

  async function tell({ payload }: TakenJob): Promise<void> {
    const id = String(payload['subscription']);
    switch (payload['what']) {
      case 'handshake':
        return void (await delivery.handshake(id));
      case 'heartbeat':
        return void (await delivery.heartbeat(id));
      default: {
        const told = await delivery.event(id, String(payload['event']));
        // Kept for whoever mends it: nothing that was to be told goes unseen.
        if (told === 'over' && (await book.find(id))) throw new PermanentJobError('the subscription is off');
      }
    }
  }

  async function say(id: string, status: 'error' | 'off', text: string): Promise<void> {
    const found = await book.find(id);
    if (found && found.state !== 'off' && found.state !== status) await plans.tell(id, found.version, status, text);
  }

  const send: JobHandler = {
    kind: SEND_KIND,
    attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX,
    delayMs: options.delayMs ?? DELAY_MS,
    delayMaxMs: DELAY_MAX_MS,
    async patientsOf({ payload }) {
      const { event } = payload;
      return typeof event === 'string' ? ((await book.findEvent(event))?.patients ?? []) : [];
    },
    async run(job) {
      try {
        await tell(job);
      } catch (error) {
        if (error instanceof PermanentJobError || job.attempt < ATTEMPTS_QUIET) throw error;
        const why = error instanceof Error ? error.message : 'it could not be reached';
        await say(String(job.payload['subscription']), 'error', `the endpoint does not take notifications: ${why}`);
        throw error;
      }
    },
    async onDead({ payload }) {
      const id = String(payload['subscription']);
      log.warn('a subscriber was given up', { subscription: id });
      await say(id, 'off', 'the endpoint took nothing for too long: write the Subscription again, then $replay');
    },
  };

  const beat: JobHandler = {
    kind: BEAT_KIND,
    attemptsMax: 1,
    delayMs: 1000,
    delayMaxMs: 1000,
    async run() {
      await jobs.add((await book.listSilent()).map(({ id }) => sendJob(id, { what: 'heartbeat' }, `heartbeat ${id}`)));
    },
  };

  const purge: JobHandler = {
    kind: PURGE_KIND,
    attemptsMax: 3,
    delayMs: 1000,
    delayMaxMs: 60_000,
    async run(_job, signal) {
      const before = now() - (options.retentionDays ?? 30) * DAY_MS;
      while (!signal.aborted && (await book.purge(before, PURGE_MAX)) >= PURGE_MAX);
    },
  };

  return {
    handlers: [send, beat, purge],
    schedules: [
      { name: BEAT_KIND, everyMs: BEAT_MS, job: { kind: BEAT_KIND, payload: {}, dedupe: BEAT_KIND } },
      { name: PURGE_KIND, everyMs: PURGE_MS, job: { kind: PURGE_KIND, payload: {}, dedupe: PURGE_KIND } },
    ],
    // Endpoints that do not answer keep no other job waiting.
    concurrency: CONCURRENCY,
  };
}
