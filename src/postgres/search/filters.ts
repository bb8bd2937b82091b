/**
 * One condition as a row filter over alias `m`: a predicate that no index serves, so that the driver stays the one the
 * server chose (docs/decisions/0003-storage.md, "driver"). https://hl7.org/fhir/R4/search.html
 */
import type { Atom, SearchParameter, SearchParameters } from '../../standards/fhir/search/parameter.ts';
import type { CompositePart, Condition, QuantityValue, TokenValue } from '../../standards/fhir/search/request.ts';
import { normaliseText } from '../../standards/fhir/search/text.ts';
import { toBigInt } from '../hash.ts';
import { type Keys, keyOf, lanesToBigInt, repeatsQuantities, tokenForms } from '../keys.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import { atomKeys, pairKey, referenceKeys, referenceMasks, tokenKeys } from './hashes.ts';
import { compareDate, compareNumber } from './ranges.ts';
import { and, or, type Params } from './sql.ts';

/** Conditions of the standard, and those that resolving chains leaves behind. */
export type StoreCondition =
  | Condition
  /** The reference parameter points to one of these resources. */
  | {
      readonly kind: 'targets';
      readonly parameter: SearchParameter;
      readonly type: string;
      readonly rids: readonly bigint[];
    }
  | { readonly kind: 'rids'; readonly rids: readonly bigint[] }
  | { readonly kind: 'any'; readonly conditions: readonly StoreCondition[] };

export interface FilterContext {
  readonly keys: Keys;
  readonly parameters: SearchParameters;
  readonly params: Params;
  readonly now: number;
}

const MAX_TEXT = '\u{10FFFF}';
const bigs = (values: readonly bigint[]): string[] => values.map(String);

/** A filter on the rows of `type` under alias `m`. */
export function compileFilter(context: FilterContext, type: string, condition: StoreCondition, m = 'm'): string {
  const { keys, params } = context;
  const alternatives = tokenAlternatives(context, condition);
  if (alternatives) {
    const filter = hasToken(context, m, alternatives);
    return condition.kind === 'token' && condition.modifier === 'not' ? `not ${filter}` : filter;
  }
  switch (condition.kind) {
    case 'token':
      return impliedFilter(context, m, condition);
    case 'token-text':
      return leafText(context, m, condition.parameter, condition.values);
    case 'string':
      return stringFilter(context, type, m, condition);
    case 'uri':
      return uriFilter(context, m, condition);
    case 'date':
      return or(
        condition.parameter.atoms.map((atom) =>
          isMainDate(context, type, atom)
            ? `(${m}.sd is not null and ${or(
                condition.values.map((v) =>
                  compareDate({ low: `${m}.sd`, high: `${m}.se` }, v, params, 'bigint', context.now),
                ),
              )})`
            : inNumbers(context, type, m, lanesToBigInt(atomKeys(keys, condition.parameter, atom).plain), (row) =>
                or(condition.values.map((v) => compareDate(row, v, params, 'float8', context.now))),
              ),
        ),
      );
    case 'number':
      return or(
        condition.parameter.atoms.map((atom) =>
          inNumbers(context, type, m, lanesToBigInt(atomKeys(keys, condition.parameter, atom).plain), (row) =>
            or(condition.values.map((v) => compareNumber(row, v, params))),
          ),
        ),
      );
    case 'quantity':
      return or(
        condition.parameter.atoms.flatMap((atom) =>
          condition.values.map((v) => quantityFilter(context, type, m, condition.parameter, atom, v)),
        ),
      );
    case 'composite':
      return or(
        condition.parameter.atoms.flatMap((atom) =>
          condition.values.map((parts) => compositeFilter(context, type, m, condition.parameter, atom, parts)),
        ),
      );
    case 'missing':
      return presence(context, m, condition.parameter, condition.missing ? '=' : '<>');
    case 'id':
      return `${m}.id = any(${params.add(condition.ids, 'text[]')})`;
    case 'last-updated':
      return or(
        condition.values.map((v) => compareDate({ low: `${m}.lu`, high: `${m}.lu` }, v, params, 'bigint', context.now)),
      );
    case 'rids':
      return `${m}.rid = any(${params.add(bigs(condition.rids), 'bigint[]')})`;
    case 'chain':
      return or(
        condition.branches.map((branch) => chainFilter(context, m, condition.parameter, branch.type, branch.condition)),
      );
    case 'has':
      return hasFilter(context, type, m, condition);
    case 'of-type':
    case 'reference':
    case 'reference-identifier':
    case 'compartment':
    case 'targets':
      return 'false'; // all of these have token alternatives
    case 'any':
      return or(condition.conditions.map((c) => compileFilter(context, type, c, m)));
  }
}

/** The keys of which a row holds at least one when it matches; undefined when the condition is not of that form. */
export function tokenAlternatives(context: FilterContext, condition: StoreCondition): readonly bigint[] | undefined {
  const { keys } = context;
  switch (condition.kind) {
    case 'token':
      if (condition.values.some((value) => isImpliedSystem(condition.parameter, value))) return undefined;
      return condition.values.flatMap((value) => tokenKeys(keys, condition.parameter, value));
    case 'of-type':
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map((v) =>
          keyOf(keys, atomKeys(keys, condition.parameter, atom).exact, `${v.system}\u0001${v.code}\u0001${v.value}`),
        ),
      );
    case 'string':
      if (condition.modifier !== 'exact') return undefined;
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map((value) => keyOf(keys, atomKeys(keys, condition.parameter, atom).exact, value)),
      );
    case 'reference':
      return condition.values.flatMap((v) => referenceKeys(keys, condition.parameter, v, STORED_TYPES));
    case 'reference-identifier':
      return overAtoms(condition.parameter, (atom) =>
        condition.values.map(({ system, code = '' }) => {
          const { exact } = atomKeys(keys, condition.parameter, atom);
          if (system === undefined) return keyOf(keys, exact, tokenForms.code(code));
          return keyOf(keys, exact, system === '' ? tokenForms.noSystem(code) : tokenForms.systemAndCode(system, code));
        }),
      );
    case 'uri': {
      if (condition.modifier === 'below') return undefined;
      const texts = condition.modifier === 'above' ? condition.values.flatMap(urlAncestors) : condition.values;
      return overAtoms(condition.parameter, (atom) =>
        texts.map((value) => keyOf(keys, atomKeys(keys, condition.parameter, atom).value, value)),
      );
    }
    case 'compartment':
      return [compartmentKey(keys, condition.compartment, condition.id)];
    case 'targets':
      return targetKeys(keys, condition);
    default:
      return undefined;
  }
}

export function isMainDate(context: FilterContext, type: string, atom: Atom): boolean {
  return context.parameters.get(type)?.mainDate === atom;
}

export function compartmentKey(keys: Keys, compartment: string, id: string): bigint {
  keys.rids.lanes(id);
  const { hi, lo } = keys.rids;
  const mask = keys.compartment(compartment as Parameters<Keys['compartment']>[0]); // the route knows the five names
  return toBigInt(hi ^ mask.hi, lo ^ mask.lo);
}

/** Tokens by which rows refer to the targets. */
export function targetKeys(
  keys: Keys,
  condition: { parameter: SearchParameter; type: string; rids: readonly bigint[] },
): bigint[] {
  const masks = referenceMasks(keys, condition.parameter, condition.type).map(lanesToBigInt);
  return condition.rids.flatMap((rid) => masks.map((mask) => rid ^ mask));
}

const overAtoms = (parameter: SearchParameter, keysOf: (atom: Atom) => readonly bigint[]): bigint[] =>
  parameter.atoms.flatMap(keysOf);

/** `coalesce` and `= any` keep GIN out: a filter, not a driver. */
function hasToken({ params }: FilterContext, m: string, wanted: readonly bigint[]): string {
  if (wanted.length === 0) return 'false';
  if (wanted.length === 1) return `${params.add(String(wanted[0]), 'bigint')} = any(${m}.tok)`;
  return `coalesce(${m}.tok && ${params.add(bigs(wanted), 'bigint[]')}, false)`;
}

function inNumbers(
  { params }: FilterContext,
  type: string,
  m: string,
  key: bigint,
  compare: (row: { low: string; high: string }) => string,
): string {
  const { numbers } = tableOf(type);
  const row = { low: 'n.v', high: 'coalesce(n.w, n.v)' };
  return `exists (select from ${numbers} n where n.rid = ${m}.rid and n.h = ${params.add(String(key), 'bigint')} and ${compare(row)} offset 0)`;
}

function inStrings({ params }: FilterContext, type: string, m: string, key: bigint, value: string): string {
  const low = normaliseText(value);
  return `exists (select from ${tableOf(type).strings} s where s.rid = ${m}.rid and s.h = ${params.add(String(key), 'bigint')} and s.v >= ${params.add(low, 'text')} and s.v < ${params.add(low + MAX_TEXT, 'text')} offset 0)`;
}

/** Range of a prefix in `_s.v`. */
export const prefixRange = (value: string): readonly [string, string] => {
  const low = normaliseText(value);
  return [low, low + MAX_TEXT];
};

function stringFilter(
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
          `exists (select from ${tableOf(type).strings} s where s.rid = ${m}.rid and s.h = ${params.add(String(key), 'bigint')} and position(${params.add(normaliseText(value), 'text')} in s.v) > 0 offset 0)`,
      );
    }),
  );
}

/** `system|` of a code whose system is known from its definition: every value is of that system. */
const isImpliedSystem = ({ impliedSystems }: SearchParameter, { system, code }: TokenValue): boolean =>
  code === undefined && system !== undefined && impliedSystems.includes(system);

function impliedFilter(context: FilterContext, m: string, condition: Extract<Condition, { kind: 'token' }>): string {
  const { parameter } = condition;
  const others = condition.values.filter((value) => !isImpliedSystem(parameter, value));
  const keys = others.flatMap((value) => tokenKeys(context.keys, parameter, value));
  const filter = or([presence(context, m, parameter, '<>'), hasToken(context, m, keys)]);
  return condition.modifier === 'not' ? `not ${filter}` : filter;
}

const presence = ({ params }: FilterContext, m: string, { bit }: SearchParameter, compare: '=' | '<>'): string =>
  `${m}.pm & ${params.add(String(BigInt.asIntN(64, 1n << BigInt(bit))), 'bigint')} ${compare} 0`;

/** `:text` on tokens: the texts beside the codes start with the value, case ignored. */
function leafText({ params }: FilterContext, m: string, parameter: SearchParameter, values: readonly string[]): string {
  const paths = parameter.atoms.flatMap((atom) => atom.leaves.flatMap((leaf) => textPaths(leaf.path, leaf.type)));
  return or(
    values.flatMap((value) =>
      paths.map(
        (path) =>
          `exists (select from jsonb_path_query(${m}.content::jsonb, ${params.add(path, 'text')}::jsonpath) t where starts_with(lower(t #>> '{}'), lower(${params.add(value, 'text')})))`,
      ),
    ),
  );
}

function textPaths(path: string, type: string): string[] {
  if (type === 'CodeableConcept') return [`${path}.text`, `${path}.coding.display`];
  if (type === 'Coding') return [`${path}.display`];
  if (type === 'Identifier') return [`${path}.type.text`, `${path}.type.coding.display`];
  return [];
}

/** `uri:below`: the only form that no token holds. */
function uriFilter(context: FilterContext, m: string, condition: Extract<Condition, { kind: 'uri' }>): string {
  const { params } = context;
  return or(
    condition.values.flatMap((value) =>
      condition.parameter.atoms.flatMap((atom) =>
        atom.leaves.map(
          ({ path }) =>
            `exists (select from jsonb_path_query(${m}.content::jsonb, ${params.add(path, 'text')}::jsonpath) t where starts_with(t #>> '{}', ${params.add(value, 'text')}))`,
        ),
      ),
    ),
  );
}

/** The url itself and every shorter one that it lies below. */
function urlAncestors(url: string): string[] {
  const found = [url];
  for (let end = url.lastIndexOf('/'); end > 0; end = url.lastIndexOf('/', end - 1))
    if (url[end - 1] !== '/') found.push(url.slice(0, end), url.slice(0, end + 1));
  return found;
}

/** Number comparison of a quantity and, when a unit is named, the unit. */
function quantityFilter(
  context: FilterContext,
  type: string,
  m: string,
  parameter: SearchParameter,
  atom: Atom,
  value: QuantityValue,
): string {
  const { keys, params } = context;
  const domain = atomKeys(keys, parameter, atom);
  const perUnit = value.code !== undefined && repeatsQuantities(atom);
  const key = perUnit ? keyOf(keys, domain.unit, `v\u0001${value.code}`) : lanesToBigInt(domain.plain);
  return and([
    inNumbers(context, type, m, key, (row) => compareNumber(row, value, params)),
    ...unitFilters(context, m, domain.unit, value),
  ]);
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

function compositeFilter(
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
        return and([
          inNumbers(context, type, m, numberKey, (row) => compareNumber(row, value, params)),
          ...unitFilters(context, m, domain.unit, value),
        ]);
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

/** Driven from the source: each reference token of the row is tried as a key of the target's table. */
function chainFilter(
  context: FilterContext,
  m: string,
  parameter: SearchParameter,
  targetType: string,
  condition: Condition,
): string {
  const { params } = context;
  const t = `${m}c`;
  const target = compileFilter(context, targetType, condition, t);
  const patientOf = context.parameters.get(parameter.resourceType);
  if (targetType === 'Patient' && patientOf?.singlePatient && patientOf.patientCodes.includes(parameter.code))
    return `exists (select from ${tableOf(targetType).main} ${t} where ${t}.rid = ${m}.pat and ${t}.op <> 'D' and ${target} offset 0)`;
  return or(
    referenceMasks(context.keys, parameter, targetType).map((mask) => {
      const x = params.add(String(lanesToBigInt(mask)), 'bigint');
      return `exists (select from unnest(${m}.tok) e join ${tableOf(targetType).main} ${t} on ${t}.rid = (e # ${x}) where ${t}.op <> 'D' and ${target} offset 0)`;
    }),
  );
}

/** Driven from the row that is referred to. */
function hasFilter(
  context: FilterContext,
  type: string,
  m: string,
  condition: Extract<Condition, { kind: 'has' }>,
): string {
  const { keys, params } = context;
  const t = `${m}h`;
  const source = compileFilter(context, condition.type, condition.condition, t);
  const { main } = tableOf(condition.type);
  const sourceParameters = context.parameters.get(condition.type);
  if (
    type === 'Patient' &&
    sourceParameters?.singlePatient &&
    sourceParameters.patientCodes.includes(condition.parameter.code)
  )
    return `exists (select from ${main} ${t} where ${t}.pat = ${m}.rid and ${source} offset 0)`;
  return or(
    referenceMasks(keys, condition.parameter, type).map((mask) => {
      const x = params.add(String(lanesToBigInt(mask)), 'bigint');
      return `exists (select from ${main} ${t} where ${t}.tok @> array[${m}.rid # ${x}] and ${source} offset 0)`;
    }),
  );
}
