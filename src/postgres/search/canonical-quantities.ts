/**
 * Quantities whose units are UCUM's, in base units: `5.4|http://unitsofmeasure.org|mg` finds what was written as 5400 ug.
 * Rows hold both forms; other units are found as they were written. https://hl7.org/fhir/R4/search.html#quantity
 */
import type { NumberValue, QuantityValue } from '../../standards/fhir/search/request.ts';
import { canonicalUnit, UCUM } from '../../standards/ucum/canonical.ts';
import type { Keys, Lanes } from '../keys.ts';
import { keyOf } from '../keys.ts';
import { widened } from './ranges.ts';

/** Text under which a number in base units is kept; of a composite after its code. */
export const canonicalForm = (dimension: string): string => `c\u0001${dimension}`;
export const codeAndCanonicalForm = (code: string, dimension: string): string =>
  `${code}\u0001${canonicalForm(dimension)}`;

export interface CanonicalQuantity {
  readonly dimension: string;
  /** Its bounds are final: `ap` has been widened in the unit that was asked for. */
  readonly value: NumberValue;
}

/** The value in base units; undefined where its unit is not UCUM's or not known. */
export function canonicalQuantity(asked: QuantityValue): CanonicalQuantity | undefined {
  const unit = asked.system === UCUM && asked.code !== undefined ? canonicalUnit(asked.code) : undefined;
  if (!unit) return undefined;
  const { prefix, value, low, high } = widened(asked);
  return {
    dimension: unit.dimension,
    value: { prefix, value: unit.of(value), low: unit.of(low), high: unit.of(high) },
  };
}

export const canonicalKey = (keys: Keys, unit: Lanes, { dimension }: CanonicalQuantity): bigint =>
  keyOf(keys, unit, canonicalForm(dimension));
export const codeAndCanonicalKey = (keys: Keys, plain: Lanes, code: string, { dimension }: CanonicalQuantity): bigint =>
  keyOf(keys, plain, codeAndCanonicalForm(code, dimension));
