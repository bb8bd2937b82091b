/** The rules of a return and of a withdrawal. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { isReference } from './choose.ts';
import type { EpsContext } from './context.ts';
import { finding } from './fault.ts';
import { has, listAt, type Node, nodeAt } from './node.ts';
import { findRefusal } from './permission.ts';
import { mustBeIdentifier } from './rule-issue.ts';
import { CODE_SYSTEM } from './systems.ts';
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
    ...(reasonSystem === undefined ? [mustBeOneOf('status', ['in-progress', 'rejected'])] : []),
    ...(task['status'] === 'in-progress' ? withdrawCodeIssues(task) : []),
    ...(reasonSystem === undefined ? [] : reasonIssues(task, reasonSystem)),
    ...(isReference(nodeAt(requesterOfTask(task), 'practitioner', 'PractitionerRole'))
      ? [mustBeIdentifier('Task.contained("PractitionerRole").practitioner')]
      : []),
  ];
}

const mustBeOneOf = (name: string, allowed: readonly string[]): Issue =>
  finding('value', `Task.${name} must be one of: ${allowed.map((value) => `'${value}'`).join(', ')}.`, `Task.${name}`);

function withdrawCodeIssues(task: Node): readonly Issue[] {
  if (!has(task, 'code')) return [finding('value', "Task.code is required when Task.status is 'in-progress'.")];
  const codings = listAt(nodeAt(task, 'code', 'Task'), 'coding', 'Task.code') ?? [];
  return codings.some(({ code }) => code === 'abort') ? [] : [mustBeOneOf('code.coding.code', ['abort'])];
}

/** The text says reasonCode, as that of the national gateway does; the reason stands in statusReason. */
function reasonIssues(task: Node, system: string): readonly Issue[] {
  const codings = listAt(nodeAt(task, 'statusReason', 'Task'), 'coding', 'Task.statusReason') ?? [];
  if (codings.some((coding) => coding['system'] === system)) return [];
  return [
    finding(
      'value',
      `Task.reasonCode must have a system of '${system}' and a value from that system.`,
      'Task.reasonCode',
    ),
  ];
}
