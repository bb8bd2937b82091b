/** update and conditional update. https://hl7.org/fhir/R4/http.html#update */
import type { Resource, WriteResult } from '../../ports/resource-store.ts';
import { badRequest, versionConflict } from '../../standards/fhir/outcome.ts';
import { writeAnswer } from '../answers.ts';
import { checkValid, readResource } from '../body.ts';
import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { namesVersion, parseIfMatch } from '../preferences.ts';
import type { Services } from '../services.ts';

export async function update(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const [type, id] = request.segments as [string, string]; // the route has both
  const resource = readResource(services, request, type);
  checkId(resource, type, id);
  checkValid(services, resource, type);
  const ifMatch = parseIfMatch(request.headers);
  const result = await services.store.update(
    request.caller,
    type,
    id,
    unlessThere(request.headers['if-none-match'], `${type}/${id}`, () => resource),
    ifMatch === undefined ? {} : { ifMatch },
  );
  return writeAnswer(services, request, result);
}

/**
 * A change that throws 412 where `If-None-Match` names the current version, or any by `*`: who makes a resource under an id
 * of their own overwrites no other. RFC 9110 section 13.1.2
 */
export const unlessThere =
  (ifNoneMatch: string | undefined, reference: string, change: () => Resource) =>
  (current: Resource | undefined): Resource => {
    const { versionId } = (current?.['meta'] ?? {}) as { readonly versionId?: string }; // stored with one
    if (versionId !== undefined && ifNoneMatch !== undefined && namesVersion(ifNoneMatch, Number(versionId)))
      throw versionConflict(
        `${reference} has version ${versionId}, which If-None-Match rules out: read it, then send If-Match to replace it`,
      );
    return change();
  };

/** The id in the body must be there and be that of the path. */
export function checkId(resource: Resource, type: string, id: string): void {
  if (resource['id'] === undefined)
    throw badRequest(`The resource has no id: an update needs "id": "${id}" in the body as well`, `${type}.id`);
  if (resource['id'] !== id)
    throw badRequest(`The id in the body is not '${id}' as in the path: they must be the same`, `${type}.id`);
}

export async function conditionalUpdate(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const resource = readResource(services, request, type);
  checkValid(services, resource, type);
  const criteria = criteriaOf(services, type, request.query);
  const ifMatch = parseIfMatch(request.headers);
  const { store } = services;
  const result = await store.transaction(request.caller, async (tx) => {
    await tx.lockIdentity([criteria]);
    const id = onlyMatch(type, await tx.find(criteria, 2));
    const conditions = { ifMatch, ifNoneMatch: request.headers['if-none-match'] };
    const [written] = await tx.write([conditionalWrite(resource, type, id, () => store.newId(), conditions)]);
    return written;
  });
  return writeAnswer(services, request, result as WriteResult); // one write, one result
}

/** No match: create (under the client's id, when it gave one); one match: update it. */
export function conditionalWrite(
  resource: Resource,
  type: string,
  match: string | undefined,
  newId: () => string,
  { ifMatch, ifNoneMatch }: { readonly ifMatch: number | undefined; readonly ifNoneMatch: string | undefined },
) {
  const given = typeof resource['id'] === 'string' ? resource['id'] : undefined;
  if (match === undefined && ifMatch !== undefined)
    throw versionConflict(`No ${type} matches the criteria, but If-Match asks for version ${ifMatch}`);
  if (match === undefined && given === undefined) return { kind: 'create', resource, id: newId() } as const;
  if (match !== undefined && given !== undefined && given !== match)
    throw badRequest(
      `The criteria match ${type}/${match}, but the resource has another id: leave the id out`,
      `${type}.id`,
    );
  return {
    kind: 'update',
    operation: 'update',
    type,
    id: match ?? (given as string),
    ...(ifMatch !== undefined && { ifMatch }),
    change: unlessThere(ifNoneMatch, `${type}/${match ?? given}`, () => resource),
  } as const;
}
