/** An OpenAPI document of a table of routes. https://spec.openapis.org/oas/v3.1.0 */

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What the document tells of a route. */
export interface DescribedRoute {
  readonly method: string;
  /** `/api/things/:id` */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly rights: readonly string[] | 'anonymous';
  /** There where a signature takes the place of a token. */
  readonly signedBy?: unknown;
  readonly request?: { readonly query?: JsonSchema; readonly body?: JsonSchema };
  readonly answers: Readonly<
    Record<number, { readonly about: string; readonly schema?: JsonSchema; readonly mediaType?: string }>
  >;
  readonly problems?: readonly string[];
}

export interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** Where the routes are, without a trailing slash. */
  readonly url: string;
  readonly tokenUrl: string;
  readonly authorizationUrl: string;
  /** Scopes that are not about resources, with what they allow. */
  readonly scopes: Readonly<Record<string, string>>;
}

/** RFC 9457, with `code` for the rule and `errors` where there are several. */
const PROBLEM: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'Of the rule that was broken: it does not change.' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'detail'],
        properties: {
          code: { type: 'string' },
          detail: { type: 'string' },
          at: { type: 'string', description: 'Where in the request.' },
        },
      },
    },
    correlation_id: { type: 'string' },
  },
};

/** The document as a JSON value; the same routes make the same document. */
export function openApiDocument(routes: readonly DescribedRoute[], options: DocumentOptions): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: options.title, version: options.version, description: options.description },
    servers: [{ url: options.url }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: {
        webhook: {
          type: 'apiKey',
          in: 'header',
          name: 'webhook-signature',
          description: 'Standard Webhooks: with webhook-id and webhook-timestamp',
        },
        smart: {
          type: 'oauth2',
          flows: {
            authorizationCode: {
              authorizationUrl: options.authorizationUrl,
              tokenUrl: options.tokenUrl,
              scopes: options.scopes,
            },
          },
        },
      },
    },
  };
}

const templateOf = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');

function operationOf(route: DescribedRoute): JsonSchema {
  const { rights, request, problems = [] } = route;
  const isOpen = rights === 'anonymous';
  const isSigned = route.signedBy !== undefined;
  const parameters = [...pathParameters(route.path), ...queryParameters(request?.query), ...keyHeader(route.method)];
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_all, next: string) => next.toUpperCase())}`,
    summary: route.summary,
    tags: [route.tag],
    ...(!isOpen && { description: `Needs one of: ${rights.join(', ')}.` }),
    security: isOpen
      ? [{}, { smart: [] }]
      : isSigned
        ? [{ webhook: [] }]
        : [{ smart: rights.filter((right) => /^(prescription|pharmacy):/.test(right)) }],
    ...(parameters.length > 0 && { parameters }),
    ...(request?.body && {
      requestBody: { required: true, content: { 'application/json': { schema: request.body } } },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, { about, schema, mediaType = 'application/json' }]) => [
          status,
          { description: about, ...(schema && { content: { [mediaType]: { schema } } }) },
        ]),
      ),
      default: {
        description: problems.length > 0 ? `A problem. Codes of this route: ${problems.join(', ')}.` : 'A problem.',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

const pathParameters = (path: string): JsonSchema[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

function queryParameters(schema: JsonSchema | undefined): JsonSchema[] {
  const properties = (schema?.['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>; // an object schema has them
  const required = (schema?.['required'] ?? []) as readonly string[];
  return Object.entries(properties).map(([name, { description, ...of }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema: of,
  }));
}

const keyHeader = (method: string): JsonSchema[] =>
  method === 'POST'
    ? [
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description: 'The same key with the same request gets the first answer again, for a day.',
          schema: { type: 'string', minLength: 1, maxLength: 128 },
        },
      ]
    : [];
