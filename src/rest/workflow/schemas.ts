/** Requests checked by the schemas of the routes, compiled once at start. JSON Schema 2020-12; SECURITY IN-01 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { FhirError, type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';

/** Throws 400 with every fault; numbers and booleans of a query are made such in the value given. */
export type CheckSchema = (value: unknown) => void;

export interface Schemas {
  query(schema: JsonSchema): CheckSchema;
  body(schema: JsonSchema): CheckSchema;
}

const ERRORS_MAX = 20;

export function createSchemas(): Schemas {
  const options = {
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    verbose: true,
    formats: FORMATS,
  };
  const bodies = new Ajv2020(options);
  const queries = new Ajv2020({ ...options, coerceTypes: true });
  return {
    query: (schema) => check(queries.compile(closed(schema))),
    body: (schema) => check(bodies.compile(closed(schema))),
  };
}

/** What is not described is refused: a misspelt name would do nothing and nobody would know. */
const closed = (schema: JsonSchema): JsonSchema =>
  'additionalProperties' in schema ? schema : { ...schema, additionalProperties: false };

const FORMATS = {
  date: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
};

const check =
  (validate: ValidateFunction): CheckSchema =>
  (value) => {
    if (validate(value)) return;
    const errors = withoutAlternatives(validate.errors ?? []);
    throw new FhirError(400, errors.slice(0, ERRORS_MAX).map(toIssue));
  };

/** What is wrong with each alternative says little beside that none of them is there. */
function withoutAlternatives(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ schemaPath }) => `${schemaPath}/`);
  return errors.filter(({ schemaPath }) => !choices.some((choice) => schemaPath.startsWith(choice)));
}

/** How each keyword of JSON Schema is said to people; `limit` is its value. */
const WORDS: Readonly<Record<string, (limit: unknown) => string>> = {
  type: (type) => `must be ${[type].flat().join(' or ')}`,
  minItems: (limit) => `must have ${limit} or more entries`,
  maxItems: (limit) => `must have ${limit} entries at most`,
  uniqueItems: () => 'must not have an entry twice',
  minLength: (limit) => (limit === 1 ? 'must not be empty' : `must have ${limit} or more characters`),
  maxLength: (limit) => `must have ${limit} characters at most`,
  minimum: (limit) => `must be ${limit} or more`,
  maximum: (limit) => `must be ${limit} or less`,
  exclusiveMinimum: (limit) => `must be more than ${limit}`,
  exclusiveMaximum: (limit) => `must be less than ${limit}`,
  format: (name) => `must be ${FORMAT_WORDS[String(name)] ?? `a ${name}`}`,
  anyOf: (choices) => `must have ${(choices as readonly JsonSchema[]).map(alternative).join(', or ')}`,
};

const FORMAT_WORDS: Readonly<Record<string, string>> = {
  date: 'a date like 2026-11-22',
  'date-time': 'a time like 2026-11-22T08:30:00Z',
  uuid: 'a UUID like 0d3f7c1e-5b0a-4c6e-9f43-2d6a1c0b7e55',
  uri: 'a URI like https://example.org/a',
};

/** Of a pattern people are told what is meant, never how a program sees it. */
function formWords({ description, examples }: JsonSchema): string {
  const [example] = Array.isArray(examples) ? examples : [];
  if (typeof description !== 'string' || example === undefined) return 'must be as /openapi.json describes it';
  return `must be ${description} like ${example}`;
}

const alternative = ({ required }: JsonSchema): string =>
  Array.isArray(required) ? required.join(' and ') : 'another of the forms in /openapi.json';

/** Says what and where; never the value that was sent. */
function toIssue({ instancePath, keyword, params, schema, parentSchema }: ErrorObject): Issue {
  const at = instancePath
    .slice(1)
    .replaceAll('/', '.')
    .replaceAll(/\.(\d+)/g, '[$1]');
  const name = at === '' ? 'The request' : at;
  if (keyword === 'required') {
    const missing = String(params['missingProperty']);
    return issue('required', `${missing} is missing`, at === '' ? missing : `${at}.${missing}`);
  }
  if (keyword === 'additionalProperties') {
    const extra = String(params['additionalProperty']).slice(0, 64);
    return issue(
      'structure',
      `${name} has no member of the name given here: see /openapi.json`,
      at === '' ? extra : `${at}.${extra}`,
    );
  }
  if (keyword === 'enum')
    return issue(
      'value',
      `${name} must be one of: ${(params['allowedValues'] as unknown[]).join(', ')}`,
      at || undefined,
    );
  if (keyword === 'pattern') return issue('value', `${name} ${formWords(parentSchema ?? {})}`, at || undefined);
  const said = WORDS[keyword]?.(schema) ?? 'must be as /openapi.json describes it';
  return issue('value', `${name} ${said}`, at || undefined);
}
