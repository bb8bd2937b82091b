/** Filters put together, and kept as short as they can be: what they become stands in the SQL of every search. */
import type { Filter } from '../ports/policy.ts';

export const EVERYTHING: Filter = { kind: 'everything' };
export const NOTHING: Filter = { kind: 'nothing' };

export const search = (query: string): Filter => ({ kind: 'search', query });

export const compartment = (patientIds: readonly string[]): Filter =>
  patientIds.length === 0 ? NOTHING : { kind: 'compartment', patientIds };

const isEverything = ({ kind }: Filter): boolean => kind === 'everything';

/** Everything that all of these allow. */
export function all(...parts: readonly Filter[]): Filter {
  if (parts.every(isEverything)) return EVERYTHING; // most often, of each request
  const flat = parts.flatMap((part) => (part.kind === 'all' ? part.of : [part]));
  if (flat.some(({ kind }) => kind === 'nothing')) return NOTHING;
  const needed = flat.filter((part) => !isEverything(part));
  const [only] = needed;
  if (!only) return EVERYTHING;
  return needed.length === 1 ? only : { kind: 'all', of: needed };
}

/** Everything that one of these allows. */
export function any(...parts: readonly Filter[]): Filter {
  if (parts.some(isEverything)) return EVERYTHING;
  const flat = parts.flatMap((part) => (part.kind === 'any' ? part.of : [part]));
  if (flat.some(isEverything)) return EVERYTHING;
  const useful = flat.filter(({ kind }) => kind !== 'nothing');
  const [only] = useful;
  if (!only) return NOTHING;
  return useful.length === 1 ? only : { kind: 'any', of: useful };
}

/** Whatever belongs to a patient of whom `of` holds. */
export const ofPatient = (of: Filter): Filter =>
  of.kind === 'nothing' || of.kind === 'everything' ? of : { kind: 'patient', of };

/** Whatever some `type` that `of` allows refers to by `parameter`. */
export const referredBy = (type: string, parameter: string, of: Filter): Filter =>
  of.kind === 'nothing' ? NOTHING : { kind: 'referred', type, parameter, of };

/** `name=Type/a,Type/b` over ids; nothing when there are none. Ids hold no character that a query would read. */
export const refersTo = (name: string, references: readonly string[]): Filter =>
  references.length === 0 ? NOTHING : search(`${name}=${references.join(',')}`);
