/** A ParentPrescription as the message Bundle it was, or might have been. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { NO_INSTRUCTIONS } from './additional-instructions.ts';
import { odsCodeOf } from './agent-person.ts';
import { communication } from './communication.ts';
import type { AnswerContext } from './context.ts';
import { patient } from './demographics.ts';
import { performerOf } from './dispense-request.ts';
import { type Entry, sortedEntries, uuidIdentifier } from './fhir-parts.ts';
import {
  instructionsOf,
  lineItemsOf,
  medicationRequest,
  observed,
  prescriptionIds,
  type Shared,
} from './medication-request.ts';
import { messageHeader } from './message-header.ts';
import { prescribersOf, prescriptionTypeOf } from './prescribers.ts';
import { restoreFromOrder } from './restore.ts';
import { provenance } from './signature.ts';
import { dateTimeOfValue, findAttribute, requiredAttribute, requiredChild, type V3Node, v3Issue } from './v3-node.ts';

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
  noteToken(prescription, issues);
  const bundle: FhirResource = {
    resourceType: 'Bundle',
    id: bundleId,
    meta: { lastUpdated: dateTimeOfValue(effectiveTime) },
    identifier: uuidIdentifier(messageId),
    type: 'message',
    entry: sortedEntries(
      resourcesOf({ parentPrescription, prescription, effectiveTime, messageId, releaseRequestId }, context, issues),
    ),
  };
  return restored(bundle, prescription, context);
}

interface Message {
  readonly parentPrescription: V3Node;
  readonly prescription: V3Node;
  readonly effectiveTime: V3Node;
  readonly messageId: string;
  readonly releaseRequestId: string | undefined;
}

/** In the order in which a signature names what it is of. */
function resourcesOf(message: Message, context: AnswerContext, issues: Issue[]): readonly Entry[] {
  const { parentPrescription, prescription, effectiveTime, messageId } = message;
  const author = requiredChild(prescription, 'author');
  const prescribers = prescribersOf(prescription, author, context);
  const subject = patient(requiredChild(parentPrescription, 'recordTarget'), context);
  const shared: Shared = {
    prescription,
    effectiveTime,
    prescriptionType: prescriptionTypeOf(prescription),
    patient: subject,
    requester: prescribers.author.role,
    responsible: prescribers.responsible.role,
    authorTime: requiredChild(author, 'time'),
  };
  const lineItems = lineItemsOf(prescription);
  const instructions = lineItems.map((lineItem) => instructionsOf(lineItem, context.form));
  const requests = lineItems.map((lineItem, n) =>
    medicationRequest(lineItem, instructions[n] ?? NO_INSTRUCTIONS, shared, context, issues),
  );
  const performer = performerOf(prescription);
  const header = messageHeader(
    {
      event: 'prescription-order',
      messageId,
      destination: performer && odsCodeOf(performer),
      inResponseTo: message.releaseRequestId,
      focus: [subject, ...requests],
    },
    context,
  );
  const told = communication(instructions, subject, prescribers.author.organisation, context);
  const resources = [header, subject, ...prescribers.resources, ...told, ...requests];
  const signed = provenance(author, prescribers.author.role, resources, context);
  return signed === undefined ? resources : [...resources, signed];
}

function restored(bundle: FhirResource, prescription: V3Node, { form, sentOrder }: AnswerContext): FhirResource {
  if (form === 'national' || sentOrder === undefined) return bundle;
  const [prescriptionId] = prescriptionIds(prescription);
  return restoreFromOrder(bundle, sentOrder(prescriptionId.toLowerCase()));
}

/** Every order says that no paper token was issued; one that was has no place in FHIR. */
function noteToken(prescription: V3Node, issues: Issue[]): void {
  const token = observed(prescription, 'pertinentInformation8', 'pertinentTokenIssued');
  if (token !== undefined && findAttribute(token, 'value') !== 'false')
    issues.push(v3Issue('information', 'informational', token, 'A token was issued: this has no place in FHIR'));
}
