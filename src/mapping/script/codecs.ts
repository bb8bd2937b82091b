/** Values of SCRIPT leaves and of FHIR elements, both ways. */
import { Decimal, isNumber } from '../../standards/fhir/json.ts';
import { checkLeaf, TRUTHS } from '../../standards/script/leaf-format.ts';

export interface Codec {
  /** Undefined: the text has no place in FHIR. */
  readonly decode: (text: string) => unknown;
  /** Undefined: the value has no place in SCRIPT. */
  readonly encode: (value: unknown) => string | undefined;
}

/** Stands where R4 requires a text and the message has none; the way back leaves it out. */
export const NOT_NAMED = 'Not named in the message';

const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value !== NOT_NAMED ? value : undefined;

export const TEXT: Codec = { decode: (text) => text, encode: asText };

/** https://hl7.org/fhir/R4/datatypes.html#code: no white space but single spaces within. */
export const CODE: Codec = { decode: (text) => (/^\S+(?: \S+)*$/.test(text) ? text : undefined), encode: asText };

/** A number with the digits it came with: never through a binary float (reference section 13.4). */
export const DECIMAL: Codec = {
  decode: decodeDecimal,
  encode: (value) => (isNumber(value) && !/[eE]/.test(String(value)) ? String(value) : undefined),
};

/** `.5` and `007` are written 0.5 and 7, as JSON has no other way. */
function decodeDecimal(text: string): unknown {
  const match = /^([+-]?)0*(\d+)?(?:\.(\d*))?$/.exec(text);
  if (match === null || !/\d/.test(text)) return undefined;
  const [, sign = '', whole = '0', fraction = ''] = match;
  const plain = `${sign === '-' ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
  const number = Number(plain);
  return String(number) === plain ? number : new Decimal(plain);
}

export const WHOLE: Codec = {
  decode: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined),
  encode: (value) => (Number.isSafeInteger(value) ? String(value) : undefined),
};

export const BOOLEAN_YN: Codec = {
  decode: (text) => TRUTHS.get(text),
  encode: (value) => (typeof value === 'boolean' ? (value ? 'Y' : 'N') : undefined),
};
export const BOOLEAN_XML: Codec = {
  decode: (text) => TRUTHS.get(text),
  encode: (value) => (typeof value === 'boolean' ? String(value) : undefined),
};

const isWell = (format: string, text: string): boolean => checkLeaf(format, text)?.warning !== false;

export const DATE: Codec = {
  decode: (text) => (isWell('date', text) ? text : undefined),
  encode: (value) => (typeof value === 'string' && isWell('date', value) ? value : undefined),
};

/** A time without zone is read as UTC (reference section 2.2). */
export const DATE_TIME: Codec = {
  decode: (text) => (isWell('dateTime', text) ? withZone(text) : undefined),
  encode: (value) => (typeof value === 'string' && isWell('dateTime', value) ? value : undefined),
};
const withZone = (text: string): string => (/(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? text : `${text}Z`);

/** One to one between codes; what is not in the table has no place. `back`: for values several codes are read as. */
export function codes(table: Readonly<Record<string, unknown>>, back: ReadonlyMap<unknown, string> = new Map()): Codec {
  const forth = new Map(Object.entries(table));
  const reverse = new Map([
    ...Object.entries(table)
      .map(([code, value]) => [value, code] as const)
      .toReversed(),
    ...back,
  ]);
  return { decode: (text) => forth.get(text), encode: (value) => reverse.get(value) };
}
