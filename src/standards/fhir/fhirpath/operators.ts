/** FHIRPath's operators. http://hl7.org/fhirpath/N1/#operations */
import { fromItems, fromTest, type Part, type PathCompiler } from './compile.ts';
import type { Expression } from './parser.ts';
import type { Scope } from './scope.ts';
import {
  collectionsEqual,
  collectionsEquivalent,
  compare,
  EMPTY,
  type Item,
  type Items,
  isDate,
  isQuantity,
  item,
  keyOf,
  numberIn,
  ofString,
  PathError,
  single,
  textOf,
} from './values.ts';

type Binary = Extract<Expression, { kind: 'binary' }>;
type Test = Part['test'];

export function compileOperator({ op, left, right }: Binary, compiler: PathCompiler): Part {
  const a = compiler.part(left);
  const b = compiler.part(right);
  const isFixed = a.isFixed && b.isFixed;
  const logic = LOGIC[op];
  if (logic !== undefined) return fromTest(logic(a.test, b.test), isFixed);
  const comparison = COMPARISONS[op];
  if (comparison !== undefined) return fromTest(comparison(a, b), isFixed);
  const sum = CALCULATIONS[op];
  if (sum === undefined) throw new PathError(`the operator ${op} is not known`);
  return fromItems((focus, scope) => sum(a.items(focus, scope), b.items(focus, scope), scope), isFixed);
}

/** Three-valued: empty is "not known". */
const LOGIC: Readonly<Record<string, (a: Test, b: Test) => Test>> = {
  and: (a, b) => (focus, scope) => {
    const x = a(focus, scope);
    if (x === false) return false;
    const y = b(focus, scope);
    return y === false ? false : x && y;
  },
  or: (a, b) => (focus, scope) => {
    const x = a(focus, scope);
    if (x === true) return true;
    const y = b(focus, scope);
    return y === true ? true : x === undefined || y === undefined ? undefined : false;
  },
  xor: (a, b) => (focus, scope) => {
    const x = a(focus, scope);
    const y = b(focus, scope);
    return x === undefined || y === undefined ? undefined : x !== y;
  },
  implies: (a, b) => (focus, scope) => {
    const x = a(focus, scope);
    if (x === false) return true;
    const y = b(focus, scope);
    if (y === true) return true;
    return x === undefined || y === undefined ? undefined : false;
  },
};

const negated = (value: boolean | undefined): boolean | undefined => (value === undefined ? undefined : !value);

const ordered =
  (fits: (order: number) => boolean) =>
  (a: Part, b: Part): Test =>
  (focus, scope) => {
    const x = single(a.items(focus, scope));
    const y = single(b.items(focus, scope));
    if (x === undefined || y === undefined) return undefined;
    const order = compare(x, y);
    return order === undefined ? undefined : fits(order);
  };

/** Whether the one item of `x` is in `y`; empty where there is none. */
const isIn = (x: Items, y: Items, scope: Scope): boolean | undefined => {
  const one = single(x);
  return one === undefined ? undefined : keysOf(y, scope).has(keyOf(one));
};

const COMPARISONS: Readonly<Record<string, (a: Part, b: Part) => Test>> = {
  '=': (a, b) => (focus, scope) => collectionsEqual(a.items(focus, scope), b.items(focus, scope)),
  '!=': (a, b) => (focus, scope) => negated(collectionsEqual(a.items(focus, scope), b.items(focus, scope))),
  '~': (a, b) => (focus, scope) => collectionsEquivalent(a.items(focus, scope), b.items(focus, scope)),
  '!~': (a, b) => (focus, scope) => !collectionsEquivalent(a.items(focus, scope), b.items(focus, scope)),
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
  in: (a, b) => (focus, scope) => isIn(a.items(focus, scope), b.items(focus, scope), scope),
  contains: (a, b) => (focus, scope) => isIn(b.items(focus, scope), a.items(focus, scope), scope),
};

/** The keys of collections that were asked about before; those that stay are found again. */
const known = new WeakMap<Items, Set<string>>();

export function keysOf(items: Items, scope: Scope): Set<string> {
  let keys = known.get(items);
  if (keys === undefined) {
    keys = new Set();
    for (const one of items) keys.add(spentKey(one, scope));
    if (items.length > 0) known.set(items, keys);
  }
  return keys;
}

/** A key costs what it is long. */
export function spentKey(one: Item, scope: Scope): string {
  const key = keyOf(one);
  scope.spend(1 + (key.length >> 5));
  return key;
}

/** The items of both, each once. */
export function unite(a: Items, b: Items, scope: Scope): Items {
  const seen = new Set<string>();
  const found: Item[] = [];
  for (const list of [a, b])
    for (const one of list) {
      const key = spentKey(one, scope);
      if (seen.has(key)) continue;
      seen.add(key);
      found.push(one);
    }
  return found;
}

const arithmetic =
  (work: (a: number, b: number) => number | undefined, exact: boolean) =>
  (a: Items, b: Items): Items => {
    const x = single(a);
    const y = single(b);
    if (x === undefined || y === undefined) return EMPTY;
    const [m, n] = [numberIn(x), numberIn(y)];
    if (m === undefined || n === undefined) throw new PathError('numbers are needed for a calculation');
    const result = work(m, n);
    if (result === undefined || !Number.isFinite(result)) return EMPTY;
    return [item(exact && Number.isInteger(result) ? 'System.Integer' : 'System.Decimal', result)];
  };

const add = arithmetic((a, b) => a + b, true);
const subtract = arithmetic((a, b) => a - b, true);

const CALCULATIONS: Readonly<Record<string, (a: Items, b: Items, scope: Scope) => Items>> = {
  '|': unite,
  '&': (a, b) => ofString(wordOf(a) + wordOf(b)),
  '+': (a, b) => {
    const [x, y] = [single(a), single(b)];
    if (x === undefined || y === undefined) return EMPTY;
    if (isDate(x) && isQuantity(y)) return addTime(x, y, 1);
    const [s, t] = [textOf(x), textOf(y)];
    return s !== undefined && t !== undefined ? ofString(s + t) : add(a, b);
  },
  '-': (a, b) => {
    const [x, y] = [single(a), single(b)];
    return x && y && isDate(x) && isQuantity(y) ? addTime(x, y, -1) : subtract(a, b);
  },
  '*': arithmetic((a, b) => a * b, true),
  '/': arithmetic((a, b) => (b === 0 ? undefined : a / b), false),
  div: arithmetic((a, b) => (b === 0 ? undefined : Math.trunc(a / b)), true),
  mod: arithmetic((a, b) => (b === 0 ? undefined : a % b), true),
};

/** `&` takes nothing for the empty text. */
const wordOf = (items: Items): string => {
  const one = single(items);
  if (one === undefined || one.value === undefined) return '';
  return String(one.value);
};

const UNIT_MS: Readonly<Record<string, number>> = {
  week: 604_800_000,
  wk: 604_800_000,
  day: 86_400_000,
  d: 86_400_000,
  hour: 3_600_000,
  h: 3_600_000,
  minute: 60_000,
  min: 60_000,
  second: 1000,
  s: 1000,
  millisecond: 1,
  ms: 1,
};
const UNIT_MONTHS: Readonly<Record<string, number>> = { year: 12, a: 12, month: 1, mo: 1 };

/** A date moved by a quantity of time; its precision stays. */
function addTime(date: Item, quantity: Item, sign: 1 | -1): Items {
  const text = textOf(date);
  const { value, code, unit } = quantity.value as Readonly<Record<string, unknown>>; // isQuantity
  const count = numberIn({ type: '', value });
  const name = String(code ?? unit ?? '').replace(/s$/, '') || 's';
  if (text === undefined || count === undefined) return EMPTY;
  const at = new Date(
    /T\d\d$/.test(text) ? `${text}:00Z` : /T/.test(text) && !/(Z|[+-]\d\d:\d\d)$/.test(text) ? `${text}Z` : text,
  );
  if (Number.isNaN(at.getTime())) return EMPTY;
  const months = UNIT_MONTHS[name];
  const ms = UNIT_MS[name];
  if (months !== undefined) at.setUTCMonth(at.getUTCMonth() + sign * Math.trunc(count) * months);
  else if (ms !== undefined) at.setTime(at.getTime() + sign * count * ms);
  else throw new PathError('a date can be moved by a quantity of time only');
  if (Number.isNaN(at.getTime())) return EMPTY;
  const moved = at.toISOString();
  return [item(date.type, text.includes('T') ? moved : moved.slice(0, text.length))];
}
