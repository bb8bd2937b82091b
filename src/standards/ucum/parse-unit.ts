/** A unit term as its factor and dimensions. https://ucum.org/ucum#section-Syntax-Rules */

import { ONE, parseRational, power, type Rational, times } from './rational.ts';
import { METRIC, METRIC_BASE, OTHER, OTHER_BASE, PREFIXES } from './units.ts';

/** `factor` times the product of base units, each to its power. */
export interface Unit {
  readonly factor: Rational;
  readonly dimensions: ReadonlyMap<string, number>;
}

const LENGTH_MAX = 128;
const DEPTH_MAX = 8;
const EXPONENT_MAX = 30;
/** An atom, with its prefix, and its exponent. */
const SIMPLE = /^(10[*^]|(?:[A-Za-z_%'"]|\[[^\][]*\])+)([+-]?\d{1,3})?$/;
const NONE: Unit = { factor: ONE, dimensions: new Map() };

const rational = (text: string): Rational => parseRational(text) ?? ONE; // the tables hold nothing else

interface Definition {
  readonly isMetric: boolean;
  readonly unit: () => Unit;
}

const DEFINITIONS = new Map<string, Definition>();
const define = (code: string, isMetric: boolean, make: () => Unit): void => {
  let made: Unit | undefined;
  DEFINITIONS.set(code, {
    isMetric,
    unit() {
      made ??= make();
      return made;
    },
  });
};
const base = (code: string) => (): Unit => ({ factor: ONE, dimensions: new Map([[code, 1]]) });
const derived = (factor: string, unit: string) => (): Unit => {
  const of = parseUnit(unit);
  if (!of) throw new Error(`the table of units has no ${unit}`);
  return { ...of, factor: times(rational(factor), of.factor) };
};
for (const code of METRIC_BASE) define(code, true, base(code));
for (const code of OTHER_BASE) define(code, false, base(code));
for (const [code, factor, unit] of METRIC) define(code, true, derived(factor, unit));
for (const [code, factor, unit] of OTHER) define(code, false, derived(factor, unit));

/** Undefined for what is no UCUM unit, or one that the tables do not have. An annotation beside a unit counts for nothing. */
export function parseUnit(code: string): Unit | undefined {
  if (code === '' || code.length > LENGTH_MAX) return undefined;
  return parseTerm(code, 0);
}

function parseTerm(text: string, depth: number): Unit | undefined {
  const parts = depth > DEPTH_MAX ? undefined : splitTerm(text);
  if (!parts) return undefined;
  let product = NONE;
  for (const { isDivisor, component } of parts) {
    const unit = parseComponent(component, depth);
    if (!unit) return undefined;
    product = multiply(product, unit, isDivisor ? -1 : 1);
  }
  return product;
}

/** `a.b/c`: the components, and which of them divide. Undefined where brackets do not match or one is missing. */
function splitTerm(text: string): { readonly isDivisor: boolean; readonly component: string }[] | undefined {
  const parts: { isDivisor: boolean; component: string }[] = [];
  let isDivisor = text.startsWith('/');
  let start = isDivisor ? 1 : 0;
  const open: string[] = [];
  for (let at = start; at <= text.length; at++) {
    const character = text[at];
    const isEnd = character === undefined || ((character === '.' || character === '/') && open.length === 0);
    if (isEnd) {
      if (at === start) return undefined;
      parts.push({ isDivisor, component: text.slice(start, at) });
      isDivisor = character === '/';
      start = at + 1;
    } else if (open.at(-1) !== '}' && open.at(-1) !== ']') {
      const closing = { '(': ')', '[': ']', '{': '}' }[character];
      if (closing !== undefined) open.push(closing);
      else if (character === open.at(-1)) open.pop();
      else if (/[)\]}]/.test(character)) return undefined;
    } else if (character === open.at(-1)) open.pop();
    else if (character === '{' || character === '[') return undefined;
  }
  return open.length > 0 ? undefined : parts;
}

function parseComponent(text: string, depth: number): Unit | undefined {
  const brace = text.indexOf('{');
  // What an annotation alone counts (`{tablet}`) is not to be found by what another counts.
  if (brace === 0) return undefined;
  if (brace > 0 && !text.endsWith('}')) return undefined;
  const plain = brace > 0 ? text.slice(0, brace) : text;
  if (plain.startsWith('(')) return plain.endsWith(')') ? parseTerm(plain.slice(1, -1), depth + 1) : undefined;
  if (/^\d{1,12}$/.test(plain)) return BigInt(plain) === 0n ? undefined : { ...NONE, factor: rational(plain) };
  const [, atom = '', exponent = '1'] = SIMPLE.exec(plain) ?? [];
  const unit = findAtom(atom);
  const times_ = Number(exponent);
  if (!unit || Math.abs(times_) > EXPONENT_MAX || times_ === 0) return undefined;
  return multiply(NONE, unit, times_);
}

function findAtom(text: string): Unit | undefined {
  const whole = DEFINITIONS.get(text);
  if (whole) return whole.unit();
  for (const length of [2, 1]) {
    const prefix = PREFIXES.get(text.slice(0, length));
    const atom = prefix === undefined ? undefined : DEFINITIONS.get(text.slice(length));
    if (prefix === undefined || !atom?.isMetric) continue;
    const unit = atom.unit();
    return { ...unit, factor: times(rational(prefix), unit.factor) };
  }
  return undefined;
}

function multiply(a: Unit, b: Unit, exponent: number): Unit {
  const dimensions = new Map(a.dimensions);
  for (const [name, size] of b.dimensions) {
    const sum = (dimensions.get(name) ?? 0) + size * exponent;
    if (sum === 0) dimensions.delete(name);
    else dimensions.set(name, sum);
  }
  return { factor: times(a.factor, power(b.factor, exponent)), dimensions };
}
