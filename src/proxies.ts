/** For whom people act as RelatedPersons; a piece of the composition root. SECURITY FA-09 */
import { proxyOf, type RelatedShape } from './policy/proxy.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { ProxyRight } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { User } from './ports/users.ts';
import { parseJson } from './standards/fhir/json.ts';
import { FhirError } from './standards/fhir/outcome.ts';

export interface ProxiesParts {
  readonly store: Pick<ResourceStore, 'read'>;
  /** The birthday on which parents no longer see all of a child's record. */
  readonly ageMax: number;
  readonly now: Clock;
}

const RELATED_MAX = 50;
const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 1000;

/** Finds a person's proxies; remembered for as long as callers are. */
export function createProxies({ store, ageMax, now }: ProxiesParts): (user: User) => Promise<readonly ProxyRight[]> {
  const caller = serviceCaller('auth');
  const known = new Map<string, { readonly until: number; readonly proxies: Promise<readonly ProxyRight[]> }>();

  async function read<T>(type: string, id: string): Promise<T | undefined> {
    try {
      return parseJson((await store.read(caller, type, id)).content) as T; // stored text was checked
    } catch (error) {
      if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  async function find(ids: readonly string[]): Promise<readonly ProxyRight[]> {
    const found = await Promise.all(
      ids.slice(0, RELATED_MAX).map(async (id) => {
        const related = await read<RelatedShape>('RelatedPerson', id);
        return (
          related && proxyOf(id, related, (patientId) => read<{ birthDate?: string }>('Patient', patientId), ageMax)
        );
      }),
    );
    return found.filter((proxy) => proxy !== undefined);
  }

  return ({ relatedPersonIds = [] }) => {
    if (relatedPersonIds.length === 0) return Promise.resolve([]);
    const key = relatedPersonIds.join(' ');
    const remembered = known.get(key);
    if (remembered && now() < remembered.until) return remembered.proxies;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const proxies = find(relatedPersonIds);
    proxies.catch(() => known.delete(key));
    known.set(key, { until: now() + REMEMBERED_MS, proxies });
    return proxies;
  };
}
