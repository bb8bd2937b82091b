/** Parameters that shape the answer rather than choose resources. https://hl7.org/fhir/R4/search.html#return */
import type { SearchParameter } from './parameter.ts';
import { findParameter } from './parse-chain.ts';
import { type ParseContext, type Problem, problem, shown, unknown } from './parse-context.ts';
import type { Include, SearchRequest, SortKey } from './request.ts';
import { suggestNames } from './suggest.ts';

/** What the control parameters have said so far. */
export interface Controls {
  sort: readonly SortKey[];
  count?: number;
  total?: SearchRequest['total'];
  includes: Include[];
  revincludes: Include[];
  /** How many were given, as one may stand for several: `*` of many types. */
  includesGiven?: number;
  elements?: readonly string[];
  summary?: NonNullable<SearchRequest['summary']>;
  cursor?: string;
  explain?: boolean;
  contained?: 'false' | 'true' | 'both';
  containedType?: 'container' | 'contained';
  offset: number;
}

type Control = (context: ParseContext, type: string, value: string, controls: Controls) => readonly Problem[];

const NONE: readonly Problem[] = [];
const wrong = (diagnostics: string): readonly Problem[] => [problem('value', diagnostics)];

const WHOLE_NUMBER = /^\d{1,9}$/;
/** `_offset` beyond this would have the database walk past too many rows. */
const OFFSET_MAX = 1_000_000;
const SUMMARIES = ['true', 'text', 'data', 'count', 'false'] as const;
const CONTAINED = ['false', 'true', 'both'] as const;
const TOTALS = ['none', 'estimate', 'accurate'] as const;

/** By name without a modifier; each may be given once. */
export const CONTROLS: ReadonlyMap<string, Control> = new Map<string, Control>([
  ['_sort', parseSort],
  [
    '_count',
    (context, _type, value, controls) => {
      if (!WHOLE_NUMBER.test(value)) return wrong("'_count' must be a whole number");
      // "The server SHALL NOT return more resources … It MAY return less."
      controls.count = Math.min(Number(value), context.limits.count);
      return NONE;
    },
  ],
  [
    '_offset',
    (_context, _type, value, controls) => {
      if (!WHOLE_NUMBER.test(value)) return wrong("'_offset' must be a whole number");
      if (Number(value) > OFFSET_MAX)
        return [problem('too-costly', `'_offset' may be at most ${OFFSET_MAX}: follow the next links`)];
      controls.offset = Number(value);
      return NONE;
    },
  ],
  [
    '_total',
    (_context, _type, value, controls) => {
      const total = TOTALS.find((t) => t === value);
      if (total === undefined) return wrong(`'_total' must be one of ${TOTALS.join(', ')}`);
      controls.total = total;
      return NONE;
    },
  ],
  [
    '_summary',
    (_context, _type, value, controls) => {
      const summary = SUMMARIES.find((s) => s === value);
      if (summary === undefined) return wrong(`'_summary' must be one of ${SUMMARIES.join(', ')}`);
      controls.summary = summary;
      return NONE;
    },
  ],
  ['_elements', parseElements],
  [
    '_contained',
    (_context, _type, value, controls) => {
      const contained = CONTAINED.find((one) => one === value);
      if (contained === undefined) return wrong(`'_contained' must be one of ${CONTAINED.join(', ')}`);
      controls.contained = contained;
      return NONE;
    },
  ],
  [
    '_containedType',
    (_context, _type, value, controls) => {
      if (value !== 'container' && value !== 'contained')
        return wrong("'_containedType' must be container or contained");
      controls.containedType = value;
      return NONE;
    },
  ],
  [
    '_explain',
    (_context, _type, value, controls) => {
      if (value !== 'true' && value !== 'false') return wrong("'_explain' must be true or false");
      controls.explain = value === 'true';
      return NONE;
    },
  ],
  [
    '_cursor',
    (_context, _type, value, controls) => {
      if (value === '') return wrong("'_cursor' is empty");
      controls.cursor = value;
      return NONE;
    },
  ],
]);

/** https://hl7.org/fhir/R4/search.html#sort */
function parseSort(context: ParseContext, type: string, value: string, controls: Controls): readonly Problem[] {
  const keys = value.split(',');
  if (keys.length > context.limits.sortKeys)
    return [problem('too-costly', `'_sort' has more than ${context.limits.sortKeys} keys`)];
  const sort: SortKey[] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const key of keys) {
    const descending = key.startsWith('-');
    const code = descending ? key.slice(1) : key;
    if (code === '') problems.push(problem('value', "'_sort' has an empty key"));
    else if (seen.has(code)) problems.push(problem('value', `'_sort' names '${shown(code)}' twice`));
    else {
      seen.add(code);
      const by = sortKey(context, type, code);
      if (typeof by !== 'string' && 'issue' in by) problems.push(by);
      else sort.push({ by, descending });
    }
  }
  if (problems.length === 0) controls.sort = sort;
  return problems;
}

function sortKey(context: ParseContext, type: string, code: string): SortKey['by'] | Problem {
  if (code === '_id' || code === '_lastUpdated') return code;
  const parameter = findParameter(context, type, code);
  if ('issue' in parameter || parameter.type !== 'composite') return parameter;
  return problem('not-supported', `'_sort' cannot order by '${code}', which is a composite`);
}

/** https://hl7.org/fhir/R4/search.html#elements */
function parseElements(context: ParseContext, type: string, value: string, controls: Controls): readonly Problem[] {
  const known = (context.definitions.types[type]?.elements ?? []).flatMap((e) =>
    e.choice ? [e.name, ...e.types.map((t) => e.name + t.code.charAt(0).toUpperCase() + t.code.slice(1))] : [e.name],
  );
  const elements = [...new Set(value.split(','))];
  const problems = elements
    .filter((name) => !known.includes(name) && name !== 'resourceType')
    .map((name) => {
      const near = suggestNames(name, known);
      const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
      return unknown('value', `'_elements': ${type} has no element '${shown(name)}'${hint}`);
    });
  if (problems.length === 0) controls.elements = elements;
  return problems;
}

/** `_include` or `_revinclude`, by the part of the name before `:iterate`. https://hl7.org/fhir/R4/search.html#include */
export function parseInclude(
  context: ParseContext,
  type: string,
  name: string,
  value: string,
  controls: Controls,
): readonly Problem[] {
  const [direction, modifier, ...more] = name.split(':');
  const iterate = modifier === 'iterate';
  if (more.length > 0 || (modifier !== undefined && !iterate))
    return [problem('not-supported', `'${direction}' takes no modifier but ':iterate'`)];
  const { includesGiven = 0 } = controls;
  if (includesGiven >= context.limits.includes)
    return [problem('too-costly', `More than ${context.limits.includes} of '_include' and '_revinclude'`)];
  const found =
    name === '_revinclude' && value === '*'
      ? everySource(context, type)
      : readInclude(context, type, direction === '_include', value, iterate);
  if ('issue' in found) return [found];
  controls.includesGiven = includesGiven + 1;
  (direction === '_include' ? controls.includes : controls.revincludes).push(...[found].flat());
  return NONE;
}

/** All types that can refer to one. */
const everySource = ({ definitions, parameters }: ParseContext, type: string): Include[] =>
  definitions.resourceTypes
    .filter((source) =>
      [...(parameters.get(source)?.parameters.values() ?? [])].some((parameter) => parameter.targets.includes(type)),
    )
    .map((source) => ({ source, iterate: false, isOfAll: true }));

/** `*`, `Type:*`, `Type:parameter`, `Type:parameter:Target`. */
function readInclude(
  context: ParseContext,
  type: string,
  forward: boolean,
  value: string,
  iterate: boolean,
): Include | Problem {
  const name = forward ? '_include' : '_revinclude';
  if (value === '*' && forward) return { source: type, iterate };
  const [source = '', code, target, ...more] = value.split(':');
  if (code === undefined || code === '' || more.length > 0)
    return problem('value', `'${name}' must be 'Type:parameter', 'Type:parameter:Target', 'Type:*' or '*'`);
  if (!context.isType(source)) return problem('value', `'${name}' names an unknown resource type`);
  if (target !== undefined && !context.isType(target))
    return problem('value', `'${name}' names an unknown target type`);
  if (code === '*') return { source, iterate, ...(target !== undefined && { target }) };
  const parameter = findParameter(context, source, code);
  if ('issue' in parameter) return parameter;
  const refused = checkInclude(parameter, name, forward || iterate ? undefined : type, target);
  return refused ?? { source, parameter, iterate, ...(target !== undefined && { target }) };
}

function checkInclude(
  parameter: SearchParameter,
  name: string,
  page: string | undefined,
  target: string | undefined,
): Problem | undefined {
  const which = `'${name}': parameter '${parameter.code}' of ${parameter.resourceType}`;
  if (parameter.type !== 'reference') return problem('value', `${which} is no reference`);
  for (const wanted of [page, target])
    if (wanted !== undefined && !parameter.targets.includes(wanted))
      return problem('value', `${which} does not refer to ${wanted}`);
  return undefined;
}

/**
 * What does not go together with resources within others: they are found container by container, in no other order, and
 * what they refer to is for the container to say.
 */
export function checkContained({ contained, sort, includes, revincludes, offset }: Controls): readonly Problem[] {
  if (contained === undefined || contained === 'false') return NONE;
  const given = [
    ...(sort.length > 0 ? ["'_sort'"] : []),
    ...(includes.length + revincludes.length > 0 ? ["'_include' and '_revinclude'"] : []),
    ...(offset > 0 ? ["'_offset'"] : []),
  ];
  return given.length === 0
    ? NONE
    : [problem('not-supported', `'_contained=${contained}' takes no ${given.join(', ')}`)];
}
