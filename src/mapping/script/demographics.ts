/** Name, Address and CommunicationNumbers, which all people and places share (reference sections 3, 13.2). */
import type { Binding } from './bindings.ts';
import { BOOLEAN_YN } from './codecs.ts';
import { getAt, type Json, matches, objectsAt, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import type { Target } from './target.ts';

export const NAME: readonly Binding[] = [
  ['LastName', 'family'],
  ['FirstName', 'given[0]'],
  ['MiddleName', 'given[1]'],
  ['Suffix', 'suffix[0]'],
  ['Prefix', 'prefix[0]'],
];

export const ADDRESS: readonly Binding[] = [
  ['AddressLine1', 'line[0]'],
  ['AddressLine2', 'line[1]'],
  ['City', 'city'],
  ['StateProvince', 'state'],
  ['PostalCode', 'postalCode'],
  ['CountryCode', 'country'],
];

/** Element, and the ContactPoint it is. The first that fits tells which element a ContactPoint is written as. */
const KINDS: readonly (readonly [element: string, contact: Readonly<Json>])[] = [
  ['DirectAddress', { system: 'email', use: 'work', rank: 9 }],
  ['PrimaryTelephone', { system: 'phone', rank: 1 }],
  ['Beeper', { system: 'pager' }],
  ['ElectronicMail', { system: 'email' }],
  ['Fax', { system: 'fax' }],
  ['HomeTelephone', { system: 'phone', use: 'home' }],
  ['WorkTelephone', { system: 'phone', use: 'work' }],
  ['OtherTelephone', { system: 'phone' }],
];
const TEXT_KINDS = new Set(['DirectAddress', 'ElectronicMail']);

export function telecomToFhir(source: Source | undefined): readonly Json[] {
  return KINDS.flatMap(([element, contact]) =>
    (source?.all(element) ?? []).flatMap((one) => {
      const value = TEXT_KINDS.has(element) ? takeText(one) : one.take('Number');
      if (value === undefined) return [];
      const made: Json = { ...contact, value };
      const extension = one.take('Extension');
      if (extension !== undefined) setAt(made, 'ext:script-phone-extension.valueString', extension);
      const sms = BOOLEAN_YN.decode(one.peek('SupportsSMS') ?? '');
      if (sms !== undefined) setAt(made, 'ext:script-supports-sms.valueBoolean', sms);
      if (sms !== undefined) one.take('SupportsSMS');
      if (element === 'DirectAddress') setAt(made, 'ext:script-direct-address.valueBoolean', true);
      return [made];
    }),
  );
}

function takeText(source: Source): string | undefined {
  const { text } = source;
  if (text !== undefined) source.takeWhole();
  return text;
}

export function telecomToScript(telecom: readonly Json[], target: Target): void {
  const phones = telecom.filter((one) => one['system'] === 'phone' && textAt(one, 'value') !== undefined);
  const primary = phones.find((one) => one['rank'] === 1) ?? phones[0];
  for (const contact of telecom) {
    const element = contact === primary ? 'PrimaryTelephone' : kindOf(contact);
    const value = textAt(contact, 'value');
    if (element === undefined || value === undefined) continue;
    if (TEXT_KINDS.has(element)) {
      target.child('CommunicationNumbers').add(element, value);
      continue;
    }
    const phone = target.child('CommunicationNumbers').add(element);
    phone.add('Number', nationalNumber(value));
    const extension = textAt(contact, 'ext:script-phone-extension.valueString');
    if (extension !== undefined) phone.add('Extension', extension);
    const sms = BOOLEAN_YN.encode(getAt(contact, 'ext:script-supports-sms.valueBoolean'));
    if (sms !== undefined) phone.add('SupportsSMS', sms);
  }
}

function kindOf(contact: Json): string | undefined {
  if (getAt(contact, 'ext:script-home-telephone.valueBoolean') === true) return 'HomeTelephone';
  if (getAt(contact, 'ext:script-direct-address.valueBoolean') === true) return 'DirectAddress';
  const others = KINDS.filter(([element]) => element !== 'PrimaryTelephone' && element !== 'DirectAddress');
  return others.find(([, wanted]) => matches(contact, wanted))?.[0];
}

/** SCRIPT has ten digits (reference section 3); what cannot be made so is left to the checker to refuse. */
function nationalNumber(value: string): string {
  const digits = value.replaceAll(/[\s().+-]/g, '');
  return /^1\d{10}$/.test(digits) ? digits.slice(1) : digits;
}

/** The telecom of a resource, or nothing: an empty list is no FHIR. */
export const telecomOf = (source: Source | undefined): { readonly telecom?: readonly Json[] } => {
  const telecom = telecomToFhir(source);
  return telecom.length > 0 ? { telecom } : {};
};

/** The telecom of an organisation, which has no home (org-3): a number given as such keeps that beside it. */
export function placeTelecomOf(source: Source | undefined): { readonly telecom?: readonly Json[] } {
  const { telecom } = telecomOf(source);
  return telecom === undefined ? {} : { telecom: telecom.map(withoutHome) };
}

function withoutHome({ use, ...contact }: Json): Json {
  if (use !== 'home') return use === undefined ? contact : { use, ...contact };
  const kept: Json = { ...contact };
  setAt(kept, 'ext:script-home-telephone.valueBoolean', true);
  return kept;
}

export const telecomIn = (json: unknown): readonly Json[] => objectsAt(json, 'telecom');
