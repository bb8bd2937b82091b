/** What returns and withdrawals have in common: a Task of the dispenser. */
import { annotation } from '../../standards/hl7v3/act.ts';
import { codeIn, globalId } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { conceptCodingOf, identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { invalidValue } from './fault.ts';
import { resolveContained } from './message-bundle.ts';
import { type Node, nodeAt, requiredNode, requiredString, stringAt } from './node.ts';
import { CODE_SYSTEM, ID_SYSTEM, UUID_SYSTEM } from './systems.ts';

/** The role that asks, contained in the task. */
export function requesterOfTask(task: Node): Node {
  const requester = nodeAt(task, 'requester', 'Task');
  if (!isReference(requester))
    throw invalidValue('task.requester should be a reference to contained.practitionerRole', 'task.requester');
  return resolveContained(task, requester, 'PractitionerRole', 'Task.requester');
}

/** The organisation of that role, contained in the task. */
export function organisationOfTask(task: Node, role: Node): Node {
  const organisation = nodeAt(role, 'organization', 'PractitionerRole');
  if (!isReference(organisation))
    throw invalidValue(
      'practitionerRole.organization should be a Reference',
      'task.contained("PractitionerRole").organization',
    );
  return resolveContained(task, organisation, 'Organization', 'PractitionerRole.organization');
}

export const shortFormIdOfTask = (task: Node): string =>
  identifierOf([requiredNode(task, 'groupIdentifier', 'Task')], ID_SYSTEM.orderNumber, 'Task.groupIdentifier');

/** The message the task is about. */
export const focusOf = (task: Node): XmlElement =>
  globalId(
    identifierOf(
      ownIdentifiers(requiredNode(task, 'focus', 'Task'), 'Task.focus'),
      UUID_SYSTEM,
      'Task.focus.identifier',
    ),
  );

/** Why: the act, its annotation code and the two systems of its value. */
const REASONS = {
  pertinentReturnReason: ['RR', CODE_SYSTEM.returnReason, 'returnReason'],
  pertinentWithdrawReason: ['PWR', CODE_SYSTEM.withdrawReason, 'withdrawReason'],
} as const;

export function reason(task: Node, act: keyof typeof REASONS): XmlElement {
  const path = 'Task.statusReason';
  const [annotationCode, system, oid] = REASONS[act];
  const coding = conceptCodingOf([requiredNode(task, 'statusReason', 'Task')], system, path);
  const code = requiredString(coding, 'code', `${path}.coding`);
  return annotation(act, annotationCode, codeIn(oid, code, stringAt(coding, 'display', path), 'value'));
}
