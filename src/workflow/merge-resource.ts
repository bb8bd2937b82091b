/** How what a message says is joined with what is stored. docs/gateway.md "Applying" */
import type { Resource } from '../ports/resource-store.ts';
import { formatJson } from '../standards/fhir/json.ts';

type Json = Readonly<Record<string, unknown>>;

/** Elements of R4 resources whose name ends with their type: one replaces the other. https://hl7.org/fhir/R4/formats.html#choice */
const CHOICES = [
  'abatement',
  'deceased',
  'effective',
  'medication',
  'multipleBirth',
  'occurrence',
  'onset',
  'performed',
  'reported',
  'statusReason',
  'timing',
  'value',
];

/**
 * The stored resource with the message's elements in the place of its own: identifiers, links and extensions are added
 * to those there, everything else the message says replaces, what it does not mention stays, `removed` elements go before
 * what the message says of them comes.
 */
export function mergeResource(current: Resource, incoming: Resource, removed: readonly string[]): Resource {
  const merged: Record<string, unknown> = { ...current };
  for (const [name, value] of Object.entries(incoming)) {
    if (name === 'id' || name === 'meta' || name === 'resourceType') continue;
    removeSiblings(merged, name);
    const stored = removed.includes(name) ? undefined : current[name];
    if (name === 'identifier') merged[name] = join(stored, value, identifierKey);
    else if (name === 'extension') merged[name] = join(stored, value, extensionKey);
    else if (name === 'link') merged[name] = join(stored, value, formatJson);
    else merged[name] = value;
    if (!name.startsWith('_') && !(`_${name}` in incoming)) delete merged[`_${name}`];
  }
  for (const name of removed) {
    if (name in incoming) continue;
    delete merged[name];
    delete merged[`_${name}`];
  }
  const meta = joinMeta((current['meta'] ?? {}) as Json, (incoming['meta'] ?? {}) as Json);
  if (Object.keys(meta).length > 0) merged['meta'] = meta;
  return merged as Resource; // resourceType came with current
}

/** A new `deceasedDateTime` takes the place of `deceasedBoolean`. */
function removeSiblings(merged: Record<string, unknown>, name: string): void {
  const base = CHOICES.find((choice) => isChoiceOf(choice, name));
  if (base === undefined) return;
  for (const other of Object.keys(merged)) if (other !== name && isChoiceOf(base, other)) delete merged[other];
}

const isChoiceOf = (base: string, name: string): boolean => {
  const bare = name.startsWith('_') ? name.slice(1) : name;
  return bare.startsWith(base) && /^[A-Z]/.test(bare.slice(base.length));
};

/** Those stored, in their order, each replaced by all incoming ones of the same key; then the new ones. */
function join(stored: unknown, incoming: unknown, keyOf: (item: Json) => string): unknown {
  const [before, after] = [stored ?? [], incoming] as [readonly Json[], readonly Json[]]; // validated: both are lists
  const fresh = Map.groupBy(after, (item) => keyOf(item));
  const said = new Set(fresh.keys());
  const kept = before.flatMap((item) => {
    const key = keyOf(item);
    const found = fresh.get(key) ?? [];
    fresh.delete(key);
    return said.has(key) ? found : [item];
  });
  return [...kept, ...[...fresh.values()].flat()];
}

const identifierKey = (item: Json): string =>
  'value' in item ? `${String(item['system'] ?? '')}\u0000${String(item['value'])}` : formatJson(item);
const extensionKey = (item: Json): string => String(item['url']);

/** Tags, security labels and profiles are added; the message's other elements win. */
function joinMeta(current: Json, incoming: Json): Json {
  const lists = ['profile', 'security', 'tag'].flatMap((name) =>
    incoming[name] === undefined ? [] : [[name, join(current[name], incoming[name], formatJson)] as const],
  );
  return { ...current, ...incoming, ...Object.fromEntries(lists) };
}
