/** Numbers and quantities as ranges. https://hl7.org/fhir/R4/search.html#quantity */
import type { Element } from './extract-values.ts';
import { text } from './extract-values.ts';
import type { SearchSink } from './sink.ts';

/** A number as JSON gives it: plain, or with its digits kept (`Decimal`); NaN when it is none. */
export function numeric(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'object' || value === null || !('value' in value)) return Number.NaN;
  return typeof value.value === 'number' ? value.value : Number.NaN;
}

export function number(sink: SearchSink, atom: number, value: unknown): void {
  const found = numeric(value);
  if (!Number.isNaN(found)) sink.number(atom, found);
}

/** A Range in a number search is found by either of its ends. */
export function numberRange(sink: SearchSink, atom: number, value: Element): void {
  for (const end of [value['low'], value['high']])
    if (typeof end === 'object' && end !== null) number(sink, atom, (end as Element)['value']);
}

export interface QuantityRange {
  readonly low: number;
  readonly high: number;
  readonly system: string | undefined;
  readonly code: string | undefined;
  readonly unit: string | undefined;
}

type ReadRange = (value: Element) => QuantityRange | undefined;

/** Quantity, Age, Duration, Count, Distance. `< 5` is the range up to 5. */
export const quantity: ReadRange = (value) => {
  const found = numeric(value['value']);
  if (Number.isNaN(found)) return undefined;
  const comparator = value['comparator'];
  return {
    low: comparator === '<' || comparator === '<=' ? Number.NEGATIVE_INFINITY : found,
    high: comparator === '>' || comparator === '>=' ? Number.POSITIVE_INFINITY : found,
    ...unitOf(value),
  };
};

const unitOf = (value: Element): Pick<QuantityRange, 'system' | 'code' | 'unit'> => ({
  system: text(value['system']),
  code: text(value['code']),
  unit: text(value['unit']),
});

/** ISO 4217, the system of `Money.currency`. https://hl7.org/fhir/R4/datatypes.html#Money */
const CURRENCY = 'urn:iso:std:iso:4217';

export const money: ReadRange = (value) => {
  const found = numeric(value['value']);
  if (Number.isNaN(found)) return undefined;
  const code = text(value['currency']);
  return { low: found, high: found, system: code === undefined ? undefined : CURRENCY, code, unit: undefined };
};

/** The unit is that of the low end, else of the high one; they are the same in a valid Range (rng-2, same dimension). */
export const range: ReadRange = (value) => {
  const lowEnd = value['low'];
  const highEnd = value['high'];
  const low = isElement(lowEnd) ? numeric(lowEnd['value']) : Number.NaN;
  const high = isElement(highEnd) ? numeric(highEnd['value']) : Number.NaN;
  if (Number.isNaN(low) && Number.isNaN(high)) return undefined;
  return {
    low: Number.isNaN(low) ? Number.NEGATIVE_INFINITY : low,
    high: Number.isNaN(high) ? Number.POSITIVE_INFINITY : high,
    ...unitOf(Number.isNaN(low) ? (highEnd as Element) : (lowEnd as Element)), // that end was an object: it had a value
  };
};

/** From the lowest to the highest sample, in the unit of the origin. https://hl7.org/fhir/R4/datatypes.html#SampledData */
export const sampledData: ReadRange = (value) => {
  const origin = value['origin'];
  const zero = isElement(origin) ? numeric(origin['value']) : Number.NaN;
  if (!isElement(origin) || Number.isNaN(zero)) return undefined;
  const given = numeric(value['factor']);
  const factor = Number.isNaN(given) ? 1 : given;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const sample of (text(value['data']) ?? '').split(' ')) {
    const found = sampleValue(sample, value);
    if (Number.isNaN(found)) continue;
    low = Math.min(low, zero + found * factor);
    high = Math.max(high, zero + found * factor);
  }
  return low <= high ? { low, high, ...unitOf(origin) } : { low: zero, high: zero, ...unitOf(origin) };
};

/** `E` is an error; `L` and `U` are below and above the limits of detection. */
const sampleValue = (sample: string, value: Element): number => {
  if (sample === '' || sample === 'E') return Number.NaN;
  if (sample === 'L') return numeric(value['lowerLimit']);
  return sample === 'U' ? numeric(value['upperLimit']) : Number(sample);
};

const isElement = (value: unknown): value is Element => typeof value === 'object' && value !== null;

/** Reports a range that one of the functions above has read. */
export function report(sink: SearchSink, atom: number, found: QuantityRange | undefined): void {
  if (found !== undefined) sink.quantity(atom, found.low, found.high, found.system, found.code, found.unit);
}
