/** A search as text → a checked `SearchRequest`. https://hl7.org/fhir/R4/search.html */
import type { Definitions } from '../definitions.ts';
import { FhirError, unknownType } from '../outcome.ts';
import type { SearchParameters } from './parameter.ts';
import { parseNamed } from './parse-chain.ts';
import { type ParseContext, type Problem, problem, SEARCH_LIMITS, type SearchLimits, shown } from './parse-context.ts';
import { CONTROLS, type Controls, checkContained, parseInclude } from './parse-controls.ts';
import { formatQueryString, isPlain, type Pair, parseQueryString } from './query-string.ts';
import type { Condition, SearchRequest } from './request.ts';

export interface ParseSearchOptions {
  readonly type: string;
  /** The raw query without `?` (or the form body of `_search`), or pairs that are already decoded. */
  readonly query: string | readonly Pair[];
  readonly parameters: SearchParameters;
  readonly definitions: Definitions;
  /** https://hl7.org/fhir/R4/search.html#errors: whether unknown parameters are refused or left out. */
  readonly handling: 'strict' | 'lenient';
  /** Own base URL without a trailing slash; references below it are local. */
  readonly baseUrl: string;
  /** Whether `token-set` conditions are resolved before a store is asked; without it their modifiers are refused. */
  readonly hasTerminology?: boolean;
  /** What differs from `SEARCH_LIMITS`. */
  readonly limits?: Partial<SearchLimits>;
}

/** Answered elsewhere and without effect on what is found. https://hl7.org/fhir/R4/http.html#parameters */
export const GENERAL: ReadonlySet<string> = new Set(['_format', '_pretty']);
export const INCLUDE = /^_(?:rev)?include(?=:|$)/;

/** The request, or one FhirError (400) that carries every issue. */
export function parseSearch(options: ParseSearchOptions): SearchRequest {
  const { type, parameters, handling } = options;
  if (parameters.get(type) === undefined) throw unknownType(shown(type));
  const context = parseContext(options);
  const { pairs, problems } = readPairs(options.query, context.limits);
  const conditions: Condition[] = [];
  const controls: Controls = { sort: [], includes: [], revincludes: [], offset: 0 };
  const applied: Pair[] = [];
  const ignored: { name: string; reason: string }[] = [];
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (GENERAL.has(name)) continue;
    const found = parsePair(context, type, name, value, conditions, controls, seen);
    if (found.length === 0) {
      if (name !== '_cursor') applied.push([name, value]);
    } else if (handling === 'lenient' && found.every((p) => p.unknown))
      ignored.push({ name: shown(name), reason: found.map((p) => p.issue.diagnostics).join('; ') });
    else problems.push(...found);
  }
  problems.push(...checkContained(controls));
  if (problems.length > 0)
    throw new FhirError(
      400,
      problems.map((p) => p.issue),
    );
  return finish(type, conditions, controls, applied, ignored);
}

export const parseContext = ({
  parameters,
  definitions,
  baseUrl,
  limits,
  hasTerminology,
}: Omit<ParseSearchOptions, 'type'>): ParseContext => ({
  parameters,
  definitions,
  baseUrl,
  limits: { ...SEARCH_LIMITS, ...limits },
  isType: (name) => parameters.get(name) !== undefined,
  hasTerminology: hasTerminology === true,
  spent: { branches: 0 },
});

/** The canonical query of what took part, for the self link; without `?`. */
export const formatSelfLink = (request: Pick<SearchRequest, 'applied'>): string => formatQueryString(request.applied);

/** The pairs of a query, and what is wrong with it as a whole. */
export function readPairs(
  query: ParseSearchOptions['query'],
  limits: SearchLimits,
): { pairs: readonly Pair[]; problems: Problem[] } {
  const read = typeof query === 'string' ? parseQueryString(query) : plainPairs(query);
  const problems: Problem[] = [];
  if (read.broken > 0)
    problems.push(problem('invalid', 'The query is not percent-encoded UTF-8 without control characters'));
  if (read.pairs.length > limits.parameters) {
    problems.push(problem('too-costly', `A search may have at most ${limits.parameters} parameters`));
    return { pairs: [], problems };
  }
  const pairs = read.pairs.filter(([name, value]) => {
    const fits = name.length <= limits.valueLength && value.length <= limits.valueLength;
    if (!fits)
      problems.push(problem('too-long', `Parameter '${shown(name)}' is longer than ${limits.valueLength} characters`));
    return fits;
  });
  return { pairs, problems };
}

function plainPairs(given: readonly Pair[]): { pairs: readonly Pair[]; broken: number } {
  const pairs = given.filter((pair) => pair.every(isPlain));
  return { pairs, broken: given.length - pairs.length };
}

/** Takes one pair in; returns what is wrong with it. */
function parsePair(
  context: ParseContext,
  type: string,
  name: string,
  value: string,
  conditions: Condition[],
  controls: Controls,
  seen: Set<string>,
): readonly Problem[] {
  if (INCLUDE.test(name)) return parseInclude(context, type, name, value, controls);
  const control = CONTROLS.get(name);
  if (control !== undefined) {
    if (seen.has(name)) return [problem('invalid', `'${name}' may be given only once`)];
    seen.add(name);
    return control(context, type, value, controls);
  }
  const parsed = parseNamed(context, type, name, value);
  if ('problems' in parsed) return parsed.problems;
  // What must all hold is asked as if it had been given part by part: an index may serve one of them.
  const { condition } = parsed;
  conditions.push(...(condition.kind === 'every' ? condition.conditions : [condition]));
  return [];
}

/** The request that the parts make. */
export function finish(
  type: string,
  conditions: readonly Condition[],
  controls: Controls,
  applied: SearchRequest['applied'],
  ignored: SearchRequest['ignored'],
): SearchRequest {
  const { sort, includes, revincludes, offset, count, total = 'none', elements, summary, cursor, explain } = controls;
  const { contained, containedType = 'container' } = controls;
  // "If _count has the value 0, this shall be treated the same as _summary=count"
  const onlyCount = count === 0 || summary === 'count';
  return {
    type,
    conditions,
    sort,
    includes,
    revincludes,
    offset,
    applied,
    ignored,
    total: onlyCount ? 'accurate' : total,
    ...(onlyCount ? { count: 0 } : count !== undefined && { count }),
    ...(onlyCount ? { summary: 'count' } : summary !== undefined && { summary }),
    ...(elements !== undefined && { elements }),
    ...(cursor !== undefined && { cursor }),
    ...(explain && { explain }),
    ...(contained !== undefined && contained !== 'false' && { contained: { which: contained, as: containedType } }),
  };
}
