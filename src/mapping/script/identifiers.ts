/** Numbers of people and places in SCRIPT, and the FHIR identifiers they become (reference sections 3.1 to 3.3, 13). */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Identifier, nameUuid } from '../transaction-bundle.ts';
import type { Binding } from './bindings.ts';
import { type Codec, TEXT } from './codecs.ts';
import { type Json, objectsAt, type Slice, type Slices, textAt } from './place.ts';
import { DEA, IDENTIFIER_TYPE, NCPDP_ID, NPI, senderSystem } from './systems.ts';

interface IdentifierKind {
  /** A national system, found again by its URL. */
  readonly system?: string;
  /** HL7 v2 table 0203, where it has a code. */
  readonly type?: string;
  /** The number is its sender's own. */
  readonly ofSender?: true;
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
  ['MutuallyDefined', { ofSender: true }],
  ['REMSHealthcareProviderEnrollmentID', {}],
  ['REMSHealthcareSettingEnrollmentID', {}],
  ['StateControlSubstanceNumber', {}],
  ['FacilityID', { ofSender: true }],
  ['MedicalRecordIdentificationNumberEHR', { type: 'MR', ofSender: true }],
  ['PatientAccountNumber', { type: 'AN', ofSender: true }],
  ['REMSPatientID', {}],
]);

/** Of the order, from the header. */
const ORDER_KINDS: ReadonlyMap<string, IdentifierKind> = new Map<string, IdentifierKind>([
  ['PrescriberOrderNumber', { type: 'PLAC', ofSender: true }],
  ['RxReferenceNumber', { type: 'FILL', ofSender: true }],
]);

const SYSTEM_NAMES: ReadonlyMap<string, string> = new Map([
  ['PrescriberOrderNumber', 'script-order'],
  ['RxReferenceNumber', 'script-fill'],
  ['MedicalRecordIdentificationNumberEHR', 'script-medical-record'],
  ['PatientAccountNumber', 'script-account'],
  ['StateLicenseNumber', 'script-state-license'],
]);

/** `identifier:NPI` and so on, for `place.ts`. */
export function identifierSlices(sender: string): Slices {
  return new Map([...KINDS, ...ORDER_KINDS].map(([name, kind]) => [`identifier:${name}`, sliceOf(name, kind, sender)]));
}

function sliceOf(name: string, { system, type, ofSender }: IdentifierKind, sender: string): Slice {
  if (system !== undefined) return { match: { system } };
  const coding =
    type === undefined
      ? { system: codeSystemUrl('script-identifier'), code: name }
      : { system: IDENTIFIER_TYPE, code: type };
  const systemName = SYSTEM_NAMES.get(name) ?? `script-${name.toLowerCase()}`;
  return {
    match: { type: { coding: [coding] } },
    also: { system: ofSender ? senderSystem(systemName, sender) : namingSystemUrl(systemName) },
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
  { sender, messageId }: { readonly sender: string; readonly messageId: string },
  words: readonly (string | undefined)[],
): Required<Identifier> => ({
  system: senderSystem(`script-${name}`, sender),
  value: words.some(Boolean)
    ? nameUuid(name, sender, ...words.map((word) => (word ?? '').toLowerCase()))
    : nameUuid(name, sender, 'of message', messageId),
});

/** All numbers of a resource, for `derivedIdentifier`. */
export const numbersOf = (json: Json): readonly (string | undefined)[] =>
  objectsAt(json, 'identifier').map((identifier) => textAt(identifier, 'value'));
