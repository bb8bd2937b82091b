/** delete and conditional delete. https://hl7.org/fhir/R4/http.html#delete */
import { multipleMatches } from '../../standards/fhir/outcome.ts';
import { outcomeAnswer } from '../answers.ts';
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

/**
 * What matches: one, or several where the server is set so, all of them or none. What the caller may see and not delete
 * refuses the whole.
 */
export async function conditionalDelete(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const { conditionalDeleteMax: max } = services.settings;
  const criteria = criteriaOf(services, type, request.query);
  const ifMatch = parseIfMatch(request.headers);
  const count = await services.store.transaction(request.caller, async (tx) => {
    await tx.lockIdentity([criteria]);
    const ids = await tx.find(criteria, max + 1);
    if (max === 1 || ifMatch !== undefined) onlyMatch(type, ids);
    else if (ids.length > max)
      throw multipleMatches(
        `The criteria match more than ${max} ${type} resources, which is the most that one request may delete: none was`,
      );
    if (ids.length > 0)
      await tx.write(ids.map((id) => ({ kind: 'delete', type, id, ...(ifMatch !== undefined && { ifMatch }) })));
    return ids.length;
  });
  if (count < 2) return { status: 204, headers: {} };
  const diagnostics = `${count} ${type} resources were deleted`;
  return outcomeAnswer(200, [{ severity: 'information', code: 'informational', diagnostics }]);
}
