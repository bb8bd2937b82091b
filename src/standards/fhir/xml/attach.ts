/** Puts what was read from XML where JSON has it. https://hl7.org/fhir/R4/json.html#primitive */
import type { XmlField } from './types.ts';

export type Json = Record<string, unknown>;

const listOf = (object: Json, name: string): unknown[] => (object[name] ?? []) as unknown[]; // made by attach alone

/** How many there are of a list's element. */
export const countOf = (object: Json, field: XmlField): number =>
  Math.max(listOf(object, field.name).length, listOf(object, `_${field.name}`).length);

export function attach(object: Json, field: XmlField, value: unknown): void {
  if (!field.array) object[field.name] = value;
  else {
    object[field.name] ??= [];
    listOf(object, field.name).push(value);
  }
}

/** The value, and beside it id and extensions. Returns false when there is neither. */
export function attachPrimitive(
  object: Json,
  field: XmlField,
  { value, object: beside }: { readonly value: unknown; readonly object: Json },
): boolean {
  const isAlone = Object.keys(beside).length === 0;
  if (value === undefined && isAlone) return false;
  const name = `_${field.name}`;
  if (!field.array) {
    if (value !== undefined) object[field.name] = value;
    if (!isAlone) object[name] = beside;
    return true;
  }
  const before = listOf(object, field.name).length;
  attach(object, field, value ?? null);
  if (!isAlone) object[name] ??= Array.from({ length: before }, () => null);
  if (object[name] !== undefined) listOf(object, name).push(isAlone ? null : beside);
  return true;
}

/** FHIR JSON has no list of nothing but nulls: extensions alone stand in the list beside it. */
export function dropEmptyLists(object: Json): void {
  for (const name in object) {
    const list = object[name];
    if (Array.isArray(list) && list[0] === null && list.every((item) => item === null)) delete object[name];
  }
}
