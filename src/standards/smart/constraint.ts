/**
 * Search parameters within a scope: `patient/Observation.rs?category=laboratory`. SECURITY SC-09
 * https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
 */
import { ScopeError } from './scope-error.ts';

/** Whether a type has a search parameter; the type `*` asks for those that every type has. */
export type IsParameter = (type: string, name: string) => boolean;

interface Condition {
  readonly name: string;
  readonly modifier: string;
  /** Any of them matches. */
  readonly values: readonly string[];
}

const CONDITION = /^([A-Za-z_][A-Za-z0-9_-]*)(?::([^=]*))?=(.+)$/;
const MODIFIERS = new Set(['', 'not', 'missing']);
/** They look at other resources, or at none. */
const REFUSED = new Set(['_has', '_filter', '_query']);

/** Throws `ScopeError` unless the constraint is a list of plain parameters of the type. */
export function checkConstraint(type: string, constraint: string, isParameter: IsParameter): void {
  for (const part of constraint.split('&')) {
    const condition = parseCondition(part);
    if (!condition) throw new ScopeError(`a constraint on ${type} is not of the form parameter=value`);
    const { name, modifier, values } = condition;
    if (!MODIFIERS.has(modifier))
      throw new ScopeError(`a constraint on ${type} has a modifier other than not, missing`);
    if (REFUSED.has(name) || !isParameter(type, name))
      throw new ScopeError(`a constraint on ${type} names a parameter that scopes cannot have`);
    if (modifier === 'missing' && !['true', 'false'].includes(values.join()))
      throw new ScopeError(`a constraint on ${type} with missing is neither true nor false`);
  }
}

/** Whether everything that matches `narrow` matches `wide`, as far as the words tell. */
export function isConstraintWithin(narrow: string | undefined, wide: string | undefined): boolean {
  if (wide === undefined || narrow === wide) return true;
  if (narrow === undefined) return false;
  const has = narrow.split('&').map(parseCondition);
  return wide.split('&').every((part) => {
    const wanted = parseCondition(part);
    return wanted !== undefined && has.some((one) => one !== undefined && isConditionWithin(one, wanted));
  });
}

/** Fewer alternatives are narrower, except under `:not`. */
function isConditionWithin(narrow: Condition, wide: Condition): boolean {
  if (narrow.name !== wide.name || narrow.modifier !== wide.modifier) return false;
  if (narrow.modifier !== '') return narrow.values.join() === wide.values.join();
  return narrow.values.every((value) => wide.values.includes(value));
}

function parseCondition(part: string): Condition | undefined {
  const [, name, modifier = '', value] = CONDITION.exec(part) ?? [];
  if (name === undefined || value === undefined) return undefined;
  try {
    const values = value.split(',').map(decodeURIComponent);
    return values.includes('') ? undefined : { name, modifier, values };
  } catch {
    return undefined; // a percent sign without its digits
  }
}
