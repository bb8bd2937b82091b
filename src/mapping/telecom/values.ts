/** Plain texts of fields and values of FHIR, both ways. */
import { Decimal, isNumber } from '../../standards/fhir/json.ts';

export interface Codec {
  /** Undefined: the text has no place in FHIR. */
  readonly decode: (text: string) => unknown;
  /** Undefined: the value has no place in a claim. */
  readonly encode: (value: unknown) => string | undefined;
}

/** Stands where R4 requires something and the message has nothing. */
export const NOT_NAMED = 'Not named in the message';

export const TEXT: Codec = {
  decode: (text) => text,
  encode: (value) => (typeof value === 'string' && value !== '' && value !== NOT_NAMED ? value : undefined),
};

/** With the digits it has: never through a binary float. */
export const DECIMAL: Codec = {
  decode(text) {
    const number = Number(text);
    return String(number) === text ? number : new Decimal(text);
  },
  encode: (value) => (isNumber(value) && !/[eE]/.test(String(value)) ? String(value) : undefined),
};

/** One to one; what is not in the table has no place. */
export function codes(table: Readonly<Record<string, string>>): Codec {
  const forth = new Map(Object.entries(table));
  const back = new Map(Object.entries(table).map(([code, value]) => [value, code]));
  return {
    decode: (text) => forth.get(text),
    encode: (value) => (typeof value === 'string' ? back.get(value) : undefined),
  };
}

/** The numeral of a set of fixed width, whose leading zeros are kept in `text`. */
export const GENDER = codes({ 0: 'unknown', 1: 'male', 2: 'female' });
export const RELATION = codes({ 1: 'self', 2: 'spouse', 3: 'child', 4: 'other' });
export const UNIT = codes({ EA: 'each', GM: 'g', ML: 'mL' });
