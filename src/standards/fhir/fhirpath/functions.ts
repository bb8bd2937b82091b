/** FHIRPath's functions of values. http://hl7.org/fhirpath/N1/#functions, https://hl7.org/fhir/R4/fhirpath.html#functions */
import { conversions } from './conversions.ts';
import { compileMember } from './navigate.ts';
import { keysOf, spentKey, unite } from './operators.ts';
import { compilePattern } from './pattern.ts';
import type { Scope } from './scope.ts';
import {
  EMPTY,
  FALSE,
  type Item,
  type Items,
  isObject,
  item,
  numberIn,
  ofBoolean,
  ofInteger,
  ofString,
  PathError,
  single,
  TRUE,
  textOf,
} from './values.ts';

type Run = (on: Items, args: readonly Items[], scope: Scope) => Items;
export interface PathFunction {
  readonly min: number;
  readonly max: number;
  readonly run: Run;
}

const none = (run: (on: Items, scope: Scope) => Items): PathFunction => ({
  min: 0,
  max: 0,
  run: (on, _args, scope) => run(on, scope),
});
const one = (run: (on: Items, arg: Items, scope: Scope) => Items): PathFunction => ({
  min: 1,
  max: 1,
  run: (on, [arg], scope) => run(on, arg ?? EMPTY, scope),
});

/** Of one text; empty of none. */
const ofText = (work: (text: string, scope: Scope) => Items): PathFunction =>
  none((on, scope) => {
    const text = textIn(on);
    if (text === undefined) return EMPTY;
    scope.spend(1 + (text.length >> 5));
    return work(text, scope);
  });
/** Of one text and a text as argument. */
const ofTwoTexts = (work: (text: string, other: string, scope: Scope) => Items): PathFunction =>
  one((on, arg, scope) => {
    const text = textIn(on);
    const other = textIn(arg);
    if (text === undefined || other === undefined) return EMPTY;
    scope.spend(1 + (text.length >> 5));
    return work(text, other, scope);
  });

function textIn(items: Items): string | undefined {
  const found = single(items);
  if (found === undefined || found.value === undefined) return undefined;
  const text = textOf(found);
  if (text === undefined) throw new PathError('a text is needed');
  return text;
}

function integerIn(items: Items): number | undefined {
  const found = single(items);
  const number = found && numberIn(found);
  if (found !== undefined && (number === undefined || !Number.isInteger(number)))
    throw new PathError('a whole number is needed');
  return number;
}

const ofNumber = (work: (value: number) => number | undefined, type?: string): PathFunction =>
  none((on) => {
    const found = single(on);
    if (found === undefined) return EMPTY;
    const number = numberIn(found);
    if (number === undefined) throw new PathError('a number is needed');
    const made = work(number);
    if (made === undefined || !Number.isFinite(made)) return EMPTY;
    return [item(type ?? (Number.isInteger(made) ? 'System.Integer' : 'System.Decimal'), made)];
  });

/** All items are `wanted` (allTrue …), or some are (anyTrue …). */
const booleans = (wanted: boolean, all: boolean): PathFunction =>
  none((on) => {
    const fits = ({ value }: Item): boolean => value === wanted;
    return ofBoolean(all ? on.every(fits) : on.some(fits));
  });

const distinct = (on: Items, scope: Scope): Items => unite(on, EMPTY, scope);

const extensionsOf = (() => {
  // Extensions are found in the same place whatever the definitions say.
  const find = compileMember(
    {
      childrenNamed: () => [{ name: 'extension', json: 'extension', beside: '', type: 'Extension' }],
      childrenOf: () => [],
      isPrimitive: () => false,
      isA: () => false,
    },
    'extension',
  );
  return (on: Items, url: string, scope: Scope): Items =>
    find(on, scope).filter(({ value }) => isObject(value) && value['url'] === url);
})();

const isHidden = ({ value }: Item): boolean => value === undefined || value === null;
const instantOf = ({ questions }: Scope): number => {
  const now = questions.now?.();
  if (now === undefined) throw new PathError('there is no clock here');
  return now;
};

export const FUNCTIONS: Readonly<Record<string, PathFunction>> = {
  count: none((on) => ofInteger(on.length)),
  first: none((on) => on.slice(0, 1)),
  last: none((on) => on.slice(-1)),
  tail: none((on) => on.slice(1)),
  single: none((on) => (single(on) === undefined ? EMPTY : on)),
  skip: one((on, arg) => on.slice(Math.max(0, integerIn(arg) ?? 0))),
  take: one((on, arg) => on.slice(0, Math.max(0, integerIn(arg) ?? 0))),
  distinct: none(distinct),
  isDistinct: none((on, scope) => {
    const seen = new Set<string>();
    for (const each of on) {
      const key = spentKey(each, scope);
      if (seen.has(key)) return FALSE;
      seen.add(key);
    }
    return TRUE;
  }),
  combine: one((on, other) => [...on, ...other]),
  union: one(unite),
  intersect: one((on, other, scope) => {
    const keys = keysOf(other, scope);
    return distinct(
      on.filter((each) => keys.has(spentKey(each, scope))),
      scope,
    );
  }),
  exclude: one((on, other, scope) => {
    const keys = keysOf(other, scope);
    return on.filter((each) => !keys.has(spentKey(each, scope)));
  }),
  subsetOf: one((on, other, scope) => {
    const keys = keysOf(other, scope);
    return ofBoolean(on.every((each) => keys.has(spentKey(each, scope))));
  }),
  supersetOf: one((on, other, scope) => {
    const keys = keysOf(on, scope);
    return ofBoolean(other.every((each) => keys.has(spentKey(each, scope))));
  }),
  allTrue: booleans(true, true),
  anyTrue: booleans(true, false),
  allFalse: booleans(false, true),
  anyFalse: booleans(false, false),
  hasValue: none((on) => {
    const [first] = on;
    return ofBoolean(on.length === 1 && first !== undefined && !isHidden(first) && !isObject(first.value));
  }),
  getValue: none((on) => (on.length === 1 && !isHidden(on[0]!) && !isObject(on[0]!.value) ? on : EMPTY)),
  extension: one((on, arg, scope) => {
    const url = textIn(arg);
    return url === undefined ? EMPTY : extensionsOf(on, url, scope);
  }),
  /** The narrative has been checked as the primitive that it is. */
  htmlChecks: none(() => TRUE),
  memberOf: one((on, arg, scope) => {
    const found = single(on);
    const url = textIn(arg);
    return found === undefined || url === undefined ? EMPTY : ofBoolean(scope.questions.memberOf?.(found, url));
  }),
  conformsTo: one((on, arg, scope) => {
    const found = single(on);
    const url = textIn(arg);
    return found === undefined || url === undefined ? EMPTY : ofBoolean(scope.questions.conformsTo?.(found, url));
  }),

  startsWith: ofTwoTexts((text, other) => ofBoolean(text.startsWith(other))),
  endsWith: ofTwoTexts((text, other) => ofBoolean(text.endsWith(other))),
  contains: ofTwoTexts((text, other) => ofBoolean(text.includes(other))),
  indexOf: ofTwoTexts((text, other) => ofInteger(text.indexOf(other))),
  matches: ofTwoTexts((text, other, scope) => {
    scope.spend(10 + 2 * text.length);
    return ofBoolean(compilePattern(other).test(text));
  }),
  matchesFull: ofTwoTexts((text, other, scope) => {
    scope.spend(10 + 2 * text.length);
    return ofBoolean(compilePattern(other).testWhole(text));
  }),
  replaceMatches: {
    min: 2,
    max: 2,
    run: (on, [pattern, by], scope) => {
      const [text, source, made] = [textIn(on), textIn(pattern ?? EMPTY), textIn(by ?? EMPTY)];
      if (text === undefined || source === undefined || made === undefined) return EMPTY;
      scope.spend(1 + text.length * Math.min(text.length, 100));
      return ofString(bounded(compilePattern(source).replace(text, made)));
    },
  },
  replace: {
    min: 2,
    max: 2,
    run: (on, [what, by], scope) => {
      const [text, old, made] = [textIn(on), textIn(what ?? EMPTY), textIn(by ?? EMPTY)];
      if (text === undefined || old === undefined || made === undefined) return EMPTY;
      if (text.length * (made.length + 1) > TEXT_MAX) throw new PathError('the text becomes too long');
      scope.spend(1 + text.length);
      return ofString(text.replaceAll(old, () => made));
    },
  },
  substring: {
    min: 1,
    max: 2,
    run: (on, [start, length]) => {
      const text = textIn(on);
      const from = integerIn(start ?? EMPTY);
      if (text === undefined || from === undefined || from < 0 || from >= text.length) return EMPTY;
      const count = length === undefined ? undefined : integerIn(length);
      return ofString(count === undefined ? text.slice(from) : text.slice(from, from + Math.max(0, count)));
    },
  },
  length: ofText((text) => ofInteger(text.length)),
  upper: ofText((text) => ofString(text.toUpperCase())),
  lower: ofText((text) => ofString(text.toLowerCase())),
  trim: ofText((text) => ofString(text.trim())),
  toChars: ofText((text, scope) => {
    scope.spend(text.length);
    return [...text].map((char) => item('System.String', char));
  }),
  split: ofTwoTexts((text, by, scope) => {
    scope.spend(text.length);
    return text.split(by).map((part) => item('System.String', part));
  }),
  join: {
    min: 0,
    max: 1,
    run: (on, [by]) =>
      ofString(bounded(on.map((each) => textOf(each) ?? '').join(by === undefined ? '' : (textIn(by) ?? '')))),
  },

  abs: ofNumber(Math.abs),
  ceiling: ofNumber(Math.ceil, 'System.Integer'),
  floor: ofNumber(Math.floor, 'System.Integer'),
  truncate: ofNumber(Math.trunc, 'System.Integer'),
  sqrt: ofNumber((value) => (value < 0 ? undefined : Math.sqrt(value)), 'System.Decimal'),
  exp: ofNumber(Math.exp, 'System.Decimal'),
  ln: ofNumber((value) => (value <= 0 ? undefined : Math.log(value)), 'System.Decimal'),
  log: one((on, arg) => withNumbers(on, arg, (value, base) => Math.log(value) / Math.log(base))),
  power: one((on, arg) => withNumbers(on, arg, (value, power) => value ** power)),
  round: {
    min: 0,
    max: 1,
    run: (on, [digits]) =>
      withNumbers(on, digits ?? ofInteger(0), (value, count) => Math.round(value * 10 ** count) / 10 ** count),
  },

  ...conversions(none),

  now: none((_on, scope) => [item('System.DateTime', new Date(instantOf(scope)).toISOString())]),
  today: none((_on, scope) => [item('System.Date', new Date(instantOf(scope)).toISOString().slice(0, 10))]),
  timeOfDay: none((_on, scope) => [item('System.Time', new Date(instantOf(scope)).toISOString().slice(11, 23))]),
};

const TEXT_MAX = 5_000_000;
const bounded = (text: string): string => {
  if (text.length > TEXT_MAX) throw new PathError('the text becomes too long');
  return text;
};

function withNumbers(on: Items, arg: Items, work: (a: number, b: number) => number): Items {
  const [x, y] = [single(on), single(arg)];
  if (x === undefined || y === undefined) return EMPTY;
  const [a, b] = [numberIn(x), numberIn(y)];
  if (a === undefined || b === undefined) throw new PathError('numbers are needed');
  const made = work(a, b);
  return Number.isFinite(made) ? [item(Number.isInteger(made) ? 'System.Integer' : 'System.Decimal', made)] : EMPTY;
}
