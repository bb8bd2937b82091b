/** What an operation is given: the query of a GET, or a `Parameters` resource. https://hl7.org/fhir/R4/operations.html#executing */
import type { Resource } from '../../ports/resource-store.ts';
import { formatJson, isNumber } from '../../standards/fhir/json.ts';
import { badRequest, badValue, FhirError, issue } from '../../standards/fhir/outcome.ts';
import { checkValid, readResource } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parseRepeatedQuery } from '../preferences.ts';
import type { Services } from '../services.ts';

export interface OperationInput {
  /** A primitive as text; undefined where it is not given. */
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  /** Throws 400 where it is not given. */
  required(name: string): string;
  flag(name: string): boolean | undefined;
  /** A whole number from 0. */
  count(name: string): number | undefined;
  /** A complex value such as a Coding. */
  values<T extends object>(name: string): readonly T[];
  resource(name: string): Resource | undefined;
}

interface Given {
  readonly name: string;
  readonly value: unknown;
  readonly resource: Resource | undefined;
}

/** Of every request. https://hl7.org/fhir/R4/http.html#parameters */
const GENERAL = new Set(['_format', '_pretty']);

/** Throws 400 for a parameter that the operation does not have, or one that is given in the wrong way. */
export function readInput(services: Services, request: FhirRequest, names: readonly string[]): OperationInput {
  const given = [...queryOf(request), ...(request.method === 'POST' ? bodyOf(services, request) : [])];
  for (const { name } of given)
    if (!names.includes(name))
      throw new FhirError(400, [
        issue(
          'not-supported',
          `The operation has no parameter '${name.slice(0, 64)}' here: it takes ${names.join(', ') || 'none'}`,
        ),
      ]);
  const all = (name: string): readonly Given[] => given.filter((one) => one.name === name);
  const texts = (name: string): readonly string[] => all(name).map(({ value }) => asText(value, name));
  const text = (name: string): string | undefined => {
    const found = texts(name);
    if (found.length > 1) throw badValue(`${name} may be given once only`, name);
    return found[0];
  };
  return {
    text,
    texts,
    required(name) {
      const found = text(name);
      if (found === undefined || found === '')
        throw new FhirError(400, [issue('required', `The operation needs ${name}`)]);
      return found;
    },
    flag(name) {
      const found = text(name);
      if (found === undefined || found === 'true' || found === 'false')
        return found === undefined ? undefined : found === 'true';
      throw badValue(`${name} must be true or false`, name);
    },
    count(name) {
      const found = text(name);
      if (found === undefined || /^[0-9]{1,9}$/.test(found)) return found === undefined ? undefined : Number(found);
      throw badValue(`${name} must be a whole number from 0`, name);
    },
    values: <T extends object>(name: string) =>
      all(name).map(({ value }) => {
        if (typeof value !== 'object' || value === null) throw badValue(`${name} is sent by POST, in Parameters`, name);
        return value as T; // validated with the Parameters
      }),
    resource: (name) => all(name)[0]?.resource,
  };
}

function queryOf(request: FhirRequest): Given[] {
  if (request.query === '') return [];
  return [...parseRepeatedQuery(request.query)]
    .filter(([name]) => !GENERAL.has(name))
    .flatMap(([name, values]) => values.map((value) => ({ name, value, resource: undefined })));
}

interface RawParameter {
  readonly name: string;
  readonly resource?: Resource;
}

function bodyOf(services: Services, request: FhirRequest): Given[] {
  if (request.body.length === 0) return [];
  const parameters = readResource(services, request, 'Parameters');
  checkValid(services, parameters, 'Parameters');
  return ((parameters['parameter'] ?? []) as readonly RawParameter[]).map((one) => {
    const value = Object.entries(one).find(([key]) => key.startsWith('value'))?.[1];
    return { name: one.name, value, resource: one.resource };
  });
}

function asText(value: unknown, name: string): string {
  if (value === undefined || (typeof value === 'object' && !isNumber(value)))
    throw badRequest(`${name} must be a simple value`, name);
  return String(value);
}

/** `Parameters` as an answer. */
export const parametersAnswer = (parameter: readonly object[]): FhirAnswer => ({
  status: 200,
  headers: {},
  body: formatJson({ resourceType: 'Parameters', parameter }),
});
