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
    const keyOf = JOINED.get(name);
    merged[name] = keyOf === undefined ? value : join(stored, value, keyOf);
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

/** `deceased` of `deceasedDateTime`, `birthDate` of `_birthDate`: what is said of one of its forms is said of it. */
export function elementOf(name: string): string {
  const bare = name.startsWith('_') ? name.slice(1) : name;
  return CHOICES.find((choice) => isChoiceOf(choice, bare)) ?? bare;
}

/**
 * What of a message that comes late is still news: elements of which no later one has said anything; of lists that are
 * joined what is not there yet.
 */
export function withoutLate(current: Resource, incoming: Resource, late: ReadonlySet<string>): Resource {
  const kept = Object.entries(incoming).flatMap(([name, value]): [string, unknown][] => {
    if (!late.has(elementOf(name))) return [[name, value]];
    const keyOf = JOINED.get(name);
    if (keyOf === undefined) return [];
    const there = new Set(((current[name] ?? []) as readonly Json[]).map(keyOf)); // validated: it is a list
    const news = (value as readonly Json[]).filter((item) => !there.has(keyOf(item)));
    return news.length > 0 ? [[name, news]] : [];
  });
  return Object.fromEntries(kept) as Resource; // resourceType is no element that is late
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

/** Lists to which a message adds; all others it replaces. */
const JOINED: ReadonlyMap<string, (item: Json) => string> = new Map([
  ['identifier', identifierKey],
  ['extension', extensionKey],
  ['link', formatJson],
]);

/** Tags, security labels and profiles are added; the message's other elements win. */
function joinMeta(current: Json, incoming: Json): Json {
  const lists = ['profile', 'security', 'tag'].flatMap((name) =>
    incoming[name] === undefined ? [] : [[name, join(current[name], incoming[name], formatJson)] as const],
  );
  return { ...current, ...incoming, ...Object.fromEntries(lists) };
}
