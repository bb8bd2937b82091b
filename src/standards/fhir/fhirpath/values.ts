/** The values FHIRPath works on: what equals what, and what comes before what. http://hl7.org/fhirpath/N1/#operations */
import { Decimal, isNumber, numberOf } from '../json.ts';
import { parseDate } from '../search/date.ts';

/** An element, or a value that the expression made. */
export interface Item {
  /** A primitive's value (undefined where only extensions stand), or the JSON object. */
  readonly value: unknown;
  /** FHIR type (`Period`, `code`, `Patient.contact`) or, beginning with `System.`, that of a made value. */
  readonly type: string;
  /** Id and extensions of a primitive. */
  readonly beside?: unknown;
}
export type Items = readonly Item[];

export const EMPTY: Items = Object.freeze([]);
export const item = (type: string, value: unknown): Item => ({ value, type });
export const TRUE: Items = Object.freeze([item('System.Boolean', true)]);
export const FALSE: Items = Object.freeze([item('System.Boolean', false)]);
export const ofBoolean = (value: boolean | undefined): Items => (value === undefined ? EMPTY : value ? TRUE : FALSE);
export const ofString = (value: string): Items => [item('System.String', value)];
export const ofInteger = (value: number): Items => [item('System.Integer', value)];

/** An expression that cannot be evaluated on these values; the message names no value. */
export class PathError extends Error {
  override readonly name: string = 'PathError';
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Decimal);

const DATES = new Set(['date', 'dateTime', 'instant', 'System.Date', 'System.DateTime']);
export const isDate = ({ type }: Item): boolean => DATES.has(type);
export const isQuantity = ({ type, value }: Item): boolean =>
  isObject(value) && (type === 'System.Quantity' || /^(?:Quantity|Age|Count|Distance|Duration|Money)$/.test(type));

/** A string's text, of whichever string type. */
export const textOf = ({ value }: Item): string | undefined => (typeof value === 'string' ? value : undefined);
export const numberIn = ({ value }: Item): number | undefined => (isNumber(value) ? numberOf(value) : undefined);

/** Two items with the same key are equal; a key costs as much as the item is large. */
export function keyOf(one: Item): string {
  const { value } = one;
  if (typeof value === 'string') return isDate(one) ? `d${dateKey(value)}` : `s${value}`;
  if (isNumber(value)) return `n${numberOf(value)}`;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return `o${formatSorted(value)}`;
}

/** Two ways of writing one instant are equal; precision is kept apart. */
function dateKey(text: string): string {
  const range = text.includes('T') ? parseDate(text) : undefined;
  return range === undefined ? text : `${range.low}`;
}

function formatSorted(value: unknown): string {
  if (isNumber(value)) return String(numberOf(value));
  if (Array.isArray(value)) return `[${(value as readonly unknown[]).map(formatSorted).join()}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? '';
  const parts = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${formatSorted(value[key])}`);
  return `{${parts.join()}}`;
}

/** `=` of two items; undefined where it cannot be told (dates of different precision). */
function itemsEqual(a: Item, b: Item): boolean | undefined {
  if (isDate(a) && isDate(b) && typeof a.value === 'string' && typeof b.value === 'string')
    return datesEqual(a.value, b.value);
  if (isQuantity(a) && isQuantity(b)) {
    const order = compareQuantities(a, b);
    if (order !== undefined) return order === 0;
  }
  return typeof a.value === typeof b.value && a.value === b.value
    ? true
    : keyOf(a).slice(1) === keyOf(b).slice(1) && sortOf(a) === sortOf(b);
}

const sortOf = ({ value }: Item): string => (isNumber(value) ? 'number' : typeof value);

function datesEqual(a: string, b: string): boolean | undefined {
  if (a === b) return true;
  const [x, y] = [parseDate(a), parseDate(b)];
  if (x === undefined || y === undefined) return false;
  if (x.low === y.low && x.high === y.high) return true;
  return x.high < y.low || y.high < x.low ? false : precision(a) === precision(b) ? false : undefined;
}

const precision = (text: string): number => (text.includes('T') ? 3 : text.length);

/** Negative, zero or positive; undefined where the order cannot be told. Throws where the two have none. */
export function compare(a: Item, b: Item): number | undefined {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (x !== undefined && y !== undefined) return x - y;
  if (typeof a.value === 'string' && typeof b.value === 'string') {
    if (isDate(a) || isDate(b)) return compareDates(a.value, b.value);
    return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
  }
  if (isQuantity(a) && isQuantity(b)) return compareQuantities(a, b);
  if (a.value === undefined || b.value === undefined) return undefined;
  throw new PathError('the two values cannot be put in order');
}

function compareDates(a: string, b: string): number | undefined {
  const [x, y] = [parseDate(a), parseDate(b)];
  if (x === undefined || y === undefined) return undefined;
  // A day has no zone, an instant has: the day may begin half a day earlier or later.
  const slack = (precision(a) === 3) === (precision(b) === 3) ? 0 : ZONE_MS;
  if (x.high + slack < y.low) return -1;
  if (y.high + slack < x.low) return 1;
  if (precision(a) !== precision(b)) return undefined;
  return precision(a) === 3 || x.low === y.low ? x.low - y.low : undefined;
}
const ZONE_MS = 14 * 3_600_000;

/** Of one unit alone: units are not converted. */
function compareQuantities(a: Item, b: Item): number | undefined {
  const [x, y] = [a.value as Readonly<Record<string, unknown>>, b.value as Readonly<Record<string, unknown>>]; // isQuantity
  if (!isNumber(x['value']) || !isNumber(y['value'])) return undefined;
  return unitOf(x) === unitOf(y) ? numberOf(x['value']) - numberOf(y['value']) : undefined;
}

const unitOf = (quantity: Readonly<Record<string, unknown>>): string =>
  String(quantity['code'] ?? quantity['unit'] ?? quantity['currency'] ?? '1');

/** `=` of two collections: the same items in the same order. */
export function collectionsEqual(a: Items, b: Items): boolean | undefined {
  if (a.length === 0 || b.length === 0) return undefined;
  if (a.length !== b.length) return false;
  let unknown = false;
  for (let i = 0; i < a.length; i++) {
    const same = itemsEqual(a[i]!, b[i]!);
    if (same === false) return false;
    unknown ||= same === undefined;
  }
  return unknown ? undefined : true;
}

/** `~`: the same items in any order, words without case and with single spaces. */
export function collectionsEquivalent(a: Items, b: Items): boolean {
  if (a.length !== b.length) return false;
  const keys = a.map(looseKey).sort();
  const others = b.map(looseKey).sort();
  return keys.every((key, i) => key === others[i]);
}

function looseKey(one: Item): string {
  if (typeof one.value === 'string') return `s${one.value.trim().toLowerCase().replaceAll(/\s+/g, ' ')}`;
  if (isNumber(one.value)) return `n${Math.round(numberOf(one.value) * 1e8) / 1e8}`;
  return keyOf(one);
}

/** The value of a collection that must be one boolean or nothing; any other single item counts as true. */
export function booleanOf(items: Items): boolean | undefined {
  if (items.length === 0) return undefined;
  if (items.length > 1) throw new PathError('one value is needed where there are several');
  const { value } = items[0]!;
  return typeof value === 'boolean' ? value : value !== undefined;
}

/** The only item; undefined of none. Throws when there are several. */
export function single(items: Items): Item | undefined {
  if (items.length > 1) throw new PathError('one value is needed where there are several');
  return items[0];
}
