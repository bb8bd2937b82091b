/** A request's body as a checked resource. */
import type { Resource } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { badRequest, badStructure, FhirError } from '../standards/fhir/outcome.ts';
import type { FhirRequest } from './exchange.ts';
import { isBinaryContent, readBinaryContent } from './interactions/binary.ts';
import { checkContentType, isXmlType, RESOURCE_TYPES } from './preferences.ts';
import type { Services } from './services.ts';

/** Throws 400 or 415; the type must be the one the path names. */
export function readResource(services: Services, request: FhirRequest, type: string): Resource {
  if (type === 'Binary' && isBinaryContent(request.headers)) return readBinaryContent(services, request);
  checkContentType(request.headers, RESOURCE_TYPES);
  return asResource(parseBody(services, request), type);
}

/** The body as the value that JSON has, whichever way it was sent: `Content-Type` decides. */
export function parseBody({ xml }: Pick<Services, 'xml'>, request: Pick<FhirRequest, 'body' | 'headers'>): unknown {
  if (request.body.length === 0) throw badRequest('The request has no body: send a resource as JSON or XML');
  return isXmlType(request.headers['content-type']) ? xml.read(request.body) : parseJson(request.body);
}

/** Throws 400 when a value is no resource, or one of another type than the path says. */
export function asResource(value: unknown, type: string): Resource {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badStructure(`The body must be a JSON object, a ${type} resource`);
  const resource = value as Resource; // resourceType is checked next
  if (typeof resource.resourceType !== 'string')
    throw badStructure(`The resource has no resourceType: it should be "${type}"`, type);
  if (resource.resourceType !== type)
    throw badRequest(
      `The path says ${type}, but the resource is of another type: send it to the path of its own type`,
      'resourceType',
    );
  return resource;
}

/** Throws 422 with every issue when the resource is not valid. */
export function checkValid(services: Services, resource: unknown, type: string, prefix?: string): void {
  const issues = services.validate(resource, type);
  if (issues.length === 0) return;
  throw new FhirError(
    422,
    prefix === undefined
      ? issues
      : issues.map((i) => ({ ...i, expression: (i.expression ?? [type]).map((e) => `${prefix} › ${e}`) })),
  );
}
