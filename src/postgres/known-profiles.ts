/** A store that tells of the profiles and value sets written to it, and what was written elsewhere meanwhile. */
import type { Caller } from '../ports/caller.ts';
import type { ResourceStore, StoredVersion, StoreTransaction, WriteResult } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';

/** Where they are kept for validation. */
export interface KnownProfiles {
  put(origin: 'store', key: string, resource: Readonly<Record<string, unknown>>): boolean;
  remove(origin: 'store', key: string): void;
}

const TYPES = ['StructureDefinition', 'ValueSet', 'CodeSystem'] as const;
/** Whether what is written of a type is known from then on. */
export const isKnownType = (type: string): boolean => (TYPES as readonly string[]).includes(type);

/** What is written through this store is known from the next check on. */
export function withKnownProfiles<S extends ResourceStore>(store: S, known: KnownProfiles): S {
  const note = (results: readonly (WriteResult | undefined)[]): void => {
    for (const result of results) if (result && result.outcome !== 'existing') noteVersion(known, result.version);
  };
  const wrapped: ResourceStore = {
    ...store,
    async create(caller, resource, id) {
      const result = await store.create(caller, resource, id);
      note([result]);
      return result;
    },
    async update(caller, type, id, change, options) {
      const result = await store.update(caller, type, id, change, options);
      note([result]);
      return result;
    },
    async delete(caller, type, id, ifMatch) {
      const result = await store.delete(caller, type, id, ifMatch);
      note([result]);
      return result;
    },
    async transaction(caller, work, options) {
      let written: readonly WriteResult[] = [];
      const noting = (tx: StoreTransaction): typeof tx => ({
        ...tx,
        async write(writes, last, beside) {
          written = await tx.write(writes, last, beside);
          return written;
        },
      });
      const made = await store.transaction(caller, (tx) => work(noting(tx)), options);
      // Only what was committed counts.
      note(written);
      return made;
    },
  };
  return wrapped as S; // the same functions, and what else the store has
}

function noteVersion(known: KnownProfiles, { type, id, operation, content }: StoredVersion): void {
  if (!isKnownType(type)) return;
  const key = `${type}/${id}`;
  const resource =
    operation === 'delete' || content === '' ? undefined : (parseJson(content) as Readonly<Record<string, unknown>>); // stored text was checked when it came
  if (resource === undefined || resource['status'] === 'retired') known.remove('store', key);
  else known.put('store', key, resource);
}

const PAGE = 200;
/** History is read again a little further back: what commits late is not passed over. */
const OVERLAP_MS = 30_000;

/** Reads the profiles that the store holds, and then what other processes wrote: returns a function that catches up. */
export const readKnownProfiles = (
  store: Pick<ResourceStore, 'search' | 'history'>,
  known: KnownProfiles,
  caller: Caller,
  searchOf: (type: string, query: string) => SearchRequest,
  now: () => number,
): Promise<() => Promise<void>> =>
  readAndFollow({ store, types: TYPES, note: (version) => noteVersion(known, version), caller, searchOf, now });

export interface FollowOptions {
  readonly store: Pick<ResourceStore, 'search' | 'history'>;
  readonly types: readonly string[];
  /** Told the current version of each resource, and later each that is new: of some again, and deletions too. */
  readonly note: (version: StoredVersion) => void;
  readonly caller: Caller;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly now: () => number;
}

/** Reads all resources of some types, and returns a function that catches up with what other processes write. */
export async function readAndFollow(options: FollowOptions): Promise<() => Promise<void>> {
  const { store, types, note, caller, searchOf, now } = options;
  let since = now();
  for (const type of types) {
    let request: SearchRequest = searchOf(type, `_count=${PAGE}`);
    for (;;) {
      const { matches, next } = await store.search(caller, request);
      for (const version of matches) note(version);
      if (next === undefined) break;
      request = { ...request, cursor: next };
    }
  }
  return async () => {
    const from = since - OVERLAP_MS;
    const until = now();
    for (const type of types) {
      const latest = new Map<string, StoredVersion>();
      let cursor: string | undefined;
      do {
        const page = await store.history(caller, {
          type,
          since: from,
          count: PAGE,
          ...(cursor !== undefined && { cursor }),
        });
        for (const version of page.versions)
          if ((latest.get(version.id)?.versionId ?? 0) < version.versionId) latest.set(version.id, version);
        cursor = page.next;
      } while (cursor !== undefined);
      for (const version of latest.values()) note(version);
    }
    since = until;
  };
}
