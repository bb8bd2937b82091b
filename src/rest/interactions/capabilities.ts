/** capabilities: GET /metadata. https://hl7.org/fhir/R4/http.html#capabilities */
import { MORTAR } from '../../standards/fhir/canonical.ts';
import { withOAuthUris } from '../../standards/fhir/capability.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

/** What only some servers have: of a type, or of the system. */
interface FurtherOperation {
  readonly name: string;
  readonly type: string | undefined;
  readonly definition: string;
}

/** What is offered where a payer is configured. */
export const CLAIM_OPERATIONS: readonly FurtherOperation[] = [
  { name: 'adjudicate', type: 'Claim', definition: `${MORTAR}/OperationDefinition/adjudicate` },
  {
    name: 'submit',
    type: 'CoverageEligibilityRequest',
    definition: 'http://hl7.org/fhir/OperationDefinition/CoverageEligibilityRequest-submit',
  },
];

/** What is offered where a Spine is configured, beside what every server has. */
export const SPINE_OPERATIONS: readonly FurtherOperation[] = [
  { name: 'release', type: 'Task', definition: `${MORTAR}/OperationDefinition/release` },
  { name: 'eps-message', type: undefined, definition: `${MORTAR}/OperationDefinition/eps-message` },
];

/** By services and what they declare at the moment. */
const made = new WeakMap<Services, { readonly of: object; readonly statement: unknown }>();

export function capabilities(services: Services, request: FhirRequest): FhirAnswer {
  const query = parseQuery(request.query);
  const mode = query.get('mode') ?? 'full';
  if (mode !== 'full')
    throw badValue('Only mode=full is supported: there are no normative or terminology statements', 'mode');
  const of = services.capability();
  let known = made.get(services);
  if (known?.of !== of) {
    known = { of, statement: statementOf(services, of) };
    made.set(services, known);
  }
  return { status: 200, headers: {}, body: formatJson(known.statement) };
}

/** The published statement with what is this server's own: url, version, date, address. */
function statementOf(services: Services, capability: object): unknown {
  const { baseUrl, softwareVersion, oauthUris } = services.settings;
  const { resourceType, software, ...rest } = capability as { resourceType: string; software: object };
  const statement = {
    resourceType,
    url: `${baseUrl}/metadata`,
    version: softwareVersion,
    date: new Date(services.now()).toISOString(),
    software: { ...software, version: softwareVersion },
    implementation: { description: 'Mortar', url: baseUrl },
    ...rest,
  };
  const further = [...(services.eps ? SPINE_OPERATIONS : []), ...(services.claims ? CLAIM_OPERATIONS : [])];
  const operated = further.length > 0 ? withOperations(statement, further) : statement;
  const complete = services.settings.conditionalDeleteMax > 1 ? withMultipleDelete(operated) : operated;
  return oauthUris ? withOAuthUris(complete, oauthUris) : complete;
}

type Rest = Readonly<Record<string, unknown>> & {
  readonly resource: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
  readonly operation: readonly object[];
};

/** Where one conditional delete may delete several. */
function withMultipleDelete<T extends object>(statement: T): T {
  const { rest } = statement as { readonly rest: readonly Rest[] }; // the published one has it
  const resources = (one: Rest) => one.resource.map((resource) => ({ ...resource, conditionalDelete: 'multiple' }));
  return { ...statement, rest: rest.map((one) => ({ ...one, resource: resources(one) })) };
}

function withOperations<T extends object>(statement: T, further: readonly FurtherOperation[]): T {
  const { rest } = statement as { readonly rest: readonly Rest[] }; // the published one has it
  const operationsOf = (type: string | undefined): readonly object[] =>
    further.filter((one) => one.type === type).map(({ name, definition }) => ({ name, definition }));
  const more = rest.map((one) => ({
    ...one,
    resource: one.resource.map((resource) => {
      const operation = operationsOf(resource.type);
      return operation.length === 0 ? resource : { ...resource, operation };
    }),
    operation: [...one.operation, ...operationsOf(undefined)],
  }));
  return { ...statement, rest: more };
}
