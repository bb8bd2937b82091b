/** Organizations and what is below them, for the rights of those who work there; a piece of the composition root. FA-02 */
import { serviceCaller } from './policy/service-caller.ts';
import type { Clock } from './ports/clock.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';

export interface OrganizationsParts {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly now: Clock;
}

const LEVELS_MAX = 10;
const ORGANIZATIONS_MAX = 1000;
/** Fewer than a search takes in one list. */
const ASKED_MAX = 200;
const PAGE = 1000;
const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 1000;

/** Organizations and all below them by `partOf`, level by level; remembered for as long as callers are. */
export function createOrganizationsBelow({ store, searchOf, now }: OrganizationsParts) {
  const caller = serviceCaller('auth');
  const known = new Map<string, { readonly until: number; readonly ids: Promise<readonly string[]> }>();

  /** Page by page: PAGE_SIZE_MAX may make pages small. */
  async function childrenOf(parents: readonly string[], limit: number): Promise<readonly string[]> {
    const list = parents.map((id) => `Organization/${id}`).join(',');
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const query = `partof=${list}&_count=${PAGE}${cursor === undefined ? '' : `&_cursor=${encodeURIComponent(cursor)}`}`;
      const { matches, next } = await store.search(caller, searchOf('Organization', query));
      ids.push(...matches.map(({ id }) => id));
      cursor = next;
    } while (cursor !== undefined && ids.length < limit);
    return ids;
  }

  async function below(ids: readonly string[]): Promise<readonly string[]> {
    const all = new Set(ids);
    let level = [...ids];
    for (let depth = 0; depth < LEVELS_MAX && level.length > 0 && all.size < ORGANIZATIONS_MAX; depth += 1) {
      const found = new Set<string>();
      for (let at = 0; at < level.length && found.size < ORGANIZATIONS_MAX; at += ASKED_MAX)
        for (const id of await childrenOf(level.slice(at, at + ASKED_MAX), ORGANIZATIONS_MAX)) found.add(id);
      level = [...found.difference(all)].slice(0, ORGANIZATIONS_MAX - all.size);
      for (const id of level) all.add(id);
    }
    return [...all];
  }

  return (ids: readonly string[]): Promise<readonly string[]> => {
    if (ids.length === 0) return Promise.resolve([]);
    const key = [...ids].sort().join(' ');
    const found = known.get(key);
    if (found && now() < found.until) return found.ids;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const made = below(ids);
    made.catch(() => known.delete(key));
    known.set(key, { until: now() + REMEMBERED_MS, ids: made });
    return made;
  };
}
