/** Bundles posted to the base: batch here, transaction next door. https://hl7.org/fhir/R4/http.html#transaction */
import type { Resource } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { badRequest, badValue, FhirError } from '../../standards/fhir/outcome.ts';
import { bundleAnswer, outcomeAnswer } from '../answers.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { idempotent, refuseKey } from '../idempotency.ts';
import { parsePrefer } from '../preferences.ts';
import type { Handler, Services } from '../services.ts';
import { type BundleEntry, readEntries } from './bundle-entry.ts';
import { readJsonPatch } from './bundle-patch.ts';
import { openBundle } from './bundle-source.ts';
import { transaction } from './transaction.ts';

/** Entries of a batch that run at once. */
const PARALLEL = 16;

/** `dispatch` carries out one request by the route table and turns errors into answers. */
export const createBundleHandler =
  (dispatch: (request: FhirRequest) => Promise<FhirAnswer>): Handler =>
  async (services, request) => {
    const source = await openBundle(services, request);
    const { type } = source.bundle;
    if (type === 'transaction')
      return idempotent((services, request) => transaction(services, request, source))(services, request);
    if (type === 'batch') {
      refuseKey(request);
      return batch(services, request, await source.whole(), dispatch);
    }
    throw badValue(
      'A bundle posted to the base must be of type transaction or batch: a document or message is stored at /Bundle',
      'Bundle.type',
    );
  };

async function batch(
  services: Services,
  request: FhirRequest,
  bundle: Resource,
  dispatch: (request: FhirRequest) => Promise<FhirAnswer>,
): Promise<FhirAnswer> {
  const entries = readEntries(services, { bundle });
  const representation = parsePrefer(request.headers).return === 'representation';
  const answers: string[] = [];
  for (let i = 0; i < entries.length; i += PARALLEL) {
    const some = entries.slice(i, i + PARALLEL);
    answers.push(
      ...(await Promise.all(
        some.map(async (entry) => formatAnswer(entry, await answerEntry(request, entry, dispatch), representation)),
      )),
    );
  }
  return bundleAnswer('batch-response', answers);
}

/** An entry that cannot even be made a request fails alone. */
async function answerEntry(
  request: FhirRequest,
  entry: BundleEntry,
  dispatch: (request: FhirRequest) => Promise<FhirAnswer>,
): Promise<FhirAnswer> {
  try {
    if (entry.segments.length === 0 && entry.method === 'POST')
      throw badRequest('A bundle cannot stand in a batch: post it on its own');
    return await dispatch(entryRequest(request, entry));
  } catch (error) {
    if (error instanceof FhirError) return outcomeAnswer(error.status, error.issues, error.headers);
    throw error;
  }
}

function entryRequest(request: FhirRequest, entry: BundleEntry): FhirRequest {
  const resource = entry.resource();
  const isPatch = entry.method === 'PATCH' && resource?.resourceType === 'Binary';
  const body = isPatch ? readJsonPatch(entry) : resource;
  return {
    caller: request.caller,
    method: entry.method,
    segments: entry.segments,
    query: entry.query,
    headers: {
      accept: 'application/fhir+json', // an entry holds a resource, never content
      'content-type': isPatch ? 'application/json-patch+json' : 'application/fhir+json',
      prefer: request.headers['prefer'],
      'if-match': entry.ifMatch,
      'if-none-match': entry.ifNoneMatch,
      'if-modified-since': entry.ifModifiedSince,
      'if-none-exist': entry.ifNoneExist,
    },
    body: body === undefined ? Buffer.alloc(0) : Buffer.from(formatJson(body)),
  };
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

function formatAnswer(entry: BundleEntry, answer: FhirAnswer, representation: boolean): string {
  const failed = answer.status >= 400;
  const { ETag, Location, 'Last-Modified': modified } = answer.headers;
  const response = {
    status: `${answer.status} ${REASONS[answer.status] ?? ''}`.trim(),
    ...(Location !== undefined && { location: Location }),
    ...(ETag !== undefined && { etag: ETag }),
    ...(modified !== undefined && { lastModified: new Date(modified).toISOString() }),
  };
  const head = JSON.stringify(response);
  if (failed && answer.body !== undefined) return `{"response":${head.slice(0, -1)},"outcome":${answer.body}}}`;
  const shown = answer.body !== undefined && (representation || entry.method === 'GET');
  return shown ? `{"resource":${answer.body},"response":${head}}` : `{"response":${head}}`;
}
