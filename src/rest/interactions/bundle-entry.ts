/** Entries of batch and transaction bundles. https://hl7.org/fhir/R4/bundle.html#bundle-unique */
import type { Resource } from '../../ports/resource-store.ts';
import { badRequest, badValue, FhirError, issue, tooLarge } from '../../standards/fhir/outcome.ts';
import { decodePath } from '../path.ts';
import type { Services } from '../services.ts';
import type { BundleSource } from './bundle-source.ts';

export interface BundleEntry {
  readonly index: number;
  readonly fullUrl: string | undefined;
  /** Of a large bundle it is read anew each time. */
  readonly resource: () => Resource | undefined;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path segments below the base, decoded. */
  readonly segments: readonly string[];
  readonly query: string;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifNoneExist: string | undefined;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

interface RawEntry {
  readonly fullUrl?: string;
  readonly resource?: Resource;
  readonly request?: {
    readonly method?: string;
    readonly url?: string;
    readonly ifMatch?: string;
    readonly ifNoneMatch?: string;
    readonly ifModifiedSince?: string;
    readonly ifNoneExist?: string;
  };
}

/** The entries of a bundle whose frame has been validated; throws 400 for one that cannot be carried out. */
export function readEntries(
  services: Services,
  { bundle, late }: Pick<BundleSource, 'bundle' | 'late'>,
): BundleEntry[] {
  const raw = (bundle['entry'] ?? []) as readonly RawEntry[]; // validated
  const { bundleEntriesMax, baseUrl } = services.settings;
  if (raw.length > bundleEntriesMax)
    throw tooLarge(`The bundle has ${raw.length} entries, ${bundleEntriesMax} are allowed: send several bundles`);
  return raw.map((entry, index) => {
    const { resource: given } = entry;
    // Whether it is a resource is seen where it is used: `resourceType` is looked at first.
    const resource = () => given ?? (late?.resourceAt(index) as Resource | undefined);
    return readEntry(entry, index, baseUrl, {
      resource,
      hasResource: given !== undefined || late?.hasResource(index) === true,
    });
  });
}

function readEntry(
  entry: RawEntry,
  index: number,
  baseUrl: string,
  { resource, hasResource }: Pick<BundleEntry, 'resource'> & { readonly hasResource: boolean },
): BundleEntry {
  const at = `Bundle.entry[${index}]`;
  const { request } = entry;
  if (!request) throw new FhirError(400, [issue('required', 'The entry has no request: it needs method and url', at)]);
  const method = METHODS.find((m) => m === request.method);
  if (!method) throw badValue(`request.method must be one of ${METHODS.join(', ')}`, `${at}.request.method`);
  const url = localUrl(request.url ?? '', baseUrl);
  if (url === undefined)
    throw badRequest(
      'request.url must be relative, such as Patient or Patient/123, or below this server',
      `${at}.request.url`,
    );
  if ((method === 'POST' || method === 'PUT') && !hasResource && !url.segments.some((s) => s.startsWith('$')))
    throw new FhirError(400, [issue('required', `A ${method} entry needs a resource`, `${at}.resource`)]);
  return {
    index,
    fullUrl: entry.fullUrl,
    resource,
    method,
    segments: url.segments,
    query: url.query,
    ifMatch: request.ifMatch,
    ifNoneMatch: request.ifNoneMatch,
    ifModifiedSince: request.ifModifiedSince,
    ifNoneExist: request.ifNoneExist,
  };
}

function localUrl(url: string, baseUrl: string): { segments: readonly string[]; query: string } | undefined {
  let local = url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length) : url;
  if (/^[a-z][a-z0-9+.-]*:/i.test(local)) return undefined;
  if (!local.startsWith('/')) local = `/${local}`;
  const question = local.indexOf('?');
  const path = question < 0 ? local : local.slice(0, question);
  return {
    segments: decodePath(path).filter((s) => s !== ''),
    query: question < 0 ? '' : local.slice(question + 1),
  };
}
