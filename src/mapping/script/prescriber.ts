/** Prescriber, supervisor, follow-up prescriber: Practitioner and PractitionerRole (reference sections 3.2, 13.3). */
import type { Identifier } from '../transaction-bundle.ts';
import { type Binding, bindToFhir, bindToScript, within } from './bindings.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import { ADDRESS, NAME, telecomIn, telecomOf, telecomToScript } from './demographics.ts';
import { derivedIdentifier, identifierRows, numbersOf } from './identifiers.ts';
import { mapPlace, placeToScript } from './organization.ts';
import { getAt, type Json, objectsAt, type Slices, setAt, textAt } from './place.ts';
import type { Resolve } from './resolve.ts';
import type { Source } from './source.ts';
import { NUCC } from './systems.ts';
import type { Target } from './target.ts';

const SLICES: Slices = new Map([
  ['name:official', { match: { use: 'official' } }],
  ['name:old', { match: { use: 'old' } }],
  ['coding:taxonomy', { match: { system: NUCC } }],
]);

const PERSON: readonly Binding[] = [
  ...identifierRows(
    'StateLicenseNumber',
    'MedicareNumber',
    'MedicaidNumber',
    'UPIN',
    'DEANumber',
    'HIN',
    'NPI',
    'CertificateToPrescribe',
    'Data2000WaiverID',
    'MutuallyDefined',
    'REMSHealthcareProviderEnrollmentID',
    'StateControlSubstanceNumber',
  ),
  ...within('Name', 'name:official', NAME),
  ...within('FormerName', 'name:old', NAME),
];
const SPECIALTY: readonly Binding[] = [['Specialty', 'specialty[0].coding:taxonomy.code']];
const LOCATION: readonly Binding[] = within('Address', 'address', ADDRESS);

/** Adds Practitioner, PractitionerRole and the practice; returns the reference to the role. */
export function mapPrescriber(source: Source | undefined, bundle: MessageBundle): string | undefined {
  const human = source?.find('NonVeterinarian');
  const person = human ?? source?.find('Veterinarian');
  if (person === undefined) return undefined;
  const slices: Slices = new Map([...bundle.slices, ...SLICES]);
  const json: Json = {};
  bindToFhir(PERSON, person, json, slices);
  const identifier = identityOf(json, bundle, slices);
  const kept = objectsAt(json, 'identifier');
  if (!kept.some(({ value }) => value === identifier.value)) json['identifier'] = [...kept, identifier];
  const practitioner = bundle.addByIdentifier(resourceOf('Practitioner', json), identifier);

  const practice = mapPlace('practice', person.find('PracticeLocation'), bundle);
  const role: Json = {};
  const place: Json = { resourceType: 'Location', id: 'location' };
  bindToFhir(LOCATION, person, place);
  if (place['address'] !== undefined) {
    role['contained'] = [place];
    role['location'] = [{ reference: '#location' }];
  }
  const where = ['address.line[0]', 'address.postalCode'].map((path) => textAt(place, path));
  const roleIdentifier = derivedIdentifier('practitioner-role', bundle, [identifier.value, practice, ...where]);
  role['identifier'] = [roleIdentifier];
  role['practitioner'] = referenceTo(practitioner);
  if (practice !== undefined) role['organization'] = referenceTo(practice);
  bindToFhir(SPECIALTY, person, role, slices);
  Object.assign(role, telecomOf(person.find('CommunicationNumbers')));
  if (human === undefined) setAt(role, 'ext:script-veterinarian.valueBoolean', true);
  return bundle.addByIdentifier(resourceOf('PractitionerRole', role), roleIdentifier);
}

/** NPI, else DEA number, else licence, else the name. */
function identityOf(json: Json, bundle: MessageBundle, slices: Slices): Required<Identifier> {
  for (const name of ['NPI', 'DEANumber', 'StateLicenseNumber']) {
    const value = textAt(json, `identifier:${name}.value`, slices);
    const system = textAt(json, `identifier:${name}.system`, slices);
    if (value !== undefined && system !== undefined) return { system, value };
  }
  const words = ['name:official.family', 'name:official.given[0]'];
  return derivedIdentifier('practitioner', bundle, [
    ...words.map((path) => textAt(json, path, slices)),
    ...numbersOf(json),
  ]);
}

/** `requester`: a PractitionerRole or a Practitioner. */
export function prescriberToScript(requester: unknown, resolve: Resolve, slices: Slices, target: Target): void {
  const all: Slices = new Map([...slices, ...SLICES]);
  const isRole = getAt(requester, 'resourceType') === 'PractitionerRole';
  const practitioner = isRole ? resolve(getAt(requester, 'practitioner'), requester) : requester;
  const isVeterinarian = getAt(requester, 'ext:script-veterinarian.valueBoolean') === true;
  const person = target.child(isVeterinarian ? 'Veterinarian' : 'NonVeterinarian');
  bindToScript(PERSON, withOfficialName(practitioner), person, all);
  if (isRole) bindToScript(SPECIALTY, requester, person, all);
  const location = isRole ? resolve(getAt(requester, 'location[0]'), requester) : undefined;
  const address = getAt(location, 'address') ?? getAt(practitioner, 'address[0]');
  bindToScript(LOCATION, { address }, person);
  const telecom = telecomIn(requester);
  telecomToScript(telecom.length > 0 ? telecom : telecomIn(practitioner), person);
  const practice = isRole ? resolve(getAt(requester, 'organization'), requester) : undefined;
  if (practice !== undefined) placeToScript('practice', practice, slices, person.child('PracticeLocation'));
}

function withOfficialName(practitioner: unknown): unknown {
  const names = objectsAt(practitioner, 'name');
  const first = names.find(({ use }) => use === 'official') ?? names.find(({ use }) => use !== 'old');
  if (first === undefined) return practitioner;
  const name = names.map((one) => (one === first ? { ...one, use: 'official' } : one));
  return { ...(practitioner as Json), name }; // it has names: an object
}
