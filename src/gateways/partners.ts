/** Who may send: an active `Endpoint` with the sender as its identifier. MISSION M2, docs/gateway.md "Partners" */
import type { Caller } from '../ports/caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import { namingSystemUrl } from '../standards/fhir/canonical.ts';
import { parseJson } from '../standards/fhir/json.ts';
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

export interface Partnerships {
  readonly isPartner: IsPartner;
  /** The active Endpoint that sends under this name; undefined where there is none. */
  endpointOf(dialect: string, sender: string | undefined): Promise<PartnerEndpoint | undefined>;
}

/** What is asked of an Endpoint when its system sends. */
export interface PartnerEndpoint {
  readonly id: string;
  /** Of its `managingOrganization`. */
  readonly organizationId?: string;
  /** Codes of `payloadType`: `QBP`, `Q22`. */
  readonly payloads: ReadonlySet<string>;
}

/** A partner that is added or ended is known after this long. */
const REMEMBERED_MS = 1000;
const REMEMBERED_MAX = 1000;
const REMEMBERED_LENGTH_MAX = 500;

export function createPartners({ store, caller, searchOf, unknownPartners, now }: PartnerOptions): Partnerships {
  const known = new Map<string, { readonly until: number; readonly found: Promise<PartnerEndpoint | undefined> }>();

  async function find(dialect: string, sender: string): Promise<PartnerEndpoint | undefined> {
    const value = `${senderSystem(dialect)}|${sender.replaceAll(/[\\$,|]/g, (c) => `\\${c}`)}`;
    const query = `identifier=${encodeURIComponent(value)}&status=active&_count=1`;
    const [match] = (await store.search(caller, searchOf('Endpoint', query))).matches;
    return match && readEndpoint(match.id, parseJson(Buffer.from(match.content)) as Content); // stored: it is valid
  }

  async function endpointOf(dialect: string, sender: string | undefined): Promise<PartnerEndpoint | undefined> {
    if (sender === undefined || sender === '') return undefined;
    const key = `${dialect} ${sender}`;
    const remembered = known.get(key);
    if (remembered && remembered.until > now()) return remembered.found;
    const found = find(dialect, sender);
    if (key.length > REMEMBERED_LENGTH_MAX) return found;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(key, { until: now() + REMEMBERED_MS, found });
    found.catch(() => known.delete(key));
    return found;
  }

  return {
    endpointOf,
    isPartner: async (dialect, sender) =>
      unknownPartners === 'accept' || (await endpointOf(dialect, sender)) !== undefined,
  };
}

interface Content {
  readonly managingOrganization?: { readonly reference?: string };
  readonly payloadType?: readonly { readonly coding?: readonly { readonly code?: string }[] }[];
}

function readEndpoint(id: string, { managingOrganization, payloadType = [] }: Content): PartnerEndpoint {
  const [, organizationId] = /^Organization\/([A-Za-z0-9.-]{1,64})$/.exec(managingOrganization?.reference ?? '') ?? [];
  const codes = payloadType.flatMap(({ coding = [] }) => coding.flatMap(({ code }) => code ?? []));
  return { id, payloads: new Set(codes), ...(organizationId !== undefined && { organizationId }) };
}
