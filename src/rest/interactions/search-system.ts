/** search-system: over several types, or all of them or of a compartment, by GET and POST. https://hl7.org/fhir/R4/http.html#search */
import { badValue } from '../../standards/fhir/outcome.ts';
import { parseSystemSearch } from '../../standards/fhir/search/parse-system.ts';
import type { SystemSearchRequest } from '../../standards/fhir/search/request.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { presentationOf } from '../formats.ts';
import { resolveTokenSets } from '../operations/token-sets.ts';
import { parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { type Compartment, hasMember, nearOf, readForm, searchBody, shownAs } from './search-type.ts';

/** `GET /?_type=Observation,Condition&patient=1`, and the same in a compartment: `GET /Patient/1/*?_type=…` */
export const searchSystem = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  search(services, request, request.query);

/** `POST /_search`, also below a compartment: parameters in the body join those of the query. */
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
  compartment?: Compartment,
): SystemSearchRequest {
  const { settings, parameters, definitions } = services;
  const types = definitions.resourceTypes.filter((type) => parameters.get(type) !== undefined);
  return parseSystemSearch({
    query,
    types: compartment ? types.filter((type) => hasMember(services, compartment, type)) : types,
    alone: SEARCHED_ALONE,
    parameters,
    definitions,
    handling,
    hasTerminology,
    baseUrl: settings.baseUrl,
    limits: { count: settings.pageSizeMax },
  });
}

/** The compartment that a path is about, if it is about one: `Patient/1` of `Patient/1/*`. */
function compartmentOf({ segments }: FhirRequest): Compartment | undefined {
  const [compartment, id, all] = segments;
  return all === '*' ? { kind: 'compartment', compartment: compartment as string, id: id as string } : undefined; // the route has both
}

async function search(services: Services, request: FhirRequest, query: string): Promise<FhirAnswer> {
  const { settings, store } = services;
  const { headers, caller } = request;
  const compartment = compartmentOf(request);
  const parsed = systemSearchOf(services, query, parsePrefer(headers).handling, true, compartment);
  const parts: SystemSearchRequest['parts'][number][] = [];
  for (const part of parsed.parts) parts.push(await resolveTokenSets(services, caller, part));
  const asked = { ...parsed, parts };
  const page = await store.searchSystem(caller, compartment ? within(services, compartment, asked) : asked);
  const near = parts.flatMap((part) => nearOf(part.conditions));
  const path = compartment ? `${settings.baseUrl}/${compartment.compartment}/${compartment.id}/*` : settings.baseUrl;
  return { status: 200, headers: {}, body: searchBody(services, { ...asked, near }, page, path, shownAs(query)) };
}

function within(services: Services, compartment: Compartment, asked: SystemSearchRequest): SystemSearchRequest {
  const outside = asked.parts.find(({ type }) => !hasMember(services, compartment, type));
  if (outside)
    throw badValue(`'_type': ${outside.type} is not in the compartment of a ${compartment.compartment}`, '_type');
  return {
    ...asked,
    parts: asked.parts.map(({ type, conditions }) => ({ type, conditions: [compartment, ...conditions] })),
    applied: [['_compartment', `${compartment.compartment}/${compartment.id}`], ...asked.applied],
  };
}
