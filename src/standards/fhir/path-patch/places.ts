/**
 * Where the elements are that a FHIRPath finds. The expression is evaluated on a copy in which every primitive has a
 * companion (`_birthDate`) of its own, so that each item it finds is, or carries, an object whose place is known.
 */
import type { Item } from '../fhirpath/values.ts';
import { isContainer } from '../json-pointer.ts';

export type JsonObject = Record<string, unknown>;

/** One element: `parent[json]`, or `parent[json][index]` where it is one of a list. */
export interface Place {
  /** In the resource itself, not in the copy; undefined for the resource. */
  readonly parent: JsonObject | undefined;
  /** `birthDate`, `valueQuantity` */
  readonly json: string;
  readonly index: number | undefined;
  readonly parentPlace: Place | undefined;
  /** Whether the place is that of a primitive's companion: the parent of its extensions. */
  readonly isBeside: boolean;
}

export interface Places {
  /** The copy to evaluate on. */
  readonly copy: JsonObject;
  placeOf(item: Item): Place | undefined;
  /** The object of an element that is one, or the companion of a primitive; of the resource itself. */
  objectAt(place: Place): unknown;
}

/** Counts what a patch has looked at. Throws when that is too much. */
export type Spend = (nodes: number) => void;

export function findPlaces(resource: JsonObject, spend: Spend): Places {
  const places = new Map<object, Place>();
  const root: Place = { parent: undefined, json: '', index: undefined, parentPlace: undefined, isBeside: false };

  function copyObject(object: JsonObject, place: Place): JsonObject {
    const copy: JsonObject = {};
    spend(1);
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (key.startsWith('_')) continue; // with the primitive they stand beside
      if (key === 'resourceType') copy[key] = value;
      else copyElement(object, key, copy, place);
    }
    for (const key of Object.keys(object))
      if (key.startsWith('_') && !Object.hasOwn(object, key.slice(1))) copyElement(object, key.slice(1), copy, place);
    places.set(copy, place);
    return copy;
  }

  /** A property with its companion. */
  function copyElement(object: JsonObject, json: string, copy: JsonObject, parentPlace: Place): void {
    const value = object[json];
    const beside = object[`_${json}`];
    const isList = Array.isArray(value) || Array.isArray(beside);
    const values = isList ? listOf(value) : [value];
    const besides = isList ? listOf(beside) : [beside];
    const length = Math.max(values.length, besides.length);
    const made: unknown[] = [];
    const companions: unknown[] = [];
    for (let i = 0; i < length; i += 1) {
      const one = values[i];
      const place: Place = { parent: object, json, index: isList ? i : undefined, parentPlace, isBeside: false };
      if (isContainer(one)) {
        made.push(copyObject(one as JsonObject, place));
        companions.push(undefined);
        continue;
      }
      spend(1);
      const given = besides[i];
      const companion = isContainer(given) ? copyObject(given as JsonObject, { ...place, isBeside: true }) : {};
      places.set(companion, place);
      made.push(one ?? null);
      companions.push(one === undefined && !isContainer(given) ? null : companion);
    }
    const isOfObjects = companions.every((one) => one === undefined);
    if (isList) {
      copy[json] = made;
      if (!isOfObjects) copy[`_${json}`] = companions;
    } else {
      if (made[0] !== null) copy[json] = made[0];
      if (!isOfObjects) copy[`_${json}`] = companions[0];
    }
  }

  const copy = copyObject(resource, root);
  return {
    copy,
    placeOf: ({ value, beside }) =>
      places.get(isContainer(value) ? value : isContainer(beside) ? beside : (undefined as never)),
    objectAt({ parent, json, index, isBeside }) {
      if (!parent) return resource;
      const found = parent[isBeside ? `_${json}` : json];
      return index === undefined ? found : (found as unknown[])[index];
    },
  };
}

const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

/** A value with what stands beside it. */
export interface Element {
  readonly value: unknown;
  readonly beside: unknown;
}

/** The elements of a property. */
export function elementsOf(parent: JsonObject, json: string): Element[] {
  const value = parent[json];
  const beside = parent[`_${json}`];
  if (value === undefined && beside === undefined) return [];
  if (!Array.isArray(value) && !Array.isArray(beside)) return [{ value, beside }];
  const values = listOf(value);
  const besides = listOf(beside);
  return Array.from({ length: Math.max(values.length, besides.length) }, (_, i) => ({
    value: values[i] ?? undefined,
    beside: besides[i] ?? undefined,
  }));
}

/** Puts them there in place of those that there are. https://hl7.org/fhir/R4/json.html#primitive */
export function putElements(parent: JsonObject, json: string, elements: readonly Element[], isList: boolean): void {
  delete parent[json];
  delete parent[`_${json}`];
  const hasValue = elements.some(({ value }) => value !== undefined);
  const hasBeside = elements.some(({ beside }) => beside !== undefined);
  if (!isList) {
    if (hasValue) parent[json] = elements[0]?.value;
    if (hasBeside) parent[`_${json}`] = elements[0]?.beside;
    return;
  }
  if (hasValue) parent[json] = elements.map(({ value }) => value ?? null);
  if (hasBeside) parent[`_${json}`] = elements.map(({ beside }) => beside ?? null);
}
