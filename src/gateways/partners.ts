/** Who may send: an active `Endpoint` with the sender as its identifier. MISSION M2, docs/gateway.md "Partners" */
import type { Caller } from '../ports/caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import { namingSystemUrl } from '../standards/fhir/canonical.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';

/** Whether an active partner sends under this name in this dialect. */
export type IsPartner = (dialect: string, sender: string | undefined) => Promise<boolean>;

/** `Endpoint.identifier.system` of a dialect's senders. */
export const senderSystem = (dialect: string): string => namingSystemUrl(`${dialect}-sender`);

export interface PartnerOptions {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly caller: Caller;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** `accept` takes messages of anybody. */
  readonly unknownPartners: 'refuse' | 'accept';
  readonly now: Clock;
}

/** A partner that is added or ended is known after this long. */
const REMEMBERED_MS = 1000;
const REMEMBERED_MAX = 1000;
const REMEMBERED_LENGTH_MAX = 500;

export function createPartners({ store, caller, searchOf, unknownPartners, now }: PartnerOptions): IsPartner {
  const known = new Map<string, { readonly until: number; readonly found: Promise<boolean> }>();

  async function find(dialect: string, sender: string): Promise<boolean> {
    const value = `${senderSystem(dialect)}|${sender.replaceAll(/[\\$,|]/g, (c) => `\\${c}`)}`;
    const query = `identifier=${encodeURIComponent(value)}&status=active&_count=1&_elements=status`;
    const page = await store.search(caller, searchOf('Endpoint', query));
    return page.matches.length > 0;
  }

  return async (dialect, sender) => {
    if (unknownPartners === 'accept') return true;
    if (sender === undefined || sender === '') return false;
    const key = `${dialect} ${sender}`;
    const remembered = known.get(key);
    if (remembered && remembered.until > now()) return remembered.found;
    const found = find(dialect, sender);
    if (key.length > REMEMBERED_LENGTH_MAX) return found;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(key, { until: now() + REMEMBERED_MS, found });
    found.catch(() => known.delete(key));
    return found;
  };
}
