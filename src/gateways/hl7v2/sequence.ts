/**
 * Messages that are numbered (MSH-13): each is taken after the one before it, and a gap is told with the number that is
 * expected (MSA-4). HL7 v2.5.1 section 2.9.1.2; reference 2.6. The number is kept when the message is settled: a crash in
 * between leaves a message that the log knows when it comes again.
 */
import { issue } from '../../standards/fhir/outcome.ts';
import { formatMessage, withValue } from '../../standards/hl7v2/format.ts';
import { parseMessage } from '../../standards/hl7v2/parse.ts';
import { parsePlace } from '../../standards/hl7v2/place.ts';
import type { Verdict } from '../dialect.ts';
import type { Received } from '../receive.ts';
import { hl7v2Dialect } from './dialect.ts';

export interface SequenceOptions {
  /** Whose messages are numbered: `PAS|RXX`. */
  readonly senders: ReadonlySet<string>;
  readonly read: (sender: string) => Promise<number | undefined>;
  readonly write: (sender: string, number: number) => Promise<void>;
  /** Whether a message with this control id has come from this sender. */
  readonly isKnown: (sender: string, controlId: string) => Promise<boolean>;
  readonly now: () => number;
  readonly newId: () => string;
}

type Receive = (raw: Buffer) => Promise<Received>;

/** The way in, with numbers looked at. Messages of one sender are worked one after another, whatever their connections. */
export function withSequence(options: SequenceOptions): (raw: Buffer, receive: Receive) => Promise<Received> {
  const { senders, read, write, isKnown, now, newId } = options;
  const turns = new Map<string, Promise<unknown>>();

  async function inOrder(raw: Buffer, sender: string, receive: Receive): Promise<Received> {
    const { message, envelope } = hl7v2Dialect.read(raw);
    const last = await read(sender);
    const expected = (last ?? 0) + 1;
    const refuse = (verdict: Verdict): Received => ({
      verdict: verdict.kind,
      answer: withExpected(hl7v2Dialect.answer(hl7v2Dialect.read(raw), verdict, now(), newId), expected),
    });
    const text = message?.header.value(13) ?? '';
    if (!/^\d{1,9}$/.test(text)) return refuse(rejected('A number in the sequence is agreed, and is missing'));
    const number = Number(text);
    // It asks for the number that is expected, and brings nothing.
    if (number === 0) return refuse({ kind: 'applied', issues: [] });
    if (last !== undefined && number > expected) return refuse(rejected('A message before this one is missing'));
    const isPast = last !== undefined && number <= last;
    if (isPast && !(await isKnown(sender, envelope.controlId ?? '')))
      return refuse(rejected('Another message came with this number in the sequence'));
    const received = await receive(raw);
    const isSettled = received.verdict !== 'refused' && received.verdict !== 'unavailable';
    if (isSettled && !isPast) await write(sender, number);
    return received;
  }

  return (raw, receive) => {
    const sender = hl7v2Dialect.read(raw).envelope.sender ?? '';
    if (!senders.has(sender)) return receive(raw);
    const turn = (turns.get(sender) ?? Promise.resolve()).then(
      () => inOrder(raw, sender, receive),
      () => inOrder(raw, sender, receive),
    );
    turns.set(sender, turn);
    return turn;
  };
}

const rejected = (diagnostics: string): Verdict => ({
  kind: 'rejected',
  issues: [issue('value', diagnostics, 'MSH-13')],
});

const EXPECTED = parsePlace('MSA-4');

/** MSA-4 of an acknowledgement. */
function withExpected(answer: Buffer, expected: number): Buffer {
  const { value: message } = parseMessage(answer);
  const changed = message && EXPECTED && withValue(message, EXPECTED, String(expected));
  return changed ? formatMessage(changed) : answer;
}
