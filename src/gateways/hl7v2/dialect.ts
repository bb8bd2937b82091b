/** HL7 v2 as a dialect of the gateway: how messages are read, translated and answered. docs/hl7v2.md */
import { createHash } from 'node:crypto';
import { happenedAt } from '../../mapping/hl7v2/happened-at.ts';
import { lineageOf } from '../../mapping/hl7v2/lineage.ts';
import { isSupportedEvent, isSupportedType, mapToFhir } from '../../mapping/hl7v2/map-to-fhir.ts';
import type { PartnerRules } from '../../mapping/hl7v2/partner-rules.ts';
import { isQuery, QUERY_TYPE, readQuery, writeFound } from '../../mapping/hl7v2/query.ts';
import type { MappingContext } from '../../mapping/hl7v2/translation.ts';
import { issue } from '../../standards/fhir/outcome.ts';
import {
  type AcknowledgementCode,
  ERROR_CODE_SYSTEM,
  formatAcknowledgement,
  formatUnreadableAcknowledgement,
} from '../../standards/hl7v2/acknowledgement.ts';
import { formatMessage } from '../../standards/hl7v2/format.ts';
import { kindOf, type Message, versionOf } from '../../standards/hl7v2/message.ts';
import { parseMessage } from '../../standards/hl7v2/parse.ts';
import type { Field } from '../../standards/hl7v2/segment.ts';
import type { Dialect, Envelope, ReadMessage, TranslationContext, Verdict } from '../dialect.ts';
import { describeMessage } from './describe-message.ts';

/** The mapping file of who sends as this (`PAS|RXX`). */
export type RulesOf = (sender: string) => PartnerRules | undefined;

export const createHl7v2Dialect = (rulesOf: RulesOf): Dialect<Message> => ({
  name: 'hl7v2',
  read,
  accepts,
  translate: (message, context) => mapToFhir(message, withRules(message, context, rulesOf)),
  lineage: (message, context) => lineageOf(message, withRules(message, context, rulesOf)),
  happenedAt: (message, { receivedAt, timeZone }) => happenedAt(message, receivedAt, timeZone),
  asks: (message, { timeZone }) => (isQuery(message) ? readQuery(message, timeZone) : undefined),
  tells: (message, found, at, newId) => formatMessage(writeFound(message, { ...found, at, controlId: newId() })),
  answer,
  describe: describeMessage,
});

function withRules(message: Message, context: TranslationContext, rulesOf: RulesOf): MappingContext {
  const rules = rulesOf(envelopeOf(message).sender ?? '');
  return rules === undefined ? context : { ...context, rules };
}

/** Without any partner's own rules. */
export const hl7v2Dialect: Dialect<Message> = createHl7v2Dialect(() => undefined);

/** What a sender may write anew when it sends a message again: its time and its number in the sequence. */
const CHANGES_ON_RESEND = [7, 13];
const CONTROL_ID_MAX = 199;

function read(raw: Buffer): ReadMessage<Message> | Unreadable {
  const { value, issues } = parseMessage(raw);
  if (value === undefined)
    return { envelope: { kind: 'unknown' }, issues, hash: createHash('sha256').update(raw).digest(), raw };
  return { envelope: envelopeOf(value), message: value, issues, hash: hashOf(value, raw) };
}

function envelopeOf(message: Message): Envelope {
  const { header } = message;
  const controlId = header.value(10);
  const correlation = message.find('MSA')?.value(2) ?? '';
  return {
    kind: kindOf(message) || 'unknown',
    ...(controlId !== '' && { controlId: controlId.slice(0, CONTROL_ID_MAX) }),
    ...party('sender', header.field(3), header.field(4)),
    ...party('receiver', header.field(5), header.field(6)),
    ...(correlation !== '' && { correlation }),
  };
}

/** Application and facility, as partners are named: `PAS|RXX`. */
function party(name: 'sender' | 'receiver', application: Field, facility: Field): Partial<Envelope> {
  const text = `${application.value}|${facility.value}`;
  return text === '|' ? {} : { [name]: text };
}

/** SHA-256 of the bytes, with MSH-7 and MSH-13 empty. */
function hashOf(message: Message, raw: Buffer): Buffer {
  const { header, encoding, prologue } = message;
  const fields = header.text.split(encoding.field);
  for (const n of CHANGES_ON_RESEND) if (fields[n - 1] !== undefined) fields[n - 1] = '';
  const start = Buffer.byteLength(prologue);
  const ends = [raw.indexOf(0x0d, start), raw.indexOf(0x0a, start)].filter((end) => end !== -1);
  const rest = raw.subarray(Math.min(raw.length, ...ends));
  return createHash('sha256').update(fields.join(encoding.field)).update(rest).digest();
}

const VERSION_MIN = 210;
const VERSION_MAX = 289;

/** Table 0357, 200 to 203: what is not taken here. */
function accepts(message: Message): Verdict | undefined {
  const { header } = message;
  const type = header.value(9);
  const version = versionOf(message);
  const processing = header.value(11);
  const isAsked = isQuery(message);
  if (type !== '' && type !== QUERY_TYPE && !isSupportedType(type))
    return refusal('kind', '200', 'Messages of this type are not taken', 'MSH-9.1');
  if (type !== '' && !isAsked && !isSupportedEvent(kindOf(message)))
    return refusal('kind', '201', 'Messages of this event are not taken', 'MSH-9.2');
  if (!header.field(12).isEmpty && (version === undefined || version < VERSION_MIN || version > VERSION_MAX))
    return refusal('version', '203', 'Versions 2.1 to 2.8 are taken', 'MSH-12');
  if (processing !== '' && !PROCESSING_IDS.has(processing))
    return refusal('processing', '202', 'Processing ids P, T and D are taken', 'MSH-11');
  return undefined;
}

/** Table 0103. */
const PROCESSING_IDS = new Set(['P', 'T', 'D']);

function refusal(reason: 'kind' | 'version' | 'processing', code: string, diagnostics: string, place: string): Verdict {
  const details = { coding: [{ system: ERROR_CODE_SYSTEM, code }] };
  return { kind: 'refused', reason, issues: [{ ...issue('not-supported', diagnostics, place), details }] };
}

/**
 * Data at fault is AE: the sender goes on with the next. AR only where the same message may be taken later or
 * elsewhere; a sender repeats it, perhaps for ever.
 */
const CODES: Record<Verdict['kind'], AcknowledgementCode> = {
  applied: 'AA',
  rejected: 'AE',
  refused: 'AR',
  conflict: 'AE',
  unavailable: 'AR',
};

function answer(read: ReadMessage<Message>, verdict: Verdict, at: number, newId: () => string): Buffer {
  // Notes are for the log: many senders take any ERR for a fault.
  const issues = verdict.issues.filter(({ severity }) => severity !== 'information');
  const acknowledgement = { issues, at, controlId: newId() };
  const { message } = read;
  if (message === undefined) return formatUnreadableAcknowledgement(bytesOf(read), { ...acknowledgement, code: 'AR' });
  return formatAcknowledgement(message, { ...acknowledgement, code: CODES[verdict.kind] });
}

/** Bytes without a usable MSH: what can be found in them goes into the answer. */
interface Unreadable extends ReadMessage<Message> {
  readonly raw: Buffer;
}

const bytesOf = (read: ReadMessage<Message> | Unreadable): Buffer => ('raw' in read ? read.raw : Buffer.alloc(0));
