/** DispenseProposalReturn: a released prescription goes back, nothing of it dispensed. */
import { annotation, pertinent, separableInd } from '../../standards/hl7v3/act.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { globalId } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { dateTime } from './dates.ts';
import { dispenser } from './dispenser.ts';
import { messageId } from './message-id.ts';
import { type Node, stringAt } from './node.ts';
import { pertinentPrescriptionId } from './release-request.ts';
import { issueNumber } from './repeat.ts';
import { focusOf, organisationOfTask, reason, requesterOfTask, shortFormIdOfTask } from './task.ts';

export function dispenseProposalReturn(task: Node): XmlElement {
  const role = requesterOfTask(task);
  const issue = issueNumber(task);
  return element(
    'DispenseProposalReturn',
    { classCode: 'INFO', moodCode: 'EVN' },
    globalId(messageId(task, 'Task')),
    valueElement('effectiveTime', dateTime(stringAt(task, 'authoredOn', 'Task'), 'Task.authoredOn')),
    element('author', { typeCode: 'AUT' }, dispenser(role, organisationOfTask(task, role))),
    pertinentPrescriptionId('pertinentInformation1', shortFormIdOfTask(task)),
    element(
      'pertinentInformation3',
      { contextConductionInd: 'false', typeCode: 'PERT' },
      separableInd(false),
      reason(task, 'pertinentReturnReason'),
    ),
    element(
      'reversalOf',
      { inversionInd: 'true', negationInd: 'false', typeCode: 'REV' },
      separableInd(true),
      element('priorPrescriptionReleaseResponseRef', { classCode: 'INFO', moodCode: 'EVN' }, focusOf(task)),
    ),
    issue === undefined ? undefined : repeatInstanceInfo(issue),
  );
}

/** At the end, and the value before the code: so the national gateway writes it. */
function repeatInstanceInfo(issue: string): XmlElement {
  const act = annotation('pertinentRepeatInstanceInfo', 'RPI', valueElement('value', issue));
  return pertinent('pertinentInformation2', false, { ...act, children: act.children.toReversed() });
}
