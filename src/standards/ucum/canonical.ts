/** Values in base units: quantities of one kind become comparable, exactly. https://ucum.org/ucum#section-Semantics */
import { parseUnit, type Unit } from './parse-unit.ts';
import { add, inverse, parseRational, type Rational, times, toNumber } from './rational.ts';
import { SCALES } from './units.ts';

export const UCUM = 'http://unitsofmeasure.org';

/** A unit as a way to base units. */
export interface CanonicalUnit {
  /** The base units with their powers, in the order of names: `g1.m-3`. Empty: a pure number. */
  readonly dimension: string;
  /**
   * The value in base units: the nearest double of the exact result, so that equal quantities give equal doubles.
   * An infinite value stays; NaN stays.
   */
  of(value: number): number;
}

/** Units that are remembered at most. */
const KNOWN_MAX = 2_000;
const known = new Map<string, CanonicalUnit | undefined>();

/** Undefined for what is no UCUM unit that is known here: such a quantity stays as it was written. */
export function canonicalUnit(code: string): CanonicalUnit | undefined {
  const found = known.get(code);
  if (found !== undefined || known.has(code)) return found;
  if (known.size >= KNOWN_MAX) known.clear();
  const made = compile(code);
  known.set(code, made);
  return made;
}

function compile(code: string): CanonicalUnit | undefined {
  const scale = SCALES.get(code);
  const unit = parseUnit(scale?.base ?? code);
  if (!unit) return undefined;
  const [top = '1', bottom = '1'] = (scale?.factor ?? '1').split('/');
  const factor = times(unit.factor, times(decimal(top), inverse(decimal(bottom))));
  const offset = scale && decimal(scale.offset);
  /** The two ends of a range are asked for several times in turn, one for each index. */
  let [last, lastMade, lastButOne, lastButOneMade] = [Number.NaN, 0, Number.NaN, 0];
  return {
    dimension: dimensionOf(unit),
    of(value) {
      if (!Number.isFinite(value)) return value;
      if (value === last) return lastMade;
      if (value === lastButOne) return lastButOneMade;
      // The shortest text of a double is the decimal that was written, as far as it had no more than 15 digits.
      const exact = decimal(String(value));
      const made = toNumber(times(offset ? add(exact, offset) : exact, factor));
      [lastButOne, lastButOneMade, last, lastMade] = [last, lastMade, value, made];
      return made;
    },
  };
}

const decimal = (text: string): Rational => {
  const found = parseRational(text);
  if (!found) throw new Error(`${text} is no decimal`);
  return found;
};

const dimensionOf = ({ dimensions }: Unit): string =>
  [...dimensions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, size]) => `${name}${size}`)
    .join('.');
