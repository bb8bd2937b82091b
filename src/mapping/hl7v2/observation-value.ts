/** OBX-5 as a value by its type in OBX-2. Source: segment map OBX[Observation]; rules for awkward values in docs/hl7v2.md. */
import type { Decimal } from '../../standards/fhir/json.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, parseNumber, type SegmentCursor } from './cursor.ts';
import { address, concept, humanName, measured, period } from './data-types.ts';
import { clockTime } from './timing.ts';

/** Elements of an Observation that say what was found; `attachment` for a document, which belongs elsewhere. */
export interface ObservedValue {
  readonly element: Readonly<Record<string, unknown>>;
  readonly attachment?: Json;
}

type ReadValue = (obx: SegmentCursor) => ObservedValue;

const NOTHING: ObservedValue = { element: {} };
const value = (name: string, content: unknown): ObservedValue =>
  content === undefined ? NOTHING : { element: { [name]: content } };

/** What stands in OBX-5, and nothing when it is empty or null. */
export function readValue(obx: SegmentCursor): ObservedValue {
  const type = obx.at(2).text.toUpperCase();
  if (obx.all(5).length === 0) return NOTHING;
  return (READERS.get(type) ?? readText)(obx);
}

/** A result is never lost: what is no number is text. */
function readNumber(obx: SegmentCursor): ObservedValue {
  const { text } = obx.at(5);
  const [, sign = '', digits = ''] = /^(<=|>=|<|>)?\s*(\S+)$/.exec(text) ?? [];
  const number = obx.all(5).length > 1 ? undefined : parseNumber(digits);
  if (number !== undefined) return value('valueQuantity', measured(number, obx.at(6), sign || undefined));
  obx.at(5).warn('value', 'This is not a number: it was kept as text');
  return readText(obx);
}

const COMPARATORS = new Set(['<', '<=', '>', '>=']);

/** SN: comparator, number, separator, number. */
function readStructured(obx: SegmentCursor): ObservedValue {
  const sn = obx.at(5);
  const [sign, first, by, second] = [sn.at(1).text, sn.at(2).text, sn.at(3).text, sn.at(4).text];
  const [low, high] = [parseNumber(first), parseNumber(second)];
  const unit = obx.at(6);
  if (low !== undefined && high !== undefined && (by === ':' || by === '/'))
    return value('valueRatio', { numerator: measured(low, unit), denominator: { value: high } });
  if (low !== undefined && high !== undefined && by === '-') return range(low, high, unit);
  const isPlain = by === '' && second === '' && (sign === '' || sign === '=' || COMPARATORS.has(sign));
  if (low !== undefined && isPlain)
    return value('valueQuantity', measured(low, unit, COMPARATORS.has(sign) ? sign : undefined));
  return value('valueString', [sign, first, by, second].filter((part) => part !== '').join(' ') || undefined);
}

function readRange(obx: SegmentCursor): ObservedValue {
  const [low, high] = [parseNumber(obx.at(5).at(1).text), parseNumber(obx.at(5).at(2).text)];
  return low === undefined && high === undefined ? readText(obx) : range(low, high, obx.at(6));
}

/** A range knows no comparator, and its ends stand in order (rng-2). */
function range(low: number | Decimal | undefined, high: number | Decimal | undefined, unit: Cursor): ObservedValue {
  const end = (number: number | Decimal | undefined): Json | undefined =>
    number === undefined ? undefined : measured(number, unit);
  if (low !== undefined && high !== undefined && Number(String(low)) > Number(String(high)))
    return value('valueString', `${String(low)} - ${String(high)}`);
  return value('valueRange', compact({ low: end(low), high: end(high) }));
}

/** Several repetitions are several lines. */
function readText(obx: SegmentCursor): ObservedValue {
  const lines = obx.all(5).map(textOf);
  return value('valueString', lines.some((line) => line !== '') ? lines.join('\n') : undefined);
}

/** All that a repetition holds: an unescaped separator in a text is part of it. */
function textOf(cursor: Cursor): string {
  const separator = ` ${cursor.part.encoding.component} `.trim();
  return cursor.part.parts
    .map((_, index) => wholeOf(cursor.at(index + 1)))
    .join(separator)
    .trim();
}

const wholeOf = (component: Cursor): string =>
  component.part.parts.map((_, index) => component.at(index + 1).text).join(component.part.encoding.subcomponent);

/** One code is the value; of several each is a component of its own. */
function readCode(obx: SegmentCursor): ObservedValue {
  const codes = present(obx.all(5).map(concept()));
  if (codes.length < 2) return value('valueCodeableConcept', codes[0]);
  const code = concept()(obx.at(3)) ?? { text: 'value' };
  return { element: { component: codes.map((valueCodeableConcept) => ({ code, valueCodeableConcept })) } };
}

function readDate(obx: SegmentCursor): ObservedValue {
  const found = obx.at(5).dateTime;
  return found === undefined ? readText(obx) : value('valueDateTime', found);
}

function readTime(obx: SegmentCursor): ObservedValue {
  const time = clockTime(obx.at(5).text);
  return time === undefined ? readText(obx) : value('valueTime', time);
}

function readPeriod(obx: SegmentCursor): ObservedValue {
  const found = period(obx.at(5).at(1), obx.at(5).at(2));
  return found === undefined ? readText(obx) : value('valuePeriod', found);
}

/** ED: type, subtype, encoding and content of a document. */
function readDocument(obx: SegmentCursor): ObservedValue {
  const ed = obx.at(5);
  ed.at(1).ignore();
  const [kind, subtype, encoding] = [ed.at(2).text.toLowerCase(), ed.at(3).text.toLowerCase(), ed.at(4).text];
  const data = dataOf(ed.at(5), encoding.toUpperCase());
  if (data === undefined) return NOTHING;
  return { element: {}, attachment: { contentType: contentTypeOf(kind, subtype), data } };
}

function dataOf(cursor: Cursor, encoding: string): string | undefined {
  const text = cursor.text.replaceAll(/[\r\n]/g, '');
  if (text === '') return undefined;
  if (encoding === 'A' || encoding === '') return Buffer.from(cursor.text, 'utf8').toString('base64');
  if (encoding === 'HEX') {
    if (/^(?:[\dA-F]{2})+$/i.test(text)) return Buffer.from(text, 'hex').toString('base64');
  } else if (text.length % 4 === 0 && /^[A-Za-z\d+/]+={0,2}$/.test(text)) return text;
  cursor.warn('value', `This is not ${encoding === 'HEX' ? 'hexadecimal' : 'Base64'}: it was kept as it came`);
  return Buffer.from(cursor.text, 'utf8').toString('base64');
}

/** Tables 0191 and 0291: a type of MIME, or an abbreviation of one. */
const CONTENT_TYPES = new Map([
  ['ap', 'application/octet-stream'],
  ['im', 'image/*'],
  ['jpeg', 'image/jpeg'],
  ['pdf', 'application/pdf'],
  ['rtf', 'application/rtf'],
  ['html', 'text/html'],
  ['tiff', 'image/tiff'],
  ['png', 'image/png'],
  ['txt', 'text/plain'],
  ['text', 'text/plain'],
]);

export function contentTypeOf(kind: string, subtype: string): string {
  const known = CONTENT_TYPES.get(subtype);
  if (known !== undefined) return known;
  if (/^[a-z]{4,}$/.test(kind) && /^[a-z\d.+-]+$/.test(subtype)) return `${kind}/${subtype}`;
  return CONTENT_TYPES.get(kind) ?? 'application/octet-stream';
}

/** RP: where a document is; never fetched. */
function readPointer(obx: SegmentCursor): ObservedValue {
  const rp = obx.at(5);
  const url = rp.at(1).text;
  if (!/^https?:\/\/\S+$/.test(url)) return readText(obx);
  rp.at(2).ignore();
  const [kind, subtype] = [rp.at(3).text.toLowerCase(), rp.at(4).text.toLowerCase()];
  return { element: {}, attachment: { contentType: contentTypeOf(kind, subtype), url } };
}

/** What a person reads of a name or an address. */
const readName: ReadValue = (obx) => {
  const {
    prefix = [],
    given = [],
    family = [],
    suffix = [],
  } = (humanName(obx.at(5)) ?? {}) as Record<string, string[]>;
  return value('valueString', [prefix, given, family, suffix].flat().join(' ') || undefined);
};
const readAddress: ReadValue = (obx) => {
  const found = (address(obx.at(5)) ?? {}) as Record<string, string | readonly string[]>;
  const parts = ['line', 'city', 'district', 'state', 'postalCode', 'country'].flatMap((name) => found[name] ?? []);
  return value('valueString', parts.join(', ') || undefined);
};

const READERS: ReadonlyMap<string, ReadValue> = new Map<string, ReadValue>([
  ['NM', readNumber],
  ['SN', readStructured],
  ['NR', readRange],
  ...['CE', 'CWE', 'CNE', 'CF', 'IS', 'ID'].map((type) => [type, readCode] as const),
  ...['DT', 'DTM', 'TS'].map((type) => [type, readDate] as const),
  ['TM', readTime],
  ['DR', readPeriod],
  ['ED', readDocument],
  ['RP', readPointer],
  ...['XPN', 'PN'].map((type) => [type, readName] as const),
  ...['XAD', 'AD'].map((type) => [type, readAddress] as const),
]);
