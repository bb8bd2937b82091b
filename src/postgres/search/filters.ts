/**
 * One condition as a row filter over alias `m`: a predicate that no index serves, so that the driver stays the one the
 * server chose (docs/decisions/0003-storage.md, "driver"). https://hl7.org/fhir/R4/search.html
 */
import type { Atom, SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { Condition } from '../../standards/fhir/search/request.ts';
import { keyOf, lanesToBigInt, PRESENT } from '../keys.ts';
import { attachmentMask, contextMask } from '../pointers.ts';
import { tableOf } from '../tables.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { permittedFilter, undeniedFilter } from './consent-filter.ts';
import { textFilter } from './full-text.ts';
import { atomKeys, referenceMasks, tokenKeys } from './hashes.ts';
import { nearFilter } from './near.ts';
import { compareDate, compareNumber } from './ranges.ts';
import { unchangedFilter } from './snapshot.ts';
import { and, or } from './sql.ts';
import { isImpliedSystem, tokenAlternatives } from './token-keys.ts';
import {
  compositeFilter,
  hasToken,
  inNumbers,
  quantityFilter,
  stringFilter,
  stringOrderFilter,
} from './value-filters.ts';

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
    case 'token-set':
      throw new Error('codes that terminology knows must be resolved before the store is asked');
    case 'token-text':
      return leafText(context, m, condition.parameter, condition.values);
    case 'string':
      return stringFilter(context, type, m, condition);
    case 'string-order':
      return stringOrderFilter(context, type, m, condition);
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
      return `${m}.rid = any(${params.add(condition.rids.map(String), 'bigint[]')})`;
    case 'members':
      return membersFilter(context, type, m, condition);
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
    case 'every':
      return and(condition.conditions.map((c) => compileFilter(context, type, c, m)));
    case 'not':
      return `not coalesce(${compileFilter(context, type, condition.condition, m)}, false)`;
    case 'text':
      return textFilter(params, condition, m);
    case 'near':
      return or(condition.values.map((value) => nearFilter(params, m, value)));
    case 'unchanged':
      return unchangedFilter(params, type, m, condition.start, condition.snapshot);
    case 'never':
      return 'false';
    case 'attached':
    case 'context':
      return binaryFilter(context, m, condition);
    case 'undenied':
      return undeniedFilter(context, type, m, condition);
    case 'permitted':
      return permittedFilter(context, type, m, condition);
    case 'patient':
      return patientFilter(context, type, m, condition.conditions);
    case 'referred':
      return referredFilter(context, type, m, condition.type, condition.parameter, (t) =>
        condition.conditions.map((c) => compileFilter(context, condition.type, c, t)),
      );
  }
}

/** As sub-selects, which are hashed once a statement: an array would be gone through for each row. */
function membersFilter(
  { params }: FilterContext,
  type: string,
  m: string,
  { rids, tokens }: Extract<StoreCondition, { kind: 'members' }>,
): string {
  if (type === 'Patient') return `${m}.rid in (select unnest(${params.add(rids, 'bigint[]')}))`;
  return `exists (select from unnest(${m}.tok) t where t in (select unnest(${params.add(tokens, 'bigint[]')})))`;
}

function isMainDate(context: FilterContext, type: string, atom: Atom): boolean {
  return context.parameters.get(type)?.mainDate === atom;
}

function impliedFilter(context: FilterContext, m: string, condition: Extract<Condition, { kind: 'token' }>): string {
  const { parameter } = condition;
  const others = condition.values.filter((value) => !isImpliedSystem(parameter, value));
  const keys = others.flatMap((value) => tokenKeys(context.keys, parameter, value));
  const filter = or([presence(context, m, parameter, '<>'), hasToken(context, m, keys)]);
  return condition.modifier === 'not' ? `not ${filter}` : filter;
}

function presence(context: FilterContext, m: string, parameter: SearchParameter, compare: '=' | '<>'): string {
  const { keys, params } = context;
  if (!parameter.custom)
    return `${m}.pm & ${params.add(String(BigInt.asIntN(64, 1n << BigInt(parameter.bit))), 'bigint')} ${compare} 0`;
  const found = parameter.atoms.map((atom) => keyOf(keys, atomKeys(keys, parameter, atom).exact, PRESENT));
  return `${compare === '=' ? 'not ' : ''}${hasToken(context, m, found)}`;
}

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
  const target = and([condition, ...context.visible(targetType)].map((c) => compileFilter(context, targetType, c, t)));
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

const hasFilter = (
  context: FilterContext,
  type: string,
  m: string,
  condition: Extract<Condition, { kind: 'has' }>,
): string =>
  referredFilter(context, type, m, condition.type, condition.parameter, (t) =>
    [condition.condition, ...context.visible(condition.type)].map((c) => compileFilter(context, condition.type, c, t)),
  );

/** Driven from the row that is referred to. */
function referredFilter(
  context: FilterContext,
  type: string,
  m: string,
  sourceType: string,
  parameter: SearchParameter,
  filtersOf: (alias: string) => readonly string[],
): string {
  const { keys, params } = context;
  const t = `${m}h`;
  const source = and([`${t}.op <> 'D'`, ...filtersOf(t)]);
  const { main } = tableOf(sourceType);
  const sourceParameters = context.parameters.get(sourceType);
  if (type === 'Patient' && sourceParameters?.singlePatient && sourceParameters.patientCodes.includes(parameter.code))
    return `exists (select from ${main} ${t} where ${t}.pat = ${m}.rid and ${source} offset 0)`;
  return or(
    referenceMasks(keys, parameter, type).map((mask) => {
      const x = params.add(String(lanesToBigInt(mask)), 'bigint');
      return `exists (select from ${main} ${t} where ${t}.tok @> array[${m}.rid # ${x}] and ${source} offset 0)`;
    }),
  );
}

/** Driven from the Binary: by its own tokens for its context, or by those of documents for it when it names no context. */
function binaryFilter(
  context: FilterContext,
  m: string,
  { kind, type, conditions }: Extract<StoreCondition, { kind: 'attached' | 'context' }>,
): string {
  const t = `${m}b`;
  const { main } = tableOf(type);
  const mask = kind === 'attached' ? attachmentMask(context.keys) : contextMask(context.keys, type);
  const x = context.params.add(String(lanesToBigInt(mask)), 'bigint');
  const target = and([`${t}.op <> 'D'`, ...conditions.map((c) => compileFilter(context, type, c, t))]);
  // Base64 has no quotes, and a sealed element keeps its name.
  const isFree = `position('"securityContext"' in ${m}.content) = 0`;
  return kind === 'attached'
    ? `(${isFree} and exists (select from ${main} ${t} where ${t}.tok @> array[${m}.rid # ${x}] and ${target} offset 0))`
    : `exists (select from unnest(${m}.tok) e join ${main} ${t} on ${t}.rid = (e # ${x}) where ${target} offset 0)`;
}

/** The patient of the row: its `pat`, or for types that may have several any patient of whose compartment it is a member. */
function patientFilter(context: FilterContext, type: string, m: string, conditions: readonly StoreCondition[]): string {
  const compile = (alias: string): readonly string[] =>
    conditions.map((c) => compileFilter(context, 'Patient', c, alias));
  if (type === 'Patient') return and(compile(m));
  const p = `${m}p`;
  const { main } = tableOf('Patient');
  const patient = and([`${p}.op <> 'D'`, ...compile(p)]);
  if (context.parameters.get(type)?.singlePatient)
    return `exists (select from ${main} ${p} where ${p}.rid = ${m}.pat and ${patient} offset 0)`;
  const mask = context.params.add(String(lanesToBigInt(context.keys.compartment('Patient'))), 'bigint');
  return `exists (select from unnest(${m}.tok) e join ${main} ${p} on ${p}.rid = (e # ${mask}) where ${patient} offset 0)`;
}
