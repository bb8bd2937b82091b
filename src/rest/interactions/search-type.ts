/** search by type, by POST, and in a compartment. https://hl7.org/fhir/R4/http.html#search */
import type { Explained, Resource, SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { operationOutcome, unknownType } from '../../standards/fhir/outcome.ts';
import { distance } from '../../standards/fhir/search/distance.ts';
import type { Condition, NearValue, SearchRequest } from '../../standards/fhir/search/request.ts';
import { formatBundle } from '../answers.ts';
import { searchOf } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { presentationOf } from '../formats.ts';
import { resolveTokenSets } from '../operations/token-sets.ts';
import { checkContentType, parsePrefer, parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

export const searchType = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  search(services, request, request.segments[0] as string, request.query); // the route has the type

/** POST _search: parameters in the body join those of the query. https://hl7.org/fhir/R4/http.html#search */
export const searchByPost = async (services: Services, request: FhirRequest): Promise<FhirAnswer> => {
  const type = request.segments.at(-2) as string; // the route ends with :type/_search
  const query = [request.query, readForm(request)].filter((part) => part !== '').join('&');
  // The form may say how the answer is to be shown as well as the URL.
  const presentation = presentationOf(request.headers, query);
  const answer =
    request.segments.length === 2
      ? await search(services, request, type, query)
      : await compartmentSearch(services, { ...request, segments: request.segments.slice(0, 3), query });
  return { ...answer, presentation };
};

export function readForm(request: FhirRequest): string {
  if (request.body.length === 0) return '';
  checkContentType(request.headers, ['application/x-www-form-urlencoded']);
  return request.body.toString('utf8');
}

/** `Patient/1/Observation?code=…` */
export function compartmentSearch(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [compartment, id, type] = request.segments as [string, string, string]; // the route has all three
  const within: Compartment = { kind: 'compartment', compartment, id };
  if (!hasMember(services, within, type)) throw unknownType(`${compartment} compartment › ${type}`);
  return search(services, request, type, request.query, within);
}

export type Compartment = Extract<Condition, { readonly kind: 'compartment' }>;

/** Whether resources of a type can be in such a compartment. */
export function hasMember({ definitions }: Services, { compartment }: Compartment, type: string): boolean {
  const kinds: Readonly<Record<string, object>> = definitions.compartments;
  return Object.hasOwn(kinds[compartment] ?? {}, type);
}

async function search(
  services: Services,
  request: FhirRequest,
  type: string,
  query: string,
  compartment?: Compartment,
): Promise<FhirAnswer> {
  const { settings } = services;
  const handling = parsePrefer(request.headers).handling ?? settings.searchHandling;
  const parsed = await resolveTokenSets(services, request.caller, searchOf(services, type, query, handling, true));
  const asked: SearchRequest = compartment
    ? {
        ...parsed,
        conditions: [compartment, ...parsed.conditions],
        applied: [['_compartment', `${compartment.compartment}/${compartment.id}`], ...parsed.applied],
      }
    : parsed;
  const page = await services.store.search(request.caller, asked);
  const path = compartment
    ? `${settings.baseUrl}/${compartment.compartment}/${compartment.id}/${type}`
    : `${settings.baseUrl}/${type}`;
  const body = searchBody(services, { ...parsed, near: nearOf(parsed.conditions) }, page, path, shownAs(query));
  return { status: 200, headers: {}, body };
}

/** The places that Locations were asked to be near to. */
export const nearOf = (conditions: SearchRequest['conditions']): readonly NearValue[] =>
  conditions.flatMap((condition) => (condition.kind === 'near' ? condition.values : []));

/** How the answer is to be shown, which the next page is as well. */
export function shownAs(query: string): Pairs {
  if (!query.includes('_format') && !query.includes('_pretty')) return [];
  return [...parseQuery(query)].filter(([name]) => name === '_format' || name === '_pretty');
}

/** What of a search its answer needs to know. */
type Asked = Pick<SearchRequest, 'applied' | 'ignored' | 'cursor' | 'summary' | 'elements'> & {
  /** Of Locations: the places that their distances are told from. */
  readonly near?: readonly NearValue[];
};

/** A page as a searchset bundle; `path` is the absolute URL that was searched, `more` what its links have beside the search. */
export function searchBody(
  services: Services,
  parsed: Asked,
  page: SearchPage,
  path: string,
  more: Pairs = [],
): string {
  const links = [{ relation: 'self', url: link(path, parsed, parsed.cursor, more) }];
  if (page.next !== undefined) links.push({ relation: 'next', url: link(path, parsed, page.next, more) });
  const entries = [
    ...page.matches.map((version) => searchEntry(services, parsed, version, 'match')),
    ...page.included.map((version) => searchEntry(services, parsed, version, 'include')),
  ];
  const issues = [...page.issues, ...ignoredIssues(parsed), ...(page.explained ?? []).map(explainedIssue)];
  if (issues.length > 0)
    entries.push(`{"resource":${JSON.stringify(operationOutcome(issues))},"search":{"mode":"outcome"}}`);
  return formatBundle('searchset', links, page.total, entries);
}

type Pairs = readonly (readonly [name: string, value: string])[];

function link(path: string, request: Asked, cursor: string | undefined, more: Pairs): string {
  const pairs = [...request.applied, ...more].map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  if (cursor !== undefined) pairs.push(`_cursor=${encodeURIComponent(cursor)}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

function searchEntry(services: Services, request: Asked, found: StoredVersion, mode: string): string {
  const { summary, elements } = request;
  const version = found.fragment === undefined ? found : containedVersion(found, found.fragment);
  const whole = elements === undefined && (summary === undefined || summary === 'false');
  const content = whole
    ? version.content
    : formatJson(
        services.subset(parseJson(version.content) as Resource, {
          ...(summary !== undefined && { summary }),
          ...(elements !== undefined && { elements }),
        }),
      );
  const fragment = found.fragment === undefined ? '' : `#${found.fragment}`;
  return `{"fullUrl":"${services.settings.baseUrl}/${found.type}/${found.id}${fragment}","resource":${content},"search":{${mode === 'match' ? distanceOf(request, version) : ''}"mode":"${mode}"}}`;
}

const LOCATION_DISTANCE = 'http://hl7.org/fhir/StructureDefinition/location-distance';

/** How far a Location is from the nearest place that was asked for. https://hl7.org/fhir/R4/extension-location-distance.html */
function distanceOf({ near = [] }: Asked, { type, content }: StoredVersion): string {
  if (near.length === 0 || type !== 'Location') return '';
  const { position } = parseJson(content) as { readonly position?: { readonly [name: string]: unknown } }; // stored text
  const [latitude, longitude] = [Number(position?.['latitude']), Number(position?.['longitude'])];
  const metres = Math.min(...near.map((place) => distance(place, { latitude, longitude })));
  if (!Number.isFinite(metres)) return '';
  const value = Number((metres / 1000).toFixed(3));
  const valueDistance = { value, unit: 'km', system: 'http://unitsofmeasure.org', code: 'km' };
  return `"extension":[${JSON.stringify({ url: LOCATION_DISTANCE, valueDistance })}],`;
}

/** What a resource contains under an id, by itself. */
function containedVersion(found: StoredVersion, fragment: string): StoredVersion {
  const { contained = [] } = parseJson(found.content) as { readonly contained?: readonly Resource[] }; // stored text
  const resource = contained.find(({ id }) => id === fragment);
  if (!resource) throw new Error(`${found.type}/${found.id} contains no #${fragment}`);
  return { ...found, type: resource.resourceType, content: formatJson(resource) };
}

/** A statement with its plan, as text. */
const explainedIssue = ({ sql, plan, indexes }: Explained): Issue => ({
  severity: 'information',
  code: 'informational',
  diagnostics: [sql, '', ...plan, '', `indexes: ${indexes.length === 0 ? 'none' : indexes.join(', ')}`].join('\n'),
});

const ignoredIssues = (request: Asked): Issue[] =>
  request.ignored.map(({ name, reason }) => ({
    severity: 'warning',
    code: 'not-supported',
    diagnostics: `${name} was ignored: ${reason}`,
  }));
