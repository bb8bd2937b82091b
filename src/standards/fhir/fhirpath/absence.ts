/**
 * Of which elements at least one must be there for an expression to be false: where all of them are absent it holds, and
 * need not be evaluated. `period.exists() implies periodUnit.exists()` waits for `period`.
 */
import type { Expression } from './parser.ts';

/** What is known of a part: it is empty, true or false; undefined is anything. */
type Known = 'empty' | true | false | undefined;
/** Expressions of this many elements are not looked into further. */
const ROOTS_MAX = 12;

/** Names of elements, a small set; undefined where the expression must always be evaluated. */
export function findTriggers(expression: Expression): readonly string[] | undefined {
  const roots = new Set<string>();
  if (!collectRoots(expression, roots, true) || roots.size === 0) return undefined;
  const absent = new Set(roots);
  if (evaluate(expression, absent) !== true) return undefined;
  if (roots.size > ROOTS_MAX) return [...roots];
  for (const root of roots) {
    absent.delete(root);
    if (evaluate(expression, absent) !== true) absent.add(root);
  }
  return [...absent];
}

/** Gathers the elements that the expression begins with; false where it looks elsewhere. */
function collectRoots(expression: Expression, into: Set<string>, atRoot: boolean): boolean {
  switch (expression.kind) {
    case 'empty':
    case 'literal':
      return true;
    case 'variable':
      return expression.name === 'ucum' || expression.name === 'resource' || expression.name === 'rootResource';
    case 'special':
      return !atRoot;
    case 'member':
      if (expression.on !== undefined) return collectRoots(expression.on, into, atRoot);
      if (/^[A-Z]/.test(expression.name)) return !atRoot;
      if (atRoot) into.add(expression.name);
      return true;
    case 'call': {
      if (expression.on === undefined && atRoot) return false;
      const before = expression.on === undefined || collectRoots(expression.on, into, atRoot);
      const isType = ['is', 'as', 'ofType'].includes(expression.name);
      // What stands in a criterion is about the items, not about the element; of other functions it is about the element.
      const inside = atRoot && !CRITERIA.has(expression.name);
      return before && (isType || expression.args.every((arg) => collectRoots(arg, into, inside)));
    }
    case 'indexer':
      return collectRoots(expression.on, into, atRoot) && collectRoots(expression.at, into, atRoot);
    case 'binary':
      return collectRoots(expression.left, into, atRoot) && collectRoots(expression.right, into, atRoot);
    default:
      return collectRoots(expression.on, into, atRoot);
  }
}

const CRITERIA = new Set(['where', 'select', 'all', 'exists', 'repeat', 'iif', 'aggregate', 'trace']);
/** Functions that are empty of nothing. */
const KEEPS_EMPTY = new Set(
  'where select repeat first last tail skip take distinct ofType as trace resolve children descendants not is toInteger toString toDecimal startsWith endsWith contains matches substring length single extension lower upper'.split(
    ' ',
  ),
);

function evaluate(expression: Expression, absent: ReadonlySet<string>): Known {
  switch (expression.kind) {
    case 'empty':
      return 'empty';
    case 'literal':
      return expression.type === 'Boolean' ? expression.text === 'true' : undefined;
    case 'member':
      if (expression.on === undefined) return absent.has(expression.name) ? 'empty' : undefined;
      return evaluate(expression.on, absent) === 'empty' ? 'empty' : undefined;
    case 'call':
      return expression.on === undefined
        ? undefined
        : call(expression.name, expression.args.length, evaluate(expression.on, absent));
    case 'indexer':
    case 'negative':
    case 'type':
      return evaluate(expression.on, absent) === 'empty' ? 'empty' : undefined;
    case 'binary':
      return binary(expression.op, evaluate(expression.left, absent), evaluate(expression.right, absent));
    default:
      return undefined;
  }
}

function call(name: string, args: number, on: Known): Known {
  if (name === 'not') return on === true ? false : on === false ? true : on;
  if (on === true || on === false) {
    if (name === 'exists' && args === 0) return true;
    return name === 'empty' ? false : undefined;
  }
  if (on !== 'empty') return undefined;
  if (name === 'exists' || name === 'hasValue') return false;
  if (name === 'empty' || name === 'all' || name === 'isDistinct' || name === 'allFalse' || name === 'allTrue')
    return true;
  return KEEPS_EMPTY.has(name) ? 'empty' : undefined;
}

function binary(op: string, a: Known, b: Known): Known {
  switch (op) {
    case 'and':
      return a === false || b === false ? false : a === true && b === true ? true : both(a, b);
    case 'or':
      return a === true || b === true ? true : a === false && b === false ? false : both(a, b);
    case 'implies':
      return a === false || b === true ? true : a === true ? b : undefined;
    case 'xor':
      return typeof a === 'boolean' && typeof b === 'boolean'
        ? a !== b
        : a === 'empty' || b === 'empty'
          ? 'empty'
          : undefined;
    case '=':
    case '!=':
      if (a === 'empty' || b === 'empty') return 'empty';
      return typeof a === 'boolean' && typeof b === 'boolean' ? (a === b) === (op === '=') : undefined;
    case '|':
      return a === 'empty' && b === 'empty' ? 'empty' : undefined;
    case '&':
    case '~':
    case '!~':
    case 'in':
    case 'contains':
      return undefined;
    default:
      return a === 'empty' || b === 'empty' ? 'empty' : undefined;
  }
}

const both = (a: Known, b: Known): Known => (a === 'empty' && b === 'empty' ? 'empty' : undefined);
