/** Names, addresses, contact points and the patient. */

import { ID_SYSTEM } from '../systems.ts';
import { FHIR_ADDRESS_USE, FHIR_NAME_USE, FHIR_SEX, FHIR_TELECOM_USE } from '../uses.ts';
import type { AnswerContext, AnswerForm } from './context.ts';
import { type Entry, identifier, type Json, present, resource } from './fhir-parts.ts';
import {
  childrenOf,
  dateOfValue,
  findAttribute,
  findChild,
  findPath,
  findText,
  requiredAttribute,
  requiredChild,
  type V3Node,
  v3Fault,
} from './v3-node.ts';

/** The code that stands for a general practice that is not known. */
const UNKNOWN_PRACTICE = 'V81999';

/** Deviates: the national gateway leaves the patient's telephone numbers out. */
export function patient(recordTarget: V3Node, { newId, form }: AnswerContext): Entry {
  const role = requiredChild(recordTarget, 'Patient');
  const person = requiredChild(role, 'patientPerson');
  return resource('Patient', newId(), {
    identifier: [identifier(ID_SYSTEM.nhsNumber, requiredAttribute(requiredChild(role, 'id'), 'extension'))],
    name: childrenOf(person, 'name').map(humanName),
    telecom: form === 'full' ? telecoms(role, form) : undefined,
    gender: sexOf(person),
    birthDate: dateOfValue(requiredChild(person, 'birthTime')),
    address: addresses(role),
    generalPractitioner: [{ identifier: identifier(ID_SYSTEM.odsOrganisation, practiceOf(person)) }],
  });
}

function sexOf(person: V3Node): string {
  const node = requiredChild(person, 'administrativeGenderCode');
  const code = FHIR_SEX.get(requiredAttribute(node, 'code'));
  if (code === undefined) throw v3Fault('code-invalid', node, 'The code of the sex is none of 0, 1, 2, 9', '/@code');
  return code;
}

function practiceOf(person: V3Node): string {
  const path = ['playedProviderPatient', 'subjectOf', 'patientCareProvision', 'responsibleParty'] as const;
  const id = findPath(person, ...path, 'healthCareProvider', 'id');
  // What the provision is of is always the same.
  findPath(person, ...path.slice(0, -1), 'code');
  return findAttribute(id, 'extension') ?? UNKNOWN_PRACTICE;
}

/** A name in parts, or one text. */
export function humanName(node: V3Node): Json {
  const texts = (kind: string): readonly string[] =>
    childrenOf(node, kind)
      .map(findText)
      .filter((text) => text !== undefined);
  const family = texts('family');
  const parts = present({
    use: useOf(node, FHIR_NAME_USE),
    prefix: texts('prefix'),
    given: texts('given'),
    family: family.length === 0 ? undefined : family.join(' '),
    suffix: texts('suffix'),
  });
  const hasParts = Object.keys(parts).some((name) => name !== 'use');
  return hasParts ? parts : present({ ...parts, text: findText(node) });
}

export const addresses = (node: V3Node): readonly Json[] =>
  childrenOf(node, 'addr')
    .map((addr) => {
      const line = childrenOf(addr, 'streetAddressLine').map(findText);
      const lines = line.filter((text) => text !== undefined);
      const postalCode = findText(findChild(addr, 'postalCode'));
      const text = lines.length === 0 && postalCode === undefined ? findText(addr) : undefined;
      return present({ use: useOf(addr, FHIR_ADDRESS_USE), line: lines, postalCode, text });
    })
    .filter((address) => Object.keys(address).length > 0);

/**
 * Those without a number say nothing. Deviates: an e-mail address, which V3 has as a telephone number too, is one; to the
 * national gateway it is a telephone number.
 */
export const telecoms = (node: V3Node, form: AnswerForm): readonly Json[] =>
  childrenOf(node, 'telecom').flatMap((telecom) => {
    const value = findAttribute(telecom, 'value')?.replace(/^[^:]*:/, '');
    if (value === undefined || value === '') return [];
    const system = form === 'full' && value.includes('@') ? 'email' : 'phone';
    return [present({ system, use: useOf(telecom, FHIR_TELECOM_USE), value })];
  });

/** V3 may name several, parted by white space; the first that FHIR has is it. */
function useOf(node: V3Node, uses: ReadonlyMap<string, string>): string | undefined {
  const codes = findAttribute(node, 'use')?.trim().split(/\s+/) ?? [];
  return codes.map((code) => uses.get(code)).find((use) => use !== undefined);
}
