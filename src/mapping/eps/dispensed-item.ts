/** The line items of a dispense notification. */
import { annotation, interval, NO_EFFECTIVE_TIME, pertinent, separableInd } from '../../standards/hl7v3/act.ts';
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { codingOf, extensionsOf, findExtension, identifierOf } from './choose.ts';
import { inFulfillmentOf, pertinentCode, suppliedLineItem, suppliedQuantity } from './dispensed-act.ts';
import { dosageText } from './dosage-text.ts';
import { requiredFieldMissing } from './fault.ts';
import { material, medicationCode, quantity } from './medication.ts';
import { type MessageBundle, resolveContained } from './message-bundle.ts';
import { countAt, listAt, type Node, nodeAt, requiredNode, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { countOf } from './repeat.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from './systems.ts';

const PATH = 'MedicationDispense';

/** A MedicationDispense and the order it fulfils, which it contains. */
export interface Dispensed {
  readonly dispense: Node;
  readonly request: Node;
  /** The dispense item number. */
  readonly itemId: string;
}

export function readDispensed(dispense: Node): Dispensed {
  const path = `${PATH}.authorizingPrescription`;
  const [prescription] = listAt(dispense, 'authorizingPrescription', PATH) ?? [];
  return {
    dispense,
    request: resolveContained(dispense, prescription, 'MedicationRequest', path),
    itemId: identifierOf(listAt(dispense, 'identifier', PATH), ID_SYSTEM.dispenseItem, `${PATH}.identifier`),
  };
}

/** One an item of the order; of later dispenses of the same item only what was supplied is added. */
export function dispensedItems(bundle: MessageBundle, dispensed: readonly Dispensed[]): readonly XmlElement[] {
  const byOrderItem = new Map<string | undefined, Dispensed[]>();
  for (const item of dispensed) {
    const [identifier] = listAt(item.request, 'identifier', 'MedicationRequest') ?? [];
    const orderItem = stringAt(identifier, 'value', 'MedicationRequest.identifier');
    const same = byOrderItem.get(orderItem);
    if (same) same.push(item);
    else byOrderItem.set(orderItem, [item]);
  }
  return [...byOrderItem.values()].map((items) => lineItem(bundle, items));
}

function lineItem(bundle: MessageBundle, items: readonly Dispensed[]): XmlElement {
  const { dispense, request, itemId } = onlyOne(items.slice(0, 1), PATH);
  return suppliedLineItem(
    globalId(itemId),
    SNOMED.administration,
    NO_EFFECTIVE_TIME,
    repeatNumber(request),
    element(
      'consumable',
      { contextControlCode: 'OP', typeCode: 'CSM' },
      element(
        'requestedManufacturedProduct',
        { classCode: 'MANU' },
        material('manufacturedRequestedMaterial', 'KIND', medicationCode(bundle, request)),
      ),
    ),
    items.map((item) => supplied(bundle, item.dispense)),
    supplyRequest(request),
    nonDispensingReason(dispense),
    itemStatus(dispense),
    inFulfillmentOf(
      'priorOriginalItemRef',
      identifierOf(
        listAt(request, 'identifier', 'MedicationRequest'),
        ID_SYSTEM.orderItem,
        'MedicationRequest.identifier',
      ),
    ),
  );
}

/** How often the item was prescribed: low is sent as it comes, high as one more than the repeats allowed. */
function repeatNumber(request: Node): XmlElement | undefined {
  const path = 'MedicationRequest.extension';
  const repeat = findExtension(request, EXTENSION.medicationRepeatInformation, path);
  const [issued] = extensionsOf(repeat, 'numberOfPrescriptionsIssued', `${path}.extension`) ?? [];
  if (issued === undefined) return undefined;
  const within = 'MedicationRequest.dispenseRequest';
  const allowed = countAt(nodeAt(request, 'dispenseRequest', 'MedicationRequest'), 'numberOfRepeatsAllowed', within);
  if (allowed === undefined) throw requiredFieldMissing(`${within}.numberOfRepeatsAllowed`);
  return interval('repeatNumber', String(countOf(issued, `${path}.extension`)), String(allowed + 1));
}

const supplied = (bundle: MessageBundle, dispense: Node): XmlElement =>
  suppliedQuantity(
    quantity(dispense, PATH),
    material('manufacturedSuppliedMaterial', 'INSTANCE', medicationCode(bundle, dispense)),
    pertinent(
      'pertinentInformation1',
      false,
      annotation(
        'pertinentSupplyInstructions',
        'SI',
        textElement('value', dosageText(listAt(dispense, 'dosageInstruction', PATH), `${PATH}.dosageInstruction`)),
      ),
    ),
  );

/** The quantity ordered. */
function supplyRequest(request: Node): XmlElement {
  const path = 'MedicationRequest.dispenseRequest';
  const dispenseRequest = requiredNode(request, 'dispenseRequest', 'MedicationRequest');
  const ordered = nodeAt(dispenseRequest, 'quantity', path);
  const within = `${path}.quantity`;
  return element(
    'component1',
    { typeCode: 'COMP' },
    separableInd(false),
    element(
      'supplyRequest',
      { classCode: 'SPLY', moodCode: 'RQO' },
      codeIn('snomedCt', stringAt(ordered, 'code', within), stringAt(ordered, 'unit', within)),
      quantity(dispenseRequest, path),
    ),
  );
}

function nonDispensingReason(dispense: Node): XmlElement | undefined {
  const path = `${PATH}.statusReasonCodeableConcept`;
  const codings = listAt(nodeAt(dispense, 'statusReasonCodeableConcept', PATH), 'coding', path) ?? [];
  if (codings.length === 0) return undefined;
  const coding = codingOf(codings, CODE_SYSTEM.nonDispensingReason, path);
  return pertinentCode('pertinentInformation2', 'NonDispensingReason', coding, `${path}.coding`);
}

function itemStatus(dispense: Node): XmlElement {
  const type = requiredNode(dispense, 'type', PATH);
  const coding = codingOf(listAt(type, 'coding', `${PATH}.type`), CODE_SYSTEM.itemStatus, `${PATH}.type`);
  return pertinentCode('pertinentInformation3', 'ItemStatus', coding, `${PATH}.type.coding`);
}
