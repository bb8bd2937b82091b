/** A dispense notification back to the message Bundle it came of. */
import type { FhirResource } from '../../transaction-bundle.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import { odsIdentifier } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { codingOf, repeatsOf } from './dispense-request.ts';
import { type DispensedItem, dispensedItems } from './dispensed-item.ts';
import { dispenser } from './dispenser.ts';
import {
  type Entry,
  extension,
  extensions,
  identifier,
  type Json,
  present,
  referenceTo,
  resource,
  sortedEntries,
  urlOf,
  uuidIdentifier,
} from './fhir-parts.ts';
import { messageHeader } from './message-header.ts';
import {
  dateTimeOfValue,
  findChild,
  findPath,
  requiredAttribute,
  requiredChild,
  type V3Node,
  v3Fault,
} from './v3-node.ts';

export function notificationBundle(message: V3Node, context: AnswerContext): FhirResource {
  const messageId = requiredAttribute(requiredChild(message, 'id'), 'root');
  const header = requiredChild(message, 'pertinentInformation1', 'pertinentSupplyHeader');
  const author = requiredChild(header, 'author');
  const { role, organisation } = dispenser(requiredChild(author, 'AgentPerson'), context);
  const pharmacy = withAuthority({ ...organisation, id: context.newId() }, message);
  const shared: Shared = {
    header,
    performer: { ...role, id: 'performer', organization: referenceTo(pharmacy) },
    subject: { identifier: identifier(ID_SYSTEM.nhsNumber, nhsNumberOf(message)) },
    handedOver: dateTimeOfValue(requiredChild(message, 'effectiveTime')),
  };
  const dispenses = dispensedItems(message, header).map((item) => medicationDispense(item, shared, context));
  const first = messageHeader(
    {
      event: 'dispense-notification',
      messageId,
      sender: pharmacy,
      inResponseTo: requiredAttribute(
        requiredChild(message, 'sequelTo', 'priorPrescriptionReleaseEventRef', 'id'),
        'root',
      ),
      replacementOf: replacedBy(message),
      focus: dispenses,
    },
    context,
  );
  return {
    resourceType: 'Bundle',
    id: context.newId(),
    identifier: uuidIdentifier(messageId),
    type: 'message',
    timestamp: dateTimeOfValue(requiredChild(author, 'time')),
    entry: sortedEntries([first, ...dispenses, pharmacy]),
  };
}

const nhsNumberOf = (message: V3Node): string =>
  requiredAttribute(requiredChild(message, 'recordTarget', 'patient', 'id'), 'extension');

/** The message that this one takes the place of. */
function replacedBy(message: V3Node): string | undefined {
  const id = findPath(message, 'replacementOf', 'priorMessageRef', 'id');
  return id && requiredAttribute(id, 'root');
}

/** Who pays the dispenser back is told of the organisation. */
function withAuthority(organisation: Entry, message: V3Node): Entry {
  const authority = requiredChild(message, 'primaryInformationRecipient', 'AgentOrg', 'agentOrganization');
  const relationships = extensions(EXTENSION.organisationRelationships, [
    extension('reimbursementAuthority', { valueIdentifier: odsIdentifier(authority) }),
  ]);
  return { ...organisation, extension: [relationships] };
}

interface Shared {
  readonly header: V3Node;
  readonly performer: Entry;
  readonly subject: Json;
  readonly handedOver: string;
}

/** What the status of an item is to FHIR. */
const STATUSES: ReadonlyMap<string, string> = new Map([
  ['0001', 'completed'],
  ['0002', 'declined'],
  ['0003', 'in-progress'],
  ['0004', 'on-hold'],
  ['0005', 'cancelled'],
  ['0006', 'stopped'],
  ['0007', 'preparation'],
  ['0008', 'in-progress'],
]);

function medicationDispense(item: DispensedItem, shared: Shared, { newId }: AnswerContext): Entry {
  const { lineItem } = item;
  const status = requiredChild(lineItem, 'pertinentInformation3', 'pertinentItemStatus', 'value');
  const reason = findPath(lineItem, 'pertinentInformation2', 'pertinentNonDispensingReason', 'value');
  const request = authorizingRequest(item, shared);
  return resource('MedicationDispense', newId(), {
    contained: [shared.performer, request],
    extension: prescriptionExtensions(shared.header),
    identifier: [identifier(ID_SYSTEM.dispenseItem, item.itemId.toLowerCase())],
    status: STATUSES.get(requiredAttribute(status, 'code')) ?? 'unknown',
    statusReasonCodeableConcept: reason && { coding: [codingOf(reason, CODE_SYSTEM.nonDispensingReason)] },
    medicationCodeableConcept: { coding: [item.supplied] },
    subject: shared.subject,
    performer: [{ actor: { reference: `#${shared.performer.id}` } }],
    authorizingPrescription: [{ reference: `#${request.id}` }],
    type: { coding: [codingOf(status, CODE_SYSTEM.itemStatus)] },
    quantity: item.quantity,
    whenHandedOver: shared.handedOver,
    dosageInstruction: [{ text: item.instructions }],
  });
}

/** The status of the prescription, and why nothing of it was dispensed, stand with each item. */
function prescriptionExtensions(header: V3Node): readonly Json[] {
  const status = requiredChild(header, 'pertinentInformation3', 'pertinentPrescriptionStatus', 'value');
  const reason = findPath(header, 'pertinentInformation2', 'pertinentNonDispensingReason', 'value');
  const why = reason && { valueCoding: codingOf(reason, CODE_SYSTEM.nonDispensingReason) };
  return [
    extension(EXTENSION.taskBusinessStatus, { valueCoding: codingOf(status, CODE_SYSTEM.taskBusinessStatus) }),
    ...(why === undefined ? [] : [extension(EXTENSION.prescriptionNonDispensingReason, why)]),
  ];
}

/** As much of the order as the notification tells. */
function authorizingRequest({ lineItem, requested, ordered, orderItemId }: DispensedItem, shared: Shared): Entry {
  const { header } = shared;
  const issued = findPath(lineItem, 'repeatNumber', 'low');
  const repeat = issued && [extension('numberOfPrescriptionsIssued', { valueUnsignedInt: lowOf(lineItem) })];
  return resource('MedicationRequest', 'request', {
    extension: repeat && [extensions(EXTENSION.medicationRepeatInformation, repeat)],
    identifier: [identifier(ID_SYSTEM.orderItem, orderItemId)],
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: { coding: [requested] },
    subject: shared.subject,
    groupIdentifier: groupIdentifier(header),
    basedOn: basedOn(header, orderItemId),
    dispenseRequest: present({ numberOfRepeatsAllowed: repeatsOf(lineItem, 'high'), quantity: ordered }),
  });
}

const lowOf = (lineItem: V3Node): number => (repeatsOf(lineItem, 'low') ?? 0) + 1;

function groupIdentifier(header: V3Node): Json {
  const shortFormId = requiredChild(header, 'pertinentInformation4', 'pertinentPrescriptionID', 'value');
  const id = requiredChild(header, 'inFulfillmentOf', 'priorOriginalPrescriptionRef', 'id');
  const prescriptionId = identifier(ID_SYSTEM.prescription, requiredAttribute(id, 'root').toLowerCase());
  return {
    ...identifier(ID_SYSTEM.orderNumber, requiredAttribute(shortFormId, 'extension')),
    extension: [extension(EXTENSION.prescriptionId, { valueIdentifier: prescriptionId })],
  };
}

function basedOn(header: V3Node, orderItemId: string): readonly Json[] | undefined {
  const number = findChild(header, 'repeatNumber');
  if (number === undefined) return undefined;
  const [allowed, issued] = [repeatsOf(header, 'high'), repeatsOf(header, 'low')];
  if (allowed === undefined || issued === undefined)
    throw v3Fault('required', number, 'A repeat number has low and high');
  const repeat = extensions(EXTENSION.repeatInformation, [
    extension('numberOfRepeatsAllowed', { valueInteger: allowed }),
    extension('numberOfRepeatsIssued', { valueInteger: issued }),
  ]);
  return [{ reference: urlOf(orderItemId), extension: [repeat] }];
}
