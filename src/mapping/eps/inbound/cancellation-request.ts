/** A cancellation back to the message Bundle it came of. */
import type { FhirResource } from '../../transaction-bundle.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import { agent, mergedAgent, type ReadNumber, resourcesOfAgent } from './agent-person.ts';
import { MEDICINAL_PRODUCT } from './cancellation-response.ts';
import type { AnswerContext } from './context.ts';
import { patient } from './demographics.ts';
import {
  coding,
  extension,
  identifier,
  type Json,
  referenceTo,
  resource,
  sortedEntries,
  uuidIdentifier,
} from './fhir-parts.ts';
import { messageHeader } from './message-header.ts';
import { userNumber } from './person-number.ts';
import { dateTimeOfValue, findChild, findText, requiredAttribute, requiredChild, type V3Node } from './v3-node.ts';

export function cancellationBundle(message: V3Node, context: AnswerContext): FhirResource {
  const messageId = requiredAttribute(requiredChild(message, 'id'), 'root');
  const readNumber: ReadNumber = (value, register) => userNumber(value, register, context.form);
  const requester = agent(requiredChild(message, 'author', 'AgentPerson'), readNumber, context);
  const original = requiredChild(message, 'responsibleParty', 'AgentPerson');
  const merged = mergedAgent(requester, original, readNumber, context);
  const prescriber = merged ?? agent(original, readNumber, context);
  const people = [...resourcesOfAgent(merged ?? requester), ...(merged ? [] : resourcesOfAgent(prescriber))];
  const subject = patient(requiredChild(message, 'recordTarget'), context);
  const request = resource('MedicationRequest', context.newId(), {
    extension: [extension(EXTENSION.responsiblePractitioner, { valueReference: referenceTo(prescriber.role) })],
    identifier: [
      identifier(ID_SYSTEM.orderItem, idAt(message, 'pertinentInformation1', 'pertinentLineItemRef').toLowerCase()),
    ],
    status: 'cancelled',
    statusReason: { coding: [reasonOf(message)] },
    intent: 'order',
    medicationCodeableConcept: MEDICINAL_PRODUCT,
    subject: referenceTo(subject),
    requester: referenceTo(requester.role),
    groupIdentifier: groupIdentifier(message),
  });
  const header = messageHeader(
    { event: 'prescription-order-update', messageId, sender: requester.organisation, focus: [subject, request] },
    context,
  );
  return {
    resourceType: 'Bundle',
    id: context.newId(),
    identifier: uuidIdentifier(messageId),
    type: 'message',
    timestamp: dateTimeOfValue(requiredChild(message, 'effectiveTime')),
    entry: sortedEntries([header, subject, ...people, request]),
  };
}

const idAt = (message: V3Node, ...path: readonly string[]): string =>
  requiredAttribute(requiredChild(message, ...path, 'id'), 'root');

function reasonOf(message: V3Node): Json {
  const reason = requiredChild(message, 'pertinentInformation', 'pertinentCancellationReason');
  const code = requiredAttribute(requiredChild(reason, 'value'), 'code');
  return coding(CODE_SYSTEM.cancellationReason, code, findText(findChild(reason, 'text')));
}

function groupIdentifier(message: V3Node): Json {
  const value = requiredChild(message, 'pertinentInformation2', 'pertinentPrescriptionID', 'value');
  const prescriptionId = idAt(message, 'pertinentInformation3', 'pertinentOriginalPrescriptionRef').toLowerCase();
  return {
    ...identifier(ID_SYSTEM.orderNumber, requiredAttribute(value, 'extension')),
    extension: [
      extension(EXTENSION.prescriptionId, { valueIdentifier: identifier(ID_SYSTEM.prescription, prescriptionId) }),
    ],
  };
}
