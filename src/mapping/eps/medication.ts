/** Which product, and how much of it. */
import { quantityInUnits } from '../../standards/hl7v3/act.ts';
import { element } from '../../standards/hl7v3/element.ts';
import { codeIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { codingOf } from './choose.ts';
import { type MessageBundle, resolve } from './message-bundle.ts';
import { has, listAt, type Node, nodeAt, requiredDigits, requiredNode, requiredString, stringAt } from './node.ts';
import { CODE_SYSTEM } from './systems.ts';

/** The SNOMED CT code of a MedicationRequest's or MedicationDispense's product. */
export function medicationCode(bundle: MessageBundle, resource: Node): XmlElement {
  if (has(resource, 'medicationCodeableConcept')) {
    const path = 'MedicationRequest.medicationCodeableConcept';
    return snomedCode(nodeAt(resource, 'medicationCodeableConcept', 'MedicationRequest'), path);
  }
  const reference = requiredNode(resource, 'medicationReference', 'MedicationRequest');
  const medication = resolve(bundle, reference, 'MedicationRequest.medicationReference');
  return snomedCode(requiredNode(medication, 'code', 'Medication'), 'Medication.code');
}

export function snomedCode(concept: Node | undefined, path: string): XmlElement {
  const coding = codingOf(listAt(concept, 'coding', path), CODE_SYSTEM.snomedCt, `${path}.coding`);
  return codeIn('snomedCt', requiredString(coding, 'code', `${path}.coding`), stringAt(coding, 'display', path));
}

/** A quantity of FHIR, its digits as they came. */
export const quantity = (parent: Node | undefined, path: string): XmlElement => {
  const value = requiredNode(parent, 'quantity', path);
  const within = `${path}.quantity`;
  return quantityInUnits(
    requiredDigits(value, 'value', within),
    stringAt(value, 'code', within),
    stringAt(value, 'unit', within),
  );
};

export const material = (name: string, determinerCode: 'KIND' | 'INSTANCE', code: XmlElement): XmlElement =>
  element(name, { classCode: 'MMAT', determinerCode }, code);
