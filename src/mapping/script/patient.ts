/** Patient of SCRIPT and of FHIR (reference sections 3.1, 13.2). */
import type { Identifier } from '../transaction-bundle.ts';
import { type Binding, bindToFhir, bindToScript, within } from './bindings.ts';
import { codes, DATE, DATE_TIME, TEXT } from './codecs.ts';
import { type MessageBundle, resourceOf } from './context.ts';
import { ADDRESS, NAME, telecomIn, telecomOf, telecomToScript } from './demographics.ts';
import { derivedIdentifier, identifierRows } from './identifiers.ts';
import { getAt, type Json, objectsAt, type Slices, textAt } from './place.ts';
import type { Source } from './source.ts';
import type { Target } from './target.ts';

const GENDER = codes(
  { M: 'male', F: 'female', U: 'unknown', N: 'unknown', O: 'other' },
  new Map([
    ['unknown', 'U'],
    ['other', 'U'],
  ]),
);

const ANIMAL = 'http://hl7.org/fhir/StructureDefinition/patient-animal';
const BIRTH_TIME = 'http://hl7.org/fhir/StructureDefinition/patient-birthTime';

const SLICES: Slices = new Map([
  ['name:official', { match: { use: 'official' } }],
  ['name:old', { match: { use: 'old' } }],
  ['extension:animal', { match: { url: ANIMAL } }],
  ['extension:birthTime', { match: { url: BIRTH_TIME } }],
]);

const BOTH: readonly Binding[] = [
  ...within('Name', 'name:official', NAME),
  ['Gender', 'gender', GENDER],
  ['DateOfBirth/DateTime', '_birthDate.extension:birthTime.valueDateTime', DATE_TIME],
  ['DateOfBirth/Date', 'birthDate', DATE],
  ...within('Address', 'address[0]', ADDRESS),
];

const HUMAN: readonly Binding[] = [
  ...identifierRows(
    'MedicareNumber',
    'MedicaidNumber',
    'MedicalRecordIdentificationNumberEHR',
    'PatientAccountNumber',
    'MutuallyDefined',
    'REMSPatientID',
  ),
  ...BOTH,
  ...within('FormerName', 'name:old', NAME),
  ['LanguageNameCode', 'communication[0].language.coding[0].code', TEXT],
];

const ANIMALS: readonly Binding[] = [
  ...BOTH,
  ['Species/Text', 'extension:animal.sub:species.valueCodeableConcept.text', TEXT],
  ['Species/Code', 'extension:animal.sub:species.valueCodeableConcept.coding[0].code', TEXT],
];

/** Adds the patient; returns the reference to it and what makes the patient the same one for the sender. */
export function mapPatient(source: Source | undefined, bundle: MessageBundle): { url: string; key: string } {
  const human = source?.find('HumanPatient');
  const animal = human ? undefined : source?.find('NonHumanPatient');
  const person = human ?? animal;
  const slices: Slices = new Map([...bundle.slices, ...SLICES]);
  const json: Json = {};
  if (person) bindToFhir(human ? HUMAN : ANIMALS, person, json, slices);
  const time = textAt(json, '_birthDate.extension:birthTime.valueDateTime', slices);
  if (time !== undefined) json['birthDate'] = time.slice(0, 10);
  Object.assign(json, telecomOf(person?.find('CommunicationNumbers')));
  const identifier = identityOf(json, bundle, slices);
  const kept = objectsAt(json, 'identifier');
  if (!kept.some(({ value }) => value === identifier.value)) json['identifier'] = [...kept, identifier];
  return { url: bundle.addByIdentifier(resourceOf('Patient', json), identifier), key: identifier.value };
}

/** The sender's own record number, else family, given, birth date, gender and postal code together. */
function identityOf(json: Json, bundle: MessageBundle, slices: Slices): Required<Identifier> {
  const record = 'identifier:MedicalRecordIdentificationNumberEHR';
  const system = textAt(json, `${record}.system`, slices);
  const value = textAt(json, `${record}.value`, slices);
  if (system !== undefined && value !== undefined) return { system, value };
  const words = ['name:official.family', 'name:official.given[0]', 'birthDate', 'gender', 'address[0].postalCode'];
  return derivedIdentifier(
    'patient',
    bundle,
    words.map((path) => textAt(json, path, slices)),
  );
}

export function patientToScript(patient: unknown, slices: Slices, target: Target): void {
  const all: Slices = new Map([...slices, ...SLICES]);
  const isAnimal = getAt(patient, 'extension:animal', all) !== undefined;
  const person = target.child('Patient').child(isAnimal ? 'NonHumanPatient' : 'HumanPatient');
  bindToScript(isAnimal ? ANIMALS : HUMAN, withOfficialName(patient), person, all);
  if (person.has('DateOfBirth/DateTime')) dropDate(person);
  telecomToScript(telecomIn(patient), person);
}

/** Where no name is marked official, the first that is not an old one is. */
function withOfficialName(patient: unknown): Json {
  const names = objectsAt(patient, 'name');
  const first = names.find(({ use }) => use === 'official') ?? names.find(({ use }) => use !== 'old');
  const name = names.map((one) => (one === first ? { ...one, use: 'official' } : one));
  return { ...(patient as Json), name }; // the caller found it in a Bundle: an object
}

function dropDate(person: Target): void {
  const [birth] = person.all('DateOfBirth');
  const at = birth?.children.findIndex((node) => typeof node !== 'string' && node.name === 'Date') ?? -1;
  if (at >= 0) birth?.children.splice(at, 1);
}
