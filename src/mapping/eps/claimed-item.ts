/** The line items of a claim. */
import { annotation, NO_EFFECTIVE_TIME, pertinent } from '../../standards/hl7v3/act.ts';
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { conceptCodingOf, extensionOf, findExtension } from './choose.ts';
import {
  findCoding,
  identifierValue,
  inFulfillmentOf,
  pertinentCode,
  suppliedLineItem,
  suppliedQuantity,
} from './dispensed-act.ts';
import { invalidValue } from './fault.ts';
import { material, quantity, snomedCode } from './medication.ts';
import { listAt, type Node, requiredNode, requiredString, stringAt } from './node.ts';
import { dispenseRepeatNumber } from './repeat.ts';
import { CODE_SYSTEM, EXTENSION } from './systems.ts';

const PATH = 'Claim.item.detail';

/** `deprecated`: the repeat numbers stand one level deeper, as older senders have it. */
export function claimedItem(detail: Node, deprecated: boolean): XmlElement {
  const path = `${PATH}.extension`;
  const subDetails = listAt(detail, 'subDetail', PATH) ?? [];
  const reason = findCoding(detail, EXTENSION.taskBusinessStatusReason, path);
  const status = conceptCodingOf(listAt(detail, 'modifier', PATH), CODE_SYSTEM.itemStatus, `${PATH}.modifier`);
  return suppliedLineItem(
    globalId(identifierValue(extensionOf(detail, EXTENSION.claimSequenceIdentifier, path), path)),
    SNOMED.administration,
    NO_EFFECTIVE_TIME,
    repeatNumber(deprecated ? subDetails[0] : detail),
    subDetails.map((subDetail) => supplied(detail, subDetail)),
    reason && pertinentCode('pertinentInformation2', 'NonDispensingReason', reason, `${path}.valueCoding`),
    pertinentCode('pertinentInformation3', 'ItemStatus', status, `${PATH}.modifier.coding`),
    inFulfillmentOf('priorOriginalItemRef', orderItemId(detail)),
  );
}

function repeatNumber(parent: Node | undefined): XmlElement | undefined {
  const path = `${PATH}.extension`;
  const repeat = findExtension(parent, EXTENSION.repeatInformation, path);
  return repeat && dispenseRepeatNumber(repeat, path);
}

function orderItemId(detail: Node): string {
  const path = `${PATH}.extension`;
  const extension = extensionOf(detail, EXTENSION.claimMedicationRequestReference, path);
  const reference = requiredNode(extension, 'valueReference', path);
  const within = `${path}.valueReference`;
  return requiredString(requiredNode(reference, 'identifier', within), 'value', `${within}.identifier`);
}

function supplied(detail: Node, subDetail: Node): XmlElement {
  const path = `${PATH}.subDetail`;
  const product = requiredNode(subDetail, 'productOrService', path);
  return suppliedQuantity(
    quantity(subDetail, path),
    material('manufacturedSuppliedMaterial', 'KIND', snomedCode(product, `${path}.productOrService`)),
    chargePayment(detail),
    ...endorsements(detail),
  );
}

const CHARGE_PAID = new Map([
  ['paid-once', 'true'],
  ['paid-twice', 'true'],
  ['not-paid', 'false'],
]);

function chargePayment(detail: Node): XmlElement {
  const path = `${PATH}.programCode`;
  const charge = conceptCodingOf(listAt(detail, 'programCode', PATH), CODE_SYSTEM.prescriptionCharge, path);
  const value = CHARGE_PAID.get(stringAt(charge, 'code', path) ?? '');
  if (value === undefined) throw invalidValue('Unsupported prescription charge code', path);
  return pertinent(
    'pertinentInformation1',
    false,
    annotation('pertinentChargePayment', 'CP', element('value', { value })),
  );
}

/** A concept and its coding of the dispenser's endorsements. */
export const endorsementsOf = (detail: Node): readonly { readonly concept: Node; readonly coding: Node }[] =>
  (listAt(detail, 'programCode', PATH) ?? []).flatMap((concept) => {
    const coding = (listAt(concept, 'coding', `${PATH}.programCode`) ?? []).find(
      ({ system }) => system === CODE_SYSTEM.dispenserEndorsement,
    );
    return coding === undefined ? [] : [{ concept, coding }];
  });

/** With what the dispenser adds in words. */
const endorsements = (detail: Node): readonly XmlElement[] =>
  endorsementsOf(detail).map(({ concept, coding }) => {
    const text = stringAt(concept, 'text', `${PATH}.programCode`);
    const code = requiredString(coding, 'code', `${PATH}.programCode.coding`);
    return pertinent(
      'pertinentInformation2',
      true,
      annotation(
        'pertinentDispensingEndorsement',
        'DE',
        text ? textElement('text', text) : undefined,
        codeIn('dispensingEndorsement', code, undefined, 'value'),
      ),
    );
  });
