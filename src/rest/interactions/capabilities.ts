/** capabilities: GET /metadata. https://hl7.org/fhir/R4/http.html#capabilities */
import { withOAuthUris } from '../../standards/fhir/capability.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { isPretty, parseQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

const made = new WeakMap<Services, unknown>();

export function capabilities(services: Services, request: FhirRequest): FhirAnswer {
  const query = parseQuery(request.query);
  const mode = query.get('mode') ?? 'full';
  if (mode !== 'full')
    throw badValue('Only mode=full is supported: there are no normative or terminology statements', 'mode');
  let statement = made.get(services);
  if (!statement) {
    statement = statementOf(services);
    made.set(services, statement);
  }
  return { status: 200, headers: {}, body: formatJson(statement, isPretty(query.get('_pretty'))) };
}

/** The published statement with what is this server's own: url, version, date, address. */
function statementOf(services: Services): unknown {
  const { baseUrl, softwareVersion, oauthUris } = services.settings;
  const { resourceType, software, ...rest } = services.capability as { resourceType: string; software: object };
  const statement = {
    resourceType,
    url: `${baseUrl}/metadata`,
    version: softwareVersion,
    date: new Date(services.now()).toISOString(),
    software: { ...software, version: softwareVersion },
    implementation: { description: 'Mortar', url: baseUrl },
    ...rest,
  };
  return oauthUris ? withOAuthUris(statement, oauthUris) : statement;
}
