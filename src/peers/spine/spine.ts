/** The local Spine itself, without sockets: a message in, its answer out, and nothing said that is not on disk. */
import { createHash, randomUUID } from 'node:crypto';
import { createBook, FIRST_SETTINGS, type Settings } from './book.ts';
import { type Envelope, formatReply } from './envelope.ts';
import { DUPLICATE_ID, dispenseError, prescribeError, Refusal } from './errors.ts';
import { type Entry, type Handled, openJournal } from './journal.ts';
import type { Prescription } from './prescription.ts';
import { type Message, readContent, readWrapper } from './read-message.ts';
import { type Answer, type Circumstances, formatAnswer, formatRefusal, formatRejection } from './reply.ts';
import { type Ruling, rule } from './rules.ts';
import type { SignatureOptions } from './signature.ts';
import { readXml, XmlError } from './xml.ts';

export interface SpineOptions {
  /** Where the journal is. */
  readonly folder: string;
  readonly signatures: SignatureOptions;
  /** ms UTC */
  readonly now: () => number;
}

export interface Spine {
  /** Resolves when what was decided is on disk. The same message again is answered as before. */
  handle(envelope: Envelope): Promise<Handled>;
  /** What was answered to the message with this ebXML id. */
  answered(ebxmlId: string): Handled | undefined;
  find(id: string): Prescription | undefined;
  ofPatient(nhsNumber: string): readonly Prescription[];
  all(): readonly Prescription[];
  /** The last messages, newest first. */
  messages(limit: number): readonly Handled[];
  settings(): Settings;
  change(settings: Partial<Settings>): Promise<void>;
  now(): number;
  stop(): Promise<void>;
}

/** Older messages are forgotten: a copy of one of them would be taken for a new one. */
const MESSAGES_MAX = 20_000;
const PRESCRIPTIONS_MAX = 100_000;
const NO_WRAPPER = { id: '', interaction: '', fromAsid: 'UNKNOWN', toAsid: 'UNKNOWN' };
/** Cancellations are told of in the words of dispensing, as their response has no place for faults. */
const ASKED_AND_ANSWERED: readonly string[] = ['PORX_IN060102SM30', 'PORX_IN132004SM30'];

export function openSpine({ folder, signatures, now: machineNow }: SpineOptions): Spine {
  const book = createBook();
  const documents = new Map<string, string>();
  const byV3Id = new Map<string, Handled>();
  const byEbxmlId = new Map<string, Handled>();
  let settings: Settings = FIRST_SETTINGS;

  const remember = (message: Handled): void => {
    byV3Id.set(message.id, message);
    byEbxmlId.set(message.ebxmlId, message);
    if (byEbxmlId.size <= MESSAGES_MAX) return;
    const [oldest] = byEbxmlId.values();
    if (oldest === undefined) return;
    byEbxmlId.delete(oldest.ebxmlId);
    byV3Id.delete(oldest.id);
  };
  const apply = (entry: Entry): void => {
    if (entry.kind === 'prescription') book.put(entry.value);
    else if (entry.kind === 'document') documents.set(entry.id, entry.xml);
    else if (entry.kind === 'message') remember(entry.value);
    else settings = entry.value;
  };
  function* gather(): Iterable<readonly Entry[]> {
    yield [{ kind: 'settings', value: settings }];
    for (const [id, xml] of documents) yield [{ kind: 'document', id, xml }];
    // As they were written, whatever time has done to them since: that is worked out anew.
    for (const value of book.all(Number.NEGATIVE_INFINITY)) yield [{ kind: 'prescription', value }];
    for (const value of byEbxmlId.values()) yield [{ kind: 'message', value }];
  }
  const journal = openJournal(folder, apply, gather);
  const now = (): number => machineNow() + settings.clockAheadMs;
  const newId = (): string => randomUUID().toUpperCase();

  /** What is decided, and put into the book when it is accepted. */
  function decide(
    message: Message,
    circumstances: Circumstances,
  ): { answer: Answer; outcome: string; entries: Entry[] } {
    try {
      if (book.size >= PRESCRIPTIONS_MAX) throw new Refusal([prescribeError('9999', 'This Spine is full')]);
      const ruling = rule(readContent(message), { book, settings, signatures, now: circumstances.now, newId });
      const entries = toEntries(ruling, circumstances.now);
      for (const entry of entries) apply(entry);
      const answer = formatAnswer(message, ruling.reply, circumstances);
      return { answer, outcome: outcomeOf(ruling), entries };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const outcome = `AE ${error.errors.map(({ code }) => code).join(' ')}`;
      return { answer: formatRefusal(message, error, circumstances), outcome, entries: [] };
    }
  }

  /** Messages one after another, as nothing here waits: what each finds is what all before it have left. */
  function handleNow(envelope: Envelope): { handled: Handled; written: Promise<void> } {
    const hash = createHash('sha256').update(envelope.payload).digest('hex');
    const same = byEbxmlId.get(envelope.messageId);
    if (same?.hash === hash) return { handled: same, written: journal.flushed() };
    const at = now();
    const circumstances: Circumstances = { id: newId(), now: at, documentOf: (id) => documents.get(id) ?? '' };
    const { message, problem } = readMessage(envelope);
    const isUsed = same !== undefined || byV3Id.has(message.id);
    const { answer, outcome, entries } = isUsed
      ? { answer: formatRejection(message, DUPLICATE_ID, circumstances), outcome: 'AR 202', entries: [] }
      : problem !== undefined
        ? { answer: formatRefusal(message, problem, circumstances), outcome: 'AE 5888', entries: [] }
        : decide(message, circumstances);
    const delay = ASKED_AND_ANSWERED.includes(message.interaction) ? null : settings.asynchronousMs;
    const handled: Handled = {
      id: message.id,
      ebxmlId: envelope.messageId,
      hash,
      interaction: message.interaction,
      fromParty: envelope.fromParty,
      answer: formatReply(envelope, { messageId: circumstances.id, action: answer.action, payload: answer.xml, at }),
      outcome,
      at,
      readyAt: at + (delay ?? 0),
    };
    if (isUsed) return { handled, written: journal.flushed() };
    const entry: Entry = { kind: 'message', value: handled };
    apply(entry);
    return { handled, written: journal.append([...entries, entry]) };
  }

  return {
    async handle(envelope) {
      const { handled, written } = handleNow(envelope);
      await written;
      return handled;
    },
    answered: (ebxmlId) => byEbxmlId.get(ebxmlId),
    find: (id) => book.find(id, now()),
    ofPatient: (nhsNumber) => book.ofPatient(nhsNumber, now()),
    all: () => book.all(now()),
    messages: (limit) => [...byEbxmlId.values()].slice(-limit).reverse(),
    settings: () => settings,
    async change(changes) {
      const entry: Entry = { kind: 'settings', value: { ...settings, ...changes } };
      apply(entry);
      await journal.append([entry]);
    },
    now,
    stop: () => journal.close(),
  };
}

function readMessage(envelope: Envelope): { readonly message: Message; readonly problem?: Refusal } {
  // A message without an id of its own is remembered by that of its envelope.
  const unread: Message = {
    ...NO_WRAPPER,
    id: envelope.messageId,
    interaction: envelope.action,
    payload: { name: '', prefix: '', namespace: '', attributes: new Map(), children: [] },
  };
  try {
    return { message: readWrapper(readXml(envelope.payload), envelope.action) };
  } catch (error) {
    if (error instanceof Refusal) return { message: unread, problem: error };
    if (!(error instanceof XmlError)) throw error;
    return { message: unread, problem: new Refusal([dispenseError('5888', 'Invalid message: it is not XML')]) };
  }
}

function toEntries({ changed, document }: Ruling, now: number): Entry[] {
  const entries: Entry[] = [];
  for (const prescription of changed) {
    prescription.changedAt = now;
    if (document !== undefined) entries.push({ kind: 'document', id: prescription.id, xml: document });
    entries.push({ kind: 'prescription', value: prescription });
  }
  return entries;
}

const outcomeOf = ({ reply }: Ruling): string =>
  reply.kind === 'cancellation' ? `${reply.code === '0001' ? 'AA' : 'AE'} ${reply.code}` : 'AA';
