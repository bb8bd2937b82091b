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

/** A name, and which element of the list it holds where it is one. */
interface Step {
  readonly name: string;
  readonly index?: number;
  readonly slice?: Slice;
}

export function getAt(json: unknown, path: string, slices: Slices = NO_SLICES): unknown {
  let at = json;
  for (const step of stepsOf(path, slices)) {
    at = isObject(at) ? at[step.name] : undefined;
    if (at === undefined) return undefined;
    if (isOfList(step)) at = Array.isArray(at) ? at[indexIn(at, step)] : undefined;
  }
  return at;
}

/** Makes what is missing on the way. A list never gets holes: false, and nothing is set, where the path would make one. */
export function setAt(json: Json, path: string, value: unknown, slices: Slices = NO_SLICES): boolean {
  const steps = stepsOf(path, slices);
  if (makesHole(json, steps)) return false;
  let at = json;
  let left = steps.length;
  for (const step of steps) {
    left -= 1;
    if (!isOfList(step)) {
      if (left === 0) at[step.name] = value;
      else at = child(at, step.name);
      continue;
    }
    const before = at[step.name];
    const list: unknown[] = Array.isArray(before) ? before : [];
    const found = indexIn(list, step);
    const place = found < 0 ? list.length : found;
    if (list !== before) at[step.name] = list;
    if (left === 0) list[place] = value;
    else {
      if (place === list.length) list.push({ ...step.slice?.match, ...step.slice?.also });
      at = list[place] as Json; // lists of FHIR hold objects wherever a path goes on
    }
  }
  return true;
}

const isOfList = ({ index, slice }: Step): boolean => index !== undefined || slice !== undefined;

/** Less than 0 where nothing in the list matches. */
const indexIn = (list: readonly unknown[], { index, slice }: Step): number =>
  index ?? list.findIndex((item) => matches(item, slice?.match));

function makesHole(json: Json, steps: readonly Step[]): boolean {
  if (!steps.some(({ index = 0 }) => index > 0)) return false;
  let at: unknown = json;
  for (const step of steps) {
    const next = isObject(at) ? at[step.name] : undefined;
    const list: readonly unknown[] = Array.isArray(next) ? next : [];
    if ((step.index ?? 0) > list.length) return true;
    at = isOfList(step) ? list[indexIn(list, step)] : next;
  }
  return false;
}

/** `match` is in `item`: every name of it with what is under it, every element of its lists. */
export function matches(item: unknown, match: unknown): boolean {
  if (typeof match !== 'object' || match === null) return item === match;
  if (Array.isArray(match))
    return Array.isArray(item) && match.every((wanted) => item.some((one) => matches(one, wanted)));
  if (!isObject(item)) return false;
  for (const name in match) if (!matches(item[name], (match as Json)[name])) return false; // an object of our own tables
  return true;
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

function stepsOf(path: string, slices: Slices): readonly Step[] {
  let parsed = PARSED.get(path);
  if (parsed === undefined) {
    const steps = path.split('.').map(parseStep);
    parsed = { steps, isNamed: steps.some(({ named }) => named !== undefined) };
    PARSED.set(path, parsed);
  }
  if (!parsed.isNamed) return parsed.steps;
  return parsed.steps.map((step) =>
    step.named === undefined ? step : { name: step.name, slice: namedSlice(step.named, slices) },
  );
}

/** `named`: the slice is one of those handed in. */
interface ParsedStep extends Step {
  readonly named?: string;
}

/** Paths are written in this folder's tables, so that there are few. */
const PARSED = new Map<string, { readonly steps: readonly ParsedStep[]; readonly isNamed: boolean }>();

function parseStep(step: string): ParsedStep {
  const [name = '', rest] = step.split(':', 2);
  if (name === 'ext' && rest !== undefined) return { name: 'extension', slice: { match: { url: extensionUrl(rest) } } };
  if (name === 'sub') return { name: 'extension', slice: { match: { url: rest } } };
  if (rest !== undefined) return { name, named: step };
  const [, list, index] = /^(\w+)\[(\d+)\]$/.exec(step) ?? [];
  return list === undefined ? { name: step } : { name: list, index: Number(index) };
}

function namedSlice(step: string, slices: Slices): Slice {
  const slice = slices.get(step);
  if (slice === undefined) throw new Error(`no slice ${step}`);
  return slice;
}
