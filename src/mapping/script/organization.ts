/** Pharmacy, practice and facility: Organizations (reference sections 3.3, 13.3). */
import type { Identifier } from '../transaction-bundle.ts';
import { type Binding, bindToFhir, bindToScript, within } from './bindings.ts';
import { type MessageBundle, resourceOf } from './context.ts';
import { ADDRESS, placeTelecomOf, telecomIn, telecomToScript } from './demographics.ts';
import { derivedIdentifier, identifierRows, numbersOf } from './identifiers.ts';
import { type Json, objectsAt, type Slices, textAt } from './place.ts';
import type { Source } from './source.ts';
import { NUCC } from './systems.ts';
import type { Target } from './target.ts';

const PLACE_NUMBERS = [
  'NCPDPID',
  'StateLicenseNumber',
  'MedicareNumber',
  'MedicaidNumber',
  'UPIN',
  'FacilityID',
  'DEANumber',
  'HIN',
  'NPI',
  'MutuallyDefined',
  'REMSHealthcareSettingEnrollmentID',
];

const SLICES: Slices = new Map([['type:taxonomy', { match: { coding: [{ system: NUCC }] } }]]);

interface PlaceKind {
  readonly rows: readonly Binding[];
  /** Numbers that say which place it is, the best first. */
  readonly identity: readonly string[];
}

const place = (nameElement: string, identity: readonly string[]): PlaceKind => ({
  identity,
  rows: [...identifierRows(...PLACE_NUMBERS), [nameElement, 'name'], ...within('Address', 'address[0]', ADDRESS)],
});

export const PLACES = {
  pharmacy: place('BusinessName', ['NCPDPID', 'NPI']),
  practice: place('BusinessName', ['NPI', 'NCPDPID']),
  facility: place('FacilityName', ['NPI', 'NCPDPID']),
} as const;

/** Adds the place; returns the reference to it, or undefined where nothing is said of it. */
export function mapPlace(
  kind: keyof typeof PLACES,
  source: Source | undefined,
  bundle: MessageBundle,
): string | undefined {
  if (source === undefined) return undefined;
  const { rows, identity } = PLACES[kind];
  const slices: Slices = new Map([...bundle.slices, ...SLICES]);
  const json: Json = {};
  bindToFhir(rows, source, json, slices);
  const specialty = kind === 'pharmacy' ? source.take('Specialty') : undefined;
  Object.assign(json, placeTelecomOf(source.find('CommunicationNumbers')));
  if (Object.keys(json).length === 0) return undefined;
  const type = kind === 'pharmacy' ? [PROVIDER] : [];
  if (specialty !== undefined) type.push({ coding: [{ system: NUCC, code: specialty }] });
  if (type.length > 0) json['type'] = type;
  const identifier = identityOf(json, identity, bundle, slices);
  const kept = objectsAt(json, 'identifier');
  if (!kept.some(({ value }) => value === identifier.value)) json['identifier'] = [...kept, identifier];
  return bundle.addByIdentifier(resourceOf('Organization', json), identifier);
}

const PROVIDER: Json = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/organization-type', code: 'prov' }],
  text: 'Pharmacy',
};

function identityOf(
  json: Json,
  identity: readonly string[],
  bundle: MessageBundle,
  slices: Slices,
): Required<Identifier> {
  for (const name of identity) {
    const value = textAt(json, `identifier:${name}.value`, slices);
    const system = textAt(json, `identifier:${name}.system`, slices);
    if (value !== undefined && system !== undefined) return { system, value };
  }
  const words = ['name', 'address[0].line[0]', 'address[0].postalCode'].map((path) => textAt(json, path));
  return derivedIdentifier('organization', bundle, [...words, ...numbersOf(json)]);
}

export function placeToScript(kind: keyof typeof PLACES, organization: unknown, slices: Slices, target: Target): void {
  // Required, though all that is in it may be missing (reference section 3.3).
  if (kind === 'facility') target.child('Identification');
  bindToScript(PLACES[kind].rows, organization, target, slices);
  const specialty = kind === 'pharmacy' ? textAt(organization, 'type:taxonomy.coding[0].code', SLICES) : undefined;
  if (specialty !== undefined) target.put('Specialty', specialty);
  telecomToScript(telecomIn(organization), target);
}
