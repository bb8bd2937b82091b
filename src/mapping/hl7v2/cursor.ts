/** Reads a message for the mapper: every leaf that is read is remembered, so that what was not can be told. */
import { type Decimal, parseJson } from '../../standards/fhir/json.ts';
import type { Issue, IssueCode, IssueSeverity } from '../../standards/fhir/outcome.ts';
import { type DateTime, isStandardDateTime, parseDateTime } from '../../standards/hl7v2/date-time.ts';
import { decodeEscapes, type EscapeFault } from '../../standards/hl7v2/escape.ts';
import type { Field, Part, Segment } from '../../standards/hl7v2/segment.ts';
import { formatDate, formatDateTime } from './date-time.ts';

/** What one translation collects, and what it was told. */
export interface Reading {
  readonly issues: Issue[];
  /** Whether any leaf became part of something: each that did bears this reading as its mark (`Part.readBy`). */
  hasRead: boolean;
  readonly timeZone: string;
  /** Offset of MSH-7 in minutes: times without one are in it. */
  readonly offset: number | undefined;
  /** Who sends: names the systems of its own codes and numbers. */
  readonly feed: string;
  /** UK rules for addresses, organisation codes and national tables. */
  readonly isUk: boolean;
}

/** Fillers that stand for nothing in UK feeds: not specified, not known, does not use. */
const FILLERS = new Set(['NSP', 'NK', 'DNU']);

/** A place in the message. Texts are decoded and trimmed; null and nothing are empty. */
export class Cursor {
  readonly part: Part;
  readonly reading: Reading;

  constructor(part: Part, reading: Reading) {
    this.part = part;
    this.reading = reading;
  }

  at(n: number): Cursor {
    return new Cursor(this.part.at(n), this.reading);
  }

  /** The first leaf, without characters that no FHIR string may hold. */
  get text(): string {
    if (this.part.raw === '') return '';
    const leaf = leafOf(this.part);
    leaf.readBy = this.reading;
    this.reading.hasRead = true;
    if (leaf.raw === '' || leaf.isNull) return '';
    const text = decodeEscapes(leaf.raw, leaf.encoding, (fault) => this.#tellEscape(fault)).trim();
    const clean = hasControls(text) ? this.#withoutControls(text) : text;
    return this.reading.isUk && FILLERS.has(clean) ? '' : clean;
  }

  #tellEscape(fault: EscapeFault): void {
    const isSet = fault === 'character-set';
    this.warn('value', isSet ? 'A change of character set was dropped' : 'An escape sequence is not known');
  }

  #withoutControls(text: string): string {
    this.warn('value', 'Control characters were dropped');
    return text.replaceAll(CONTROLS, '').trim();
  }

  /** `text`, or undefined. */
  get value(): string | undefined {
    return this.text || undefined;
  }

  get isEmpty(): boolean {
    return this.part.isEmpty;
  }

  get isNull(): boolean {
    return this.part.isNull;
  }

  /** Something is there that is not null. */
  get isValued(): boolean {
    return !this.part.isEmpty && !this.part.isNull;
  }

  /** Counts as read, for what is known and means nothing to FHIR. */
  ignore(): void {
    for (const leaf of leavesOf(this.part)) leaf.readBy = this.reading;
    this.reading.hasRead = true;
  }

  /** As many digits as were sent; undefined, with a warning, for what is no date. */
  get dateTime(): string | undefined {
    const value = this.#parsed;
    if (value === undefined) return undefined;
    const { text, fault } = formatDateTime(value, this.reading.offset, this.reading.timeZone);
    if (fault === 'gap') this.warn('value', 'This local time does not exist: the clocks went forward');
    if (fault === 'overlap') this.warn('value', 'This local time came twice: the first was taken');
    return text;
  }

  /** The date alone. */
  get date(): string | undefined {
    const value = this.#parsed;
    return value && formatDate(value);
  }

  get parsedDateTime(): DateTime | undefined {
    return this.#parsed;
  }

  get #parsed(): DateTime | undefined {
    const { text } = this;
    if (text === '') return undefined;
    const value = parseDateTime(text);
    if (value === undefined) this.warn('value', 'This is not a date: it was left out');
    else if (!isStandardDateTime(text)) this.warn('value', 'The date is not in the form of HL7 v2');
    return value;
  }

  /** A decimal with the digits that were written; undefined, with a warning, for what is no number. */
  get number(): number | Decimal | undefined {
    const { text } = this;
    if (text === '') return undefined;
    const value = parseNumber(text);
    if (value === undefined) this.warn('value', 'This is not a number: it was left out');
    return value;
  }

  /** A whole number of 32 bits, as FHIR's integer is. */
  get integer(): number | undefined {
    const { text } = this;
    const value = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (Math.abs(value) < 2 ** 31) return value;
    if (text !== '') this.warn('value', 'This is not a whole number of a size that FHIR has: it was left out');
    return undefined;
  }

  /** Y or N of table 0136. */
  get boolean(): boolean | undefined {
    const { text } = this;
    if (text === 'Y' || text === 'N') return text === 'Y';
    if (text !== '') this.warn('code-invalid', 'Neither Y nor N: it was left out');
    return undefined;
  }

  warn(code: IssueCode, diagnostics: string): void {
    this.tell('warning', code, diagnostics);
  }

  tell(severity: IssueSeverity, code: IssueCode, diagnostics: string): void {
    this.reading.issues.push({ severity, code, diagnostics, expression: [this.part.toString()] });
  }
}

/** A decimal with the digits that were written; undefined for other text. */
export function parseNumber(text: string): number | Decimal | undefined {
  const [, sign = '', whole, fraction] = /^([+-]?)(\d{0,15})(?:\.(\d{0,10}))?$/.exec(text) ?? [];
  if (whole === undefined || (whole === '' && !fraction)) return undefined;
  const digits = `${sign === '-' ? '-' : ''}${whole.replace(/^0+(?=\d)/, '') || '0'}${fraction ? `.${fraction}` : ''}`;
  return parseJson(digits) as number | Decimal; // a number is all that its text can be
}

/** Quicker than an expression for the usual text, which has none. */
function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 ? code !== 0x09 && code !== 0x0a && code !== 0x0d : code >= 0x7f && code <= 0x9f) return true;
  }
  return false;
}

const CONTROLS = /[^\P{Cc}\t\n\r]/gu;

function leafOf(part: Part): Part {
  const [first] = part.parts;
  return first === undefined || first === part ? part : leafOf(first);
}

/** The parts that hold text themselves. */
export function leavesOf(part: Part): readonly Part[] {
  const { parts } = part;
  return parts[0] === part ? [part] : parts.flatMap(leavesOf);
}

/** A segment to be read. */
export class SegmentCursor {
  readonly segment: Segment;
  readonly reading: Reading;

  constructor(segment: Segment, reading: Reading) {
    this.segment = segment;
    this.reading = reading;
  }

  /** The first repetition of field `n`. */
  at(n: number): Cursor {
    return new Cursor(this.segment.field(n).at(1), this.reading);
  }

  /** All repetitions that hold something other than null. */
  all(n: number): readonly Cursor[] {
    const field = this.field(n);
    if (field.raw === '') return [];
    if (field.isCut)
      this.reading.issues.push({
        severity: 'warning',
        code: 'too-long',
        diagnostics: `Repetitions after ${field.repetitions.length} are not read`,
        expression: [`${this.segment.id}-${n}`],
      });
    return field.repetitions.map((part) => new Cursor(part, this.reading)).filter((cursor) => cursor.isValued);
  }

  field(n: number): Field {
    return this.segment.field(n);
  }

  /** These are known and need no place in FHIR. */
  ignore(...fields: readonly number[]): void {
    for (const n of fields)
      if (this.field(n).raw !== '')
        for (const part of this.field(n).repetitions) new Cursor(part, this.reading).ignore();
  }
}

/** A system of the sender's own: `urn:v2:<sender>:<name>`. Undefined when the message does not say who sends. */
export const localSystem = ({ feed }: Reading, name: string): string | undefined =>
  feed === '' ? undefined : `urn:v2:${feed}${name === '' ? '' : `:${encodeURIComponent(name.toWellFormed())}`}`;
