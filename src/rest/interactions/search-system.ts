/** search-system: over several types, or all of them, by GET and POST. https://hl7.org/fhir/R4/http.html#search */
import { parseSystemSearch } from '../../standards/fhir/search/parse-system.ts';
import type { SystemSearchRequest } from '../../standards/fhir/search/request.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { presentationOf } from '../formats.ts';
import { resolveTokenSets } from '../operations/token-sets.ts';
import { parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { nearOf, readForm, searchBody, shownAs } from './search-type.ts';

/** `GET /?_type=Observation,Condition&patient=1` */
export const searchSystem = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  search(services, request, request.query);

/** `POST /_search`: parameters in the body join those of the query. */
export const searchSystemByPost = async (services: Services, request: FhirRequest): Promise<FhirAnswer> => {
  const query = [request.query, readForm(request)].filter((part) => part !== '').join('&');
  // The form may say how the answer is to be shown as well as the URL.
  const presentation = presentationOf(request.headers, query);
  return { ...(await search(services, request, query)), presentation };
};

/** The audit trail is searched by itself: most of it lies elsewhere, and reading it leaves a trace of its own. SECURITY AU-13 */
const SEARCHED_ALONE = ['AuditEvent'];

/** What a query over types asks; throws a FhirError that names what is wrong. */
export function systemSearchOf(
  services: Services,
  query: string,
  handling = services.settings.searchHandling,
  hasTerminology = false,
): SystemSearchRequest {
  const { settings, parameters, definitions } = services;
  return parseSystemSearch({
    query,
    types: definitions.resourceTypes.filter((type) => parameters.get(type) !== undefined),
    alone: SEARCHED_ALONE,
    parameters,
    definitions,
    handling,
    hasTerminology,
    baseUrl: settings.baseUrl,
    limits: { count: settings.pageSizeMax },
  });
}

async function search(services: Services, { headers, caller }: FhirRequest, query: string): Promise<FhirAnswer> {
  const { settings, store } = services;
  const parsed = systemSearchOf(services, query, parsePrefer(headers).handling, true);
  const parts: SystemSearchRequest['parts'][number][] = [];
  for (const part of parsed.parts) parts.push(await resolveTokenSets(services, caller, part));
  const asked = { ...parsed, parts };
  const page = await store.searchSystem(caller, asked);
  const near = parts.flatMap((part) => nearOf(part.conditions));
  const body = searchBody(services, { ...asked, near }, page, settings.baseUrl, shownAs(query));
  return { status: 200, headers: {}, body };
}
