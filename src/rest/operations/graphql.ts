/** `$graphql` of the base and of a resource. https://hl7.org/fhir/R4/resource-operation-graphql.html; SECURITY CP-16 */
import type { Resource } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import {
  badRequest,
  badStructure,
  FhirError,
  forbidden,
  operationOutcome,
  textOf,
} from '../../standards/fhir/outcome.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { createExecution } from '../graphql/execute.ts';
import { type RawQuery, readQuery } from '../graphql/query.ts';
import { createSources } from '../graphql/sources.ts';
import { checkContentType, parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

export async function graphqlOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { caller, segments } = request;
  const [type, id] = segments.length === 3 ? (segments as readonly [string, string, string]) : [];
  const isAnything = services.definitions.resourceTypes.some((one) => services.policy.decide(caller, one, 's').allowed);
  if (type === undefined && !isAnything) throw forbidden();
  // Whoever may not see the resource learns nothing of it, whatever they send.
  const stored = type === undefined ? undefined : await services.store.read(caller, type, id ?? '');
  const raw = readRaw(request);
  const sources = createSources(services, request);
  let body: object;
  let status = 200;
  try {
    const execution = createExecution(
      services,
      readQuery(raw, services.settings.isGraphqlSchemaShown === true && type === undefined),
      sources,
    );
    const data = stored ? await execution.of(parseJson(stored.content) as Resource) : await execution.atBase(); // stored text
    body = { data };
  } catch (error) {
    if (!(error instanceof FhirError) || error.status >= 500) throw error;
    // An OperationOutcome goes with the errors: https://hl7.org/fhir/R4/graphql.html#errors
    status = error.status;
    const extensions = { resource: operationOutcome(error.issues) };
    body = { data: null, errors: error.issues.map((one) => ({ message: textOf(one), extensions })) };
  }
  await services.audit.record({
    kind: 'operation',
    operation: 'graphql',
    caller,
    outcome: status === 200 ? 0 : 4,
    ...(typeof raw.query === 'string' && { query: raw.query.slice(0, 4096) }),
    patientRids: [...sources.patientRids],
  });
  return {
    status,
    headers: {},
    body: formatJson(body),
    contentType: 'application/json; charset=utf-8',
  };
}

/** By GET in the URL, by POST as JSON, or the query alone as `application/graphql`. */
function readRaw(request: FhirRequest): RawQuery {
  const inUrl = parseQuery(request.query);
  const variables = inUrl.get('variables');
  const asked = {
    query: inUrl.get('query'),
    operationName: inUrl.get('operationName'),
    ...(variables !== undefined && { variables: parseJson(Buffer.from(variables)) }),
  };
  if (request.method !== 'POST') return asked;
  const type = checkContentType(request.headers, ['application/json', 'application/graphql']);
  if (request.body.length === 0) throw badRequest('The request has no body: send {"query": "…"}');
  if (type === 'application/graphql') return { ...asked, query: request.body.toString() };
  const body = parseJson(request.body);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badStructure('The body must be an object with query');
  return { ...asked, ...(body as RawQuery) };
}
