/** Issues that the rules of several messages share, in the words of the national gateway. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { finding } from './fault.ts';
import { has, type Node } from './node.ts';

export const incorrectResourceType = (expected: string): Issue => ({
  ...finding('value', `Incorrect FHIR resource type. Expected ${expected}.`),
  severity: 'fatal',
});

export const namesMedicationTwice = (resource: Node): boolean =>
  has(resource, 'medicationCodeableConcept') && has(resource, 'medicationReference');

export const requestMustBe = (name: string, required: string): Issue =>
  finding(
    'value',
    `MedicationRequest.${name} must be ${required}.`,
    `Bundle.entry.resource.ofType(MedicationRequest).${name}`,
  );

export const itemMustHave = (type: 'MedicationRequest' | 'MedicationDispense', name: string): Issue =>
  finding('value', `Expected ${type} to have a value for ${name}.`, `Bundle.entry.resource.ofType(${type}).${name}`);

export const missingField = (path: string): Issue => finding('invalid', `Required field ${path} is missing.`);

export const mustBeReference = (path: string): Issue =>
  finding('invalid', `${path} populated incorrectly. Please populate with Reference to resource within Bundle.`);

export const mustBeIdentifier = (path: string): Issue =>
  finding('invalid', `${path} populated incorrectly. Please populate with Identifier and Display.`);
