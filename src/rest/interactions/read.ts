/** read and vread. https://hl7.org/fhir/R4/http.html#read */
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import { badValue, notFound } from '../../standards/fhir/outcome.ts';
import { type FhirAnswer, type FhirRequest, versionHeaders } from '../exchange.ts';
import { isNotModified, parseQuery } from '../preferences.ts';
import type { Services, Subset } from '../services.ts';
import { binaryAnswer } from './binary.ts';

const READ_PARAMETERS = new Set(['_format', '_pretty', '_summary', '_elements']);

export async function read(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  return answerOf(services, request, await services.store.read(request.caller, type, id));
}

export async function vread(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id, , versionId] = request.segments as [string, string, string, string]; // the route has all
  if (!isVersion(versionId)) throw notFound(`${type}/${id}/_history/${versionId.slice(0, 64)}`);
  return answerOf(services, request, await services.store.vread(request.caller, type, id, Number(versionId)));
}

/** A Binary may be asked for as it is. */
const answerOf = (services: Services, request: FhirRequest, version: StoredVersion): FhirAnswer =>
  (version.type === 'Binary' ? binaryAnswer(request, version) : undefined) ?? versionAnswer(services, request, version);

/** Whether a text can be a version of ours. */
export const isVersion = (text: string | undefined): boolean => text !== undefined && /^[1-9][0-9]{0,8}$/.test(text);

/** A version as a read answers with it. */
export function versionAnswer(
  services: Services,
  request: Pick<FhirRequest, 'query' | 'headers'>,
  version: StoredVersion,
): FhirAnswer & { readonly body?: string } {
  const headers = versionHeaders(version);
  if (isNotModified(request.headers, version.versionId, version.lastUpdated)) return { status: 304, headers };
  if (request.query === '') return { status: 200, headers, body: version.content };
  const query = parseQuery(request.query);
  for (const name of query.keys())
    if (!READ_PARAMETERS.has(name))
      throw badValue(
        `A read takes _format, _pretty, _summary and _elements only; remove '${name.slice(0, 64)}'`,
        name.slice(0, 64),
      );
  const subset = parseSubset(query);
  if (!subset) return { status: 200, headers, body: version.content };
  const resource = parseJson(version.content) as Resource; // stored text was checked when it came
  return { status: 200, headers, body: formatJson(services.subset(resource, subset)) };
}

const SUMMARIES = ['true', 'text', 'data', 'count', 'false'] as const;

function parseSubset(query: ReadonlyMap<string, string>): Subset | undefined {
  const summary = query.get('_summary');
  const elements = query.get('_elements');
  if (summary === undefined && elements === undefined) return undefined;
  const known = SUMMARIES.find((s) => s === summary);
  if (summary !== undefined && (known === undefined || known === 'count'))
    throw badValue('_summary of a read must be true, text, data or false', '_summary');
  return {
    ...(known !== undefined && { summary: known }),
    ...(elements !== undefined && { elements: elements.split(',').map((e) => e.trim()) }),
  };
}
