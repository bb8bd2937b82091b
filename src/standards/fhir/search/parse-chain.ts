/**
 * Parameter names: plain, chained and reversed. https://hl7.org/fhir/R4/search.html#chaining,
 * https://hl7.org/fhir/R4/search.html#has
 */
import { currentList } from './current-lists.ts';
import type { SearchParameter } from './parameter.ts';
import { UNSUPPORTED_PARAMETERS } from './parameters.ts';
import { type Parsed, parseCondition } from './parse-condition.ts';
import { GENERAL_NAMES, type ParseContext, type Problem, problem, shown, unknown } from './parse-context.ts';
import { parseFilter } from './parse-filter.ts';
import { parseNear } from './parse-near.ts';
import type { Condition } from './request.ts';
import { suggestNames } from './suggest.ts';
import { isTextParameter, parseText } from './text-query.ts';

const HAS = '_has:';
const LIST = '_list';
const NEAR = 'near';

/** How many links stand in front of the part at hand. */
export interface Depth {
  readonly chain: number;
  readonly has: number;
}

/** The condition of `name=value` on a type, whichever form the name has. */
export function parseNamed(
  context: ParseContext,
  type: string,
  name: string,
  value: string,
  depth: Depth = { chain: 0, has: 0 },
): Parsed {
  if (++context.spent.branches > context.limits.branches)
    return fail(
      problem('too-costly', 'The chains fan out to too many types: name the type, as in subject:Patient.name'),
    );
  if (name.startsWith(HAS)) return parseHas(context, type, name.slice(HAS.length), value, depth);
  if (name === LIST) return parseList(context, type, value, depth);
  if (name === NEAR && type === 'Location') return parseNear(value);
  if (isTextParameter(name)) return parseText(context, type, name, value);
  if (name === '_filter') return parseFilter(context, type, value);
  const dot = name.indexOf('.');
  const [code = '', modifier, ...more] = (dot < 0 ? name : name.slice(0, dot)).split(':');
  if (more.length > 0) return fail(problem('invalid', `Parameter '${shown(name)}' has more than one modifier`));
  const parameter = findParameter(context, type, code);
  if ('issue' in parameter) return fail(parameter);
  if (dot < 0) return parseCondition(context, parameter, modifier, value);
  return parseChain(context, parameter, modifier, name.slice(dot + 1), value, depth);
}

const fail = (...problems: readonly Problem[]): Parsed => ({ problems });

/** A parameter of the type, or why there is none. */
export function findParameter(context: ParseContext, type: string, code: string): SearchParameter | Problem {
  const parameters = context.parameters.get(type)?.parameters;
  const found = parameters?.get(code);
  if (found !== undefined) return found;
  const progress = context.parameters.get(type)?.indexing?.get(code);
  if (progress) return problem('not-supported', `Parameter '${code}' of ${type} is being indexed: ${progress()}`);
  if (UNSUPPORTED_PARAMETERS.has(code)) return unsupported(code);
  const names = [...(parameters?.keys() ?? []), ...GENERAL_NAMES];
  return unknown('invalid', `Unknown parameter '${shown(code)}' for ${type}${hint(code, names)}`);
}

const unsupported = (code: string): Problem =>
  unknown('not-supported', `Parameter '${code}' is not supported by this server yet`);

const hint = (given: string, known: Iterable<string>): string => {
  const near = suggestNames(given, known);
  return near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
};

/** `subject:Patient.name`: one branch a type; without a type, every target that has the parameter. */
function parseChain(
  context: ParseContext,
  parameter: SearchParameter,
  type: string | undefined,
  rest: string,
  value: string,
  depth: Depth,
): Parsed {
  const { code, targets } = parameter;
  if (parameter.type !== 'reference')
    return fail(
      problem('invalid', `Parameter '${code}' of ${parameter.resourceType} is no reference: it cannot be chained`),
    );
  if (depth.chain >= context.limits.chainDepth)
    return fail(problem('too-costly', `A chain may have at most ${context.limits.chainDepth} links`));
  if (type !== undefined && !targets.includes(type))
    return fail(problem('invalid', `Parameter '${code}' of ${parameter.resourceType} cannot refer to ${shown(type)}`));
  const branches: { type: string; condition: Condition }[] = [];
  const problems: Problem[] = [];
  const followed = type === undefined ? targetsWith(context, parameter, rest) : [type];
  if ('issue' in followed) return fail(followed);
  for (const target of followed) {
    const parsed = parseNamed(context, target, rest, value, { ...depth, chain: depth.chain + 1 });
    if ('condition' in parsed) branches.push({ type: target, condition: parsed.condition });
    else problems.push(...parsed.problems);
    if (context.spent.branches > context.limits.branches) return fail(...problems.slice(-1));
  }
  if (branches.length > 0) return { condition: { kind: 'chain', parameter, branches } };
  // Of many targets that refuse, one whose parameter exists says more than those without it.
  const known = problems.find((p) => !p.unknown) ?? problems[0];
  return fail(known ?? problem('invalid', `Parameter '${code}' has no targets`));
}

/** The targets that have the parameter a chain goes on with, or why there is none. */
function targetsWith(context: ParseContext, parameter: SearchParameter, rest: string): readonly string[] | Problem {
  const { code, targets } = parameter;
  if (rest.startsWith(HAS) || rest === LIST) return targets;
  if (rest === NEAR && targets.includes('Location')) return ['Location'];
  if (isTextParameter(rest))
    return rest.startsWith('_text') ? targets.filter((t) => context.parameters.get(t)?.hasNarrative) : targets;
  const [next = ''] = rest.split(/[:.]/, 1);
  const having = targets.filter((target) => context.parameters.get(target)?.parameters.has(next));
  if (having.length > 0) return having;
  if (UNSUPPORTED_PARAMETERS.has(next)) return unsupported(next);
  const names = new Set(targets.flatMap((target) => [...(context.parameters.get(target)?.parameters.keys() ?? [])]));
  return unknown('invalid', `No target of '${code}' has a parameter '${shown(next)}'${hint(next, names)}`);
}

/** `_has:Observation:patient:code` without its `_has:`. */
function parseHas(context: ParseContext, type: string, rest: string, value: string, depth: Depth): Parsed {
  const form = "write '_has:Type:reference:parameter', as in _has:Observation:patient:code";
  if (depth.has >= context.limits.hasDepth)
    return fail(problem('too-costly', `_has may be nested at most ${context.limits.hasDepth} times`));
  const first = rest.indexOf(':');
  const second = rest.indexOf(':', first + 1);
  if (first < 0 || second < 0) return fail(problem('invalid', `'_has' is incomplete: ${form}`));
  const source = rest.slice(0, first);
  if (!context.isType(source)) return fail(problem('invalid', `'_has' names an unknown resource type: ${form}`));
  const parameter = findParameter(context, source, rest.slice(first + 1, second));
  if ('issue' in parameter) return fail(parameter);
  if (parameter.type !== 'reference' || !parameter.targets.includes(type))
    return fail(problem('invalid', `'_has': parameter '${parameter.code}' of ${source} does not refer to ${type}`));
  const parsed = parseNamed(context, source, rest.slice(second + 1), value, { ...depth, has: depth.has + 1 });
  if ('problems' in parsed) return parsed;
  return { condition: { kind: 'has', type: source, parameter, condition: parsed.condition } };
}

/**
 * `_list=42`: what an entry of `List/42` names; `_list=$current-allergies`: what is current by its own elements.
 * https://hl7.org/fhir/R4/search.html#list
 */
function parseList(context: ParseContext, type: string, value: string, depth: Depth): Parsed {
  if (value.startsWith('$')) {
    const query = currentList(value, type);
    if (typeof query === 'string') return fail(unknown('value', `'_list': ${query}`));
    const conditions: Condition[] = [];
    for (const [name, asked] of query) {
      const parsed = parseNamed(context, type, name, asked, depth);
      if ('problems' in parsed) return parsed;
      conditions.push(parsed.condition);
    }
    return { condition: { kind: 'every', conditions } };
  }
  const ids = parseHas(context, type, 'List:item:_id', value, { ...depth, has: 0 });
  if ('condition' in ids) return ids;
  return fail(problem('value', "'_list': the value must be the id of a List, or several with commas between them"));
}
