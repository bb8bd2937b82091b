/** Comparisons of ranges as SQL. https://hl7.org/fhir/R4/search.html#prefix */
import type { DateValue, NumberValue, Prefix } from '../../standards/fhir/search/request.ts';
import type { Params } from './sql.ts';

/** A range in the row: its low and high bound as SQL. */
export interface Bounds {
  readonly low: string;
  readonly high: string;
}

/** Bounds are functions: a parameter that no comparison names would have no type. */
type Compare = (row: Bounds, low: () => string, high: () => string) => string;

/** Row range against the range the query's text stands for; both closed. */
const COMPARE: Record<Prefix, Compare> = {
  eq: (r, low, high) => `(${r.low} >= ${low()} and ${r.high} <= ${high()})`,
  ne: (r, low, high) => `(${r.low} < ${low()} or ${r.high} > ${high()})`,
  gt: (r, _low, high) => `(${r.high} > ${high()})`,
  lt: (r, low) => `(${r.low} < ${low()})`,
  ge: (r, low, high) => `(${r.low} >= ${low()} or ${r.high} > ${high()})`,
  le: (r, low, high) => `(${r.high} <= ${high()} or ${r.low} < ${low()})`,
  sa: (r, _low, high) => `(${r.low} > ${high()})`,
  eb: (r, low) => `(${r.high} < ${low()})`,
  po: (r, low, high) => `(${r.low} <= ${high()} and ${r.high} >= ${low()})`,
  ap: (r, low, high) => `(${r.low} <= ${high()} and ${r.high} >= ${low()})`,
};

function compare(
  row: Bounds,
  prefix: Prefix,
  low: number,
  high: number,
  params: Params,
  type: 'bigint' | 'float8',
): string {
  return COMPARE[prefix](
    row,
    () => params.add(low, type),
    () => params.add(high, type),
  );
}

/** `now` widens `ap`: a tenth of the distance between now and the date, as the specification suggests. */
export function compareDate(
  row: Bounds,
  value: DateValue,
  params: Params,
  type: 'bigint' | 'float8',
  now: number,
): string {
  let { low, high } = value;
  if (value.prefix === 'ap') {
    const slack = Math.round(Math.abs(now - (low + high) / 2) / 10);
    low -= slack;
    high += slack;
  }
  return compare(row, value.prefix, low, high, params, type);
}

/**
 * Numbers and quantities: `eq`, `ne` by implicit precision, the others by the exact value; `ap` within a tenth.
 * https://hl7.org/fhir/R4/search.html#number
 */
export const compareNumber = (row: Bounds, value: NumberValue, params: Params): string =>
  compareWidened(row, widened(value), params);

/** The value with the bounds that `ap` means. */
export function widened<V extends NumberValue>(value: V): V {
  if (value.prefix !== 'ap') return value;
  const slack = Math.abs(value.value) / 10;
  return { ...value, low: Math.min(value.low, value.value - slack), high: Math.max(value.high, value.value + slack) };
}

/** The same for a value whose bounds are final. */
export function compareWidened(row: Bounds, value: NumberValue, params: Params): string {
  let { low, high } = value;
  if (value.prefix === 'eq' || value.prefix === 'ne') {
    // The precision range is half open: 100 stands for [99.5, 100.5).
    const [l, h] = [params.add(low, 'float8'), params.add(high, 'float8')];
    const inside = `(${row.low} >= ${l} and ${row.high} < ${h})`;
    return value.prefix === 'eq' ? inside : `(not ${inside})`;
  }
  if (value.prefix !== 'ap') low = high = value.value;
  return compare(row, value.prefix, low, high, params, 'float8');
}

/** The parts of the indexes on low bounds, and on the high bounds of those that have one, that a value can be found in. */
export interface IndexRanges {
  readonly low: readonly [from: number, to: number];
  /** Absent: `low` finds every one. */
  readonly high?: readonly [from: number, to: number];
}

/** Every match is within them, and more: the filter decides. Undefined when the value bounds nothing. */
export function indexRanges(asked: DateValue | NumberValue): IndexRanges | undefined {
  // Prefixes other than eq compare numbers with the exact value, dates with the range that the text stands for.
  const value = 'value' in asked && asked.prefix !== 'eq' ? { ...asked, low: asked.value, high: asked.value } : asked;
  const from = (low: number): readonly [number, number] => [low, Number.POSITIVE_INFINITY];
  switch (value.prefix) {
    case 'eq':
      return { low: [value.low, value.high] };
    case 'sa':
      return { low: from(value.high) };
    case 'gt':
      return { low: from(value.high), high: from(value.high) };
    case 'ge':
      return { low: from(value.low), high: from(value.low) };
    case 'lt':
    case 'eb':
      return { low: [Number.NEGATIVE_INFINITY, value.low] };
    case 'le':
      return { low: [Number.NEGATIVE_INFINITY, value.high] };
    default:
      return undefined;
  }
}
