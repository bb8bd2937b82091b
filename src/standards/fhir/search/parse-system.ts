/**
 * A search over several types, or all of them: `GET /?_type=Observation,Condition&patient=1`. "If the _type parameter is
 * included, all other search parameters SHALL be common to all provided types. If _type is not included, all parameters
 * SHALL be common to all resource types." https://hl7.org/fhir/R4/http.html#search
 */
import { FhirError } from '../outcome.ts';
import { finish, GENERAL, INCLUDE, type ParseSearchOptions, parseContext, readPairs } from './parse.ts';
import { parseNamed } from './parse-chain.ts';
import { type ParseContext, type Problem, problem, shown, unknown } from './parse-context.ts';
import { CONTROLS, type Controls, parseInclude } from './parse-controls.ts';
import type { Pair } from './query-string.ts';
import type { Condition, Include, SystemSearchRequest } from './request.ts';
import { suggestNames } from './suggest.ts';
import { isTextParameter } from './text-query.ts';

export interface ParseSystemOptions extends Omit<ParseSearchOptions, 'type'> {
  /** The types that are searched when none is named. */
  readonly types: readonly string[];
  /** Types that are searched by themselves only. */
  readonly alone?: readonly string[];
}

/** Conditions that the untyped chains of one such search may fan out to, over all types. */
const BRANCHES_MAX = 4000;
const HAS = '_has:';
const LIST = '_list';

interface Collected {
  /** By type, in the order of names; a type that nothing can match is not there. */
  readonly conditions: Map<string, Condition[]>;
  readonly controls: Controls;
}

/** The request, or one FhirError (400) that carries every issue. */
export function parseSystemSearch(options: ParseSystemOptions): SystemSearchRequest {
  const shared = parseContext(options);
  const { pairs, problems } = readPairs(options.query, shared.limits);
  const named = namedTypes(options, pairs);
  if ('problems' in named) throw refusal([...problems, ...named.problems]);
  const types = named.types ?? options.types.filter((type) => !options.alone?.includes(type)).sort();
  const limits = { ...shared.limits, branches: Math.max(50, Math.floor(BRANCHES_MAX / types.length)) };
  const contexts = new Map(types.map((type) => [type, { ...shared, limits, spent: { branches: 0 } }]));
  const collected: Collected = {
    conditions: new Map(types.map((type) => [type, []])),
    controls: { sort: [], includes: [], revincludes: [], offset: 0 },
  };
  const applied: Pair[] = [];
  const ignored: { name: string; reason: string }[] = [];
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (GENERAL.has(name)) continue;
    const found = name === '_type' ? [] : parsePair(contexts, name, value, collected, seen);
    if (found.length === 0) {
      if (name !== '_cursor') applied.push([name, value]);
    } else if (options.handling === 'lenient' && found.every((p) => p.unknown))
      ignored.push({ name: shown(name), reason: found.map((p) => p.issue.diagnostics).join('; ') });
    else problems.push(...found);
  }
  if (problems.length > 0) throw refusal(problems);
  const {
    type: _none,
    conditions: _no,
    contained: _within,
    ...rest
  } = finish('', [], collected.controls, applied, ignored);
  const parts = [...collected.conditions].map(([type, conditions]) => ({ type, conditions }));
  return { ...rest, parts, isNamed: named.types !== undefined };
}

const refusal = (problems: readonly Problem[]): FhirError =>
  new FhirError(
    400,
    problems.map((p) => p.issue),
  );

/** The types of `_type`, sorted; undefined: none is named. */
function namedTypes(
  { parameters, definitions, alone = [] }: ParseSystemOptions,
  pairs: readonly Pair[],
): { readonly types: readonly string[] | undefined } | { readonly problems: readonly Problem[] } {
  const given = pairs.filter(([name]) => name === '_type');
  const [first] = given;
  if (!first) return { types: undefined };
  if (given.length > 1)
    return { problems: [problem('invalid', "'_type' may be given only once: separate types by commas")] };
  const types = [...new Set(first[1].split(','))].sort();
  const problems = types
    .filter((type) => parameters.get(type) === undefined)
    .map((type) => {
      const near = suggestNames(type, definitions.resourceTypes);
      const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
      return problem('value', `'_type': '${shown(type)}' is not an R4 resource type that is stored${hint}`);
    });
  for (const type of types)
    if (alone.includes(type))
      problems.push(problem('not-supported', `'_type': ${type} is searched by itself: ${type}?…`));
  return problems.length > 0 ? { problems } : { types };
}

function parsePair(
  contexts: ReadonlyMap<string, ParseContext>,
  name: string,
  value: string,
  collected: Collected,
  seen: Set<string>,
): readonly Problem[] {
  const { controls, conditions } = collected;
  if (INCLUDE.test(name)) return parseIncludes(contexts, name, value, controls);
  if (name === '_contained' && value !== 'false')
    return [
      problem('not-supported', "'_contained': resources within others are searched type by type: Type?_contained=…"),
    ];
  const control = CONTROLS.get(name);
  if (control !== undefined) {
    if (seen.has(name)) return [problem('invalid', `'${name}' may be given only once`)];
    seen.add(name);
    if (name === '_elements') return parseElements(contexts, value, controls);
    if (name === '_sort') return parseSort(value, controls);
    const [first] = contexts;
    return first ? control(first[1], first[0], value, controls) : [];
  }
  const refused = new Map<string, readonly Problem[]>();
  for (const [type, context] of contexts) {
    const parsed = parseNamed(context, type, name, value);
    if ('problems' in parsed) refused.set(type, parsed.problems);
    else conditions.get(type)?.push(parsed.condition);
  }
  const [one] = refused.values();
  if (one === undefined) return [];
  // What one type can never be referred to by, another can, and some have no narrative: no match, and no fault.
  if (
    !(name.startsWith(HAS) || isTextParameter(name) || (name === LIST && value.startsWith('$'))) ||
    refused.size === contexts.size
  )
    return one.map(inOneType);
  for (const type of refused.keys()) conditions.delete(type);
  return [];
}

const inOneType = ({ issue, ...rest }: Problem): Problem => ({
  ...rest,
  issue: {
    ...issue,
    diagnostics: `${issue.diagnostics} (a search over several types takes the parameters that all of them have)`,
  },
});

const SORTS = ['_lastUpdated', '_id'] as const;

function parseSort(value: string, controls: Controls): readonly Problem[] {
  const keys = value.split(',').map((key) => ({
    by: SORTS.find((name) => name === key.replace(/^-/, '')),
    descending: key.startsWith('-'),
  }));
  const sort = keys.flatMap(({ by, descending }) => (by === undefined ? [] : [{ by, descending }]));
  if (sort.length < keys.length || new Set(sort.map(({ by }) => by)).size < sort.length)
    return [problem('value', "'_sort': a search over several types is sorted by _lastUpdated and _id only, each once")];
  controls.sort = sort;
  return [];
}

/** An element that one of the types has. */
function parseElements(
  contexts: ReadonlyMap<string, ParseContext>,
  value: string,
  controls: Controls,
): readonly Problem[] {
  const control = CONTROLS.get('_elements');
  const elements = [...new Set(value.split(','))];
  const problems = elements.filter(
    (name) =>
      ![...contexts].some(
        ([type, context]) =>
          control?.(context, type, name, { sort: [], includes: [], revincludes: [], offset: 0 }).length === 0,
      ),
  );
  if (problems.length === 0) controls.elements = elements;
  return problems.map((name) => unknown('value', `'_elements': none of the types has an element '${shown(name)}'`));
}

/** An include that one of the types has. */
function parseIncludes(
  contexts: ReadonlyMap<string, ParseContext>,
  name: string,
  value: string,
  controls: Controls,
): readonly Problem[] {
  const found = new Map<string, Include>();
  const [isForward, taken] = name.startsWith('_include') ? [true, controls.includes] : [false, controls.revincludes];
  let refused: readonly Problem[] = [];
  for (const [type, context] of contexts) {
    const one: Controls = { sort: [], includes: [], revincludes: [], offset: 0 };
    const problems = parseInclude(context, type, name, value, one);
    if (problems.length > 0) refused = problems;
    for (const include of isForward ? one.includes : one.revincludes) found.set(include.source, include);
  }
  if (found.size === 0) return refused;
  const [limit] = [...contexts.values()].map(({ limits }) => limits.includes);
  if (limit !== undefined && countGiven(controls) >= limit)
    return [problem('too-costly', `More than ${limit} of '_include' and '_revinclude'`)];
  controls.includesGiven = countGiven(controls) + 1;
  taken.push(...found.values());
  return [];
}

const countGiven = ({ includesGiven = 0 }: Controls): number => includesGiven;
