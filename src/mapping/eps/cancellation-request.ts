/** CancellationRequest: one item of a prescription is not to be dispensed any more. */
import { annotation, pertinent, separableInd } from '../../standards/hl7v3/act.ts';
import { formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { element, textElement, valueElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { cancelRequester, originalPrescriber } from './agent-person.ts';
import { codingOf } from './choose.ts';
import { lineItemId } from './line-item.ts';
import { type MessageBundle, resourceOf } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { listAt, type Node, requiredNode, requiredString, stringAt } from './node.ts';
import { recordTarget } from './patient.ts';
import { prescriptionId, shortFormId } from './prescription.ts';
import { CODE_SYSTEM } from './systems.ts';

const ITEM_CLASS = { classCode: 'SBADM', moodCode: 'RQO' } as const;

/** `now`: ms UTC. The order of the parts is the schema's: 2, 1, the one without number, 3. */
export function cancellationRequest(bundle: MessageBundle, now: number): XmlElement {
  const request = resourceOf(bundle, 'MedicationRequest');
  return element(
    'CancellationRequest',
    { classCode: 'INFO', moodCode: 'EVN' },
    globalId(messageId(bundle.bundle, 'Bundle')),
    valueElement('effectiveTime', formatDateTime(now)),
    recordTarget(resourceOf(bundle, 'Patient')),
    element('author', { typeCode: 'AUT' }, cancelRequester(bundle, request)),
    element('responsibleParty', { typeCode: 'RESP' }, originalPrescriber(bundle, request)),
    pertinent(
      'pertinentInformation2',
      false,
      annotation('pertinentPrescriptionID', 'PID', shortFormId(request, 'value')),
    ),
    element(
      'pertinentInformation1',
      { inversionInd: 'false', negationInd: 'false', typeCode: 'PERT' },
      separableInd(true),
      element('pertinentLineItemRef', ITEM_CLASS, lineItemId(request)),
    ),
    pertinent('pertinentInformation', false, cancellationReason(request)),
    element(
      'pertinentInformation3',
      { contextConductionInd: 'false', typeCode: 'PERT' },
      separableInd(true),
      element('pertinentOriginalPrescriptionRef', ITEM_CLASS, globalId(prescriptionId(request))),
    ),
  );
}

function cancellationReason(request: Node): XmlElement {
  const path = 'MedicationRequest.statusReason';
  const reason = requiredNode(request, 'statusReason', 'MedicationRequest');
  const coding = codingOf(listAt(reason, 'coding', path), CODE_SYSTEM.cancellationReason, path);
  return annotation(
    'pertinentCancellationReason',
    'CR',
    textElement('text', stringAt(coding, 'display', path)),
    codeIn('cancellationReason', requiredString(coding, 'code', path), undefined, 'value'),
  );
}
