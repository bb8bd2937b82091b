/** Parts that dispense notifications and claims have in common. */
import { annotation, pertinent, separableInd, template } from '../../standards/hl7v3/act.ts';
import { element } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { OidName } from '../../standards/hl7v3/oid.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { findExtension } from './choose.ts';
import { type Node, nodeAt, requiredNode, requiredString, stringAt } from './node.ts';
import { EXTENSION } from './systems.ts';

/** What a code of the message becomes: the act, its annotation code and the system of its value. */
const ACTS = {
  PrescriptionStatus: ['PS', 'prescriptionStatus'],
  ItemStatus: ['IS', 'itemStatus'],
  NonDispensingReason: ['NDR', 'nonDispensingReason'],
} as const satisfies Record<string, readonly [string, OidName]>;

/** The display is sent as FHIR has it. */
export function pertinentCode(relationship: string, act: keyof typeof ACTS, coding: Node, path: string): XmlElement {
  const [annotationCode, system] = ACTS[act];
  const value = codeIn(system, requiredString(coding, 'code', path), stringAt(coding, 'display', path), 'value');
  return pertinent(relationship, false, annotation(`pertinent${act}`, annotationCode, value));
}

/** A line item of a notification or claim, as part of its supply header. */
export const suppliedLineItem = (...content: readonly (XmlElement | readonly XmlElement[] | undefined)[]): XmlElement =>
  element(
    'pertinentInformation1',
    { contextConductionInd: 'true', inversionInd: 'false', negationInd: 'false', typeCode: 'PERT' },
    separableInd(false),
    template('lineItem'),
    element('pertinentSuppliedLineItem', { classCode: 'SBADM', moodCode: 'PRMS' }, ...content),
  );

/** How much of which product was supplied. */
export const suppliedQuantity = (
  quantity: XmlElement,
  material: XmlElement,
  ...more: readonly XmlElement[]
): XmlElement =>
  element(
    'component',
    { typeCode: 'COMP' },
    separableInd(false),
    element(
      'suppliedLineItemQuantity',
      { classCode: 'SPLY', moodCode: 'EVN' },
      SNOMED.dispensing,
      quantity,
      element(
        'product',
        { contextControlCode: 'OP', typeCode: 'PRD' },
        element('suppliedManufacturedProduct', { classCode: 'MANU' }, material),
      ),
      ...more,
    ),
  );

/** Which prescription, or which of its items, this fulfils. */
export const inFulfillmentOf = (
  reference: 'priorOriginalPrescriptionRef' | 'priorOriginalItemRef',
  id: string,
): XmlElement =>
  element(
    'inFulfillmentOf',
    { inversionInd: 'false', negationInd: 'false', typeCode: 'FLFS' },
    separableInd(true),
    template('fulfilled'),
    element(reference, { classCode: 'SBADM', moodCode: 'RQO' }, globalId(id)),
  );

/** The message that this one takes the place of, if its extension names one. `path`: of the extensions. */
export function replacementOf(parent: Node, path: string): XmlElement | undefined {
  const extension = findExtension(parent, EXTENSION.replacementOf, path);
  if (extension === undefined) return undefined;
  const id = requiredString(requiredNode(extension, 'valueIdentifier', path), 'value', `${path}.valueIdentifier`);
  return element(
    'replacementOf',
    { typeCode: 'RPLC' },
    element('priorMessageRef', { classCode: 'INFO', moodCode: 'EVN' }, globalId(id)),
  );
}

export const sequelTo = (releaseId: string): XmlElement =>
  element(
    'sequelTo',
    { typeCode: 'SEQL' },
    element('priorPrescriptionReleaseEventRef', { classCode: 'INFO', moodCode: 'RQO' }, globalId(releaseId)),
  );

/** The coding an extension holds, if there is such an extension. `path`: of the extensions. */
export function findCoding(parent: Node, url: string, path: string): Node | undefined {
  const extension = findExtension(parent, url, path);
  return extension && requiredNode(extension, 'valueCoding', path);
}

export const identifierValue = (parent: Node, path: string): string =>
  requiredString(nodeAt(parent, 'valueIdentifier', path), 'value', `${path}.valueIdentifier`);
