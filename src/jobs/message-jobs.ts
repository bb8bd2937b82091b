/** Jobs of the message log: working messages again, finding those a crash left open, purging old ones. */
import { serviceCaller } from '../policy/service-caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { JobTable, Schedule } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog, StoredMessage } from '../ports/message-log.ts';
import type { SourceTimePurge } from '../ports/source-times.ts';
import { readMessage } from './read-message.ts';
import type { JobHandler } from './runner.ts';

export interface MessageJobsOptions {
  readonly messages: MessageLog;
  readonly sourceTimes: SourceTimePurge;
  readonly jobs: JobTable;
  readonly reprocess: (message: StoredMessage) => Promise<{ readonly verdict: string }>;
  readonly retentionDays: number;
  readonly now: Clock;
  readonly log: Log;
}

const CALLER = serviceCaller('jobs');
/** A message that is still open after this long lost its process: no door works on one longer. */
const STALE_MS = 60_000;
const SWEEP_EVERY_MS = 30_000;
const SWEEP_BATCH = 500;
const PURGE_EVERY_MS = 60 * 60 * 1000;
const PURGE_BATCH = 1000;
const DAY_MS = 86_400_000;
const ATTEMPTS_MAX = 5;

export function createMessageJobs(options: MessageJobsOptions): {
  readonly handlers: readonly JobHandler[];
  readonly schedules: readonly Schedule[];
} {
  const { messages, sourceTimes, jobs, reprocess, retentionDays, now, log } = options;
  const retry = { attemptsMax: ATTEMPTS_MAX, delayMs: 1000, delayMaxMs: 15 * 60 * 1000 };
  const process: JobHandler = {
    kind: 'message-process',
    ...retry,
    async run({ payload }) {
      const message = await readMessage(messages, CALLER, String(payload['message']));
      if (message.state === 'applied' || message.isCorrected || message.relation?.kind === 'conflict') return;
      const { verdict } = await reprocess(message);
      if (verdict === 'unavailable') throw new Error('the message could not be processed now');
    },
    async onDead({ payload }) {
      const reason = 'it could not be processed after several attempts';
      await messages.settle(String(payload['message']), { state: 'dead', error: reason });
    },
  };
  const sweep: JobHandler = {
    kind: 'message-sweep',
    ...retry,
    async run() {
      const open = await messages.findStale(now() - STALE_MS, SWEEP_BATCH);
      if (open.length === 0) return;
      log.warn('messages were left open: they are worked again', { count: open.length });
      await jobs.add(
        open.map(({ id, dialect, sender }) => ({
          kind: 'message-process',
          key: `${dialect} ${sender ?? ''}`,
          dedupe: id,
          payload: { message: id },
        })),
      );
    },
  };
  const purge: JobHandler = {
    kind: 'message-purge',
    ...retry,
    async run(_job, signal) {
      // What was said longer ago than any message that is still there is needed for none of them.
      for (const [what, { purge: purgeSome }] of [
        ['old messages', messages],
        ['times of old messages', sourceTimes],
      ] as const) {
        let total = 0;
        for (let deleted = PURGE_BATCH; deleted === PURGE_BATCH && !signal.aborted; total += deleted)
          deleted = await purgeSome(now() - retentionDays * DAY_MS, PURGE_BATCH);
        if (total > 0) log.info(`${what} were deleted`, { count: total });
      }
    },
  };
  return {
    handlers: [process, sweep, purge],
    schedules: [
      { name: 'message-sweep', everyMs: SWEEP_EVERY_MS, job: { kind: sweep.kind, dedupe: 'one', payload: {} } },
      { name: 'message-purge', everyMs: PURGE_EVERY_MS, job: { kind: purge.kind, dedupe: 'one', payload: {} } },
    ],
  };
}
