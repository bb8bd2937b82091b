/** JSON Pointer (RFC 6901) on values that are never changed in place. */

import { Decimal } from './json.ts';

/** No resource is nested deeper. */
const TOKENS_MAX = 64;
/** Names that would reach an object's prototype; no path may hold them. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const INDEX = /^(0|[1-9][0-9]{0,9})$/;

export type Pointer = readonly string[];

/** Returns the tokens of a pointer, its escapes undone; a sentence about what is wrong when it is none. */
export function parsePointer(text: string): Pointer | string {
  if (text === '') return [];
  if (!text.startsWith('/')) return "must start with '/'";
  if (/~(?![01])/.test(text)) return "has a '~' that is not ~0 or ~1";
  const tokens = text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (tokens.length > TOKENS_MAX) return `has more than ${TOKENS_MAX} steps`;
  return tokens.some((token) => PROTOTYPE_KEYS.has(token)) ? 'names a property that no resource has' : tokens;
}

/** The value at a pointer, in `found`; undefined when there is none. */
export function findAt(root: unknown, pointer: Pointer): { readonly found: unknown } | undefined {
  let value = root;
  for (const token of pointer) {
    const child = childOf(value, token);
    if (child === undefined) return undefined;
    value = child.found;
  }
  return { found: value };
}

function childOf(parent: unknown, token: string): { readonly found: unknown } | undefined {
  if (Array.isArray(parent)) {
    const items = parent as readonly unknown[];
    return INDEX.test(token) && Number(token) < items.length ? { found: items[Number(token)] } : undefined;
  }
  if (!isContainer(parent) || !Object.hasOwn(parent, token)) return undefined;
  return { found: parent[token] };
}

/** A change at the end of a pointer: `parent` is an object or array that has been copied and may be changed. */
export type Change = (parent: Record<string, unknown> | unknown[], token: string) => boolean;

/** Returns the root with one place changed; what lies beside the path is shared. Undefined when the path is missing. */
export function changeAt(root: unknown, pointer: Pointer, change: Change, at = 0): unknown {
  if (!Array.isArray(root) && !isContainer(root)) return undefined;
  const copy = Array.isArray(root) ? [...(root as readonly unknown[])] : { ...root };
  const token = pointer[at]!;
  if (at === pointer.length - 1) return change(copy, token) ? copy : undefined;
  const child = childOf(root, token);
  const changed = child && changeAt(child.found, pointer, change, at + 1);
  if (changed === undefined) return undefined;
  if (Array.isArray(copy)) copy[Number(token)] = changed;
  else copy[token] = changed;
  return copy;
}

/** RFC 6902 section 4.1: inserts into an array (`-` is its end), sets in an object. */
export const insert =
  (value: unknown): Change =>
  (parent, token) => {
    if (Array.isArray(parent)) {
      const index = token === '-' ? parent.length : INDEX.test(token) ? Number(token) : Number.NaN;
      if (!(index <= parent.length)) return false;
      parent.splice(index, 0, value);
    } else parent[token] = value;
    return true;
  };

/** Sets what is there already. */
export const replace =
  (value: unknown): Change =>
  (parent, token) => {
    if (childOf(parent, token) === undefined) return false;
    if (Array.isArray(parent)) parent[Number(token)] = value;
    else parent[token] = value;
    return true;
  };

export const remove: Change = (parent, token) => {
  if (childOf(parent, token) === undefined) return false;
  if (Array.isArray(parent)) parent.splice(Number(token), 1);
  else delete parent[token];
  return true;
};

/** Objects of JSON: a Decimal is a leaf. */
export const isContainer = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(value instanceof Decimal);
