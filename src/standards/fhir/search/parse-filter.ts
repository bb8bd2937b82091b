/**
 * `_filter`: an expression compiled to the conditions that ordinary parameters make. https://hl7.org/fhir/R4/search_filter.html
 *
 * `ne` of strings, dates, numbers and quantities asks for a value that is unequal, as the page has it. Deviates: of tokens,
 * references and uris it asks for those that have a value and none that is equal, as their values are kept as hashes.
 */
import { FILTER_OPERATORS, FilterError, type FilterTree, type PathPart, parseFilterText } from './filter-text.ts';
import type { SearchParameter, SearchType } from './parameter.ts';
import { findParameter } from './parse-chain.ts';
import { type Parsed, parseCondition } from './parse-condition.ts';
import { type ParseContext, type Problem, problem, shown } from './parse-context.ts';
import type { Condition } from './request.ts';

const ORDERED = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'ap', 'sa', 'eb'];
/** Operators by the parameter's type, beside `pr`. */
const TAKEN: Readonly<Record<SearchType, readonly string[]>> = {
  string: ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'lt', 'ge', 'le'],
  token: ['eq', 'ne', 'in', 'ss', 'sb'],
  reference: ['eq', 'ne', 're'],
  date: [...ORDERED, 'po'],
  number: ORDERED,
  quantity: ORDERED,
  uri: ['eq', 'ne', 'sw'],
  composite: ['eq', 'ne'],
  special: [],
};

const fail = (...problems: readonly Problem[]): Parsed => ({ problems });

/** The condition that the expression makes on a type, or what is wrong with it and where. */
export function parseFilter(context: ParseContext, type: string, text: string): Parsed {
  try {
    return compile(context, type, parseFilterText(text), 0);
  } catch (error) {
    if (error instanceof FilterError) return fail(problem('value', `'_filter': ${error.message}`));
    throw error;
  }
}

function compile(context: ParseContext, type: string, tree: FilterTree, links: number): Parsed {
  switch (tree.kind) {
    case 'and':
    case 'or': {
      const parts = tree.of.map((part) => compile(context, type, part, links));
      const problems = parts.flatMap((part) => ('problems' in part ? part.problems : []));
      if (problems.length > 0) return fail(...problems);
      const conditions = parts.flatMap((part) => ('condition' in part ? part.condition : []));
      return { condition: { kind: tree.kind === 'and' ? 'every' : 'any', conditions } };
    }
    case 'not': {
      const inner = compile(context, type, tree.of, links);
      return 'problems' in inner ? inner : { condition: { kind: 'not', condition: inner.condition } };
    }
    case 'compare': {
      const parsed = comparePath(context, type, tree.path, tree, links);
      return 'condition' in parsed ? parsed : fail(...parsed.problems.map((one) => placed(one, tree.at)));
    }
  }
}

type Comparison = Extract<FilterTree, { readonly kind: 'compare' }>;

/** Says where in the expression a problem is; the innermost knows best. */
const placed = ({ issue, unknown }: Problem, at: number): Problem => ({
  unknown,
  issue: issue.diagnostics?.startsWith("'_filter'")
    ? issue
    : { ...issue, diagnostics: `'_filter' at character ${at}: ${issue.diagnostics}` },
});

function comparePath(
  context: ParseContext,
  type: string,
  [first, ...rest]: readonly PathPart[],
  comparison: Comparison,
  links: number,
): Parsed {
  if (++context.spent.branches > context.limits.branches)
    return fail(
      problem('too-costly', 'the paths fan out to too many types: name the type, as in subject:Patient.name'),
    );
  if (!first) return fail(problem('invalid', 'a path ends without a parameter'));
  if (first.name.startsWith('_has:')) return compareReferring(context, type, first.name, rest, comparison, links);
  const [name = '', target, ...more] = first.name.split(':');
  const parameter = findParameter(context, type, name === 'id' ? '_id' : name);
  if ('issue' in parameter) return fail(parameter);
  if (more.length > 0) return fail(problem('invalid', `'${shown(first.name)}' names more than one type`));
  if (rest.length > 0) return follow(context, parameter, target, first.where, rest, comparison, links);
  if (target !== undefined)
    return fail(problem('invalid', 'a type stands before a dot only, as in subject:Patient.name'));
  return compareValue(context, parameter, comparison);
}

/** `subject[gender eq female].name co "x"`: the resource referred to meets both. */
function follow(
  context: ParseContext,
  parameter: SearchParameter,
  target: string | undefined,
  where: FilterTree | undefined,
  rest: readonly PathPart[],
  comparison: Comparison,
  links: number,
): Parsed {
  const { code, targets } = parameter;
  if (parameter.type !== 'reference')
    return fail(
      problem('invalid', `parameter '${code}' of ${parameter.resourceType} is no reference: it cannot be followed`),
    );
  if (links >= context.limits.chainDepth)
    return fail(problem('too-costly', `a path may have at most ${context.limits.chainDepth} links`));
  if (target !== undefined && !targets.includes(target))
    return fail(
      problem('invalid', `parameter '${code}' of ${parameter.resourceType} cannot refer to ${shown(target)}`),
    );
  const branches: { type: string; condition: Condition }[] = [];
  let refused: readonly Problem[] = [];
  for (const next of target === undefined ? targets : [target]) {
    const parts = [
      ...(where ? [compile(context, next, where, links + 1)] : []),
      comparePath(context, next, rest, comparison, links + 1),
    ];
    const problems = parts.flatMap((part) => ('problems' in part ? part.problems : []));
    const conditions = parts.flatMap((part) => ('condition' in part ? part.condition : []));
    // Of several targets that refuse, one that has the parameter says more than those without it.
    if (problems.length > 0) {
      if (refused.length === 0 || problems.some((p) => !p.unknown)) refused = problems;
    } else
      branches.push({
        type: next,
        condition: conditions.length === 1 ? only(conditions) : { kind: 'every', conditions },
      });
    if (context.spent.branches > context.limits.branches) return fail(...refused);
  }
  return branches.length > 0 ? { condition: { kind: 'chain', parameter, branches } } : fail(...refused);
}

const only = ([condition]: readonly Condition[]): Condition => condition as Condition; // one is there

/** `_has:Observation:patient:code eq x` */
function compareReferring(
  context: ParseContext,
  type: string,
  name: string,
  rest: readonly PathPart[],
  comparison: Comparison,
  links: number,
): Parsed {
  const [, source = '', code = '', ...path] = name.split(':');
  const form = "write '_has:Type:reference:parameter', as in _has:Observation:patient:code";
  if (path.length !== 1 || !context.isType(source)) return fail(problem('invalid', form));
  if (links >= context.limits.hasDepth)
    return fail(problem('too-costly', `_has may be nested at most ${context.limits.hasDepth} times`));
  const parameter = findParameter(context, source, code);
  if ('issue' in parameter) return fail(parameter);
  if (parameter.type !== 'reference' || !parameter.targets.includes(type))
    return fail(problem('invalid', `'_has': parameter '${parameter.code}' of ${source} does not refer to ${type}`));
  const parsed = comparePath(context, source, [{ name: path[0] as string }, ...rest], comparison, links + 1);
  if ('problems' in parsed) return parsed;
  return { condition: { kind: 'has', type: source, parameter, condition: parsed.condition } };
}

function compareValue(context: ParseContext, parameter: SearchParameter, { operator, value }: Comparison): Parsed {
  if (operator === 'pr') {
    if (value !== 'true' && value !== 'false') return fail(problem('value', "'pr' takes true or false"));
    return { condition: { kind: 'missing', parameter, missing: value === 'false' } };
  }
  const taken = parameter.code === '_id' ? ['eq', 'ne'] : TAKEN[parameter.type];
  if (!taken.includes(operator)) {
    const what = (FILTER_OPERATORS as readonly string[]).includes(operator) ? 'does not go with' : 'is no operator of';
    const offer = [...taken, 'pr'].join(', ');
    return fail(
      problem(
        'not-supported',
        `'${shown(operator)}' ${what} ${parameter.type} parameters such as '${parameter.code}': use ${offer}`,
      ),
    );
  }
  // The value is one, whatever commas it has.
  const one = value.replaceAll('\\', '\\\\').replaceAll(',', '\\,');
  switch (parameter.type) {
    case 'string':
      if (operator === 'co') return parseCondition(context, parameter, 'contains', one);
      if (operator === 'sw') return parseCondition(context, parameter, undefined, one);
      return { condition: { kind: 'string-order', parameter, operator: operator as StringOrder, value } }; // of the table
    case 'token':
      if (operator === 'in') return parseCondition(context, parameter, 'in', one);
      if (operator === 'ss') return parseCondition(context, parameter, 'below', one);
      if (operator === 'sb') return parseCondition(context, parameter, 'above', one);
      break;
    case 'uri':
      if (operator === 'sw') return parseCondition(context, parameter, 'below', one);
      break;
    case 'date':
      return operator === 'po' ? overlapping(parseCondition(context, parameter, undefined, one)) : prefixed(operator);
    case 'number':
    case 'quantity':
      return prefixed(operator);
  }
  const equal = parseCondition(context, parameter, undefined, one);
  if (operator !== 'ne' || 'problems' in equal) return equal;
  const present: Condition = { kind: 'missing', parameter, missing: false };
  const unequal: Condition = { kind: 'not', condition: equal.condition };
  return { condition: parameter.code === '_id' ? unequal : { kind: 'every', conditions: [present, unequal] } };

  function prefixed(prefix: string): Parsed {
    if (/^[a-z]{2}/.test(value)) return fail(problem('value', `'${parameter.code}': the value takes no prefix here`));
    return parseCondition(context, parameter, undefined, `${prefix}${one}`);
  }
}

type StringOrder = Extract<Condition, { kind: 'string-order' }>['operator'];

function overlapping(parsed: Parsed): Parsed {
  if ('problems' in parsed) return parsed;
  const { condition } = parsed;
  if (condition.kind !== 'date' && condition.kind !== 'last-updated') return parsed;
  if (condition.values.some(({ prefix }) => prefix !== 'eq'))
    return fail(problem('value', "'po' takes a date without a prefix"));
  return {
    condition: { ...condition, values: condition.values.map((value) => ({ ...value, prefix: 'po' as const })) },
  };
}
