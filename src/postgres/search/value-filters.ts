/** Filters on single values: tokens of the row, numbers and strings in its side tables. */
import type { Atom, SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { CompositePart, Condition, QuantityValue } from '../../standards/fhir/search/request.ts';
import { normaliseText } from '../../standards/fhir/search/text.ts';
import { keyOf, lanesToBigInt, repeatsQuantities, tokenForms } from '../keys.ts';
import { tableOf } from '../tables.ts';
import {
  type CanonicalQuantity,
  canonicalKey,
  canonicalQuantity,
  codeAndCanonicalKey,
} from './canonical-quantities.ts';
import type { FilterContext } from './condition.ts';
import { atomKeys, pairKey } from './hashes.ts';
import { compareDate, compareNumber, compareWidened } from './ranges.ts';
import { and, or } from './sql.ts';

const MAX_TEXT = '\u{10FFFF}';

/** `coalesce` and `= any` keep GIN out: a filter, not a driver. */
export function hasToken({ params }: FilterContext, m: string, wanted: readonly bigint[]): string {
  if (wanted.length === 0) return 'false';
  if (wanted.length === 1) return `${params.add(String(wanted[0]), 'bigint')} = any(${m}.tok)`;
  return `coalesce(${m}.tok && ${params.add(wanted.map(String), 'bigint[]')}, false)`;
}

export function inNumbers(
  context: FilterContext,
  type: string,
  m: string,
  key: bigint,
  compare: (row: { low: string; high: string }) => string,
): string {
  const numbers = context.isCandidate && m === 'm' ? 'm_n' : tableOf(type).numbers;
  const row = { low: 'n.v', high: 'coalesce(n.w, n.v)' };
  return `exists (select from ${numbers} n where n.rid = ${m}.rid and n.h = ${context.params.add(String(key), 'bigint')} and ${compare(row)} offset 0)`;
}

/** The table of the row's strings. */
const stringsOf = (context: FilterContext, type: string, m: string): string =>
  context.isCandidate && m === 'm' ? 'm_s' : tableOf(type).strings;

function inStrings(context: FilterContext, type: string, m: string, key: bigint, value: string): string {
  const { params } = context;
  const low = normaliseText(value);
  return `exists (select from ${stringsOf(context, type, m)} s where s.rid = ${m}.rid and s.h = ${params.add(String(key), 'bigint')} and s.v >= ${params.add(low, 'text')} and s.v < ${params.add(low + MAX_TEXT, 'text')} offset 0)`;
}

/** Range of a prefix in `_s.v`. */
export const prefixRange = (value: string): readonly [string, string] => {
  const low = normaliseText(value);
  return [low, low + MAX_TEXT];
};

export function stringFilter(
  context: FilterContext,
  type: string,
  m: string,
  condition: Extract<Condition, { kind: 'string' }>,
): string {
  const { keys, params } = context;
  const { parameter, modifier, values } = condition;
  return or(
    parameter.atoms.flatMap((atom) => {
      const key = lanesToBigInt(atomKeys(keys, parameter, atom).plain);
      if (modifier !== 'contains') return values.map((value) => inStrings(context, type, m, key, value));
      return values.map(
        (value) =>
          `exists (select from ${stringsOf(context, type, m)} s where s.rid = ${m}.rid and s.h = ${params.add(String(key), 'bigint')} and position(${params.add(normaliseText(value), 'text')} in s.v) > 0 offset 0)`,
      );
    }),
  );
}

const STRING_ORDER = { eq: '=', ne: '<>', gt: '>', lt: '<', ge: '>=', le: '<=' } as const;

/** Whole values of `_s`, in the order of their normal form. */
export function stringOrderFilter(
  context: FilterContext,
  type: string,
  m: string,
  { parameter, operator, value }: Extract<Condition, { kind: 'string-order' }>,
): string {
  const { keys, params } = context;
  const text = normaliseText(value);
  const compare = (): string =>
    operator === 'ew'
      ? `right(s.v, length(${params.add(text, 'text')})) = ${params.add(text, 'text')}`
      : `s.v ${STRING_ORDER[operator]} ${params.add(text, 'text')} collate "C"`;
  return or(
    parameter.atoms.map((atom) => {
      const key = lanesToBigInt(atomKeys(keys, parameter, atom).plain);
      return `exists (select from ${stringsOf(context, type, m)} s where s.rid = ${m}.rid and s.h = ${params.add(String(key), 'bigint')} and ${compare()} offset 0)`;
    }),
  );
}

/** Number comparison of a quantity and, when a unit is named, the unit. */
export function quantityFilter(
  context: FilterContext,
  type: string,
  m: string,
  parameter: SearchParameter,
  atom: Atom,
  value: QuantityValue,
): string {
  const { keys, params } = context;
  const domain = atomKeys(keys, parameter, atom);
  const canonical = canonicalQuantity(value);
  const perUnit = value.code !== undefined && repeatsQuantities(atom);
  const asWritten = (): string =>
    and([
      inNumbers(
        context,
        type,
        m,
        perUnit ? keyOf(keys, domain.unit, `v\u0001${value.code}`) : lanesToBigInt(domain.plain),
        (row) => compareNumber(row, value, params),
      ),
      ...unitFilters(context, m, domain.unit, value),
    ]);
  return canonical
    ? inBaseUnits(context, type, m, canonicalKey(keys, domain.unit, canonical), canonical, asWritten)
    : asWritten();
}

/**
 * What is of a unit that is known is in base units too, whichever unit of its kind it was written in. As it was written is
 * all that rows of older builds have until they are indexed again.
 */
function inBaseUnits(
  context: FilterContext,
  type: string,
  m: string,
  key: bigint,
  { value }: CanonicalQuantity,
  asWritten: () => string,
): string {
  const inBase = inNumbers(context, type, m, key, (row) => compareWidened(row, value, context.params));
  return context.hasOlderRows ? or([inBase, `(${asWritten()})`]) : inBase;
}

function unitFilters(
  context: FilterContext,
  m: string,
  domain: { hi: number; lo: number },
  { system, code }: QuantityValue,
): string[] {
  if (code === undefined && (system === undefined || system === '')) return [];
  const text =
    code === undefined
      ? tokenForms.system(system ?? '')
      : system === undefined || system === ''
        ? tokenForms.code(code)
        : tokenForms.systemAndCode(system, code);
  return [hasToken(context, m, [keyOf(context.keys, domain, text)])];
}

export function compositeFilter(
  context: FilterContext,
  type: string,
  m: string,
  parameter: SearchParameter,
  atom: Atom,
  parts: readonly CompositePart[],
): string {
  const { keys, params } = context;
  const domain = atomKeys(keys, parameter, atom);
  const references = parts.filter((p) => p.type === 'reference');
  const tokens = parts.filter((p) => p.type === 'token');
  if (references.length + tokens.length === parts.length)
    return hasToken(context, m, [pairKey(keys, domain.value, [...references, ...tokens])]);
  const token = tokens[0]?.value;
  const code = token?.code ?? '';
  const system = token?.system
    ? [hasToken(context, m, [keyOf(keys, domain.exact, tokenForms.systemAndCode(token.system, code))])]
    : [];
  const [second, third] = parts.filter((p) => p.type !== 'token');
  const key = keyOf(keys, domain.plain, code);
  const filter = ((): string => {
    switch (second?.type) {
      case 'quantity': {
        const { value } = second;
        const perUnit = value.code !== undefined && repeatsQuantities(atom);
        const numberKey = perUnit ? keyOf(keys, domain.plain, `${code}\u0001${value.code}`) : key;
        const asWritten = (): string =>
          and([
            inNumbers(context, type, m, numberKey, (row) => compareNumber(row, value, params)),
            ...unitFilters(context, m, domain.unit, value),
          ]);
        const canonical = canonicalQuantity(value);
        if (!canonical) return asWritten();
        const canonicalNumber = codeAndCanonicalKey(keys, domain.plain, code, canonical);
        return inBaseUnits(context, type, m, canonicalNumber, canonical, asWritten);
      }
      case 'date':
        return inNumbers(context, type, m, key, (row) => compareDate(row, second.value, params, 'float8', context.now));
      case 'number':
        return inNumbers(context, type, m, key, () =>
          and([
            compareNumber({ low: 'n.v', high: 'n.v' }, second.value, params),
            ...(third?.type === 'number' ? [compareNumber({ low: 'n.w', high: 'n.w' }, third.value, params)] : []),
          ]),
        );
      case 'string':
        return inStrings(context, type, m, key, second.value);
      default:
        return 'false';
    }
  })();
  return and([filter, ...system]);
}
