/** A ParentPrescription as the message Bundle it was, or might have been. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { type Instructions, NO_INSTRUCTIONS } from './additional-instructions.ts';
import { type Agent, agent, mergedAgent, odsCodeOf, resourcesOfAgent } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { patient } from './demographics.ts';
import { performerOf } from './dispense-request.ts';
import { type Entry, referenceTo, resource, sortedEntries, uuidIdentifier } from './fhir-parts.ts';
import {
  instructionsOf,
  lineItemsOf,
  medicationRequest,
  observed,
  prescriptionIds,
  type Shared,
} from './medication-request.ts';
import { messageHeader } from './message-header.ts';
import { authorNumber, personNumber, prescriberKindOf } from './person-number.ts';
import { restoreFromOrder } from './restore.ts';
import { provenance } from './signature.ts';
import {
  dateTimeOfValue,
  findAttribute,
  requiredAttribute,
  requiredChild,
  requiredChildren,
  type V3Node,
  v3Fault,
  v3Issue,
} from './v3-node.ts';

/**
 * `releaseRequestId`: of the request that it was released for. Throws an EpsFault where something required is missing;
 * `issues` takes what else there is to tell.
 */
export function prescriptionBundle(
  parentPrescription: V3Node,
  context: AnswerContext,
  issues: Issue[],
  releaseRequestId?: string,
): FhirResource {
  const bundleId = context.newId();
  const messageId = requiredAttribute(requiredChild(parentPrescription, 'id'), 'root');
  const effectiveTime = requiredChild(parentPrescription, 'effectiveTime');
  const prescription = requiredChild(parentPrescription, 'pertinentInformation1', 'pertinentPrescription');
  const author = requiredChild(prescription, 'author');
  const people = peopleOf(prescription, author, context);
  const shared: Shared = {
    prescription,
    effectiveTime,
    prescriptionType: prescriptionTypeOf(prescription),
    patient: patient(requiredChild(parentPrescription, 'recordTarget'), context),
    requester: people.author.role,
    responsible: people.responsible.role,
    authorTime: requiredChild(author, 'time'),
  };
  const lineItems = lineItemsOf(prescription);
  if (lineItems.length === 0) requiredChildren(prescription, 'pertinentInformation2');
  const instructions = lineItems.map((lineItem) => instructionsOf(lineItem, context.form));
  const requests = lineItems.map((lineItem, n) =>
    medicationRequest(lineItem, instructions[n] ?? NO_INSTRUCTIONS, shared, context, issues),
  );
  noteToken(prescription, issues);
  const performer = performerOf(prescription);
  const header = messageHeader(
    {
      event: 'prescription-order',
      messageId,
      destination: performer && odsCodeOf(performer),
      inResponseTo: releaseRequestId,
      focus: [shared.patient, ...requests],
    },
    context,
  );
  const resources = [
    header,
    shared.patient,
    ...people.resources,
    ...communication(instructions, shared.patient, people.author.organisation, context),
    ...requests,
  ];
  const signed = provenance(author, people.author.role, resources, context);
  const bundle: FhirResource = {
    resourceType: 'Bundle',
    id: bundleId,
    meta: { lastUpdated: dateTimeOfValue(effectiveTime) },
    identifier: uuidIdentifier(messageId),
    type: 'message',
    entry: sortedEntries(signed === undefined ? resources : [...resources, signed]),
  };
  const order =
    context.form === 'full' ? context.sentOrder?.(prescriptionIds(prescription)[0].toLowerCase()) : undefined;
  return order === undefined ? bundle : restoreFromOrder(bundle, order);
}

const prescriptionTypeOf = (prescription: V3Node): V3Node =>
  requiredChild(prescription, 'pertinentInformation4', 'pertinentPrescriptionType', 'value');

interface People {
  readonly author: Agent;
  readonly responsible: Agent;
  readonly resources: readonly Entry[];
}

function peopleOf(prescription: V3Node, author: V3Node, context: AnswerContext): People {
  const kind = prescriberKindOf(requiredAttribute(prescriptionTypeOf(prescription), 'code'));
  const authorPerson = requiredChild(author, 'AgentPerson');
  const first = agent(authorPerson, (value) => authorNumber(value, kind, context.form), context);
  if (first.practitioner === undefined)
    throw v3Fault('required', authorPerson, 'agentPerson is missing', '/agentPerson');
  const responsibleParty = requiredChild(prescription, 'responsibleParty', 'AgentPerson');
  const readNumber = (value: string) => personNumber(value, kind, context.form);
  const merged = mergedAgent(first, responsibleParty, readNumber, context);
  if (merged !== undefined) return { author: merged, responsible: merged, resources: resourcesOfAgent(merged) };
  const second = agent(responsibleParty, readNumber, context);
  return { author: first, responsible: second, resources: [...resourcesOfAgent(first), ...resourcesOfAgent(second)] };
}

/**
 * What the patient is to be told. Deviates: what later items add is told too; the national gateway takes the first item's
 * alone.
 */
function communication(
  instructions: readonly Instructions[],
  recipient: Entry,
  requester: Entry,
  { newId, form }: AnswerContext,
): readonly Entry[] {
  const texts = (part: 'medication' | 'patientInfo'): readonly string[] => {
    const [first = [], ...later] = instructions.map((one) => one[part].filter((text) => text.trim() !== ''));
    return form === 'full' ? [...first, ...later.flat().filter((text) => !first.includes(text))] : first;
  };
  const medication = texts('medication');
  const patientInfo = texts('patientInfo');
  if (medication.length + patientInfo.length === 0) return [];
  const list = resource('List', newId(), {
    status: 'current',
    mode: 'snapshot',
    entry: medication.map((display) => ({ item: { display } })),
  });
  const request = resource('CommunicationRequest', newId(), {
    status: 'unknown',
    subject: referenceTo(recipient),
    payload: [
      ...patientInfo.map((contentString) => ({ contentString })),
      ...(medication.length === 0 ? [] : [{ contentReference: referenceTo(list) }]),
    ],
    requester: { identifier: firstIdentifier(requester) },
    recipient: [{ identifier: firstIdentifier(recipient) }],
  });
  return medication.length === 0 ? [request] : [request, list];
}

/** Each of them has one. */
const firstIdentifier = (entry: Entry): unknown => {
  const identifiers = entry['identifier'];
  return Array.isArray(identifiers) ? identifiers[0] : undefined;
};

/** Every order says that no paper token was issued; one that was has no place in FHIR. */
function noteToken(prescription: V3Node, issues: Issue[]): void {
  const token = observed(prescription, 'pertinentInformation8', 'pertinentTokenIssued');
  if (token !== undefined && findAttribute(token, 'value') !== 'false')
    issues.push(v3Issue('information', 'informational', token, 'A token was issued: this has no place in FHIR'));
}
