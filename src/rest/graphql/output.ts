/** Fields of a GraphQL query and where their values go. https://hl7.org/fhir/R4/graphql.html */
import type { FieldNode, SelectionSetNode } from 'graphql';
import { isContainer } from '../../standards/fhir/json-pointer.ts';
import { badRequest, type FhirError } from '../../standards/fhir/outcome.ts';
import { suggestNames } from '../../standards/fhir/search/suggest.ts';
import type { Directives } from './query.ts';

export type Output = Record<string, unknown>;

export interface Field {
  readonly node: FieldNode;
  readonly name: string;
  readonly directives: Directives;
  readonly args: ReadonlyMap<string, readonly string[]>;
  readonly selection: SelectionSetNode | undefined;
}

/** The name under which the answer has it. */
export const keyOf = ({ node, name }: Field): string => node.alias?.value ?? name;

export function put(output: Output, field: Field, value: unknown): void {
  const key = keyOf(field);
  const before = output[key];
  // The same field twice is one with the fields of both.
  output[key] = isContainer(before) && isContainer(value) && !Array.isArray(before) ? { ...before, ...value } : value;
}

/** 400 with the nearest names. */
export const unknownField = (type: string, name: string, known: readonly string[]): FhirError => {
  const near = suggestNames(name, known);
  return badRequest(
    `${type} has no field '${name.slice(0, 64)}'${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
  );
};
