/** Reads unknown JSON of a FHIR resource: what is absent is undefined, what is of the wrong kind is a fault. */
import { Decimal, isNumber, numberOf } from '../../standards/fhir/json.ts';
import { invalidValue, requiredFieldMissing } from './fault.ts';

export type Node = Readonly<Record<string, unknown>>;

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Decimal);

/** The member itself; JSON's null counts as absent. The names are those of FHIR elements, which no object inherits. */
const memberOf = (parent: Node | undefined, name: string): unknown =>
  parent === undefined ? undefined : (parent[name] ?? undefined);

export const has = (parent: Node | undefined, name: string): boolean => memberOf(parent, name) !== undefined;

/** `path`: of the parent, as the issue names it. */
export function nodeAt(parent: Node | undefined, name: string, path: string): Node | undefined {
  const value = memberOf(parent, name);
  if (value === undefined || isNode(value)) return value;
  throw invalidValue('Expected an object.', `${path}.${name}`);
}

export function requiredNode(parent: Node | undefined, name: string, path: string): Node {
  return nodeAt(parent, name, path) ?? missing(path, name);
}

export function listAt(parent: Node | undefined, name: string, path: string): readonly Node[] | undefined {
  const value = memberOf(parent, name);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(isNode)) return value;
  throw invalidValue('Expected a list of objects.', `${path}.${name}`);
}

export function requiredList(parent: Node | undefined, name: string, path: string): readonly Node[] {
  return listAt(parent, name, path) ?? missing(path, name);
}

/** A list of strings, JSON nulls left out. */
export function stringsAt(parent: Node | undefined, name: string, path: string): readonly string[] {
  const value = memberOf(parent, name);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidValue('Expected a list of strings.', `${path}.${name}`);
  return value.filter((item) => item !== null).map((item) => checkedString(item, `${path}.${name}`));
}

export function stringAt(parent: Node | undefined, name: string, path: string): string | undefined {
  const value = memberOf(parent, name);
  return value === undefined ? undefined : checkedString(value, `${path}.${name}`);
}

/**
 * Deviates: the national gateway would write an id or a code without its value; a prescription that lacks one is
 * stopped here instead.
 */
export function requiredString(parent: Node | undefined, name: string, path: string): string {
  const value = stringAt(parent, name, path);
  return value === undefined || value === '' ? missing(path, name) : value;
}

/** The number's digits as they came. */
export function requiredDigits(parent: Node | undefined, name: string, path: string): string {
  const value = memberOf(parent, name);
  if (value === undefined) return missing(path, name);
  if (!isNumber(value)) throw invalidValue('Expected a number.', `${path}.${name}`);
  return typeof value === 'number' ? String(value) : value.text;
}

/** A whole number from zero up. */
export function countAt(parent: Node | undefined, name: string, path: string): number | undefined {
  const value = memberOf(parent, name);
  if (value === undefined) return undefined;
  const count = isNumber(value) ? numberOf(value) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw invalidValue('Expected a whole number.', `${path}.${name}`);
}

/** Any number, or undefined where there is none. */
export function numberAt(parent: Node | undefined, name: string, path: string): number | undefined {
  const value = memberOf(parent, name);
  if (value === undefined) return undefined;
  if (isNumber(value)) return numberOf(value);
  throw invalidValue('Expected a number.', `${path}.${name}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 section 2.2 cannot hold
const NOT_XML = /[\u0000-\u0008\u000B\u000E-\u001F\uFFFE\uFFFF]/;

function checkedString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw invalidValue('Expected a string.', path);
  if (NOT_XML.test(value) || !value.isWellFormed())
    throw invalidValue('The text has a character that XML cannot hold.', path);
  return value;
}

function missing(path: string, name: string): never {
  throw requiredFieldMissing(`${path}.${name}`);
}
