/** What partners ask for, looked up with their own rights: Consents that name them hold. SECURITY FA-06, docs/hl7v2.md "Queries" */
import type { Caller } from '../ports/caller.ts';
import type { Partner } from '../ports/partner.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';
import type { Envelope, FoundResources, Question } from './dialect.ts';
import type { PartnerEndpoint, Partnerships } from './partners.ts';

export interface PartnerQueryOptions {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly partnerships: Pick<Partnerships, 'endpointOf'>;
}

/** Undefined: the Endpoint of the sender, an active one, does not name this query in `payloadType`. */
export function createPartnerQueries({ store, searchOf, partnerships }: PartnerQueryOptions) {
  return async (
    dialect: string,
    { sender, kind }: Envelope,
    partner: Partner | undefined,
    { type, search, count }: Question,
  ): Promise<FoundResources | undefined> => {
    const endpoint = await partnerships.endpointOf(dialect, sender);
    if (endpoint === undefined || !mayAsk(endpoint, kind)) return undefined;
    const caller = callerOf(endpoint, partner, type);
    const request = searchOf(type, `${search}&_count=${count}&_total=accurate`);
    const { matches, total = matches.length } = await store.search(caller, request);
    return { resources: matches.map(({ content }) => parseJson(Buffer.from(content))), total };
  };
}

/** `QBP`, `Q22` or `QBP^Q22`. */
const mayAsk = ({ payloads }: PartnerEndpoint, kind: string): boolean =>
  [kind, ...kind.split('^')].some((code) => payloads.has(code));

function callerOf(endpoint: PartnerEndpoint, partner: Partner | undefined, type: string): Caller {
  const organizationId = partner?.organizationId ?? endpoint.organizationId;
  return {
    kind: 'partner',
    name: endpoint.id,
    correlationId: `query ${endpoint.id}`,
    scopes: [{ level: 'system', type, letters: ['r', 's'] }],
    otherScopes: [],
    purpose: 'TREAT',
    ...(organizationId !== undefined && { organizationId }),
  };
}
