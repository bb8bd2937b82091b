/** What the search tests share: compiled definitions, and a sink that writes everything down. */
import { createExtractors } from '../../../../src/standards/fhir/search/extract.ts';
import type { TypeParameters } from '../../../../src/standards/fhir/search/parameter.ts';
import { createSearchParameters, storableTypes } from '../../../../src/standards/fhir/search/parameters.ts';
import { COMPARTMENTS, type SearchSink } from '../../../../src/standards/fhir/search/sink.ts';
import { testDefinitions } from '../../../support/definitions.ts';

export const definitions = testDefinitions();
export const parameters = createSearchParameters(definitions);
export const extractorOf = createExtractors(definitions, parameters);
export const types = storableTypes(definitions);

export const typeParameters = (type: string): TypeParameters => {
  const found = parameters.get(type);
  if (found === undefined) throw new Error(`no ${type}`);
  return found;
};

/** One call of the sink: method, the atom's code, then the arguments. */
export type Call = readonly [method: string, atom: string, ...values: unknown[]];

export interface Extracted {
  readonly calls: readonly Call[];
  /** Codes of the parameters that are present. */
  readonly present: ReadonlySet<string>;
  /** `Patient: Patient/1` */
  readonly members: readonly string[];
}

export function extract(resource: { readonly resourceType: string } & Readonly<Record<string, unknown>>): Extracted {
  const type = typeParameters(resource.resourceType);
  const byBit = new Map([...type.parameters.values()].map((p) => [p.bit, p.code]));
  const calls: Call[] = [];
  const present = new Set<string>();
  const members: string[] = [];
  const write =
    (method: string) =>
    (atom: number, ...values: unknown[]): void => {
      calls.push([method, type.atoms[atom]?.code ?? `atom ${atom}`, ...values]);
    };
  const sink: SearchSink = {
    presentAtom: () => undefined,
    present: (bit) => present.add(byBit.get(bit) ?? `bit ${bit}`),
    token: write('token'),
    ofType: write('ofType'),
    reference: write('reference'),
    referenceIdentifier: write('referenceIdentifier'),
    canonical: write('canonical'),
    string: write('string'),
    uri: write('uri'),
    date: write('date'),
    number: write('number'),
    quantity: write('quantity'),
    tokenToken: write('tokenToken'),
    referenceToken: write('referenceToken'),
    tokenQuantity: write('tokenQuantity'),
    tokenDate: write('tokenDate'),
    tokenString: write('tokenString'),
    tokenNumberNumber: write('tokenNumberNumber'),
    member: (kind, reference) => members.push(`${COMPARTMENTS[kind]}: ${reference}`),
  };
  extractorOf(resource.resourceType)(resource, sink);
  return { calls, present, members };
}
