/**
 * Sends messages to the Spine: durable, in the order of each prescription, each once. A message whose answer did not come
 * is `unknown`, and stays so until the Spine was asked; it goes out again only when the Spine has not worked on it, or
 * when the same message under the same id is the question itself. MISSION M3; docs/eps.md "Operations"
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { serviceCaller } from '../policy/service-caller.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog, Settlement, StoredMessage } from '../ports/message-log.ts';
import type { SpineExchange, SpineOutcome, SpineReply } from '../ports/spine-exchange.ts';
import { readMessage } from './read-message.ts';
import type { JobHandler, JobSet } from './runner.ts';

const EPS_SEND = 'eps-send';

export interface EpsJobsOptions {
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly exchange: SpineExchange;
  /** How long to wait before "not worked on" is asked a second time, and then believed. */
  readonly askAgainMs?: number;
  readonly delayMs?: number;
  readonly delayMaxMs?: number;
  readonly attemptsMax?: number;
  /** Messages on their way at once, in places of their own. */
  readonly concurrency?: number;
  /** Settles a message for good, with all that its answer brings; the log alone unless given. */
  readonly settleFinally?: (message: StoredMessage, settlement: Settlement) => Promise<void>;
  /** Whose data a message holds: it waits while that may only be stored. SECURITY DP-05 */
  readonly patientsOf?: (message: StoredMessage) => Promise<readonly string[]>;
  /** Told of each message that is settled. */
  readonly onSettled?: (id: string) => void;
  readonly log: Log;
}

const CALLER = serviceCaller('gateway');
const ASK_AGAIN_MS = 10_000;
const DELAY_MS = 500;
const DELAY_MAX_MS = 5 * 60 * 1000;
/** Some eight hours of a Spine that is away. */
const ATTEMPTS_MAX = 200;
const FINAL: readonly string[] = ['acknowledged', 'rejected', 'dead'];
/** Kept as the answer until there is one: where it will be. */
const WAITING = 'Content-Location: ';

/** Of an answer that will not come. */
const LOST = Buffer.alloc(0);

/** "Duplicate HL7 ID": the Spine has a message of this id already. */
const DUPLICATE = { system: '2.16.840.1.113883.2.1.3.2.4.17.32', code: '202' };

export function createEpsJobs(options: EpsJobsOptions): JobSet {
  const { messages, exchange, patientsOf, onSettled, log, askAgainMs = ASK_AGAIN_MS } = options;

  async function settle(message: StoredMessage, settlement: Omit<Settlement, 'resources'>): Promise<void> {
    const isFinal = FINAL.includes(settlement.state);
    const kept = { ...settlement, resources: message.resources };
    if (isFinal && options.settleFinally) await options.settleFinally(message, kept);
    else await messages.settle(message.id, kept);
    if (isFinal) onSettled?.(message.id);
  }

  /** Throws when there is something left to do. */
  async function conclude(message: StoredMessage, outcome: SpineOutcome, isFirst: boolean): Promise<void> {
    switch (outcome.kind) {
      case 'answered':
        if (!isFirst && isDuplicate(outcome.reply)) {
          // It had been worked on before, and the tracker is to say so.
          await settle(message, { state: 'unknown', error: 'the Spine had it already' });
          throw new Error('the Spine had the message already');
        }
        return settle(message, {
          state: outcome.reply.acknowledgement === 'AA' ? 'acknowledged' : 'rejected',
          answer: outcome.body,
          ...(outcome.reply.acknowledgement !== 'AA' && { error: describe(outcome.reply) }),
        });
      case 'refused':
        return settle(message, {
          state: 'rejected',
          answer: outcome.body,
          error: `the Spine answered with status ${outcome.status}`,
        });
      case 'waiting':
        await settle(message, {
          state: 'unknown',
          answer: Buffer.from(WAITING + outcome.pollPath),
          error: 'its answer is not there yet',
        });
        throw new Error('the answer is not there yet');
      case 'not-sent':
        await settle(message, { state: 'queued', error: outcome.cause });
        throw new Error(outcome.cause);
      case 'unknown':
        await settle(message, {
          state: 'unknown',
          ...(message.answer && { answer: message.answer }),
          error: outcome.cause,
        });
        throw new Error(outcome.cause);
    }
  }

  async function send(message: StoredMessage, isFirst: boolean, signal: AbortSignal): Promise<void> {
    // Before a byte of it leaves: a process that ends now leaves a message that may have been sent.
    await settle(message, { state: 'sent' });
    const onWaiting = (pollPath: string): Promise<void> =>
      settle(message, { state: 'sent', answer: Buffer.from(WAITING + pollPath) });
    await conclude(message, await exchange.send({ body: message.raw }, { signal, onWaiting }), isFirst);
  }

  /** Asks what has become of it, and does what follows from that. */
  async function resolve(message: StoredMessage, signal: AbortSignal): Promise<void> {
    const sent = { body: message.raw };
    const pollPath = pollPathOf(message);
    if (pollPath !== undefined) {
      const outcome = await exchange.poll(sent, pollPath, signal);
      // A place that is gone tells nothing of the message; the tracker may.
      if (outcome.kind === 'answered' || outcome.kind === 'waiting') return conclude(message, outcome, true);
    }
    let known = await exchange.ask(sent, signal);
    if (known.kind === 'not-applied') {
      // It may be on its way still: who has waited and finds the same may believe it.
      await sleep(askAgainMs, undefined, { signal });
      known = await exchange.ask(sent, signal);
    }
    log.info('the Spine was asked about a message', { messageId: message.id, found: known.kind });
    switch (known.kind) {
      case 'applied':
        return settle(message, {
          state: 'acknowledged',
          // In the place of where it was to be polled.
          answer: LOST,
          error: 'its answer was lost; the tracker shows it as done',
        });
      case 'not-applied':
      case 'answer-again':
        return send(message, false, signal);
      case 'undecided':
        await settle(message, { state: 'unknown', error: `the Spine cannot tell: ${known.why}` });
        throw new Error(`the Spine cannot tell: ${known.why}`);
    }
  }

  const handler: JobHandler = {
    kind: EPS_SEND,
    attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX,
    delayMs: options.delayMs ?? DELAY_MS,
    delayMaxMs: options.delayMaxMs ?? DELAY_MAX_MS,
    ...(patientsOf && {
      patientsOf: async ({ payload }) => patientsOf(await readMessage(messages, CALLER, String(payload['message']))),
    }),
    async run({ payload }, signal) {
      const message = await readMessage(messages, CALLER, String(payload['message']));
      // `dead`: it was never sent, and somebody wants it to be after all.
      // Whoever said that nothing was worked on may have stood before the Spine: a second attempt can meet the first.
      if (message.state === 'queued' || message.state === 'dead') return send(message, message.attempts === 0, signal);
      // `sent`: the process that sent it is gone, and what it would have learned with it.
      if (message.state === 'sent' || message.state === 'unknown') return resolve(message, signal);
    },
    async onDead({ payload }) {
      const message = await readMessage(messages, CALLER, String(payload['message']));
      // What is unknown stays so: only a person can decide now.
      if (message.state === 'queued')
        await settle(message, { state: 'dead', error: message.error ?? 'it could not be sent' });
      else log.error('it is not known what became of a message to the Spine', { messageId: message.id });
    },
  };
  const { concurrency } = options;
  return { handlers: [handler], schedules: [], ...(concurrency !== undefined && { concurrency }) };
}

const isDuplicate = ({ codes }: SpineReply): boolean =>
  codes.some(({ system, code }) => system === DUPLICATE.system && code === DUPLICATE.code);

/** Codes and their names, which are the Spine's own words and no patient's. */
const describe = ({ acknowledgement, codes }: SpineReply): string =>
  `${acknowledgement} ${codes.map(({ code, display }) => `${code} ${display}`).join('; ')}`.trim();

function pollPathOf({ answer }: StoredMessage): string | undefined {
  const text = answer?.toString('latin1');
  return text?.startsWith(WAITING) ? text.slice(WAITING.length) : undefined;
}
