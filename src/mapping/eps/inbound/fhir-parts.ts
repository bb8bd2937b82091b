/** Builds resources and their recurring parts. */
import type { FhirResource } from '../../transaction-bundle.ts';
import { UUID_SYSTEM } from '../systems.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Without what is undefined and without empty lists, as FHIR has it. */
export function present(members: Json): Json {
  const kept: Record<string, unknown> = {};
  for (const name in members) {
    const value = members[name];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) kept[name] = value;
  }
  return kept;
}

export type Entry = FhirResource & { readonly id: string };

export const resource = (resourceType: string, id: string, members: Json): Entry => ({
  resourceType,
  id,
  ...present(members),
});

export const urlOf = (id: string): string => `urn:uuid:${id}`;
export const referenceTo = ({ id }: { readonly id: string }): Json => ({ reference: urlOf(id) });

export const identifier = (system: string, value: string): Json => ({ system, value });
export const uuidIdentifier = (id: string): Json => identifier(UUID_SYSTEM, id.toLowerCase());

export const coding = (system: string, code: string, display?: string): Json => present({ system, code, display });
export const concept = (system: string, code: string, display?: string): Json => ({
  coding: [coding(system, code, display)],
});

export const extension = (url: string, value: Json): Json => ({ url, ...value });
/** One that holds others; without any it is none. */
export const extensions = (url: string, parts: readonly (Json | undefined)[]): Json | undefined => {
  const within = parts.filter((part) => part !== undefined);
  return within.length === 0 ? undefined : { url, extension: within };
};

/** Resources in a bundle stand in this order, those of one type as they were made. */
const RANKS = [
  'MessageHeader',
  'MedicationRequest',
  'MedicationDispense',
  'Patient',
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'HealthcareService',
  'Location',
  'Provenance',
];

/** Whatever is not named stands with the MessageHeader, so that its lists follow it. */
const rankOf = ({ resourceType }: FhirResource): number => Math.max(0, RANKS.indexOf(resourceType));

export const sortedEntries = (resources: readonly Entry[]): readonly Json[] =>
  resources.toSorted((a, b) => rankOf(a) - rankOf(b)).map(entryOf);

export const entryOf = (one: Entry): Json => ({ fullUrl: urlOf(one.id), resource: one });
