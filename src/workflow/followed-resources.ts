/**
 * Resources of a few types, of which a process keeps something in memory: read once, then followed by the change log. A
 * change is seen when all transactions that began before its own are over.
 */
import type { Caller } from '../ports/caller.ts';
import type { ChangePosition, ChangeTail } from '../ports/change-feed.ts';
import type { ResourceStore, StoredVersion } from '../ports/resource-store.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';

export interface FollowedParts {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly changes: ChangeTail;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** As whom they are read: a part of Mortar itself. */
  readonly caller: Caller;
}

export interface FollowedOptions extends FollowedParts {
  readonly types: readonly string[];
  /** A version of one of them, in the order of their commits; one that was read before may come again. */
  readonly take: (version: StoredVersion) => void;
  /** All are read anew. */
  readonly forget: () => void;
  /** Who has not looked for longer than so many changes reads what there is instead; 20,000 without it. */
  readonly behindMax?: number;
}

const PAGE = 1000;
const BEHIND_MAX = 20_000;

/** Resolves when all has been taken that was there when it was called; calls at once share a reading. */
export function followResources(options: FollowedOptions): () => Promise<void> {
  const { store, changes, searchOf, caller, take, forget, behindMax = BEHIND_MAX } = options;
  const types = new Set(options.types);
  let position: ChangePosition | undefined;
  let reading: Promise<void> | undefined;

  async function readAll(): Promise<void> {
    const head = await changes.head();
    forget();
    for (const type of types)
      for (let cursor: string | undefined; ; ) {
        const request = { ...searchOf(type, `_count=${PAGE}`), count: PAGE, ...(cursor !== undefined && { cursor }) };
        const page = await store.search(caller, request);
        for (const version of page.matches) take(version);
        if (page.next === undefined) break;
        cursor = page.next;
      }
    position = head;
  }

  async function read(): Promise<void> {
    for (let behind = 0; position !== undefined && behind < behindMax; behind += PAGE) {
      const { versions, to, isFull } = await changes.after(position, types, PAGE);
      for (const version of versions) take(version);
      position = to;
      if (!isFull) return;
    }
    position = undefined;
    await readAll();
  }

  return () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}
