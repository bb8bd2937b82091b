/** The rules of a return and of a withdrawal. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { conceptCodingOf, findConceptCoding, identifierOf, isReference, ownIdentifiers } from './choose.ts';
import type { EpsContext } from './context.ts';
import { finding } from './fault.ts';
import { listAt, type Node, nodeAt } from './node.ts';
import { findRefusal } from './permission.ts';
import { mustBeIdentifier } from './rule-issue.ts';
import { CODE_SYSTEM, ID_SYSTEM } from './systems.ts';
import { requesterOfTask } from './task.ts';

/** What each status asks for. */
const REASON_SYSTEM: ReadonlyMap<unknown, string> = new Map([
  ['in-progress', CODE_SYSTEM.withdrawReason],
  ['rejected', CODE_SYSTEM.returnReason],
]);

export function validateTask(task: Node, context: EpsContext): readonly Issue[] {
  const refusal = findRefusal('Dispensing', context);
  if (refusal !== undefined) return [refusal];
  const reasonSystem = REASON_SYSTEM.get(task['status']);
  return [
    ...(task['intent'] === 'order' ? [] : [mustBeOneOf('intent', ['order'])]),
    ...(reasonSystem === undefined
      ? [mustBeOneOf('status', ['in-progress', 'rejected'])]
      : [
          ...requesterIssues(requesterOfTask(task)),
          ...(task['status'] === 'in-progress' ? withdrawCodeIssues(task) : []),
          ...reasonIssues(task, reasonSystem),
        ]),
  ];
}

function requesterIssues(role: Node): readonly Issue[] {
  const path = 'task.contained("PractitionerRole")';
  const practitioner = nodeAt(role, 'practitioner', path);
  const identifiers = listAt(role, 'identifier', path);
  if (practitioner !== undefined && !isReference(practitioner))
    identifierOf(
      ownIdentifiers(practitioner, `${path}.practitioner`),
      ID_SYSTEM.sdsUser,
      `${path}.practitioner.identifier`,
    );
  if (identifiers !== undefined) identifierOf(identifiers, ID_SYSTEM.sdsRoleProfile, `${path}.identifier`);
  return isReference(practitioner) ? [mustBeIdentifier('Task.contained("PractitionerRole").practitioner')] : [];
}

const mustBeOneOf = (name: string, allowed: readonly string[]): Issue =>
  finding('value', `Task.${name} must be one of: ${allowed.map((value) => `'${value}'`).join(', ')}.`, `Task.${name}`);

function withdrawCodeIssues(task: Node): readonly Issue[] {
  const code = nodeAt(task, 'code', 'Task');
  if (code === undefined)
    return [finding('value', "Task.code is required when Task.status is 'in-progress'.", 'Task.code')];
  const coding = conceptCodingOf([code], CODE_SYSTEM.taskCode, 'Task.code');
  return coding['code'] === 'abort' ? [] : [mustBeOneOf('code.coding.code', ['abort'])];
}

/** The text says reasonCode, as that of the national gateway does; the reason stands in statusReason. */
function reasonIssues(task: Node, system: string): readonly Issue[] {
  const reason = nodeAt(task, 'statusReason', 'Task');
  if (findConceptCoding(reason && [reason], system, 'Task.statusReason') !== undefined) return [];
  return [
    finding(
      'value',
      `Task.reasonCode must have a system of '${system}' and a value from that system.`,
      'Task.reasonCode',
    ),
  ];
}
