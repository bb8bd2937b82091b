/**
 * Segments, fields and their parts, split when first asked for. HL7 v2.5.1 section 2.5.
 *
 * A part that was sent shallower than it is read answers with its first leaf, and one that was not sent is empty: that
 * is how older receivers read newer senders.
 */
import { type Encoding, HEADER_SEGMENTS } from './encoding.ts';
import { decodeEscapes } from './escape.ts';
import { formatPlace, type Place } from './place.ts';

const SEGMENT_LIMITS = { fields: 10_000, repetitions: 10_000, components: 1_000 } as const;

/** Sent as two double quotes: the sender says that there is no value. Section 2.5.3 (null). */
export const NULL = '""';

type Depth = 'repetition' | 'component' | 'subcomponent' | 'verbatim';

/** A repetition of a field, a component of it, or a subcomponent: raw text, and what it holds. */
export class Part {
  readonly raw: string;
  readonly encoding: Encoding;
  readonly #depth: Depth;
  readonly #parent: Field | Part;
  /** Which of its parent's, from 1. */
  readonly #number: number;
  #parts: readonly Part[] | undefined;
  /** Whoever has read it last, as a mark of theirs: quicker than a set of all that was read. */
  readBy: object | undefined;

  constructor(raw: string, encoding: Encoding, depth: Depth, parent: Field | Part, number: number) {
    this.raw = raw;
    this.encoding = encoding;
    this.#depth = depth;
    this.#parent = parent;
    this.#number = number;
    this.readBy = undefined;
  }

  /** Component or subcomponent `n`, from 1. */
  at(n: number): Part {
    return this.parts[n - 1] ?? this.#child('', n);
  }

  /** All that were sent, at least one. */
  get parts(): readonly Part[] {
    this.#parts ??= this.#split();
    return this.#parts;
  }

  #split(): readonly Part[] {
    const { raw } = this;
    const { component, subcomponent } = this.encoding;
    // What is sent as one leaf is that leaf, however deep it is read.
    const hasInner = this.#depth !== 'subcomponent' && subcomponent !== '' && raw.includes(subcomponent);
    if (this.#depth === 'verbatim' || (!hasInner && (this.#depth !== 'repetition' || !raw.includes(component))))
      return [this];
    const separator = this.#depth === 'repetition' ? component : subcomponent;
    if (!raw.includes(separator)) return [this.#child(raw, 1)];
    return this.raw.split(separator, SEGMENT_LIMITS.components).map((raw, index) => this.#child(raw, index + 1));
  }

  #child(raw: string, n: number): Part {
    if (n === 1 && (this.#depth === 'subcomponent' || this.#depth === 'verbatim')) return this;
    return new Part(raw, this.encoding, this.#depth === 'repetition' ? 'component' : 'subcomponent', this, n);
  }

  /** Raw text of the first leaf. */
  get leaf(): string {
    if (this.#depth === 'verbatim' || this.#depth === 'subcomponent') return this.raw;
    const { component, subcomponent } = this.encoding;
    let end = this.#depth === 'repetition' ? this.raw.indexOf(component) : -1;
    const inner = subcomponent === '' ? -1 : this.raw.indexOf(subcomponent);
    if (inner !== -1 && (end === -1 || inner < end)) end = inner;
    return end === -1 ? this.raw : this.raw.slice(0, end);
  }

  /** The first leaf, decoded; empty when nothing or null was sent. */
  get value(): string {
    const leaf = this.leaf;
    if (this.#depth === 'verbatim') return leaf;
    return leaf === NULL ? '' : decodeEscapes(leaf, this.encoding);
  }

  /** Nothing was sent in it, at any depth. */
  get isEmpty(): boolean {
    return isBlank(this.raw, this.encoding);
  }

  /** All that was sent in it is null. */
  get isNull(): boolean {
    return this.#depth !== 'verbatim' && isNullText(this.raw, this.encoding);
  }

  /** More was sent than is read. */
  get isCut(): boolean {
    return this.parts.length === SEGMENT_LIMITS.components;
  }

  get place(): Place {
    const parent = this.#parent;
    const around: Place = parent.place;
    if (parent instanceof Field) return { ...around, repetition: this.#number };
    if (around.component === undefined) return { ...around, component: this.#number };
    return around.subcomponent === undefined ? { ...around, subcomponent: this.#number } : around;
  }

  toString(): string {
    return formatPlace(this.place);
  }
}

/** One field with its repetitions. */
export class Field {
  readonly raw: string;
  readonly number: number;
  readonly segment: Segment;
  readonly encoding: Encoding;
  #repetitions: readonly Part[] | undefined;

  constructor(raw: string, number: number, segment: Segment, encoding: Encoding) {
    this.raw = raw;
    this.number = number;
    this.segment = segment;
    this.encoding = encoding;
  }

  /** At least one. */
  get repetitions(): readonly Part[] {
    this.#repetitions ??= this.#split();
    return this.#repetitions;
  }

  #split(): readonly Part[] {
    if (this.number <= 2 && HEADER_SEGMENTS.has(this.segment.id))
      return [new Part(this.raw, this.encoding, 'verbatim', this, 1)];
    const { repetition } = this.encoding;
    if (!this.raw.includes(repetition)) return [new Part(this.raw, this.encoding, 'repetition', this, 1)];
    return this.raw
      .split(repetition, SEGMENT_LIMITS.repetitions)
      .map((raw, index) => new Part(raw, this.encoding, 'repetition', this, index + 1));
  }

  /** Repetition `n`, from 1. */
  at(n = 1): Part {
    return this.repetitions[n - 1] ?? new Part('', this.encoding, 'repetition', this, n);
  }

  /** The first leaf of the first repetition, decoded. */
  get value(): string {
    return this.at(1).value;
  }

  get isEmpty(): boolean {
    return isBlank(this.raw, this.encoding);
  }

  /** All that was sent is null: the value is to go. */
  get isNull(): boolean {
    return isNullText(this.raw, this.encoding);
  }

  get isCut(): boolean {
    return this.repetitions.length === SEGMENT_LIMITS.repetitions;
  }

  get place(): Place {
    const { id, occurrence } = this.segment;
    return { segment: id, occurrence, field: this.number };
  }
}

/** Raw texts between delimiters of any depth; no allocation for the usual field of one leaf. */
function leavesOf(raw: string, { repetition, component, subcomponent }: Encoding): readonly string[] {
  let leaves: readonly string[] = [raw];
  for (const separator of [repetition, component, subcomponent])
    if (separator !== '' && raw.includes(separator)) leaves = leaves.flatMap((leaf) => leaf.split(separator));
  return leaves;
}

/** Nothing but delimiters. */
function isBlank(raw: string, { repetition, component, subcomponent }: Encoding): boolean {
  for (let index = 0; index < raw.length; index++) {
    const character = raw[index];
    if (character !== component && character !== repetition && character !== subcomponent) return false;
  }
  return true;
}

const isNullText = (raw: string, encoding: Encoding): boolean =>
  raw === NULL || (raw.includes(NULL) && leavesOf(raw, encoding).every((leaf) => leaf === '' || leaf === NULL));

/** One line of a message. `text` is without its terminator. */
export class Segment {
  readonly text: string;
  /** Three characters, upper case. */
  readonly id: string;
  /** Which of the segments of that name in its message, from 1. */
  readonly occurrence: number;
  /** What stood after it: CR, and blank lines if there were. */
  readonly terminator: string;
  readonly #encoding: Encoding;
  #texts: readonly string[] | undefined;
  readonly #fields: Field[] = [];

  constructor(text: string, encoding: Encoding, occurrence = 1, terminator = '\r') {
    this.text = text;
    this.id = text.slice(0, 3).toUpperCase();
    this.occurrence = occurrence;
    this.terminator = terminator;
    this.#encoding = encoding;
  }

  /** Field `n` as the standard numbers it: MSH-1 is the separator itself. */
  field(n: number): Field {
    const known = this.#fields[n];
    if (known !== undefined) return known;
    const field = new Field(this.#textOf(n), n, this, this.#encoding);
    if (n <= SEGMENT_LIMITS.fields) this.#fields[n] = field;
    return field;
  }

  /** How many fields were sent. */
  get fieldCount(): number {
    const texts = this.#split();
    return HEADER_SEGMENTS.has(this.id) ? texts.length : texts.length - 1;
  }

  /**
   * Value of one leaf, decoded: `segment.value(5, 1)` of PID is the family name. Nothing but this leaf is cut out of
   * the segment, which is what most readers of a message need.
   */
  value(field: number, component = 1, subcomponent = 1, repetition = 1): string {
    const text = this.#textOf(field);
    if (text === '' || (field <= 2 && HEADER_SEGMENTS.has(this.id))) return text;
    const encoding = this.#encoding;
    let leaf = nthOf(text, encoding.repetition, repetition);
    leaf = nthOf(leaf, encoding.component, component);
    leaf = nthOf(leaf, encoding.subcomponent, subcomponent);
    return leaf === NULL ? '' : decodeEscapes(leaf, encoding);
  }

  #textOf(n: number): string {
    if (!HEADER_SEGMENTS.has(this.id)) return n < 1 ? '' : (this.#split()[n] ?? '');
    return n === 1 ? this.#encoding.field : n < 1 ? '' : (this.#split()[n - 1] ?? '');
  }

  #split(): readonly string[] {
    this.#texts ??= this.text.split(this.#encoding.field, SEGMENT_LIMITS.fields + 1);
    return this.#texts;
  }
}

/** Element `n` of a text, from 1; empty when there are fewer. */
function nthOf(text: string, separator: string, n: number): string {
  if (separator === '') return n === 1 ? text : '';
  let from = 0;
  for (let left = n; left > 1; left--) {
    from = text.indexOf(separator, from) + 1;
    if (from === 0) return '';
  }
  const end = text.indexOf(separator, from);
  return end === -1 ? text.slice(from) : text.slice(from, end);
}
