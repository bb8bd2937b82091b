/**
 * A store that refuses SearchParameters which cannot be searched by, tells of those written to it, and knows which writes
 * are under way: what was begun before a parameter counts was made without its values.
 */
import type { Resource, ResourceStore, StoredVersion, TransactionWrite, WriteResult } from '../ports/resource-store.ts';
import { type Issue, unprocessable } from '../standards/fhir/outcome.ts';

export interface CustomStoreHooks {
  /** What keeps a SearchParameter from being stored under an id. */
  readonly check: (id: string, resource: Resource) => readonly Issue[];
  /** Told each SearchParameter that was written, and each deletion, when it is committed. */
  readonly note: (version: StoredVersion) => void;
}

export interface CustomStore<S> {
  readonly store: S;
  /** Resolves when no write of before goes on. */
  drained(): Promise<void>;
}

export const CUSTOM_TYPE = 'SearchParameter';

export function withCustomParameters<S extends ResourceStore>(
  store: S,
  { check, note }: CustomStoreHooks,
): CustomStore<S> {
  const under = new Set<Promise<unknown>>();
  async function tracked<T>(write: Promise<T>): Promise<T> {
    under.add(write);
    try {
      return await write;
    } finally {
      under.delete(write);
    }
  }
  function checked(id: string, resource: Resource): Resource {
    const issues = resource.resourceType === CUSTOM_TYPE ? check(id, resource) : [];
    if (issues.length > 0) throw unprocessable(issues);
    return resource;
  }
  const checkedWrite = (write: TransactionWrite): TransactionWrite => {
    if (write.kind === 'create') return { ...write, resource: checked(write.id, write.resource) };
    if (write.kind === 'delete' || write.type !== CUSTOM_TYPE) return write;
    if (write.kind === 'make') return { ...write, make: () => checked(write.id, write.make()) };
    return { ...write, change: (current) => checked(write.id, write.change(current)) };
  };
  const tell = (results: readonly (WriteResult | undefined)[]): void => {
    for (const result of results)
      if (result?.version.type === CUSTOM_TYPE && result.outcome !== 'existing' && result.outcome !== 'left-out')
        note(result.version);
  };

  const wrapped: ResourceStore = {
    ...store,
    async create(caller, resource, id) {
      const result = await tracked(store.create(caller, checked(id, resource), id));
      tell([result]);
      return result;
    },
    async update(caller, type, id, change, options) {
      const checkedChange: typeof change = type === CUSTOM_TYPE ? (current) => checked(id, change(current)) : change;
      const result = await tracked(store.update(caller, type, id, checkedChange, options));
      tell([result]);
      return result;
    },
    async delete(caller, type, id, ifMatch) {
      const result = await tracked(store.delete(caller, type, id, ifMatch));
      tell([result]);
      return result;
    },
    async transaction(caller, work) {
      let written: readonly WriteResult[] = [];
      const made = await tracked(
        store.transaction(caller, (tx) =>
          work({
            ...tx,
            async write(writes, last, beside) {
              written = await tx.write(writes.map(checkedWrite), last, beside);
              return written;
            },
          }),
        ),
      );
      // Only what was committed counts.
      tell(written);
      return made;
    },
  };
  return {
    store: wrapped as S, // the same functions, and what else the store has
    drained: async () => void (await Promise.allSettled(under)),
  };
}
