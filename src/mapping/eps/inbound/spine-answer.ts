/** What the Spine answers, as FHIR and with the HTTP status that the sender of the message gets. */
import type { Buffer } from 'node:buffer';
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { formatIso } from '../../../standards/hl7v3/date-time.ts';
import { HL7_V3 } from '../../../standards/hl7v3/element.ts';
import { ANSWERS, type AnswerName } from '../../../standards/hl7v3/interaction.ts';
import { elementsOf, type XmlElement } from '../../../standards/xml/tree.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { EpsFault } from '../fault.ts';
import { statusOf } from '../outcome.ts';
import type { V3Message } from '../send-message.ts';
import { refusals, verdictOf } from './acknowledgement.ts';
import { cancellationResponse } from './cancellation-response.ts';
import type { AnswerContext } from './context.ts';
import { peel } from './peel.ts';
import { releaseRejection } from './release-rejection.ts';
import { releaseResponse } from './release-response.ts';
import { transportAnswer } from './transport.ts';
import { findUnread } from './unread.ts';
import { requiredChild, rootNode, type V3Node, v3Fault } from './v3-node.ts';

export interface SpineAnswer {
  /** `transport`: of the message exchange alone. `unknown`: nothing that can be read, so that the fate of the message is not known. */
  readonly kind: AnswerName | 'transport' | 'unknown';
  readonly status: number;
  readonly body: FhirResource;
  /** What was left out of the body, and what it could not say. */
  readonly issues: readonly Issue[];
  /** Messages that are to be sent to the Spine because of the answer. */
  readonly returns: readonly V3Message[];
}

/** The HTTP status of the Spine's own answer says nothing more. Never throws. */
export function translateSpineAnswer(content: Buffer | string, context: AnswerContext): SpineAnswer {
  const { value: documents, issues } = peel(content);
  return documents === undefined ? unknown(issues, context) : translateDocuments(documents, context);
}

/** Of an answer whose wrapping is off. */
export function translateDocuments(documents: readonly XmlElement[], context: AnswerContext): SpineAnswer {
  const found = findAnswer(documents);
  try {
    return found === undefined ? withoutAnswer(documents, context) : HANDLERS[found.name](found, context);
  } catch (error) {
    if (!(error instanceof EpsFault)) throw error;
    return unknown([error.issue], context);
  }
}

interface Found {
  readonly name: AnswerName;
  readonly interaction: V3Node;
}

const NAMES = Object.entries(ANSWERS) as readonly (readonly [AnswerName, string])[];

/** The interaction that comes first in the list, wherever in the documents it stands. */
export function findAnswer(documents: readonly XmlElement[]): Found | undefined {
  const interactions = documents.flatMap((document) => interactionsIn(document));
  for (const [name, interaction] of NAMES) {
    const element = interactions.find((one) => one.name === interaction);
    if (element !== undefined) return { name, interaction: rootNode(element) };
  }
  return undefined;
}

const INTERACTION_NAMES: ReadonlySet<string> = new Set(Object.values(ANSWERS));

/** None is within another. */
function interactionsIn(element: XmlElement): readonly XmlElement[] {
  if (INTERACTION_NAMES.has(element.name)) return [element];
  return elementsOf(element).flatMap(interactionsIn);
}

type Handle = (found: Found, context: AnswerContext) => SpineAnswer;

const HANDLERS: Readonly<Record<AnswerName, Handle>> = {
  nominatedReleaseResponse: unlessRefused(released),
  patientReleaseResponse: unlessRefused(released),
  acknowledgement: unlessRefused((found, context) => answer(found, 200, informational(context))),
  cancellationResponse: unlessRejected(cancelled),
  releaseReject: unlessRejected(notReleased),
};

/** Errors and rejections are a list of codes. */
function unlessRefused(handle: Handle): Handle {
  return (found, context) => {
    checkNamespace(found.interaction);
    const verdict = verdictOf(found.interaction);
    return verdict === 'accepted' ? handle(found, context) : refused(found, verdict, context);
  };
}

/** An error has a message of its own. */
function unlessRejected(handle: Handle): Handle {
  return (found, context) => {
    checkNamespace(found.interaction);
    const verdict = verdictOf(found.interaction);
    return verdict === 'rejected' ? refused(found, verdict, context) : handle(found, context);
  };
}

function checkNamespace(interaction: V3Node): void {
  const { namespace, name } = interaction.element;
  if (namespace !== HL7_V3) throw v3Fault('structure', interaction, `${name} is not in the namespace ${HL7_V3}`);
}

function refused(found: Found, verdict: 'error' | 'rejected', context: AnswerContext): SpineAnswer {
  const issues = refusals(found.interaction, verdict);
  if (issues.length === 0) throw v3Fault('required', found.interaction, 'The refusal has no code');
  return answer(found, statusOf(issues), outcome(issues, context));
}

const subjectOf = ({ interaction }: Found, name: string): V3Node =>
  requiredChild(interaction, 'ControlActEvent', 'subject', name);

function released(found: Found, context: AnswerContext): SpineAnswer {
  const response = subjectOf(found, 'PrescriptionReleaseResponse');
  const { parameters, issues, returns } = releaseResponse(response, context);
  return { ...answer(found, 200, parameters), issues: [...issues, ...findUnread(response)], returns };
}

/** What was not cancelled has the status of an error, and the body that says how it stands. */
function cancelled(found: Found, context: AnswerContext): SpineAnswer {
  const response = subjectOf(found, 'CancellationResponse');
  const result = cancellationResponse(response, context);
  const status = verdictOf(found.interaction) === 'accepted' ? 200 : 400;
  if ('bundle' in result) return { ...answer(found, status, result.bundle), issues: findUnread(response) };
  return answer(found, status, { resourceType: 'OperationOutcome', issue: [result.issue] });
}

function notReleased(found: Found, context: AnswerContext): SpineAnswer {
  const { issue, supporting } = releaseRejection(subjectOf(found, 'PrescriptionReleaseReject'), context);
  return answer(found, statusOf([issue]), { ...outcome([issue], context), ...supporting });
}

/** Deviates: the national gateway fails where the exchange alone has answered. */
function withoutAnswer(documents: readonly XmlElement[], context: AnswerContext): SpineAnswer {
  const transport = transportAnswer(documents);
  if (transport === undefined) return unknown([NO_ANSWER], context);
  const [status, body] = transport.accepted
    ? ([202, outcome([TAKEN], context)] as const)
    : ([500, outcome(transport.issues, context)] as const);
  return { kind: 'transport', status, body, issues: [], returns: [] };
}

const answer = ({ name }: Found, status: number, body: FhirResource): SpineAnswer => ({
  kind: name,
  status,
  body,
  issues: [],
  returns: [],
});

const outcome = (issues: readonly Issue[], { now }: AnswerContext): FhirResource => ({
  resourceType: 'OperationOutcome',
  meta: { lastUpdated: formatIso(now) },
  issue: issues,
});

const informational = (context: AnswerContext): FhirResource =>
  outcome([{ code: 'informational', severity: 'information' }], context);

const TAKEN: Issue = {
  code: 'informational',
  severity: 'information',
  diagnostics: 'The Spine took the message; its answer is still to come',
};

/** Deviates: says why; the national gateway gives code and severity alone. */
const NO_ANSWER: Issue = {
  code: 'invalid',
  severity: 'error',
  diagnostics: `The Spine's answer holds none of ${Object.values(ANSWERS).join(', ')}`,
};

/** The Spine is at fault, not the sender: 500, as the national gateway has it. */
const unknown = (issues: readonly Issue[], context: AnswerContext): SpineAnswer => ({
  kind: 'unknown',
  status: 500,
  body: outcome(issues, context),
  issues,
  returns: [],
});
