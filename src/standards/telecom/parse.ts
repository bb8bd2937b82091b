/** Bytes to transmission: total, whatever the bytes are. Nothing is judged here but the framing. Reference section 14 */
import type { Issue } from '../fhir/outcome.ts';
import { END_OF_TEXT, FIELD_SEPARATOR, GROUP_SEPARATOR, SEGMENT_SEPARATOR, START_OF_TEXT } from './characters.ts';
import {
  type Header,
  REQUEST_HEADER,
  REQUEST_HEADER_LENGTH,
  RESPONSE_HEADER,
  RESPONSE_HEADER_LENGTH,
  readHeader,
  SHORT_RESPONSE_HEADER_LENGTH,
  VERSION,
} from './header.ts';
import type { TelecomField, TelecomMessage, TelecomSegment } from './message.ts';
import { telecomIssue, telecomRuleOf } from './rule-issue.ts';

export interface TelecomLimits {
  readonly bytes: number;
  readonly segments: number;
  readonly fields: number;
}
/** A transmission of four claims with everything in it has some 10 kB. */
export const TELECOM_LIMITS: TelecomLimits = { bytes: 65_536, segments: 200, fields: 5_000 };

export interface TelecomReading {
  /** Absent when the bytes are too broken to go on; then `issues` says why. */
  readonly message?: TelecomMessage;
  /** The header as far as it could be read. */
  readonly header: Header;
  readonly side: 'request' | 'response';
  readonly issues: readonly Issue[];
}

const FS = FIELD_SEPARATOR.charCodeAt(0);
const GS = GROUP_SEPARATOR.charCodeAt(0);
const RS = SEGMENT_SEPARATOR.charCodeAt(0);
/** Where the version stands in a request. */
const VERSION_AT = 6;

/** Reads one transmission, with or without the STX and ETX of a carrier around it. */
export function parseTelecom(bytes: Buffer, limits: TelecomLimits = TELECOM_LIMITS): TelecomReading {
  if (bytes.length > limits.bytes) {
    const what = `has ${bytes.length} bytes: at most ${limits.bytes} are taken`;
    return { header: NO_HEADER, side: 'request', issues: [telecomIssue('size', {}, what)] };
  }
  const text = unwrapTelecom(bytes.toString('latin1'));
  const end = headerEnd(text);
  const isResponse = text.startsWith(VERSION);
  const side = isResponse ? 'response' : 'request';
  const header = readHeader(isResponse ? RESPONSE_HEADER : REQUEST_HEADER, text.slice(0, end));
  const issues = checkFrame(text, end, isResponse, header);
  if (issues.some((one) => telecomRuleOf(one) !== 'header-length')) return { header, side, issues };
  const body = readBody(text, end, limits);
  if (typeof body === 'string') return { header, side, issues: [...issues, telecomIssue('size', {}, body)] };
  const message: TelecomMessage = { side, header, transmission: body.transmission, transactions: body.transactions };
  return { message, header, side, issues: body.issues.length === 0 ? issues : [...issues, ...body.issues] };
}

const NO_HEADER: Header = Object.freeze({});

/** Without the STX, ETX and line end that some carriers put around it. */
export function unwrapTelecom(text: string): string {
  const from = text.startsWith(START_OF_TEXT) ? 1 : 0;
  let to = text.length;
  while (to > from && '\r\n'.includes(text.charAt(to - 1))) to -= 1;
  if (to > from && text.charAt(to - 1) === END_OF_TEXT) to -= 1;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

/** The header ends where the first separator stands. */
function headerEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= FS && c <= RS) return i;
  }
  return text.length;
}

function checkFrame(text: string, end: number, isResponse: boolean, header: Header): readonly Issue[] {
  if (end === text.length && end > (isResponse ? RESPONSE_HEADER_LENGTH : REQUEST_HEADER_LENGTH))
    return [telecomIssue('framing', {}, 'has no separators (1C, 1D, 1E): it is no Telecommunication message')];
  const version = isResponse ? VERSION : text.slice(VERSION_AT, Math.min(end, VERSION_AT + 2));
  if (version.length === 2 && version !== VERSION && end >= 10) {
    const what = `is not ${VERSION}: no other version is taken`;
    return [telecomIssue('version', { field: '102-A2', at: VERSION_AT }, what, { reject: '02' })];
  }
  const length = isResponse ? RESPONSE_HEADER_LENGTH : REQUEST_HEADER_LENGTH;
  if (end === length) return header['A3'] === '' ? [NO_CODE] : [];
  const rule = isResponse && end === SHORT_RESPONSE_HEADER_LENGTH ? 'header-length' : 'framing';
  return [telecomIssue(rule, {}, `has a header of ${end} characters: it has ${length}`)];
}

const NO_CODE = telecomIssue('transaction', { field: '103-A3' }, 'is missing', { reject: '03' });

interface Body {
  readonly transmission: readonly TelecomSegment[];
  readonly transactions: readonly (readonly TelecomSegment[])[];
  readonly issues: readonly Issue[];
}

/** One pass over the characters. A text: why it is too much. */
function readBody(text: string, start: number, limits: TelecomLimits): Body | string {
  const transmission: TelecomSegment[] = [];
  const transactions: TelecomSegment[][] = [];
  const issues: Issue[] = [];
  let group = transmission;
  let fields: TelecomField[] | undefined;
  let isLed = false;
  let segments = 0;
  let count = 0;
  let at = start;
  const end = text.length;
  while (at < end) {
    const separator = text.charCodeAt(at);
    let next = at + 1;
    while (next < end) {
      const c = text.charCodeAt(next);
      if (c >= FS && c <= RS) break;
      next += 1;
    }
    if (separator === GS) {
      group = [];
      transactions.push(group);
      if (transactions.length > limits.segments) return `has more than ${limits.segments} transactions`;
    }
    if (separator !== FS) {
      fields = undefined;
      // 1E and 1C stand in front of every segment: a lenient reader takes one without them.
      isLed = separator === RS && next === at + 1 && text.charCodeAt(next) === FS;
      if (!isLed && !(separator === GS && text.charCodeAt(next) === RS && next === at + 1))
        issues.push(telecomIssue('lead-in', { at }, NO_LEAD_IN));
      if (next === at + 1) {
        at = next;
        continue;
      }
    }
    const id = text.slice(at + 1, Math.min(at + 3, next));
    const value = text.slice(at + 3, next);
    if (fields !== undefined) {
      count += 1;
      if (count > limits.fields) return `has more than ${limits.fields} fields`;
      fields.push({ id, value, at });
    } else {
      segments += 1;
      if (segments > limits.segments) return `has more than ${limits.segments} segments`;
      const isNamed = id === 'AM';
      if (!isNamed || !isLed) issues.push(telecomIssue('lead-in', { at }, isNamed ? NO_LEAD_IN : NO_NAME));
      fields = isNamed ? [] : [{ id, value, at }];
      group.push({ id: isNamed ? value : '', fields, at });
    }
    at = next;
  }
  return { transmission, transactions, issues };
}

const NO_LEAD_IN = 'has something else than a segment with 1E 1C in front of it';
const NO_NAME = 'has a segment that does not begin with AM';
