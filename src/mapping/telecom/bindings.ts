/** Fields that have an element of their own in FHIR: one table, read both ways. Reference section 21 */
import { getAt, type Json, type Slice, type Slices, setAt } from '../script/place.ts';
import {
  COVERAGE_CLASS,
  DIAGNOSES,
  PATIENTS,
  PRODUCTS,
  PROVIDERS,
  type QualifierSystems,
  RELATIONSHIP,
} from './systems.ts';
import { type Codec, DECIMAL, GENDER, RELATION, TEXT, UNIT } from './values.ts';

export type Resources = Record<'claim' | 'coverage' | 'patient' | 'prescriber' | 'pharmacy', Json>;

export interface Binding {
  readonly path: string;
  readonly resource: keyof Resources;
  readonly element: string;
  readonly codec: Codec;
}

/** A number and the qualifier that says what it is: in FHIR a value and its system. */
export interface PairBinding {
  readonly qualifier: string;
  readonly value: string;
  readonly resource: keyof Resources;
  /** An Identifier, or a Coding. */
  readonly element: string;
  readonly part: 'value' | 'code';
  readonly systems: QualifierSystems;
}

const classSlice = (code: string): Slice => ({ match: { type: { coding: [{ system: COVERAGE_CLASS, code }] } } });
export const SLICES: Slices = new Map<string, Slice>([
  ...['rxbin', 'rxpcn', 'rxgroup', 'plan'].map((code) => [`class:${code}`, classSlice(code)] as const),
  ['coding:relationship', { match: { system: RELATIONSHIP } }],
  ['telecom:phone', { match: { system: 'phone' } }],
  ['telecom:email', { match: { system: 'email' } }],
]);

const rows = (
  resource: keyof Resources,
  table: readonly (readonly [path: string, element: string, codec?: Codec])[],
): readonly Binding[] => table.map(([path, element, codec = TEXT]) => ({ path, resource, element, codec }));

export const BINDINGS: readonly Binding[] = [
  ...rows('coverage', [
    ['H/A1', 'class:rxbin.value'],
    ['H/A4', 'class:rxpcn.value'],
    ['04/C1', 'class:rxgroup.value'],
    ['04/FO', 'class:plan.value'],
    ['04/C2', 'subscriberId'],
    ['04/C3', 'dependent'],
    ['04/C6', 'relationship.coding:relationship.code', RELATION],
  ]),
  ...rows('patient', [
    ['01/C4', 'birthDate'],
    ['01/C5', 'gender', GENDER],
    ['01/CB', 'name[0].family'],
    ['01/CA', 'name[0].given[0]'],
    ['01/CM', 'address[0].line[0]'],
    ['01/CN', 'address[0].city'],
    ['01/CO', 'address[0].state'],
    ['01/CP', 'address[0].postalCode'],
    ['01/CQ', 'telecom:phone.value'],
    ['01/HN', 'telecom:email.value'],
  ]),
  ...rows('prescriber', [
    ['03/DR', 'name[0].family'],
    ['03/2J', 'name[0].given[0]'],
    ['03/PM', 'telecom:phone.value'],
    ['03/2K', 'address[0].line[0]'],
    ['03/2M', 'address[0].city'],
    ['03/2N', 'address[0].state'],
    ['03/2P', 'address[0].postalCode'],
  ]),
  ...rows('claim', [
    ['H/D1', 'item[0].servicedDate'],
    ['07/D2', 'prescription.identifier.value'],
    ['07/E7', 'item[0].quantity.value', DECIMAL],
    ['07/28', 'item[0].quantity.unit', UNIT],
    ['11/DU', 'item[0].net.value', DECIMAL],
  ]),
];

export const PAIRS: readonly PairBinding[] = [
  {
    qualifier: 'H/B2',
    value: 'H/B1',
    resource: 'pharmacy',
    element: 'identifier[0]',
    part: 'value',
    systems: PROVIDERS,
  },
  {
    qualifier: '01/CX',
    value: '01/CY',
    resource: 'patient',
    element: 'identifier[0]',
    part: 'value',
    systems: PATIENTS,
  },
  {
    qualifier: '03/EZ',
    value: '03/DB',
    resource: 'prescriber',
    element: 'identifier[0]',
    part: 'value',
    systems: PROVIDERS,
  },
  {
    qualifier: '07/E1',
    value: '07/D7',
    resource: 'claim',
    element: 'item[0].productOrService.coding[0]',
    part: 'code',
    systems: PRODUCTS,
  },
];

export const ROWS_MAX = 99;

/** Rows of a claim that are lists in FHIR: the same bindings for each of them. */
export const ingredientBindings = (
  index: number,
): { readonly pair: PairBinding; readonly bindings: readonly Binding[] } => {
  const [row, detail] = [`10/RE[${index}]`, `item[0].detail[${index}]`];
  return {
    pair: {
      qualifier: `${row}/RE`,
      value: `${row}/TE`,
      resource: 'claim',
      element: `${detail}.productOrService.coding[0]`,
      part: 'code',
      systems: PRODUCTS,
    },
    bindings: rows('claim', [
      [`${row}/ED`, `${detail}.quantity.value`, DECIMAL],
      [`${row}/EE`, `${detail}.net.value`, DECIMAL],
    ]),
  };
};

export const diagnosisPair = (index: number): PairBinding => ({
  qualifier: `13/WE[${index}]/WE`,
  value: `13/WE[${index}]/DO`,
  resource: 'claim',
  element: `diagnosis[${index}].diagnosisCodeableConcept.coding[0]`,
  part: 'code',
  systems: DIAGNOSES,
});

/** Puts the text where it belongs; false where FHIR has no place for it. */
export function bindToFhir({ resource, element, codec }: Binding, text: string, resources: Resources): boolean {
  const value = codec.decode(text);
  return value !== undefined && setAt(resources[resource], element, value, SLICES);
}

export function pairToFhir(
  { resource, element, part, systems }: PairBinding,
  qualifier: string,
  value: string,
  resources: Resources,
): boolean {
  return setAt(resources[resource], element, { system: systems.systemOf(qualifier), [part]: value }, SLICES);
}

/** The text of a binding, where the resource has it. */
export const textOfBinding = ({ resource, element, codec }: Binding, resources: Resources): string | undefined =>
  codec.encode(getAt(resources[resource], element, SLICES));

/** The first of the identifiers or codings whose system has a qualifier. */
export function textsOfPair(
  { resource, element, part, systems }: PairBinding,
  resources: Resources,
): { readonly qualifier: string; readonly value: string } | undefined {
  const list = getAt(resources[resource], element.replace(/\[0\]$/, ''), SLICES);
  for (const item of Array.isArray(list) ? (list as unknown[]) : []) {
    const qualifier = systems.qualifierOf(getAt(item, 'system'));
    const value = TEXT.encode(getAt(item, part));
    if (qualifier !== undefined && value !== undefined) return { qualifier, value };
  }
  return undefined;
}
