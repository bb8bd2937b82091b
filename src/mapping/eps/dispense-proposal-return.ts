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
  return proposalReturn({
    id: globalId(messageId(task, 'Task')),
    effectiveTime: valueElement('effectiveTime', dateTime(stringAt(task, 'authoredOn', 'Task'), 'Task.authoredOn')),
    author: element('author', { typeCode: 'AUT' }, dispenser(role, organisationOfTask(task, role))),
    shortFormId: shortFormIdOfTask(task),
    reason: reason(task, 'pertinentReturnReason'),
    releaseResponseId: focusOf(task),
    ...(issue !== undefined && { issue }),
  });
}

/** What a return is made of, whoever asks for it. */
export interface ProposalReturn {
  readonly id: XmlElement;
  readonly effectiveTime: XmlElement;
  readonly author: XmlElement;
  readonly shortFormId: string;
  readonly reason: XmlElement;
  readonly releaseResponseId: XmlElement;
  /** The number of the issue, of prescriptions that are repeated. */
  readonly issue?: string;
}

export const proposalReturn = (parts: ProposalReturn): XmlElement =>
  element(
    'DispenseProposalReturn',
    { classCode: 'INFO', moodCode: 'EVN' },
    parts.id,
    parts.effectiveTime,
    parts.author,
    pertinentPrescriptionId('pertinentInformation1', parts.shortFormId),
    element(
      'pertinentInformation3',
      { contextConductionInd: 'false', typeCode: 'PERT' },
      separableInd(false),
      parts.reason,
    ),
    element(
      'reversalOf',
      { inversionInd: 'true', negationInd: 'false', typeCode: 'REV' },
      separableInd(true),
      element('priorPrescriptionReleaseResponseRef', { classCode: 'INFO', moodCode: 'EVN' }, parts.releaseResponseId),
    ),
    parts.issue === undefined ? undefined : repeatInstanceInfo(parts.issue),
  );

/** At the end, and the value before the code: so the national gateway writes it. */
function repeatInstanceInfo(issue: string): XmlElement {
  const act = annotation('pertinentRepeatInstanceInfo', 'RPI', valueElement('value', issue));
  return pertinent('pertinentInformation2', false, { ...act, children: act.children.toReversed() });
}
