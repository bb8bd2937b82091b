/** history of an instance, a type, the system. https://hl7.org/fhir/R4/http.html#history */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import { parseDate } from '../../standards/fhir/search/date.ts';
import { formatBundle, locationOf } from '../answers.ts';
import { etag, type FhirAnswer, type FhirRequest } from '../exchange.ts';
import { parseCount, parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

const HISTORY_PARAMETERS = new Set(['_since', '_at', '_count', '_format', '_pretty', '_cursor']);

export async function history(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { settings } = services;
  const [type, id] = request.segments.filter((s) => s !== '_history');
  const query = parseQuery(request.query);
  for (const name of query.keys())
    if (!HISTORY_PARAMETERS.has(name))
      throw badValue(`A history takes _since, _at, _count, _format and _pretty only; remove '${name.slice(0, 64)}'`);
  const since = query.get('_since');
  const at = query.get('_at');
  const cursor = query.get('_cursor');
  const page = await services.store.history(request.caller, {
    ...(type !== undefined && { type }),
    ...(id !== undefined && { id }),
    ...(since !== undefined && { since: instant('_since', since).low }),
    ...(at !== undefined && { at: instant('_at', at) }),
    ...(cursor !== undefined && { cursor }),
    count: parseCount(query.get('_count'), settings.pageSizeDefault, settings.pageSizeMax),
  });
  const path = [settings.baseUrl, ...request.segments].join('/');
  const kept = [...query].filter(([name]) => name !== '_cursor');
  const link = (extra: readonly (readonly [string, string])[]): string => {
    const text = new URLSearchParams([...kept, ...extra].map(([n, v]): [string, string] => [n, v])).toString();
    return text === '' ? path : `${path}?${text}`;
  };
  const links = [{ relation: 'self', url: link(cursor === undefined ? [] : [['_cursor', cursor]]) }];
  if (page.next !== undefined) links.push({ relation: 'next', url: link([['_cursor', page.next]]) });
  const entries = page.versions.map((version) => historyEntry(services, version));
  const body = formatBundle('history', links, page.total, entries);
  return { status: 200, headers: {}, body };
}

function instant(name: string, text: string): { low: number; high: number } {
  const range = parseDate(text);
  if (!range) throw badValue(`${name} must be a date or an instant, such as 2026-01-31T09:00:00Z`, name);
  return range;
}

function historyEntry(services: Services, version: StoredVersion): string {
  const path = `${version.type}/${version.id}`;
  const method = { create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE' }[version.operation];
  const status = version.operation === 'delete' ? '204' : version.versionId === 1 ? '201' : '200';
  const request = { method, url: version.operation === 'create' ? version.type : path };
  const response = {
    status,
    location: locationOf(services, version),
    etag: etag(version),
    lastModified: new Date(version.lastUpdated).toISOString(),
  };
  const resource = version.content === '' ? '' : `"resource":${version.content},`;
  return `{"fullUrl":${JSON.stringify(`${services.settings.baseUrl}/${path}`)},${resource}"request":${JSON.stringify(request)},"response":${JSON.stringify(response)}}`;
}
