/** Any V3 message of the service that becomes FHIR: answers of the Spine, and what is sent to it. */
import type { Buffer } from 'node:buffer';
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { issue } from '../../../standards/fhir/outcome.ts';
import { HL7_V3 } from '../../../standards/hl7v3/element.ts';
import { ANSWERS, INTERACTIONS, ORDERS } from '../../../standards/hl7v3/interaction.ts';
import type { Mapped } from '../../../standards/mapped.ts';
import type { XmlElement } from '../../../standards/xml/tree.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { mapped } from '../fault.ts';
import { cancellationBundle } from './cancellation-request.ts';
import type { AnswerContext } from './context.ts';
import { notificationBundle } from './dispense-notification.ts';
import { peel } from './peel.ts';
import { prescriptionBundle } from './prescription-bundle.ts';
import { releaseParameters } from './release-request.ts';
import { findAnswer, translateDocuments } from './spine-answer.ts';
import { returnTask, withdrawTask } from './task.ts';
import { findUnread } from './unread.ts';
import { requiredChild, rootNode, type V3Node } from './v3-node.ts';

/**
 * The FHIR of a message, in its wrapping or without. Refusals of the Spine are translations too: OperationOutcomes.
 * Without a value the issues say what cannot be read and where. Never throws.
 */
export function convertFromV3(content: Buffer | string, context: AnswerContext): Mapped<FhirResource> {
  const { value: documents, issues } = peel(content);
  return documents === undefined ? { issues } : fromDocuments(documents, context);
}

function fromDocuments(documents: readonly XmlElement[], context: AnswerContext): Mapped<FhirResource> {
  const request = documents.map(requestIn).find((found) => found !== undefined);
  if (request !== undefined) return fromRequest(request, context);
  const { kind, body, issues } = translateDocuments(documents, context);
  if (kind !== 'unknown') return { value: body, issues };
  const known = findAnswer(documents) !== undefined;
  return { issues: known ? issues : [notKnown(documents)] };
}

type Translate = (message: V3Node, context: AnswerContext, issues: Issue[]) => FhirResource;

/** Messages to the Spine. Their national form is that of prescriptions alone, which the Spine releases again. */
const MESSAGES: ReadonlyMap<string, Translate> = new Map<string, Translate>([
  ['ParentPrescription', prescriptionBundle],
  ['CancellationRequest', inFull(cancellationBundle)],
  ['NominatedPrescriptionReleaseRequest', inFull(releaseParameters)],
  ['PatientPrescriptionReleaseRequest', inFull(releaseParameters)],
  ['DispenseNotification', inFull(notificationBundle)],
  ['DispenseProposalReturn', inFull(returnTask)],
  ['ETPWithdraw', inFull(withdrawTask)],
]);

function inFull(translate: Translate): Translate {
  return (message, context, issues) => translate(message, { ...context, form: 'full' }, issues);
}

/** The name of the message that an interaction carries. */
const CARRIED: ReadonlyMap<string, string> = new Map([
  ...Object.entries(INTERACTIONS).map(([name, interaction]): [string, string] => [interaction, name]),
  ...[...ORDERS].map((interaction): [string, string] => [interaction, 'ParentPrescription']),
]);

interface Request {
  readonly translate: Translate;
  /** Throws an EpsFault when the wrapper is empty. */
  readonly message: () => V3Node;
}

function requestIn(document: XmlElement): Request | undefined {
  if (document.namespace !== HL7_V3) return undefined;
  const name = CARRIED.get(document.name);
  const translate = MESSAGES.get(name ?? document.name);
  if (translate === undefined) return undefined;
  const root = rootNode(document);
  return {
    translate,
    message: () => (name === undefined ? root : requiredChild(root, 'ControlActEvent', 'subject', name)),
  };
}

function fromRequest({ translate, message }: Request, context: AnswerContext): Mapped<FhirResource> {
  return mapped(() => {
    const issues: Issue[] = [];
    const node = message();
    const value = translate(node, context, issues);
    return { value, issues: [...issues, ...findUnread(node)] };
  });
}

const TAKEN = [...MESSAGES.keys(), ...Object.values(ANSWERS)].join(', ');

/** What is known by name is told apart from what is not. */
function notKnown(documents: readonly XmlElement[]): Issue {
  const [document] = documents;
  const name = document?.name.slice(0, 60) ?? '';
  const place = `${document?.line}:${document?.column}`;
  if (document !== undefined && document.namespace !== HL7_V3 && MESSAGES.has(CARRIED.get(name) ?? name))
    return issue('structure', `The root element ${name} is not in the namespace ${HL7_V3}`, place);
  const carried = CARRIED.get(name);
  const what = carried === undefined ? 'is no V3 message that becomes FHIR' : `(${carried}) is not translated back yet`;
  return issue('not-supported', `The root element ${name} ${what}; these are: ${TAKEN}`, place);
}
