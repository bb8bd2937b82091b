/**
 * Sends what waits for partners that are told by files: the messages of a file are settled together, and go again in the
 * same file while nobody knows whether it came. docs/hl7v2.md "Feeds", SECURITY RL-16, RL-18, DP-05
 */
import { createHash } from 'node:crypto';
import { serviceCaller } from '../policy/service-caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { JobTable, TakenJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog, MessageState, Settled, StoredMessage } from '../ports/message-log.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import type { ProcessingStop } from '../ports/subject-rights.ts';
import type { Feed, Feeds, V2BatchDelivery, V2BatchOutcome, V2Outcome } from '../ports/v2-feed.ts';
import { controlIdFrom } from '../standards/hl7v2/control-id.ts';
import { type JobHandler, type JobSet, PostponedJobError } from './runner.ts';

export interface V2BatchJobsOptions {
  readonly messages: Pick<MessageLog, 'findOutgoing' | 'countOutgoing'>;
  readonly jobs: Pick<JobTable, 'add'>;
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly delivery: V2BatchDelivery;
  readonly feeds: Feeds;
  /** What messages of a feed that wait are marked with (`correlation`). */
  readonly markOf: (feedId: string) => string;
  /** Whose data may not be sent: their messages wait. */
  readonly stop: ProcessingStop;
  /** How often it is looked whether anything waits. */
  readonly everyMs?: number;
  /** A file is begun when the last message has waited so long: until then more may come. */
  readonly quietMs?: number;
  readonly now: Clock;
  readonly log: Log;
}

const BATCH_SWEEP = 'hl7v2-batches';
const BATCH_SEND = 'hl7v2-batch';
const CALLER = serviceCaller('gateway');
const EVERY_MS = 5000;
const QUIET_MS = 2000;
/** Of one file; what is left makes another. */
const MESSAGES_MAX = 1000;
const BYTES_MAX = 8 * 1024 * 1024;
const PAGE = 100;
/** Before a file goes again that did not come through, and nothing says when it may. */
const AGAIN_MS = 10_000;
const REFUSED_AGAIN_MS = 60_000;
/** A message that the partner has refused so often ("not now") is a dead letter. Each try is counted twice: before and after. */
const ATTEMPTS_MAX = 16;
/** Partners that are sent files at once. */
const CONCURRENCY = 4;
const OPEN: readonly MessageState[] = ['queued', 'sent', 'unknown'];
/** They may be with the partner. */
const UNTOLD: readonly MessageState[] = ['sent', 'unknown'];

export function createV2BatchJobs(options: V2BatchJobsOptions): JobSet {
  const { messages, jobs, store, delivery, feeds, markOf, stop, now, log } = options;
  const { everyMs = EVERY_MS, quietMs = QUIET_MS } = options;

  /** The oldest of those that may be sent now, up to one file. */
  async function gather({ id }: Feed, states: readonly MessageState[]): Promise<readonly StoredMessage[]> {
    const found: StoredMessage[] = [];
    let bytes = 0;
    let after: { readonly receivedAt: number; readonly id: string } | undefined;
    for (;;) {
      const filter = { dialect: 'hl7v2', correlation: markOf(id), states, ...(after && { after }) };
      const page = await messages.findOutgoing(filter, PAGE);
      const restricted = await stop.restrictedAmong([...new Set(page.flatMap(patientsOf))]);
      for (const message of page) {
        if (patientsOf(message).some((patient) => restricted.has(patient))) continue;
        bytes += message.raw.length;
        if (found.length >= MESSAGES_MAX || (bytes > BYTES_MAX && found.length > 0)) return found;
        found.push(message);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return found;
      after = { receivedAt: last.receivedAt, id: last.id };
    }
  }

  async function settle(settled: readonly Settled[]): Promise<void> {
    await store.transaction(CALLER, async (tx) => {
      const isKept = await tx.messages.settleAll(settled);
      if (!isKept) throw new Error('a message of the file was answered meanwhile');
    });
  }

  async function send(feed: Feed, signal: AbortSignal): Promise<boolean> {
    const untold = await gather(feed, UNTOLD);
    const batch = untold.length > 0 ? untold : await gather(feed, ['queued']);
    const [last] = batch.slice(-1);
    if (last === undefined) return false;
    if (untold.length === 0 && batch.length < MESSAGES_MAX && now() - last.receivedAt < quietMs) return false;
    // Before a byte of it leaves: a process that ends now leaves messages that may have been sent.
    await settle(batch.map((message) => settled(message, 'sent')));
    const file = { id: idOf(batch), at: last.receivedAt, messages: batch.map(({ raw }) => raw) };
    const outcome = await delivery.deliver(feed, file, signal);
    const concluded = batch.map((message) => conclude(message, outcome));
    await settle(concluded);
    const dead = concluded.filter(({ settlement }) => settlement.state === 'dead').length;
    if (dead > 0)
      log.warn('a partner does not take messages of a file: they are dead letters', { feed: feed.id, dead });
    if (outcome.kind === 'taken' || outcome.kind === 'rejected') {
      log.info('a partner was sent a file of messages', { feed: feed.id, batch: file.id, messages: batch.length });
      if (concluded.every(({ settlement }) => !OPEN.includes(settlement.state))) return true;
      throw new PostponedJobError('some messages of the file are to go again', REFUSED_AGAIN_MS);
    }
    log.warn('a file of messages did not come through', { feed: feed.id, batch: file.id, cause: outcome.cause });
    const until = outcome.kind === 'not-sent' ? outcome.until : undefined;
    throw new PostponedJobError(outcome.cause, Math.max(AGAIN_MS, (until ?? 0) - now()));
  }

  const batches = async (): Promise<readonly Feed[]> => (await feeds.list()).filter(({ batch }) => batch !== undefined);

  const sweep: JobHandler = {
    kind: BATCH_SWEEP,
    attemptsMax: 5,
    delayMs: 1000,
    delayMaxMs: 60_000,
    async run() {
      for (const { id } of await batches()) {
        const open = await messages.countOutgoing({ dialect: 'hl7v2', correlation: markOf(id), states: OPEN }, 1);
        if (open > 0) await jobs.add([{ kind: BATCH_SEND, key: id, dedupe: id, payload: { feed: id } }]);
      }
    },
  };
  const sender: JobHandler = {
    kind: BATCH_SEND,
    attemptsMax: 5,
    delayMs: 1000,
    delayMaxMs: 60_000,
    // Whose data may be sent is asked for each message: one that waits holds no others back.
    async run({ payload }: TakenJob, signal: AbortSignal) {
      for (;;) {
        const feed = (await batches()).find(({ id }) => id === payload['feed']);
        if (feed === undefined || signal.aborted || !(await send(feed, signal))) return;
      }
    },
  };
  return {
    handlers: [sweep, sender],
    schedules: [{ name: BATCH_SWEEP, everyMs, job: { kind: BATCH_SWEEP, dedupe: 'one', payload: {} } }],
    concurrency: CONCURRENCY,
  };
}

const patientsOf = ({ resources }: StoredMessage): readonly string[] =>
  resources.flatMap((place) => (place.startsWith('Patient/') ? [place.split('/')[1] ?? ''] : []));

/** The same for the same messages, so that a file that goes again is known as the same. */
const idOf = (batch: readonly StoredMessage[]): string =>
  controlIdFrom(
    createHash('sha256')
      .update(batch.map(({ id }) => id).join('\n'))
      .digest(),
  );

const settled = (
  { id, resources }: StoredMessage,
  state: MessageState,
  more: { readonly answer?: Buffer; readonly error?: string } = {},
): Settled => ({ id, settlement: { state, resources, ...more } });

function conclude(message: StoredMessage, outcome: V2BatchOutcome): Settled {
  switch (outcome.kind) {
    case 'taken':
      return concludeOne(message, outcome.answers);
    case 'rejected':
      return settled(message, 'dead', { error: outcome.error });
    case 'not-sent':
      return settled(message, 'queued', { error: outcome.cause });
    case 'unknown':
      return settled(message, 'unknown', { error: outcome.cause });
  }
}

function concludeOne(message: StoredMessage, answers: ReadonlyMap<string, V2Outcome> | undefined): Settled {
  if (answers === undefined) return settled(message, 'acknowledged');
  const answer = answers.get(message.controlId ?? '');
  const isLast = message.attempts >= ATTEMPTS_MAX;
  switch (answer?.kind) {
    case 'accepted':
      return settled(message, 'acknowledged', { answer: answer.answer });
    case 'rejected':
      return settled(message, 'dead', { answer: answer.answer, error: answer.error });
    case 'refused':
      return settled(message, isLast ? 'dead' : 'queued', { answer: answer.answer, error: answer.error });
    default:
      return settled(message, isLast ? 'dead' : 'unknown', { error: 'the answer to its file says nothing of it' });
  }
}
