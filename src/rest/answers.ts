/** Answers that several interactions give. */
import type { StoredVersion, WriteResult } from '../ports/resource-store.ts';
import { type Issue, operationOutcome, tooCostly } from '../standards/fhir/outcome.ts';
import { type FhirAnswer, type FhirRequest, versionHeaders } from './exchange.ts';
import { parsePrefer } from './preferences.ts';
import type { Services } from './services.ts';

export const locationOf = (services: Services, version: StoredVersion): string =>
  `${services.settings.baseUrl}/${version.type}/${version.id}/_history/${version.versionId}`;

export const outcomeAnswer = (
  status: number,
  issues: readonly Issue[],
  headers: Record<string, string> = {},
): FhirAnswer => ({ status, headers, body: JSON.stringify(operationOutcome(issues)) });

/** What a create, update or patch answers with. https://hl7.org/fhir/R4/http.html#ops */
export function writeAnswer(services: Services, request: FhirRequest, result: WriteResult): FhirAnswer {
  const { version, outcome } = result;
  const status = outcome === 'created' ? 201 : 200;
  const headers = { ...versionHeaders(version), Location: locationOf(services, version) };
  switch (parsePrefer(request.headers).return) {
    case 'minimal':
      return { status, headers };
    case 'OperationOutcome':
      return outcomeAnswer(
        status,
        [
          {
            severity: 'information',
            code: 'informational',
            diagnostics: `${version.type}/${version.id} ${outcome}, version ${version.versionId}`,
          },
        ],
        headers,
      );
    default:
      return { status, headers, body: version.content };
  }
}

/** Longest page, in UTF-16 units: far above what a page should have, and below what a JavaScript string can. */
export const PAGE_LENGTH_MAX = 128 * 1024 * 1024;

/**
 * A bundle of stored texts, put together without parsing them. `entries` are finished JSON objects. Throws 400 when they
 * are too long for one answer.
 */
export function formatBundle(
  type: 'searchset' | 'history',
  links: readonly { readonly relation: string; readonly url: string }[],
  total: number | undefined,
  entries: readonly string[],
): string {
  let length = 0;
  for (const entry of entries) length += entry.length;
  if (length > PAGE_LENGTH_MAX)
    throw tooCostly(
      `The page would be larger than ${PAGE_LENGTH_MAX / 1024 / 1024} MiB: ask for fewer resources with _count, or for parts of them with _elements`,
    );
  const head = `{"resourceType":"Bundle","type":"${type}"${total === undefined ? '' : `,"total":${total}`},"link":${JSON.stringify(links)}`;
  return entries.length === 0 ? `${head}}` : `${head},"entry":[${entries.join(',')}]}`;
}

/** The answer to a bundle of requests; FHIR JSON has no empty lists. */
export const bundleAnswer = (
  type: 'batch-response' | 'transaction-response',
  entries: readonly string[],
): FhirAnswer => ({
  status: 200,
  headers: {},
  body: `{"resourceType":"Bundle","type":"${type}"${entries.length === 0 ? '' : `,"entry":[${entries.join(',')}]`}}`,
});
