/** What became of a cancellation. */
import type { Issue, IssueCode } from '../../../standards/fhir/outcome.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import {
  type Agent,
  agent,
  mergedAgent,
  odsCodeOf,
  odsIdentifier,
  type ReadNumber,
  resourcesOfAgent,
} from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { patient } from './demographics.ts';
import {
  coding,
  concept,
  type Entry,
  extension,
  identifier,
  type Json,
  present,
  referenceTo,
  resource,
  sortedEntries,
  uuidIdentifier,
} from './fhir-parts.ts';
import { messageHeader } from './message-header.ts';
import { userNumber } from './person-number.ts';
import {
  childrenOf,
  dateTimeOfValue,
  findAttribute,
  findChild,
  findPath,
  findText,
  requiredAttribute,
  requiredChild,
  type V3Node,
  v3Fault,
} from './v3-node.ts';

type Result =
  /** The item as it now is. */
  | { readonly display: string; readonly status: string }
  /** Nothing could be done; without a display the Spine's own text. */
  | { readonly display?: string; readonly issue: IssueCode };

export const CANCELLATION_RESULTS: ReadonlyMap<string, Result> = new Map<string, Result>([
  ['0001', { display: 'Prescription/item was cancelled', status: 'cancelled' }],
  [
    '0002',
    { display: 'Prescription/item was not cancelled. With dispenser. Marked for cancellation', status: 'active' },
  ],
  [
    '0003',
    {
      display: 'Prescription/item was not cancelled. With dispenser active. Marked for cancellation',
      status: 'active',
    },
  ],
  ['0004', { display: 'Prescription/item was not cancelled. Prescription has been dispensed.', status: 'completed' }],
  ['0005', { display: 'Prescription/item has expired', status: 'stopped' }],
  ['0006', { display: 'Prescription/item had already been cancelled', status: 'cancelled' }],
  ['0007', { display: 'Prescription/item cancellation requested by another prescriber', status: 'unknown' }],
  ['0008', { display: 'Prescription/item not found', issue: 'not-found' }],
  ['0009', { display: 'Cancellation functionality disabled in SPINE', issue: 'not-supported' }],
  ['0010', { display: 'Prescription/item was not cancelled. Prescription has been not dispensed.', status: 'stopped' }],
  ['5000', { issue: 'processing' }],
  ['5888', { display: 'Invalid Message.', issue: 'invalid' }],
]);

export type Cancellation = { readonly bundle: FhirResource } | { readonly issue: Issue };

export function cancellationResponse(response: V3Node, context: AnswerContext): Cancellation {
  const value = requiredChild(response, 'pertinentInformation3', 'pertinentResponse', 'value');
  const code = requiredAttribute(value, 'code');
  const result = CANCELLATION_RESULTS.get(code);
  if (result === undefined) throw v3Fault('code-invalid', value, 'The result is none that is known', '/@code');
  const status = coding(CODE_SYSTEM.statusHistory, `R-${code}`, result.display ?? findAttribute(value, 'displayName'));
  if ('status' in result) return { bundle: bundle(response, result.status, status, context) };
  // A coding made here has system and code.
  return { issue: { severity: 'error', code: result.issue, details: { coding: [status as { code: string }] } } };
}

function bundle(response: V3Node, status: string, statusCoding: Json, context: AnswerContext): FhirResource {
  const messageId = requiredAttribute(requiredChild(response, 'id'), 'root');
  const when = dateTimeOfValue(requiredChild(response, 'effectiveTime'));
  const subject = patient(requiredChild(response, 'recordTarget'), context);
  const people = peopleOf(response, context);
  const request = medicationRequest(response, { subject, people, status, statusCoding, when }, context);
  const requestRef = requiredChild(response, 'pertinentInformation4', 'pertinentCancellationRequestRef', 'id');
  const header = messageHeader(
    {
      event: 'prescription-order-response',
      messageId,
      destination: odsCodeOf(requiredChild(response, 'author', 'AgentPerson', 'representedOrganization')),
      inResponseTo: requiredAttribute(requestRef, 'root'),
      focus: [subject, request],
    },
    context,
  );
  return {
    resourceType: 'Bundle',
    type: 'message',
    identifier: uuidIdentifier(messageId),
    timestamp: when,
    entry: sortedEntries([header, subject, ...people.resources, request]),
  };
}

interface People {
  /** Who asked for the cancellation. */
  readonly requester: Agent;
  /** Who wrote the prescription. */
  readonly prescriber: Agent;
  /** Who has the prescription. */
  readonly dispenser: Agent | undefined;
  readonly resources: readonly Entry[];
}

function peopleOf(response: V3Node, context: AnswerContext): People {
  const readNumber: ReadNumber = (value, register) => userNumber(value, register, context.form);
  const agents: Agent[] = [agent(requiredChild(response, 'author', 'AgentPerson'), readNumber, context)];
  /** The place of that person among the agents, where they are put unless they are there. */
  const placeOf = (node: V3Node): number => {
    for (const [n, known] of agents.entries()) {
      const merged = mergedAgent(known, node, readNumber, context);
      if (merged === undefined) continue;
      agents[n] = merged;
      return n;
    }
    return agents.push(agent(node, readNumber, context)) - 1;
  };
  const responsible = findPath(response, 'responsibleParty', 'AgentPerson');
  const prescriber = findChild(responsible, 'agentPerson') === undefined ? 0 : placeOf(responsible as V3Node);
  const performer = findPath(response, 'performer', 'AgentPerson');
  const dispenser = performer === undefined ? undefined : placeOf(performer);
  const at = (place: number): Agent => agents[place] ?? (agents[0] as Agent);
  return {
    requester: at(0),
    prescriber: at(prescriber),
    dispenser: dispenser === undefined ? undefined : at(dispenser),
    resources: agents.flatMap(resourcesOfAgent),
  };
}

interface Parts {
  readonly subject: Entry;
  readonly people: People;
  readonly status: string;
  readonly statusCoding: Json;
  readonly when: string;
}

/** Which product it was a cancellation does not say. */
export const MEDICINAL_PRODUCT = concept(CODE_SYSTEM.snomedCt, '763158003', 'Medicinal product');

function medicationRequest(response: V3Node, parts: Parts, { newId }: AnswerContext): Entry {
  const { people } = parts;
  const itemId = requiredAttribute(
    requiredChild(response, 'pertinentInformation1', 'pertinentLineItemRef', 'id'),
    'root',
  );
  const shortFormId = requiredAttribute(
    requiredChild(response, 'pertinentInformation2', 'pertinentPrescriptionID', 'value'),
    'extension',
  );
  return resource('MedicationRequest', newId(), {
    extension: [
      extension(EXTENSION.statusHistory, {
        extension: [
          extension('status', { valueCoding: parts.statusCoding }),
          extension('statusDate', { valueDateTime: parts.when }),
        ],
      }),
      extension(EXTENSION.responsiblePractitioner, { valueReference: referenceTo(people.requester.role) }),
    ],
    identifier: [identifier(ID_SYSTEM.orderItem, itemId.toLowerCase())],
    status: parts.status,
    intent: 'order',
    medicationCodeableConcept: MEDICINAL_PRODUCT,
    subject: referenceTo(parts.subject),
    requester: referenceTo(people.prescriber.role),
    groupIdentifier: identifier(ID_SYSTEM.orderNumber, shortFormId),
    dispenseRequest: people.dispenser && { performer: performer(people.dispenser) },
  });
}

function performer({ source, role }: Agent): Json {
  const [organisation] = childrenOf(source, 'representedOrganization');
  return present({
    extension: [extension(EXTENSION.dispensingPerformer, { valueReference: referenceTo(role) })],
    identifier: organisation && odsIdentifier(organisation),
    display: findText(findChild(organisation, 'name')),
  });
}
