/** Takes notices to people: again while a way is closed, to the dead letters in the end. docs/notifications.md; SECURITY RL-21 */
import type { NoticeBook, NoticeChannel } from '../ports/notices.ts';
import type { NoticeDelivery } from '../workflow/notices/deliver.ts';
import { DELIVER, DELIVER_GROUP, DELIVER_ONE } from '../workflow/notices/follow.ts';
import type { JobSet } from './runner.ts';

export interface DeliveryJobsOptions {
  readonly delivery: NoticeDelivery;
  readonly book: Pick<NoticeBook, 'purge'>;
  /** How long it is kept what became of them. */
  readonly keptMs: number;
  readonly now: () => number;
}

const MINUTE_MS = 60_000;
const PURGE = 'notice-purge';
const PURGE_MAX = 10_000;
/** A day or so in all. */
const RETRY = { attemptsMax: 60, delayMs: 5_000, delayMaxMs: 60 * MINUTE_MS };

export function createDeliveryJobs({ delivery, book, keptMs, now }: DeliveryJobsOptions): JobSet {
  const idsOf = (payload: Readonly<Record<string, unknown>>): readonly string[] =>
    String(payload['deliveries']).split(',');
  return {
    handlers: [
      {
        kind: DELIVER,
        ...RETRY,
        run: ({ payload }) => delivery.deliver(idsOf(payload)),
        onDead: ({ payload }) => delivery.bury(idsOf(payload)),
      },
      {
        kind: DELIVER_ONE,
        ...RETRY,
        run: ({ payload }) => delivery.deliverOne(String(payload['delivery'])),
        patientsOf: ({ payload }) => delivery.patientsOf(String(payload['delivery'])),
        onDead: ({ payload }) => delivery.buryOne(String(payload['delivery'])),
      },
      {
        // What it leaves when it is given up waits on: the next of its group, or whoever replays it, tells of that too.
        kind: DELIVER_GROUP,
        ...RETRY,
        run: ({ payload }) =>
          delivery.deliverGroup({
            recipient: String(payload['recipient']),
            channel: payload['channel'] as NoticeChannel, // as it was added
            kind: String(payload['kind']),
          }),
      },
      {
        kind: PURGE,
        ...RETRY,
        async run(_job, signal) {
          while ((await book.purge(now() - keptMs, PURGE_MAX)) === PURGE_MAX && !signal.aborted);
        },
      },
    ],
    schedules: [{ name: PURGE, everyMs: 60 * MINUTE_MS, job: { kind: PURGE, dedupe: 'one', payload: {} } }],
  };
}
