/**
 * Places in FHIR JSON, to be read and written alike. A path is names joined by dots: `given[1]` is an element by
 * number, `identifier:npi` one by a slice, `ext:name` the extension of ours with that name, `sub:name` an extension
 * within one.
 */
import { extensionUrl } from '../../standards/fhir/canonical.ts';

export type Json = Record<string, unknown>;

/** The element of a list that has `match`; a new one also gets `also`. */
export interface Slice {
  readonly match: Readonly<Json>;
  readonly also?: Readonly<Json>;
}
export type Slices = ReadonlyMap<string, Slice>;

const NO_SLICES: Slices = new Map();

type Step =
  | { readonly name: string }
  | { readonly name: string; readonly index: number }
  | { readonly name: string; readonly slice: Slice };

export function getAt(json: unknown, path: string, slices: Slices = NO_SLICES): unknown {
  let at = json;
  for (const step of stepsOf(path, slices)) {
    at = isObject(at) ? at[step.name] : undefined;
    if ('index' in step) at = Array.isArray(at) ? at[step.index] : undefined;
    if ('slice' in step) at = Array.isArray(at) ? at.find((item) => matches(item, step.slice.match)) : undefined;
  }
  return at;
}

/** Makes what is missing on the way. A list never gets holes: beyond its end means at its end. */
export function setAt(json: Json, path: string, value: unknown, slices: Slices = NO_SLICES): void {
  const steps = stepsOf(path, slices);
  let at = json;
  steps.forEach((step, index) => {
    const isLast = index === steps.length - 1;
    if (!('index' in step || 'slice' in step)) {
      if (isLast) at[step.name] = value;
      else at = child(at, step.name);
      return;
    }
    const list = listAt(at, step.name);
    const found = 'index' in step ? step.index : list.findIndex((item) => matches(item, step.slice.match));
    const place = found >= 0 && found < list.length ? found : list.length;
    if (isLast) list[place] = value;
    else {
      if (place === list.length)
        list.push('slice' in step ? structuredClone({ ...step.slice.match, ...step.slice.also }) : {});
      at = list[place] as Json; // lists of FHIR hold objects wherever a path goes on
    }
  });
}

/** `match` is in `item`: every name of it with what is under it, every element of its lists. */
export function matches(item: unknown, match: unknown): boolean {
  if (Array.isArray(match))
    return Array.isArray(item) && match.every((wanted) => item.some((one) => matches(one, wanted)));
  if (!isObject(match)) return item === match;
  return isObject(item) && Object.entries(match).every(([name, wanted]) => matches(item[name], wanted));
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects of a list; none where there is no list. */
export const objectsAt = (json: unknown, path: string, slices?: Slices): readonly Json[] => {
  const value = getAt(json, path, slices);
  return Array.isArray(value) ? value.filter(isObject) : [];
};

export const textAt = (json: unknown, path: string, slices?: Slices): string | undefined => {
  const value = getAt(json, path, slices);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

function child(at: Json, name: string): Json {
  const made = isObject(at[name]) ? at[name] : {};
  at[name] = made;
  return made;
}

function listAt(at: Json, name: string): unknown[] {
  const list: unknown[] = Array.isArray(at[name]) ? at[name] : [];
  at[name] = list;
  return list;
}

function stepsOf(path: string, slices: Slices): readonly Step[] {
  return path.split('.').map((step) => {
    const [name = '', rest] = step.split(':', 2);
    if (rest !== undefined) {
      if (name === 'ext') return { name: 'extension', slice: { match: { url: extensionUrl(rest) } } };
      if (name === 'sub') return { name: 'extension', slice: { match: { url: rest } } };
      const slice = slices.get(step);
      if (slice === undefined) throw new Error(`no slice ${step}`);
      return { name, slice };
    }
    const [, list, index] = /^(\w+)\[(\d+)\]$/.exec(step) ?? [];
    return list === undefined ? { name: step } : { name: list, index: Number(index) };
  });
}
