/** Generated code that follows one step of a path. */
import { type Code, code, literal, name } from '../generate.ts';
import type { PathStep } from './parameter.ts';

/** Fresh variable names for one generated function. */
export type Variables = () => Code;

export function createVariables(): Variables {
  let count = 0;
  return () => name(`v${count++}`);
}

const isPrimitive = (type: string): boolean => /^[a-z]/.test(type);
const isNumber = (type: string): boolean => type === 'decimal' || type === 'integer' || /Int$/.test(type);

/** A condition that `value` has the JSON shape of the FHIR type. Numbers are looked at by who reads them. */
export function hasShape(value: Code, type: string): Code {
  if (type === 'boolean') return code`typeof ${value} === 'boolean'`;
  if (isNumber(type)) return code`${value} !== undefined`;
  if (isPrimitive(type)) return code`typeof ${value} === 'string'`;
  return code`typeof ${value} === 'object' && ${value} !== null`;
}

/** Code that runs `inner` for each value of the property, when it is of the type's shape. */
export function eachValue(
  variables: Variables,
  parent: Code,
  step: Pick<PathStep, 'name' | 'array' | 'index'>,
  type: string,
  inner: (value: Code) => Code,
): Code {
  const property = variables();
  const read = code`const ${property} = ${parent}.${name(step.name)};`;
  if (!step.array) return code`${read}if (${hasShape(property, type)}) {${inner(property)}}`;
  const value = variables();
  const checked = code`if (${hasShape(value, type)}) {${inner(value)}}`;
  if (step.index !== undefined)
    return code`${read}if (Array.isArray(${property})) {const ${value} = ${property}[${step.index}];${checked}}`;
  const at = variables();
  const loop = code`for (let ${at} = 0; ${at} < ${property}.length; ${at}++) {const ${value} = ${property}[${at}];${checked}}`;
  return code`${read}if (Array.isArray(${property})) {${loop}}`;
}

/** Code that runs `inner` when the step's filter holds. */
export const filtered = (value: Code, where: NonNullable<PathStep['where']>, inner: Code): Code =>
  code`if (${value}.${name(where.name)} === ${literal(where.value)}) {${inner}}`;

/** Code that runs `inner` for each value at the end of a path whose last element is of the type. */
export function eachAtPath(
  variables: Variables,
  from: Code,
  steps: readonly PathStep[],
  type: string,
  inner: (value: Code) => Code,
): Code {
  const [step, ...rest] = steps;
  if (step === undefined) return inner(from);
  const next = (value: Code): Code => {
    const deeper = eachAtPath(variables, value, rest, type, inner);
    return step.where === undefined ? deeper : filtered(value, step.where, deeper);
  };
  return eachValue(variables, from, step, rest.length === 0 ? type : 'Element', next);
}
