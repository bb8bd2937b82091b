/**
 * Sends HL7 v2 messages to partners: durable, in the order of each lane, again under the same control id until they are
 * answered. What is at fault becomes a dead letter, and the next one goes. docs/hl7v2.md "Feeds", SECURITY RL-16, RL-18, RL-36, RL-37
 */
import { serviceCaller } from '../policy/service-caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { TakenJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { LoggedMessage, MessageLog, Settlement, StoredMessage } from '../ports/message-log.ts';
import type { Feed, Feeds, V2Exchange, V2Outcome } from '../ports/v2-feed.ts';
import { readMessage } from './read-message.ts';
import { type JobHandler, type JobSet, PermanentJobError, PostponedJobError } from './runner.ts';

const HL7V2_SEND = 'hl7v2-send';

export interface V2SendJobsOptions {
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly exchange: V2Exchange;
  readonly feeds: Feeds;
  /** How often a message is sent whose partner says "not now". */
  readonly refusalsMax?: number;
  /** Before the second time; it doubles, up to a minute, and is spread. */
  readonly delayMs?: number;
  /** After this long a message that was never answered is given up. */
  readonly ageMaxMs?: number;
  readonly now: Clock;
  /** 0 ≤ x < 1 */
  readonly random?: () => number;
  readonly log: Log;
}

const CALLER = serviceCaller('gateway');
const REFUSALS_MAX = 8;
const DELAY_MS = 1000;
const DELAY_MAX_MS = 60_000;
const AGE_MAX_MS = 72 * 60 * 60 * 1000;
/** How long a message waits whose feed is not active. */
const PAUSED_MS = 5_000;
/** Over which those are spread that wait for one time. */
const SPREAD_MS = 1000;
/** Messages under way at once, one a lane. */
const CONCURRENCY = 32;
const DONE: readonly string[] = ['acknowledged', 'rejected'];

export function createV2SendJobs(options: V2SendJobsOptions): JobSet {
  const { messages, exchange, feeds, now, log, random = Math.random } = options;
  const delayMs = options.delayMs ?? DELAY_MS;
  const ageMaxMs = options.ageMaxMs ?? AGE_MAX_MS;

  const settle = (message: LoggedMessage, settlement: Omit<Settlement, 'resources'>): Promise<boolean> =>
    messages.settle(message.id, { ...settlement, resources: message.resources });

  /** Waits without being counted: longer the longer it has not come through, and never all at once. */
  function postpone(message: StoredMessage, cause: string, leastMs = 0): PostponedJobError {
    const doubled = Math.min(DELAY_MAX_MS, delayMs * 2 ** Math.min(message.attempts, 10));
    const most = leastMs > 0 ? Math.min(doubled, SPREAD_MS) : doubled;
    return new PostponedJobError(cause, Math.round(leastMs + random() * most));
  }

  /** Throws when there is something left to do. */
  async function conclude(message: StoredMessage, outcome: V2Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'accepted':
        return void (await settle(message, { state: 'acknowledged', answer: outcome.answer }));
      case 'rejected':
        log.warn('a partner does not take a message: it is a dead letter', {
          messageId: message.id,
          kind: message.kind,
          cause: outcome.error,
        });
        return void (await settle(message, { state: 'dead', answer: outcome.answer, error: outcome.error }));
      case 'refused':
        await settle(message, { state: 'queued', answer: outcome.answer, error: outcome.error });
        throw new Error(`the partner refused the message: ${outcome.error}`);
      case 'pending':
        // It is theirs from here on, and the next may go: what became of it is told at the listener.
        return void (await settle(message, {
          state: 'sent',
          answer: outcome.answer,
          error: 'taken; what became of it is not told yet',
        }));
      case 'not-sent':
        await settle(message, { state: 'queued', error: outcome.cause });
        throw postpone(message, outcome.cause, outcome.until === undefined ? 0 : Math.max(0, outcome.until - now()));
      case 'unknown':
        await settle(message, { state: 'unknown', error: outcome.cause });
        throw postpone(message, outcome.cause);
    }
  }

  async function run({ payload }: TakenJob, signal: AbortSignal): Promise<void> {
    const message = await readMessage(messages, CALLER, String(payload['message']));
    if (DONE.includes(message.state)) return;
    const feed = (await feeds.list()).find(({ id }) => id === payload['feed']);
    // Who wants a dead letter sent after all has it tried once at least.
    if (message.state !== 'dead' && now() - Number(payload['at']) > ageMaxMs)
      throw new PermanentJobError('it was not answered for too long');
    if (!feed) throw new PostponedJobError('the feed is not active', PAUSED_MS);
    // A dead letter that is to be sent after all waits for the next file.
    if (feed.batch) return void (await settle(message, { state: 'queued' }));
    // Before a byte of it leaves: a process that ends now leaves a message that may have been sent.
    await settle(message, { state: 'sent' });
    await conclude(message, await exchange.send(feed, laneOf(feed, payload['lane']), message.raw, signal));
  }

  const handler: JobHandler = {
    kind: HL7V2_SEND,
    attemptsMax: options.refusalsMax ?? REFUSALS_MAX,
    delayMs,
    delayMaxMs: DELAY_MAX_MS,
    patientsOf: async ({ payload }) => (typeof payload['patient'] === 'string' ? [payload['patient']] : []),
    run,
    async onDead({ payload }) {
      const message = await readMessage(messages, CALLER, String(payload['message']));
      await settle(message, {
        state: 'dead',
        ...(message.answer && { answer: message.answer }),
        error: message.error ?? 'it could not be sent',
      });
    },
  };
  // Partners that do not answer keep no other job waiting.
  return { handlers: [handler], schedules: [], concurrency: CONCURRENCY };
}

const laneOf = ({ lanes }: Feed, lane: unknown): number => (typeof lane === 'number' ? lane % lanes : 0);
