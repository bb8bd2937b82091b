/** Parsing as the tests do it: against this base URL, with pages of at most 100. */
import { expect } from 'chai';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { parseSearch } from '../../../../src/standards/fhir/search/parse.ts';
import type { Condition, SearchRequest } from '../../../../src/standards/fhir/search/request.ts';
import { definitions, parameters } from './fixtures.ts';

export const BASE = 'https://example.org/fhir';
export type Query = Parameters<typeof parseSearch>[0]['query'];

export const parse = (type: string, query: Query, handling: 'strict' | 'lenient' = 'strict'): SearchRequest =>
  parseSearch({ type, query, parameters, definitions, handling, baseUrl: BASE, limits: { count: 100 } });

export function refuse(type: string, query: Query, handling: 'strict' | 'lenient' = 'strict'): FhirError {
  try {
    parse(type, query, handling);
  } catch (error) {
    if (error instanceof FhirError) return error;
    throw error;
  }
  throw new Error(`not refused: ${JSON.stringify(query)}`);
}
export const messages = (type: string, query: Query): string[] =>
  refuse(type, query).issues.map((i) => i.diagnostics ?? '');
export const codes = (type: string, query: Query): string[] => refuse(type, query).issues.map((i) => i.code);

/** A condition with its parameters as their codes. */
export const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, v) => (typeof v?.bit === 'number' ? `${v.resourceType}.${v.code}` : v)));
export const one = (type: string, query: Query): Condition => {
  const { conditions } = parse(type, query);
  expect(conditions).to.have.length(1);
  return conditions[0] as Condition;
};
export const valuesOf = (type: string, query: Query): unknown =>
  (plain(one(type, query)) as { values: unknown }).values;
