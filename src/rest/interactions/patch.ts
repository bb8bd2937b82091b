/** JSON Patch, FHIRPath Patch and conditional patch. https://hl7.org/fhir/R4/http.html#patch */
import type { Resource, WriteResult } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, notFound } from '../../standards/fhir/outcome.ts';
import { applyJsonPatch } from '../../standards/fhir/patch.ts';
import { writeAnswer } from '../answers.ts';
import { checkValid, readResource } from '../body.ts';
import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, parseIfMatch, RESOURCE_TYPES } from '../preferences.ts';
import type { Services } from '../services.ts';

const JSON_PATCH = 'application/json-patch+json';

/** What a patch makes of a resource; the result has yet to be validated. */
export type Patch = (current: Resource) => unknown;

export async function patch(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  const change = patchOf(services, type, id, readPatch(services, request));
  const ifMatch = parseIfMatch(request.headers);
  const result = await services.store.update(request.caller, type, id, change, {
    operation: 'patch',
    ...(ifMatch !== undefined && { ifMatch }),
  });
  return writeAnswer(services, request, result);
}

export async function conditionalPatch(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const apply = readPatch(services, request);
  const criteria = criteriaOf(services, type, request.query);
  const ifMatch = parseIfMatch(request.headers);
  const result = await services.store.transaction(request.caller, async (tx) => {
    await tx.lockIdentity([criteria]);
    const id = onlyMatch(type, await tx.find(criteria, 2));
    if (id === undefined) throw notFound(`A ${type} that matches the criteria`);
    const [written] = await tx.write([
      {
        kind: 'update',
        operation: 'patch',
        type,
        id,
        ...(ifMatch !== undefined && { ifMatch }),
        change: patchOf(services, type, id, apply),
      },
    ]);
    return written;
  });
  return writeAnswer(services, request, result as WriteResult); // one write, one result
}

/** By its media type: JSON Patch, or Parameters of a FHIRPath Patch in JSON or XML. */
function readPatch(services: Services, request: FhirRequest): Patch {
  const type = checkContentType(request.headers, [JSON_PATCH, ...RESOURCE_TYPES]);
  if (type !== JSON_PATCH) return pathPatchOf(services, readResource(services, request, 'Parameters'));
  if (request.body.length === 0) throw badRequest('The request has no body: send a JSON Patch array (RFC 6902)');
  return jsonPatchOf(parseJson(request.body));
}

export const jsonPatchOf =
  (operations: unknown): Patch =>
  (current) =>
    applyJsonPatch(current, operations);

/** https://hl7.org/fhir/R4/fhirpatch.html */
export function pathPatchOf(services: Services, parameters: Resource, prefix?: string): Patch {
  checkValid(services, parameters, 'Parameters', prefix);
  return (current) => services.applyPathPatch(current, parameters);
}

/** The change a patch makes: applied to the current version, and valid afterwards. */
export const patchOf =
  (services: Services, type: string, id: string, apply: Patch) =>
  (current: Resource | undefined): Resource => {
    if (!current) throw notFound(`${type}/${id}`);
    const patched = apply(current) as Resource; // validated next
    checkValid(services, patched, type);
    return patched;
  };
