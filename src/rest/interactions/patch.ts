/** JSON Patch and conditional patch. https://hl7.org/fhir/R4/http.html#patch */
import type { Resource, WriteResult } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badRequest, notFound } from '../../standards/fhir/outcome.ts';
import { applyJsonPatch } from '../../standards/fhir/patch.ts';
import { writeAnswer } from '../answers.ts';
import { checkValid } from '../body.ts';
import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, parseIfMatch } from '../preferences.ts';
import type { Services } from '../services.ts';

const JSON_PATCH = ['application/json-patch+json'] as const;

export async function patch(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  const change = patchOf(services, type, id, readPatch(request));
  const ifMatch = parseIfMatch(request.headers);
  const result = await services.store.update(request.caller, type, id, change, {
    operation: 'patch',
    ...(ifMatch !== undefined && { ifMatch }),
  });
  return writeAnswer(services, request, result);
}

export async function conditionalPatch(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const operations = readPatch(request);
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
        change: patchOf(services, type, id, operations),
      },
    ]);
    return written;
  });
  return writeAnswer(services, request, result as WriteResult); // one write, one result
}

function readPatch(request: FhirRequest): unknown {
  checkContentType(request.headers, JSON_PATCH);
  if (request.body.length === 0) throw badRequest('The request has no body: send a JSON Patch array (RFC 6902)');
  return parseJson(request.body);
}

/** The change a patch makes: applied to the current version, and valid afterwards. */
export const patchOf =
  (services: Services, type: string, id: string, operations: unknown) =>
  (current: Resource | undefined): Resource => {
    if (!current) throw notFound(`${type}/${id}`);
    const patched = applyJsonPatch(current, operations) as Resource; // validated next
    checkValid(services, patched, type);
    return patched;
  };
