/** delete and conditional delete of one resource. https://hl7.org/fhir/R4/http.html#delete */

import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { etag } from '../exchange.ts';
import { parseIfMatch } from '../preferences.ts';
import type { Services } from '../services.ts';

/** 204, also when there is nothing (left) to delete: the client's wish is fulfilled. */
export async function deleteResource(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  const result = await services.store.delete(request.caller, type, id, parseIfMatch(request.headers));
  return { status: 204, headers: result ? { ETag: etag(result.version) } : {} };
}

export async function conditionalDelete(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const criteria = criteriaOf(services, type, request.query);
  const ifMatch = parseIfMatch(request.headers);
  await services.store.transaction(request.caller, async (tx) => {
    await tx.lockIdentity([criteria]);
    const id = onlyMatch(type, await tx.find(criteria, 2));
    if (id !== undefined) await tx.write([{ kind: 'delete', type, id, ...(ifMatch !== undefined && { ifMatch }) }]);
  });
  return { status: 204, headers: {} };
}
