/** Numbers of people and places in SCRIPT, and the FHIR identifiers they become (reference sections 3.1 to 3.3, 13). */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Identifier, nameUuid } from '../transaction-bundle.ts';
import type { Binding } from './bindings.ts';
import { type Codec, TEXT } from './codecs.ts';
import type { Owners } from './context.ts';
import { type Json, objectsAt, type Slice, type Slices, textAt } from './place.ts';
import { DEA, IDENTIFIER_TYPE, NCPDP_ID, NPI, senderSystem } from './systems.ts';

interface IdentifierKind {
  /** A national system, found again by its URL. */
  readonly system?: string;
  /** HL7 v2 table 0203, where it has a code. */
  readonly type?: string;
  /** Whose own number it is; a national one where nothing is said. */
  readonly of?: keyof Owners;
}

const KINDS: ReadonlyMap<string, IdentifierKind> = new Map<string, IdentifierKind>([
  ['NPI', { system: NPI }],
  ['DEANumber', { system: DEA }],
  ['NCPDPID', { system: NCPDP_ID }],
  ['StateLicenseNumber', { type: 'LN' }],
  ['MedicareNumber', { type: 'MC' }],
  ['MedicaidNumber', { type: 'MA' }],
  ['UPIN', { type: 'UPIN' }],
  ['HIN', {}],
  ['CertificateToPrescribe', {}],
  ['Data2000WaiverID', {}],
  ['MutuallyDefined', { of: 'prescriber' }],
  ['REMSHealthcareProviderEnrollmentID', {}],
  ['REMSHealthcareSettingEnrollmentID', {}],
  ['StateControlSubstanceNumber', {}],
  ['FacilityID', { of: 'prescriber' }],
  ['MedicalRecordIdentificationNumberEHR', { type: 'MR', of: 'prescriber' }],
  ['PatientAccountNumber', { type: 'AN', of: 'prescriber' }],
  ['REMSPatientID', {}],
]);

/** Of the order, from the header. */
const ORDER_KINDS: ReadonlyMap<string, IdentifierKind> = new Map<string, IdentifierKind>([
  ['PrescriberOrderNumber', { type: 'PLAC', of: 'prescriber' }],
  ['RxReferenceNumber', { type: 'FILL', of: 'pharmacy' }],
]);

/** Of an authorisation: the reference of who asks, the case of who decides (reference section 4.4). */
const CASE_KINDS: ReadonlyMap<string, IdentifierKind> = new Map<string, IdentifierKind>([
  ['PAReferenceID', { of: 'prescriber' }],
  ['REMSReferenceID', { of: 'prescriber' }],
  ['PACaseID', { of: 'payer' }],
  ['REMSCaseID', { of: 'payer' }],
]);

const SYSTEM_NAMES: ReadonlyMap<string, string> = new Map([
  ['PrescriberOrderNumber', 'script-order'],
  ['RxReferenceNumber', 'script-fill'],
  ['MedicalRecordIdentificationNumberEHR', 'script-medical-record'],
  ['PatientAccountNumber', 'script-account'],
  ['StateLicenseNumber', 'script-state-license'],
]);

/** `identifier:NPI` and so on, for `place.ts`. */
export function identifierSlices(owners: Owners): Slices {
  const { sender, prescriber, pharmacy, payer } = owners;
  const key = [sender, prescriber, pharmacy, payer].join('\u0000');
  const known = SLICES.get(key);
  if (known) return known;
  const slices: Slices = new Map(
    [...KINDS, ...ORDER_KINDS, ...CASE_KINDS].map(([name, kind]) => [
      `identifier:${name}`,
      sliceOf(name, kind, owners),
    ]),
  );
  if (SLICES.size >= SLICES_MAX) SLICES.clear();
  if (key.length <= KEY_LENGTH_MAX) SLICES.set(key, slices);
  return slices;
}

/** The same partners write again and again. */
const SLICES = new Map<string, Slices>();
const SLICES_MAX = 500;
const KEY_LENGTH_MAX = 500;

/** System of a number that is of one side alone: `script-order/D%3A6301875277001`. */
export const ownSystem = (name: string, owner: string): string => senderSystem(SYSTEM_NAMES.get(name) ?? name, owner);

function sliceOf(name: string, { system, type, of }: IdentifierKind, owners: Owners): Slice {
  if (system !== undefined) return { match: { system } };
  const coding =
    type === undefined
      ? { system: codeSystemUrl('script-identifier'), code: name }
      : { system: IDENTIFIER_TYPE, code: type };
  const systemName = SYSTEM_NAMES.get(name) ?? `script-${name.toLowerCase()}`;
  return {
    match: { type: { coding: [coding] } },
    also: { system: of ? senderSystem(systemName, owners[of]) : namingSystemUrl(systemName) },
  };
}

/** One switch writes NONE for a number there is not (reference section 3.3). */
const NUMBER: Codec = { decode: (text) => (text === 'NONE' ? undefined : text), encode: TEXT.encode };

/** `Identification/…` for the numbers named. */
export const identifierRows = (...names: readonly string[]): readonly Binding[] =>
  names.map((name) => [`Identification/${name}`, `identifier:${name}.value`, NUMBER]);

export const ORDER_ROWS: readonly Binding[] = [...ORDER_KINDS.keys()].map((name) => [name, `identifier:${name}.value`]);

/**
 * An identifier for what its sender gives no number: the same for the same words of the same sender. Of what nothing is
 * said there is one a message, so that two such never meet.
 */
export const derivedIdentifier = (
  name: string,
  { owner, messageId }: { readonly owner: string; readonly messageId: string },
  words: readonly (string | undefined)[],
): Required<Identifier> => ({
  system: senderSystem(`script-${name}`, owner),
  value: words.some(Boolean)
    ? nameUuid(name, owner, ...words.map((word) => (word ?? '').toLowerCase()))
    : nameUuid(name, owner, 'of message', messageId),
});

/** All numbers of a resource, for `derivedIdentifier`. */
export const numbersOf = (json: Json): readonly (string | undefined)[] =>
  objectsAt(json, 'identifier').map((identifier) => textAt(identifier, 'value'));
