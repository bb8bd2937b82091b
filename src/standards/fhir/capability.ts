/**
 * The CapabilityStatement, made from the tables that route and search. https://hl7.org/fhir/R4/capabilitystatement.html
 */

import type { SearchParameter, SearchParameters } from './search/parameter.ts';
import { TOPICS } from './subscription/topics.ts';

/** What the statement is made from. */
export interface CapabilitySource {
  readonly types: readonly string[];
  readonly parameters: SearchParameters;
  /** Interactions of the route table at type level (`read`, `search-type` …) and at system level. */
  readonly typeInteractions: readonly string[];
  readonly systemInteractions: readonly string[];
  readonly operations: readonly { readonly name: string; readonly definition: string }[];
  /** Operations of every type. */
  readonly typeOperations: readonly { readonly name: string; readonly definition: string }[];
  /** Operations of one type. */
  readonly resourceOperations: readonly { readonly type: string; readonly name: string; readonly definition: string }[];
}

/** The part that is the same for every server: the published `capability-statement.json`. */
export function formatCapability(source: CapabilitySource): Record<string, unknown> {
  return {
    resourceType: 'CapabilityStatement',
    name: 'Mortar',
    title: 'Mortar FHIR R4 server',
    status: 'active',
    kind: 'instance',
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'application/fhir+xml', 'json', 'xml'],
    patchFormat: ['application/json-patch+json', 'application/fhir+json', 'application/fhir+xml'],
    software: { name: 'Mortar' },
    rest: [
      {
        mode: 'server',
        documentation:
          'Unknown search parameters are refused with the nearest names (a deviation from a SHOULD); Prefer: handling=lenient ignores them.',
        security: SECURITY,
        resource: source.types.map((type) => resourceCapability(source, type)),
        interaction: source.systemInteractions.map((code) => ({ code })),
        searchParam: [
          { name: '_filter', definition: 'http://hl7.org/fhir/SearchParameter/filter', type: 'special' },
          ...(source.parameters.fullText === 'all' ? [CONTENT] : []),
        ],
        operation: source.operations,
        compartment: ['Device', 'Encounter', 'Patient', 'Practitioner', 'RelatedPerson'].map(
          (kind) => `http://hl7.org/fhir/CompartmentDefinition/${kind.toLowerCase()}`,
        ),
      },
    ],
  };
}

/** How clients get in. https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html */
const SECURITY = {
  cors: true,
  service: [
    {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
          code: 'SMART-on-FHIR',
          display: 'SMART-on-FHIR',
        },
      ],
      text: 'OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)',
    },
  ],
  description: 'SMART App Launch 2.2: see .well-known/smart-configuration below the base URL.',
};

/** The same statement with one server's endpoints, `authorize` and so on, where apps of SMART 1.0 look for them. */
export function withOAuthUris(
  statement: Readonly<Record<string, unknown>>,
  uris: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const [rest, ...more] = statement['rest'] as [{ readonly security: object }]; // formatCapability has made it
  const extension = [
    {
      url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
      extension: Object.entries(uris).map(([url, valueUri]) => ({ url, valueUri })),
    },
  ];
  return { ...statement, rest: [{ ...rest, security: { extension, ...rest.security } }, ...more] };
}

/** What may be subscribed to. */
const TOPIC =
  'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical';

type RestResource = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly searchParam: readonly object[];
  readonly searchInclude: readonly string[];
  readonly searchRevInclude: readonly string[];
};

/** The statement with the posted parameters that are searched by; the same one where there are none. */
export function withCustomParameters(
  statement: Readonly<Record<string, unknown>>,
  parameters: readonly SearchParameter[],
): Readonly<Record<string, unknown>> {
  if (parameters.length === 0) return statement;
  const [rest, ...more] = statement['rest'] as [{ readonly resource: readonly RestResource[] }]; // formatCapability has made it
  const references = parameters.filter(({ type }) => type === 'reference');
  const nameOf = ({ resourceType, code }: SearchParameter): string => `${resourceType}:${code}`;
  const resource = rest.resource.map((each) => {
    const own = parameters.filter(({ resourceType }) => resourceType === each.type);
    const included = references.filter(({ resourceType }) => resourceType === each.type);
    const pointing = references.filter((one) =>
      (one.onlyTargets.length > 0 ? one.onlyTargets : one.targets).includes(each.type),
    );
    if (own.length + pointing.length === 0) return each;
    return {
      ...each,
      searchInclude: [...each.searchInclude, ...included.map(nameOf)],
      searchRevInclude: [...each.searchRevInclude, ...pointing.map(nameOf)],
      searchParam: [...each.searchParam, ...own.map(({ code, url, type }) => ({ name: code, definition: url, type }))],
    };
  });
  return { ...statement, rest: [{ ...rest, resource }, ...more] };
}

/** The statement with all topics that may be subscribed to, by canonical. */
export function withTopics(
  statement: Readonly<Record<string, unknown>>,
  canonicals: readonly string[],
): Readonly<Record<string, unknown>> {
  if (canonicals.length === TOPICS.length) return statement;
  const [rest, ...more] = statement['rest'] as [{ readonly resource: readonly RestResource[] }]; // formatCapability has made it
  const extension = canonicals.map((valueCanonical) => ({ url: TOPIC, valueCanonical }));
  const resource = rest.resource.map((each) => (each.type === 'Subscription' ? { ...each, extension } : each));
  return { ...statement, rest: [{ ...rest, resource }, ...more] };
}

function resourceCapability(source: CapabilitySource, type: string): Record<string, unknown> {
  const parameters = [...(source.parameters.get(type)?.parameters.values() ?? [])];
  const ofThisType = source.resourceOperations.filter((one) => one.type === type);
  const operation = [...source.typeOperations, ...ofThisType].map(({ name, definition }) => ({ name, definition }));
  return {
    type,
    profile: `http://hl7.org/fhir/StructureDefinition/${type}`,
    interaction: source.typeInteractions.map((code) => ({ code })),
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalRead: 'full-support',
    conditionalUpdate: true,
    conditionalDelete: 'single',
    referencePolicy: ['literal', 'logical'],
    searchInclude: ['*', ...parameters.filter((p) => p.type === 'reference').map((p) => `${type}:${p.code}`)],
    searchRevInclude: reverseIncludes(source, type),
    searchParam: [
      ...parameters.map((p) => ({ name: p.code, definition: p.url, type: p.type })),
      ...specialOf(source, type),
    ],
    operation,
    ...(type === 'Subscription' && { extension: TOPICS.map(({ url }) => ({ url: TOPIC, valueCanonical: url })) }),
  };
}

/** What is searched by without values of its own. https://hl7.org/fhir/R4/search.html#special */
const specialOf = ({ parameters }: CapabilitySource, type: string): object[] => [
  ...(type === 'Location'
    ? [{ name: 'near', definition: 'http://hl7.org/fhir/SearchParameter/Location-near', type: 'special' }]
    : []),
  ...(parameters.fullText !== undefined && parameters.get(type)?.hasNarrative === true
    ? [{ name: '_text', definition: 'http://hl7.org/fhir/SearchParameter/DomainResource-text', type: 'string' }]
    : []),
];

const CONTENT = {
  name: '_content',
  definition: 'http://hl7.org/fhir/SearchParameter/Resource-content',
  type: 'string',
};

/** Reference parameters of any type that may point to this one. */
function reverseIncludes(source: CapabilitySource, type: string): string[] {
  return source.types.flatMap((other) =>
    [...(source.parameters.get(other)?.parameters.values() ?? [])]
      .filter((p) => p.type === 'reference')
      .filter((p) => {
        const allowed = p.onlyTargets.length > 0 ? p.onlyTargets : p.targets;
        return allowed.includes(type);
      })
      .map((p) => `${other}:${p.code}`),
  );
}
