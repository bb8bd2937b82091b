/**
 * The way in that all dialects share: log, read, ask whether it is taken, translate, apply in one transaction with the
 * message's state, answer after the commit. DESIGN walk 3, SECURITY RL-11 … RL-16, docs/gateway.md
 */
import type { TransactionBundle } from '../mapping/transaction-bundle.ts';
import { serviceCaller } from '../policy/service-caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog, MessageState, Settlement } from '../ports/message-log.ts';
import type { Partner } from '../ports/partner.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import { FhirError, type Issue, isError, issue, textOf } from '../standards/fhir/outcome.ts';
import type { ApplyMessage } from '../workflow/apply-message.ts';
import { findSenderFault } from './certified-sender.ts';
import type {
  Dialect,
  Envelope,
  FoundResources,
  Question,
  ReadMessage,
  TranslationContext,
  Verdict,
} from './dialect.ts';
import { type IsPartner, senderSystem } from './partners.ts';
import { createTransactionGroup } from './transaction-group.ts';

export interface ReceiveOptions {
  readonly messages: MessageLog;
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly apply: ApplyMessage;
  readonly isPartner: IsPartner;
  /** IANA name of the zone in which times without an offset are read. */
  readonly timeZone: string;
  readonly now: Clock;
  readonly log: Log;
  /** Looks for what a partner asks for, with that partner's rights; undefined where it may not ask. */
  readonly find?: (
    dialect: string,
    envelope: Envelope,
    partner: Partner | undefined,
    question: Question,
  ) => Promise<FoundResources | undefined>;
  /** Told of a message that its partner may not send, for the trail. */
  readonly onForged?: (partner: Partner, envelope: Envelope) => void;
  /** Told of every message that came in and was answered, with the ms that took. */
  readonly observe?: (dialect: string, verdict: Received['verdict'], ms: number) => void;
}

export interface Received {
  /** The log's id; absent when the message could not even be logged. */
  readonly id?: string;
  /** `repeated`: the first answer again. */
  readonly verdict: Verdict['kind'] | 'repeated';
  /** The dialect's own answer, ready to be sent. */
  readonly answer: Buffer;
}

export interface Receiver {
  /** `partner`: whose certificate the connection has; without one only the message says who sent it. */
  receive<M>(dialect: Dialect<M>, raw: Buffer, correctionOf?: string, partner?: Partner): Promise<Received>;
  /** Works a logged message again: one that was rejected, died, or whose process ended before it was settled. */
  process<M>(dialect: Dialect<M>, id: string, raw: Buffer): Promise<Received>;
}

/** After so many attempts that failed for reasons of ours a message is a dead letter. */
const ATTEMPTS_MAX = 5;

export function createReceiver(options: ReceiveOptions): Receiver {
  const { messages, store, apply, isPartner, timeZone, now, log } = options;
  const transact = createTransactionGroup((work) => store.transaction(caller, work));

  async function receive<M>(
    dialect: Dialect<M>,
    raw: Buffer,
    correctionOf?: string,
    partner?: Partner,
  ): Promise<Received> {
    const read = dialect.read(raw);
    const answerTo = (verdict: Verdict): Buffer => dialect.answer(read, verdict, now(), store.newId);
    const forged = partner && findSenderFault(partner, read.envelope);
    if (forged) {
      // Not in the log, where its control id would stand in the way of the one whose name it bears.
      log.warn('a message is not of the partner that sent it', { dialect: dialect.name, kind: read.envelope.kind });
      options.onForged?.(partner, read.envelope);
      return { verdict: forged.kind, answer: answerTo(forged) };
    }
    try {
      const reception = await messages.receive({
        id: store.newId(),
        direction: 'in',
        dialect: dialect.name,
        ...read.envelope,
        hash: read.hash,
        raw,
        receivedAt: now(),
        ...(correctionOf !== undefined && { correctionOf }),
      });
      if (reception.kind === 'duplicate' && reception.answer) {
        log.info('a message came again', { message: reception.id, dialect: dialect.name });
        return { id: reception.id, verdict: 'repeated', answer: reception.answer };
      }
      if (reception.kind === 'conflict') {
        if (reception.answer) return { id: reception.id, verdict: 'repeated', answer: reception.answer };
        log.warn('a control id came with other content', { message: reception.id, first: reception.firstId });
        const verdict: Verdict = { kind: 'conflict', issues: [CONTROL_ID_TAKEN] };
        const answer = answerTo(verdict);
        await messages.settle(reception.id, settlementOf('rejected', verdict, answer));
        return { id: reception.id, verdict: 'conflict', answer };
      }
      return await work(dialect, read, reception.id, partner);
    } catch (error) {
      log.error('a message could not be logged', { dialect: dialect.name, error });
      return { verdict: 'unavailable', answer: answerTo(UNAVAILABLE) };
    }
  }

  async function work<M>(dialect: Dialect<M>, read: ReadMessage<M>, id: string, partner?: Partner): Promise<Received> {
    const answerTo = (verdict: Verdict): Buffer => dialect.answer(read, verdict, now(), store.newId);
    try {
      const judged = await judge(dialect, read);
      if ('kind' in judged) {
        const answer = answerTo(judged);
        const settled = await messages.settle(id, settlementOf('rejected', judged, answer));
        log.info('a message was not taken', { message: id, dialect: dialect.name, verdict: judged.kind });
        return settled ? { id, verdict: judged.kind, answer } : await again(id, answer);
      }
      if ('question' in judged) return await answerQuestion(dialect, read, id, judged, partner);
      return await applyOnce(dialect, read, id, judged.bundle, judged.issues);
    } catch (error) {
      if (!(error instanceof FhirError) || error.status === 409 || error.status >= 500)
        return postpone(id, error, answerTo);
      const verdict: Verdict = { kind: 'rejected', issues: error.issues };
      const answer = answerTo(verdict);
      const settled = await messages.settle(id, settlementOf('rejected', verdict, answer));
      log.info('a message was not taken', { message: id, dialect: dialect.name, verdict: 'rejected' });
      return settled ? { id, verdict: 'rejected', answer } : again(id, answer);
    }
  }

  /** Somebody else applied it meanwhile: their answer is the one that was sent. */
  async function again(id: string, otherwise: Buffer): Promise<Received> {
    const stored = await messages.read(caller, id);
    return { id, verdict: 'repeated', answer: stored.answer ?? otherwise };
  }

  /** Everything that is decided before the database is asked to change anything. */
  async function judge<M>(
    dialect: Dialect<M>,
    read: ReadMessage<M>,
  ): Promise<Verdict | Asked | { readonly bundle: TransactionBundle; readonly issues: readonly Issue[] }> {
    if (read.message === undefined) return { kind: 'rejected', issues: read.issues };
    if (!(await isPartner(dialect.name, read.envelope.sender)))
      return { kind: 'refused', reason: 'partner', issues: [UNKNOWN_PARTNER] };
    const refusal = dialect.accepts(read.message);
    if (refusal) return refusal;
    const context = { receivedAt: now(), timeZone };
    const asked = dialect.asks?.(read.message, context);
    if (asked?.value === undefined && asked) return { kind: 'rejected', issues: [...read.issues, ...asked.issues] };
    if (asked?.value) return { question: asked.value, issues: [...read.issues, ...asked.issues] };
    const { value, issues } = dialect.translate(read.message, context);
    const all = [...read.issues, ...issues];
    if (value === undefined || all.some(isError)) return { kind: 'rejected', issues: all };
    return { bundle: value, issues: all };
  }

  /** A query changes nothing but the log. */
  async function answerQuestion<M>(
    dialect: Dialect<M>,
    read: ReadMessage<M>,
    id: string,
    { question, issues }: Asked,
    partner: Partner | undefined,
  ): Promise<Received> {
    const found = await options.find?.(dialect.name, read.envelope, partner, question);
    if (found === undefined || read.message === undefined || !dialect.tells) {
      const verdict: Verdict = { kind: 'refused', reason: 'kind', issues: [MAY_NOT_ASK] };
      const answer = dialect.answer(read, verdict, now(), store.newId);
      await messages.settle(id, settlementOf('rejected', verdict, answer));
      return { id, verdict: 'refused', answer };
    }
    const answer = dialect.tells(read.message, found, now(), store.newId);
    const settled = await messages.settle(id, settlementOf('applied', { kind: 'applied', issues }, answer));
    return settled ? { id, verdict: 'applied', answer } : again(id, answer);
  }

  /** Resources, links and the message's state in one transaction; whoever comes second finds it done. */
  function applyOnce<M>(
    dialect: Dialect<M>,
    read: ReadMessage<M>,
    id: string,
    bundle: TransactionBundle,
    issues: readonly Issue[],
  ): Promise<Received> {
    const verdict: Verdict = { kind: 'applied', issues };
    const inOrder = dialect.answer(read, verdict, now(), store.newId);
    const saying = sayingOf(dialect, read, { receivedAt: now(), timeZone });
    const origin = { ...originOf(dialect.name, read.envelope, id), ...(saying && { saying }) };
    const applied = transact(async (tx) => {
      let answer = inOrder;
      await apply(tx, bundle, origin, (resources, late) => {
        const told: Verdict = { kind: 'applied', issues: [...issues, ...late.map(lateIssue)] };
        if (late.length > 0) answer = dialect.answer(read, told, now(), store.newId);
        return tx.messages.settle(id, { ...settlementOf('applied', told, answer), resources }).then((settled) => {
          if (!settled) throw new AppliedBefore();
        });
      });
      return { id, verdict: 'applied' as const, answer };
    });
    return applied.catch((error: unknown) => {
      if (error instanceof AppliedBefore) return again(id, inOrder);
      throw error;
    });
  }

  /** The fault is ours: the sender may try again, and after some tries it is told to go on without. */
  async function postpone(id: string, error: unknown, answerTo: (verdict: Verdict) => Buffer): Promise<Received> {
    log.error('a message could not be applied', { message: id, error });
    const reason =
      error instanceof FhirError ? textOf(error.issues[0] as Issue) : 'a fault of the server: its log says which';
    try {
      const { attempts } = await messages.failAttempt(id, reason);
      if (attempts >= ATTEMPTS_MAX) {
        const verdict: Verdict = { kind: 'rejected', issues: [DEAD] };
        const answer = answerTo(verdict);
        const settled = await messages.settle(id, { ...settlementOf('dead', verdict, answer), error: reason });
        return settled ? { id, verdict: 'rejected', answer } : await again(id, answer);
      }
    } catch (cause) {
      log.error('the message log does not answer', { message: id, error: cause });
    }
    return { id, verdict: 'unavailable', answer: answerTo(UNAVAILABLE) };
  }

  async function observed<M>(
    dialect: Dialect<M>,
    raw: Buffer,
    correctionOf?: string,
    partner?: Partner,
  ): Promise<Received> {
    const startedAt = performance.now();
    const received = await receive(dialect, raw, correctionOf, partner);
    options.observe?.(dialect.name, received.verdict, performance.now() - startedAt);
    return received;
  }

  return { receive: observed, process: (dialect, id, raw) => work(dialect, dialect.read(raw), id) };
}

/** What a query asks for, and what was told of it. */
interface Asked {
  readonly question: Question;
  readonly issues: readonly Issue[];
}

/** Where what the message brings came from, for its Provenance. */
function originOf(dialect: string, { kind, sender, receiver }: Envelope, messageId: string) {
  const party = (value: string) => ({ identifier: { system: senderSystem(dialect), value } });
  return {
    kind,
    messageId,
    sender: sender === undefined ? { display: 'A sender that gave no name' } : party(sender),
    ...(receiver !== undefined && { receiver: party(receiver) }),
  };
}

/** Undefined where it is not known who says it. */
function sayingOf<M>(
  dialect: Dialect<M>,
  { message, envelope: { sender } }: ReadMessage<M>,
  context: TranslationContext,
): { readonly feed: string; readonly at: number } | undefined {
  if (message === undefined || sender === undefined || !dialect.happenedAt) return undefined;
  return { feed: `${dialect.name} ${sender}`, at: dialect.happenedAt(message, context) };
}

const lateIssue = (type: string): Issue => ({
  severity: 'warning',
  code: 'business-rule',
  diagnostics: `The message came late: what a later one has said of this ${type} stays`,
});

/** Takes back a transaction that found its message applied. */
class AppliedBefore extends Error {}

const caller = serviceCaller('gateway');

function settlementOf(state: MessageState, { kind, issues }: Verdict, answer: Buffer): Settlement {
  const first = issues.find(isError);
  return {
    state,
    // What was refused may be taken when it comes again: the partner is known by then, or the release newer.
    ...(kind !== 'refused' && { answer }),
    issues,
    ...(kind !== 'applied' && { error: first ? textOf(first) : kind }),
  };
}

const CONTROL_ID_TAKEN = issue(
  'duplicate',
  'A message with this control id came before with other content; the first stands. Send this one under a new control id',
);
// Answers have room for 70 characters in SCRIPT, for 80 in HL7 v2.
const UNKNOWN_PARTNER = issue('forbidden', 'No partner of this name: store an active Endpoint that bears it');
const MAY_NOT_ASK = issue('forbidden', 'May not ask: the Endpoint of the sender must name it in payloadType');
const DEAD = issue(
  'exception',
  'The message could not be processed after several attempts. It is kept, an operator can replay it',
);
const UNAVAILABLE: Verdict = {
  kind: 'unavailable',
  issues: [issue('transient', 'The message could not be processed now: send it again later')],
};
