/** Addresses, names, contact points and sex. */
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { codeIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { invalidValue } from './fault.ts';
import { type Node, stringAt, stringsAt } from './node.ts';
import { V3_ADDRESS_USE, V3_NAME_USE, V3_SEX, V3_TELECOM_USE } from './uses.ts';

/** The V3 code of FHIR's `use`, if the part has one. */
function useOf(kind: string, uses: ReadonlyMap<string, string>, part: Node, path: string): string | undefined {
  const use = stringAt(part, 'use', path);
  if (use === undefined) return undefined;
  const code = uses.get(use);
  if (code === undefined) throw invalidValue(`Unhandled ${kind} use '${use}'.`, `${path}.use`);
  return code;
}

/** The country is not sent. */
export function address(part: Node, path: string): XmlElement {
  const lines = [
    ...stringsAt(part, 'line', path),
    stringAt(part, 'city', path),
    stringAt(part, 'district', path),
    stringAt(part, 'state', path),
  ].filter((line) => line !== undefined && line !== '');
  const postalCode = stringAt(part, 'postalCode', path);
  return element(
    'addr',
    { use: useOf('address', V3_ADDRESS_USE, part, path) },
    lines.map((line) => textElement('streetAddressLine', line)),
    postalCode === undefined ? undefined : textElement('postalCode', postalCode),
  );
}

const NAME_PARTS = ['prefix', 'given', 'family', 'suffix'] as const;

/** In parts; a name that has none is its text. */
export function name(part: Node, path: string): XmlElement {
  const parts = NAME_PARTS.flatMap((kind) =>
    (kind === 'family' ? [stringAt(part, kind, path)] : stringsAt(part, kind, path))
      .filter((text) => text !== undefined && text !== '')
      .map((text) => textElement(kind, text)),
  );
  const use = useOf('name', V3_NAME_USE, part, path);
  if (parts.length > 0) return element('name', { use }, parts);
  return { ...element('name', { use }), children: textElement('name', stringAt(part, 'text', path)).children };
}

/** A name known as one text. */
export const textName = (text: string | undefined): XmlElement => textElement('name', text);

/** Every contact point is sent as a telephone number, an e-mail address too. */
export function telecom(part: Node, path: string): XmlElement {
  const value = stringAt(part, 'value', path)?.replaceAll(/\s/g, '');
  return element('telecom', {
    use: useOf('telecom', V3_TELECOM_USE, part, path),
    value: value === undefined || value.startsWith('tel:') ? value : `tel:${value}`,
  });
}

export function administrativeGender(patient: Node): XmlElement {
  const gender = stringAt(patient, 'gender', 'Patient');
  const code = V3_SEX.get(gender ?? '');
  if (code === undefined) throw invalidValue(`Unhandled gender '${gender}'.`, 'Patient.gender');
  return codeIn('administrativeGender', code, undefined, 'administrativeGenderCode');
}
