/** Changes of a message, each at a JSON pointer (RFC 6901), so that a rule's case is one line of a table. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** `value` undefined: the member is taken out. A pointer that ends in `/-` appends to a list. */
export type Change = readonly [pointer: string, value: Json | undefined];

/** A copy of the message with the changes made in their order. Numbers keep their digits as objects of the reader. */
export function changed(message: unknown, changes: readonly Change[]): unknown {
  const copy = clone(message);
  for (const [pointer, value] of changes) change(copy, pointer.split('/').slice(1), value);
  return copy;
}

/** Objects with a prototype of their own (`Decimal`) are immutable and stay. */
export function clone(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clone);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, clone(member)]));
}

function change(root: unknown, steps: readonly string[], value: Json | undefined): void {
  let parent = root as Record<string, unknown>; // Each step is of the test's own message.
  for (const step of steps.slice(0, -1)) parent = parent[step] as Record<string, unknown>;
  const last = steps.at(-1) ?? '';
  if (Array.isArray(parent)) {
    if (value === undefined) parent.splice(Number(last), 1);
    else if (last === '-') parent.push(value);
    else parent[Number(last)] = value;
  } else if (value === undefined) delete parent[last];
  else parent[last] = value;
}
