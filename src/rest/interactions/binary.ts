/**
 * A Binary as what it holds: bytes in and bytes out, with `X-Security-Context` for its `securityContext`.
 * https://hl7.org/fhir/R4/binary.html#rest SECURITY IN-36
 */
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, unsupportedMediaType } from '../../standards/fhir/outcome.ts';
import { type FhirAnswer, type FhirRequest, type Headers, versionHeaders } from '../exchange.ts';
import { wantsContent } from '../formats.ts';
import { isNotModified, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

const SECURITY_CONTEXT = 'x-security-context';
/** RFC 9110 section 8.3: a type and its parameters, in what a header may carry. */
const MEDIA_TYPE =
  /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?: ?; ?[\w!#$&^.+-]{1,127}=(?:[\w!#$&^.+-]{1,127}|"[\w ,:;/=.+-]{1,127}"))*$/;
const HEADER_VALUE = /^[\x21-\x7e]{1,1024}$/;
/** What browsers show without running anything of it. */
const SHOWN = new Set(['image/png', 'image/jpeg', 'application/pdf']);

/** Whether the body is content; that of the FHIR types is the resource. */
export const isBinaryContent = (headers: Headers): boolean => {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  return type !== undefined && type !== '' && !RESOURCE_TYPES.some((resource) => resource === type);
};

/** The Binary that a body of any other type is. Its id is that of the path. */
export function readBinaryContent({ settings }: Services, request: FhirRequest): Resource {
  const contentType = (request.headers['content-type'] ?? '').trim().replaceAll(/\s*;\s*/g, '; ');
  if (!MEDIA_TYPE.test(contentType)) throw unsupportedMediaType('Content-Type is not a media type such as image/png');
  if (request.body.length === 0) throw badRequest('The request has no body: send the content of the Binary');
  const context = request.headers[SECURITY_CONTEXT]?.trim();
  if (context !== undefined && !HEADER_VALUE.test(context))
    throw badRequest('X-Security-Context must be a reference to a resource, such as Patient/123');
  const [, id] = request.segments;
  const own = `${settings.baseUrl}/`;
  const reference = context?.startsWith(own) ? context.slice(own.length) : context;
  return {
    resourceType: 'Binary',
    ...(id !== undefined && { id }),
    contentType,
    ...(reference !== undefined && { securityContext: { reference } }),
    data: request.body.toString('base64'),
  };
}

interface StoredBinary {
  readonly contentType?: unknown;
  readonly data?: unknown;
  readonly securityContext?: { readonly reference?: unknown };
}

/** The content itself; undefined where the resource is asked for. Throws 406 where it is neither. */
export function binaryAnswer(request: FhirRequest, version: StoredVersion): FhirAnswer | undefined {
  if (request.query !== '') return undefined; // `_format`, `_summary` …
  const { contentType, data, securityContext } = parseJson(version.content) as StoredBinary; // stored, so it is valid
  const type =
    typeof contentType === 'string' && MEDIA_TYPE.test(contentType) ? contentType : 'application/octet-stream';
  if (!wantsContent(request.headers, type)) return undefined;
  const headers = versionHeaders(version);
  if (isNotModified(request.headers, version.versionId, version.lastUpdated)) return { status: 304, headers };
  const context = securityContext?.reference;
  if (typeof context === 'string' && HEADER_VALUE.test(context)) headers['X-Security-Context'] = context;
  if (!SHOWN.has(type.split(';')[0]?.toLowerCase() ?? '')) headers['Content-Disposition'] = 'attachment';
  return { status: 200, headers, contentType: type, body: Buffer.from(typeof data === 'string' ? data : '', 'base64') };
}
