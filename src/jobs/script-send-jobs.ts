/**
 * Brings SCRIPT messages to partners: durable, in the order of each partner, the same bytes under the same MessageID until
 * they are answered. docs/ncpdp.md "Pushing", SECURITY RL-16, RL-18
 */
import { serviceCaller } from '../policy/service-caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { NewJob, TakenJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog, Settlement, StoredMessage } from '../ports/message-log.ts';
import type { ScriptExchange, ScriptOutcome, ScriptTargets } from '../ports/script-push.ts';
import { readMessage } from './read-message.ts';
import { type JobHandler, type JobSet, PermanentJobError, PostponedJobError } from './runner.ts';

const SCRIPT_SEND = 'script-send';

export interface ScriptSendJobsOptions {
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly exchange: ScriptExchange;
  readonly targets: ScriptTargets;
  /** Whether the partner is active at this moment. */
  readonly isPartner: (receiver: string) => Promise<boolean>;
  /** Works a message with which the partner has answered; false where it was not taken. */
  readonly take: (answer: Buffer, receiver: string) => Promise<boolean>;
  /** Before the second sending, the third …; the last again and again. */
  readonly delaysMs?: readonly number[];
  /** After this long a message that was never answered is given up. */
  readonly ageMaxMs?: number;
  readonly now: Clock;
  /** 0 ≤ x < 1 */
  readonly random?: () => number;
  readonly log: Log;
}

const CALLER = serviceCaller('gateway');
const MINUTE_MS = 60_000;
/** Reference section 8.4. */
const DELAYS_MS = [1, 5, 15, 60, 240].map((minutes) => minutes * MINUTE_MS);
const AGE_MAX_MS = 24 * 60 * MINUTE_MS;
/** How long a message waits whose partner is not active. */
const PAUSED_MS = 5000;
/** Of a delay: those that wait for one partner do not all come at once. */
const SPREAD = 0.1;
/** Messages under way at once, one a partner. */
const CONCURRENCY = 16;
const ATTEMPTS_MAX = 8;
const DONE: readonly string[] = ['acknowledged', 'rejected'];

/** Jobs of one receiver go one after another. */
export const scriptSendJob = (messageId: string, receiver: string, at: number): NewJob => ({
  kind: SCRIPT_SEND,
  key: receiver,
  dedupe: messageId,
  payload: { message: messageId, receiver, at },
});

export function createScriptSendJobs(options: ScriptSendJobsOptions): JobSet {
  const { messages, exchange, targets, isPartner, take, now, log, random = Math.random } = options;
  const delaysMs = options.delaysMs ?? DELAYS_MS;
  const ageMaxMs = options.ageMaxMs ?? AGE_MAX_MS;

  const settle = (message: StoredMessage, settlement: Omit<Settlement, 'resources'>): Promise<boolean> =>
    messages.settle(message.id, { ...settlement, resources: message.resources });

  /** Longer the longer it has not come through. */
  function delayAfter(ageMs: number): number {
    let sum = 0;
    for (const delay of delaysMs) {
      sum += delay;
      if (ageMs < sum) return delay;
    }
    return delaysMs.at(-1) ?? MINUTE_MS;
  }

  /** Waits without being counted: time alone ends it. */
  function postpone({ payload }: TakenJob, cause: string, leastMs = 0): PostponedJobError {
    const delay = leastMs > 0 ? leastMs : delayAfter(now() - Number(payload['at']));
    return new PostponedJobError(cause, Math.round(delay * (1 + SPREAD * random())));
  }

  /** Throws when there is something left to do. */
  async function conclude(job: TakenJob, message: StoredMessage, outcome: ScriptOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'delivered':
        return void (await settle(message, { state: 'acknowledged', answer: outcome.answer }));
      case 'forwarded':
        // What became of it is told at our own door, and paired there.
        return void (await settle(message, { state: 'sent', answer: outcome.answer }));
      case 'answered': {
        if (await take(outcome.answer, message.receiver ?? ''))
          return void (await settle(message, { state: 'acknowledged', answer: outcome.answer }));
        const error = 'its answer was not taken: the message log has it';
        log.error('the answer of a partner could not be taken', { messageId: message.id });
        return void (await settle(message, { state: 'unknown', answer: outcome.answer, error }));
      }
      case 'rejected':
        log.warn('a partner does not take a message', {
          messageId: message.id,
          kind: message.kind,
          cause: outcome.error,
        });
        return void (await settle(message, { state: 'rejected', answer: outcome.answer, error: outcome.error }));
      case 'unclear':
        log.error('nobody knows what a partner answered to a message', { messageId: message.id, cause: outcome.error });
        return void (await settle(message, { state: 'unknown', answer: outcome.answer, error: outcome.error }));
      case 'again':
        await settle(message, { state: 'queued', answer: outcome.answer, error: outcome.error });
        throw postpone(job, outcome.error);
      case 'not-sent':
        await settle(message, { state: 'queued', error: outcome.cause });
        throw postpone(job, outcome.cause, outcome.until === undefined ? 0 : Math.max(1, outcome.until - now()));
      case 'unknown':
        await settle(message, { state: 'unknown', error: outcome.cause });
        throw postpone(job, outcome.cause);
    }
  }

  async function run(job: TakenJob, signal: AbortSignal): Promise<void> {
    const { payload } = job;
    const message = await readMessage(messages, CALLER, String(payload['message']));
    if (DONE.includes(message.state)) return;
    // Who wants a dead letter sent after all has it tried once at least.
    if (message.state !== 'dead' && now() - Number(payload['at']) > ageMaxMs)
      throw new PermanentJobError('it was not answered for too long');
    const receiver = String(payload['receiver']);
    const target = targets.find(receiver);
    if (!target) throw new PostponedJobError('SCRIPT_TARGETS_FILE does not name the receiver', PAUSED_MS);
    if (!(await isPartner(receiver))) throw new PostponedJobError('the partner is not active', PAUSED_MS);
    // Before a byte of it leaves: a process that ends now leaves a message that may have been sent.
    await settle(message, { state: 'sent' });
    const { controlId = '', raw } = message;
    await conclude(job, message, await exchange.send(target, { controlId, raw }, signal));
  }

  const handler: JobHandler = {
    kind: SCRIPT_SEND,
    attemptsMax: ATTEMPTS_MAX,
    delayMs: 1000,
    delayMaxMs: MINUTE_MS,
    patientsOf: async ({ payload }) => patientsOf(await readMessage(messages, CALLER, String(payload['message']))),
    run,
    async onDead({ payload }) {
      const message = await readMessage(messages, CALLER, String(payload['message']));
      // The patient is waiting at the pharmacy (reference section 8.4).
      log.error('a message could not be brought to a partner', { messageId: message.id, kind: message.kind });
      // What is unknown stays so: only a person can decide now.
      if (message.state === 'unknown') return;
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

const patientsOf = ({ resources }: StoredMessage): readonly string[] =>
  resources.flatMap((one) => /^Patient\/([^/]+)/.exec(one)?.[1] ?? []);
