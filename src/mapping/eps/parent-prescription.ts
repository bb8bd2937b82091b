/** ParentPrescription (PORX_MT132004UK31): an order, before and after it is signed. */
import { careRecordElementCategory, template, typeId } from '../../standards/hl7v3/act.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { authorSignature } from './author-signature.ts';
import { dateTime } from './dates.ts';
import { dispenseRequestOf, lineItemId } from './line-item.ts';
import { type MessageBundle, resourceOf, resourcesOf } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { type Node, nodeAt, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { recordTarget } from './patient.ts';
import { prescription } from './prescription.ts';

export interface ParentPrescription {
  readonly message: XmlElement;
  readonly recordTarget: XmlElement;
  readonly prescription: XmlElement;
  /** ms UTC. */
  readonly signedAt: number;
}

/** `now`: ms UTC, the author's time where nobody has signed. */
export function parentPrescription(bundle: MessageBundle, now: number): ParentPrescription {
  const [first, ...others] = resourcesOf(bundle, 'MedicationRequest');
  const request = onlyOne(first === undefined ? [] : [first], 'Bundle.entry', REQUEST);
  const requests: readonly [Node, ...Node[]] = [request, ...others];
  const signature = authorSignature(bundle, request, now);
  const patient = recordTarget(resourceOf(bundle, 'Patient'));
  const pertinentPrescription = prescription(bundle, requests, signature);
  const message = element(
    'ParentPrescription',
    { classCode: 'INFO', moodCode: 'EVN' },
    globalId(messageId(bundle.bundle, 'Bundle')),
    SNOMED.prescription,
    valueElement('effectiveTime', startOf(request) ?? signature.time),
    typeId('PORX_MT132004UK31'),
    patient,
    element(
      'pertinentInformation1',
      { contextConductionInd: 'true', typeCode: 'PERT' },
      template('pertinentInformation'),
      pertinentPrescription,
    ),
    careRecordElementCategory('RQO', requests.map(lineItemId)),
  );
  return { message, recordTarget: patient, prescription: pertinentPrescription, signedAt: signature.signedAt };
}

const REQUEST = "resource.resourceType == 'MedicationRequest'";

/** From when the prescription may be dispensed; without a period, from when it was signed. */
function startOf(request: Node): string | undefined {
  const path = 'MedicationRequest.dispenseRequest.validityPeriod';
  const period = nodeAt(dispenseRequestOf(request), 'validityPeriod', 'MedicationRequest.dispenseRequest');
  return period === undefined ? undefined : dateTime(stringAt(period, 'start', path), `${path}.start`);
}
