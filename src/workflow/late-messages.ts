/**
 * Messages that come out of their order: what a later message of the same sender has said of an element stays.
 * Reference 11.4, docs/hl7v2.md "Order"
 */
import {
  DEFAULT_ELEMENTS,
  MERGED_INTO,
  MOVES_PATIENT,
  PARTED_FROM,
  REMOVED_ELEMENTS,
  type TransactionEntry,
} from '../mapping/transaction-bundle.ts';
import type { Resource, StoreTransaction, WriteResult } from '../ports/resource-store.ts';
import type { SourceTime } from '../ports/source-times.ts';
import { elementOf } from './merge-resource.ts';

/** Who says it, and when it happened by their clock. */
export interface Saying {
  readonly feed: string;
  /** ms UTC */
  readonly at: number;
}

/** What an entry is about, as far as this needs it. */
export interface Said {
  readonly entry: TransactionEntry;
  /** `Patient/1` */
  readonly place: string;
  /** Absent: it is made by this message. */
  readonly current: Resource | undefined;
}

export interface Lateness {
  /** Elements of which a later message has said something. */
  lateOf(entry: TransactionEntry): ReadonlySet<string>;
  /** Whether the stored version that was read has been replaced by another message since. */
  isOutdated(entry: TransactionEntry): boolean;
  /** Keeps what was said, with the versions that were written. Sends before it returns. */
  keep(results: readonly WriteResult[]): Promise<void>;
  /** Types of what was late, for the answer. */
  readonly lateTypes: readonly string[];
}

const NOTHING: ReadonlySet<string> = new Set();
const UNSAID: Pick<SourceTime, 'versionId' | 'elements'> = { versionId: 0, elements: {} };
export const IN_ORDER: Lateness = {
  lateOf: () => NOTHING,
  isOutdated: () => false,
  keep: async () => undefined,
  lateTypes: [],
};
/** What says who somebody is holds whenever it comes. */
const IDENTITY = [MERGED_INTO, MOVES_PATIENT, PARTED_FROM];

/** Waits for other messages of the same sender about the same things. */
export async function findLateness(
  tx: Pick<StoreTransaction, 'sourceTimes'>,
  { feed, at }: Saying,
  said: readonly Said[],
): Promise<Lateness> {
  // What this message makes nobody else knows.
  const known = said.filter(({ current }) => current !== undefined);
  const locked = await tx.sourceTimes.lock(known.map(({ place }) => ({ feed, resource: place })));
  const times = new Map(known.map(({ place }, i) => [place, locked[i] as SourceTime])); // of the same length
  const kept: SourceTime[] = [];
  const late = new Map<TransactionEntry, ReadonlySet<string>>();
  const outdated = new Set<TransactionEntry>();
  for (const { entry, place, current } of said) {
    const before = times.get(place) ?? UNSAID;
    const names = elementsOf(entry, current !== undefined);
    const isIdentity = entry.extension?.some(({ url }) => IDENTITY.includes(url)) === true;
    const later = isIdentity ? [] : names.filter((name) => (before.elements[name] ?? at) > at);
    if (later.length > 0) late.set(entry, new Set(later));
    if (before.versionId > versionOf(current)) outdated.add(entry);
    const news = names.filter((name) => (before.elements[name] ?? Number.NEGATIVE_INFINITY) < at);
    const elements = { ...before.elements, ...Object.fromEntries(news.map((name) => [name, at])) };
    kept.push({ resource: place, versionId: Math.max(before.versionId, versionOf(current)), elements });
  }
  return {
    lateOf: (entry) => late.get(entry) ?? NOTHING,
    isOutdated: (entry) => outdated.has(entry),
    lateTypes: [...new Set([...late.keys()].map(({ resource }) => resource.resourceType))],
    keep(results) {
      const versions = new Map(results.map(({ version }) => [`${version.type}/${version.id}`, version.versionId]));
      return tx.sourceTimes.keep(
        kept.map((time) => ({ ...time, feed, versionId: versions.get(time.resource) ?? time.versionId })),
      );
    },
  };
}

const versionOf = (resource: Resource | undefined): number =>
  Number((resource?.['meta'] as { versionId?: unknown } | undefined)?.versionId ?? 0);

/** Of what the entry says something: elements with a value, and those that go; defaults only where it is made. */
export function elementsOf({ resource, extension = [] }: TransactionEntry, isThere: boolean): readonly string[] {
  const listed = (url: string): readonly string[] =>
    extension.filter((one) => one.url === url).map(({ valueString }) => valueString);
  const defaults = isThere ? listed(DEFAULT_ELEMENTS) : [];
  const names = Object.keys(resource).filter((name) => !NO_CONTENT.has(name) && !defaults.includes(name));
  return [...new Set([...names, ...listed(REMOVED_ELEMENTS)].map(elementOf))];
}

const NO_CONTENT = new Set(['resourceType', 'id', 'meta', 'contained']);
