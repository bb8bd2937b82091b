/** Returns and withdrawals back to the Task they came of. */
import type { FhirResource } from '../../transaction-bundle.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import { codingOf } from './dispense-request.ts';
import { type Dispenser, dispenser, withdrawer } from './dispenser.ts';
import {
  concept,
  extension,
  extensions,
  identifier,
  type Json,
  present,
  resource,
  uuidIdentifier,
} from './fhir-parts.ts';
import { countOfValue, dateTimeOfValue, findPath, requiredAttribute, requiredChild, type V3Node } from './v3-node.ts';

export const returnTask = (message: V3Node, context: AnswerContext): FhirResource =>
  task(message, context, {
    asker: dispenser(requiredChild(message, 'author', 'AgentPerson'), context),
    status: 'rejected',
    code: 'fulfill',
    shortFormId: requiredChild(message, 'pertinentInformation1', 'pertinentPrescriptionID', 'value'),
    reason: codingOf(
      requiredChild(message, 'pertinentInformation3', 'pertinentReturnReason', 'value'),
      CODE_SYSTEM.returnReason,
    ),
    focus: requiredChild(message, 'reversalOf', 'priorPrescriptionReleaseResponseRef', 'id'),
    issue: findPath(message, 'pertinentInformation2', 'pertinentRepeatInstanceInfo', 'value'),
  });

export function withdrawTask(message: V3Node, context: AnswerContext): FhirResource {
  const nhsNumber = requiredAttribute(requiredChild(message, 'recordTarget', 'patient', 'id'), 'extension');
  // Only the last dispense can be withdrawn.
  requiredChild(message, 'pertinentInformation2', 'pertinentWithdrawType', 'value');
  return task(message, context, {
    asker: withdrawer(requiredChild(message, 'author', 'AgentPersonSDS')),
    status: 'in-progress',
    code: 'abort',
    shortFormId: requiredChild(message, 'pertinentInformation3', 'pertinentWithdrawID', 'value'),
    reason: codingOf(
      requiredChild(message, 'pertinentInformation5', 'pertinentWithdrawReason', 'value'),
      CODE_SYSTEM.withdrawReason,
    ),
    focus: requiredChild(message, 'pertinentInformation4', 'pertinentDispenseNotificationRef', 'id'),
    issue: findPath(message, 'pertinentInformation1', 'pertinentRepeatInstanceInfo', 'value'),
    patient: { identifier: identifier(ID_SYSTEM.nhsNumber, nhsNumber) },
  });
}

interface Parts {
  readonly asker: Dispenser;
  readonly status: 'rejected' | 'in-progress';
  readonly code: 'fulfill' | 'abort';
  readonly shortFormId: V3Node;
  readonly reason: Json;
  /** The message that it is about. */
  readonly focus: V3Node;
  /** The number of the issue, from one. */
  readonly issue: V3Node | undefined;
  readonly patient?: Json;
}

function task(message: V3Node, { newId }: AnswerContext, parts: Parts): FhirResource {
  const { role, organisation } = parts.asker;
  const [owner] = organisation['identifier'] as readonly Json[]; // It was made with one.
  return resource('Task', newId(), {
    contained: [role, organisation],
    extension: parts.issue && [repeatInformation(parts.issue)],
    identifier: [uuidIdentifier(requiredAttribute(requiredChild(message, 'id'), 'root'))],
    groupIdentifier: identifier(ID_SYSTEM.orderNumber, requiredAttribute(parts.shortFormId, 'extension')),
    status: parts.status,
    statusReason: { coding: [parts.reason] },
    intent: 'order',
    code: concept(CODE_SYSTEM.taskCode, parts.code),
    focus: { identifier: uuidIdentifier(requiredAttribute(parts.focus, 'root')) },
    ...present({ for: parts.patient }),
    authoredOn: dateTimeOfValue(requiredChild(message, 'effectiveTime')),
    requester: { reference: `#${role.id}` },
    owner: { identifier: owner },
  });
}

const repeatInformation = (issue: V3Node): Json | undefined =>
  extensions(EXTENSION.repeatInformation, [
    extension('numberOfRepeatsIssued', { valueInteger: countOfValue(issue) - 1 }),
  ]);
