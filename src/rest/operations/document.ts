/** `Composition/id/$document`. https://hl7.org/fhir/R4/composition-operation-document.html, documents.html */
import { randomUUID } from 'node:crypto';
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import { badRequest, FhirError, issue, tooCostly } from '../../standards/fhir/outcome.ts';
import { parseReference } from '../../standards/fhir/reference.ts';
import { locationOf } from '../answers.ts';
import { checkValid } from '../body.ts';
import { type FhirAnswer, type FhirRequest, versionHeaders } from '../exchange.ts';
import type { Services } from '../services.ts';
import { readInput } from './parameters.ts';

const RESOURCES_MAX = 500;

/**
 * The Composition with all that it refers to, and what these refer to outside of any patient's record (who, where, which
 * medicine). A document that lacks what the Composition names would say something else than it: then there is none.
 */
export async function documentOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const input = readInput(services, request, ['persist']);
  const [type, id] = request.segments as [string, string]; // the route has both
  const persist = input.flag('persist') ?? false;
  if (persist && request.method !== 'POST')
    throw badRequest('A document is stored by POST: GET changes nothing', 'persist');
  const { store } = services;
  const composition = await store.read(request.caller, type, id);
  const found = new Map<string, StoredVersion>([[`${type}/${id}`, composition]]);
  const missing: string[] = [];
  let next: readonly StoredVersion[] = [composition];
  for (let depth = 0; next.length > 0; depth += 1) {
    const wanted = new Set(
      next
        .flatMap((version) => referencesOf(services, version))
        .filter((one) => !found.has(one) && (depth === 0 || isShared(services, one))),
    );
    if (found.size + wanted.size > RESOURCES_MAX)
      throw tooCostly(`The document would have more than ${RESOURCES_MAX} resources`);
    const read = await Promise.all([...wanted].map(async (one) => [one, await find(services, request, one)] as const));
    next = read.flatMap(([one, version]) => {
      if (version) found.set(one, version);
      else if (depth === 0) missing.push(one);
      return version ? [version] : [];
    });
  }
  if (missing.length > 0)
    throw new FhirError(422, [
      issue(
        'not-found',
        `The Composition refers to ${missing.length} resources that are not there: no document was made`,
        type,
      ),
    ]);
  const bundle = bundleOf(services, [...found.values()]);
  if (!persist) return { status: 200, headers: {}, body: formatJson(bundle) };
  checkValid(services, bundle, 'Bundle');
  const { version } = await store.create(request.caller, bundle, store.newId());
  return {
    status: 200,
    headers: { ...versionHeaders(version), Location: locationOf(services, version) },
    body: version.content,
  };
}

/** `Type/id` of what a resource refers to here; versions and fragments are of the same. */
function referencesOf(services: Services, { content }: StoredVersion): readonly string[] {
  const found: string[] = [];
  services.rewriteReferences(parseJson(content) as Resource, (text, place) => {
    if (place !== 'reference') return undefined;
    const { baseUrl } = services.settings;
    const local = text.startsWith(`${baseUrl}/`) ? text.slice(baseUrl.length + 1) : text;
    const reference = parseReference(local);
    if (reference?.kind === 'relative') found.push(`${reference.type}/${reference.id}`);
    return undefined;
  });
  return found;
}

const isShared = ({ definitions }: Services, reference: string): boolean => {
  const type = reference.split('/')[0] ?? '';
  return type !== 'Patient' && !Object.hasOwn(definitions.compartments.Patient, type);
};

/** Hidden ones are as if there were none. SECURITY CP-19 */
async function find(
  { store }: Services,
  { caller }: FhirRequest,
  reference: string,
): Promise<StoredVersion | undefined> {
  const [type = '', id = ''] = reference.split('/');
  try {
    return await store.read(caller, type, id);
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) return undefined;
    throw error;
  }
}

function bundleOf({ settings, now }: Services, versions: readonly StoredVersion[]): Resource {
  return {
    resourceType: 'Bundle',
    identifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${randomUUID()}` },
    type: 'document',
    timestamp: new Date(now()).toISOString(),
    entry: versions.map(({ type, id, content }) => ({
      fullUrl: `${settings.baseUrl}/${type}/${id}`,
      resource: parseJson(content),
    })),
  };
}
