/** Conversions between the types of System. http://hl7.org/fhirpath/N1/#conversion */
import type { PathFunction } from './functions.ts';
import { EMPTY, type Item, type Items, isObject, item, numberIn, ofBoolean, single, textOf } from './values.ts';

type MakeFunction = (run: (on: Items) => Items) => PathFunction;
type Convert = (value: Item) => Item | undefined;

/** `toInteger`, `convertsToInteger` and the like; `none` makes a function without arguments. */
export function conversions(none: MakeFunction): Record<string, PathFunction> {
  // Defined, not assigned: one of them is toString.
  return Object.fromEntries(CONVERSIONS.flatMap(([name, convert]) => Object.entries(conversion(none, name, convert))));
}

/** A conversion, and the question whether it can be made. */
function conversion(none: MakeFunction, name: string, convert: Convert): Record<string, PathFunction> {
  const run = (on: Items): Item | undefined => {
    const found = single(on);
    return found === undefined ? undefined : convert(found);
  };
  return {
    [`to${name}`]: none((on) => {
      const made = run(on);
      return made === undefined ? EMPTY : [made];
    }),
    [`convertsTo${name}`]: none((on) => (on.length === 0 ? EMPTY : ofBoolean(run(on) !== undefined))),
  };
}

const TRUTHS = new Set(['true', 't', 'yes', 'y', '1', '1.0']);
const FALSEHOODS = new Set(['false', 'f', 'no', 'n', '0', '0.0']);

function toBoolean({ value }: Item): Item | undefined {
  if (typeof value === 'boolean') return item('System.Boolean', value);
  const text = String(value).toLowerCase();
  if (TRUTHS.has(text)) return item('System.Boolean', true);
  return FALSEHOODS.has(text) ? item('System.Boolean', false) : undefined;
}
function toInteger(of: Item): Item | undefined {
  const { value } = of;
  if (typeof value === 'boolean') return item('System.Integer', value ? 1 : 0);
  const number = typeof value === 'string' ? (/^[+-]?\d{1,15}$/.test(value) ? Number(value) : undefined) : numberIn(of);
  return number !== undefined && Number.isInteger(number) ? item('System.Integer', number) : undefined;
}
function toDecimal(of: Item): Item | undefined {
  const { value } = of;
  if (typeof value === 'boolean') return item('System.Decimal', value ? 1 : 0);
  const number =
    typeof value === 'string'
      ? /^[+-]?\d{1,40}(?:\.\d{1,40})?$/.test(value)
        ? Number(value)
        : undefined
      : numberIn(of);
  return number === undefined ? undefined : item('System.Decimal', number);
}
function toText({ value }: Item): Item | undefined {
  return value === undefined || isObject(value) ? undefined : item('System.String', String(value));
}
const DATE = /^\d{4}(?:-\d\d(?:-\d\d)?)?/;
const toDate = (of: Item): Item | undefined => {
  const day = DATE.exec(textOf(of) ?? '')?.[0];
  return day === undefined ? undefined : item('System.Date', day);
};
const toDateTime = (of: Item): Item | undefined => {
  const text = textOf(of);
  return text !== undefined && /^\d{4}(?:-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)?)?$/.test(text)
    ? item('System.DateTime', text)
    : undefined;
};
const toTime = (of: Item): Item | undefined => {
  const text = textOf(of);
  return text !== undefined && /^\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?$/.test(text)
    ? item('System.Time', text)
    : undefined;
};
const toQuantity = (of: Item): Item | undefined => {
  if (isObject(of.value)) return item('System.Quantity', of.value);
  const [, digits, unit] = /^([+-]?\d{1,40}(?:\.\d{1,40})?)\s*(?:'([^']*)'|([a-z]*))?$/.exec(String(of.value)) ?? [];
  return digits === undefined ? undefined : item('System.Quantity', { value: Number(digits), code: unit ?? '1' });
};

const CONVERSIONS: readonly (readonly [string, Convert])[] = [
  ['Boolean', toBoolean],
  ['Integer', toInteger],
  ['Decimal', toDecimal],
  ['String', toText],
  ['Date', toDate],
  ['DateTime', toDateTime],
  ['Time', toTime],
  ['Quantity', toQuantity],
];
