/** Identifiers that criteria name, and whether a resource has them. */
import type { Criteria, Resource } from '../ports/resource-store.ts';

interface Token {
  readonly system?: string;
  readonly code?: string;
}

/** The identifiers that criteria name. */
export const tokensOf = ({ conditions }: Criteria): readonly Token[] =>
  conditions.flatMap((c) => (c.kind === 'token' && c.parameter.code === 'identifier' ? c.values : []));

export function bears(resource: Resource, { system, code }: Token): boolean {
  const identifiers = (resource['identifier'] ?? []) as readonly Readonly<Record<string, unknown>>[]; // validated
  return identifiers.some((i) => i['value'] === code && (system === undefined || (i['system'] ?? '') === system));
}

export const hasAll = (resource: Resource, criteria: Criteria): boolean =>
  tokensOf(criteria).every((token) => bears(resource, token));

/** What is locked of criteria, as the store locks it: types and values of identifiers. Undefined: something else. */
export function identitiesOf(criteria: readonly Criteria[]): readonly string[] | undefined {
  const tokens = criteria.map((one) => tokensOf(one).map(({ code = '' }) => `${one.type} identifier ${code}`));
  return tokens.every(({ length }) => length > 0) ? tokens.flat() : undefined;
}
