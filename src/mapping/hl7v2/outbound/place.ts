/** Location as PL: the way back of place.ts. */
import type { Json } from '../compact.ts';
import type { Repetition } from './fields.ts';
import { listOf, objectOf, type Source, textOf } from './source.ts';

/** Components of a PL by the kind of place. */
const LEVELS = new Map([
  ['si', 4],
  ['bu', 7],
  ['lvl', 8],
  ['wa', 1],
  ['ro', 2],
  ['bd', 3],
]);
const DEPTH_MAX = 10;

/** The chain of places from the narrowest to the widest. */
export function pl(reference: unknown, from: Source): Repetition | undefined {
  const place = from.resolve(reference);
  const parts = place === undefined ? [] : placeLevels(place, from);
  const display = textOf(objectOf(reference)?.['display']);
  if (parts.length > 0) return parts;
  return display === undefined ? undefined : [...Array.from({ length: 8 }, () => undefined), display];
}

/** A place with those it is part of, each in the component of its kind. */
export function placeLevels(narrowest: Json, from: Source): readonly (string | undefined)[] {
  const parts: (string | undefined)[] = [];
  let place: Json | undefined = narrowest;
  for (let depth = 0; place !== undefined && depth < DEPTH_MAX; depth++) {
    const code = textOf(listOf(objectOf(place['physicalType'])?.['coding'])[0]?.['code']);
    const component = LEVELS.get(code ?? '') ?? 1;
    parts[component - 1] ??= textOf(place['name']) ?? textOf(listOf(place['identifier'])[0]?.['value']);
    place = from.resolve(place['partOf']);
  }
  return Array.from(parts);
}
