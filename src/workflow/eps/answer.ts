/** What the sender of a message gets: the Spine's answer as FHIR, or where it will be. eps/REFERENCE section 9 */
import type { AnswerContext } from '../../mapping/eps/inbound/context.ts';
import { type SpineAnswer, translateSpineAnswer } from '../../mapping/eps/inbound/spine-answer.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import type { StoredMessage } from '../../ports/message-log.ts';
import { type Issue, operationOutcome } from '../../standards/fhir/outcome.ts';
import { checkByVerdicts } from './check-signatures.ts';
import { idsOf } from './sender.ts';
import type { SentOrders } from './sent-order.ts';

export interface EpsAnswer {
  readonly status: number;
  readonly body: FhirResource;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ids are made from the message's own, so that who asks again gets the same. */
export function spineAnswerOf(
  message: Pick<StoredMessage, 'id' | 'receivedAt'> & { readonly issues?: readonly Issue[] },
  answer: Buffer,
  baseUrl: string,
  orders: SentOrders = new Map(),
): SpineAnswer {
  const checkSignature = checkByVerdicts(message.issues ?? []);
  const context: AnswerContext = {
    now: message.receivedAt,
    newId: idsOf('eps-answer', message.id),
    form: 'full',
    baseUrl,
    ...(checkSignature && { checkSignature }),
    sentOrder: (prescriptionId) => orders.get(prescriptionId),
  };
  return translateSpineAnswer(answer, context);
}

export const isSettled = ({ state }: Pick<StoredMessage, 'state'>): boolean =>
  state === 'acknowledged' || state === 'rejected' || state === 'dead';

/** The Spine's own words; of an answer that was lost nothing is kept. */
export const answerIn = ({ answer }: Pick<StoredMessage, 'answer'>): Buffer | undefined =>
  answer === undefined || answer.length === 0 ? undefined : answer;

/** 202 while it is under way. */
export function answerOf(message: StoredMessage, baseUrl: string, orders?: SentOrders): EpsAnswer {
  if (message.state === 'dead') return told(503, NOT_SENT);
  if (!isSettled(message))
    return told(202, waiting(message), { 'Content-Location': `${baseUrl}/$eps-message?id=${message.id}` });
  const answer = answerIn(message);
  if (answer === undefined) return told(200, ANSWER_LOST);
  const { status, body } = spineAnswerOf(message, answer, baseUrl, orders);
  return { status, body };
}

const told = (status: number, issue: Issue, headers?: Readonly<Record<string, string>>): EpsAnswer => ({
  status,
  body: { ...operationOutcome([issue]) },
  ...(headers && { headers }),
});

const waiting = ({ state }: StoredMessage): Issue => ({
  severity: 'information',
  code: 'informational',
  diagnostics:
    state === 'unknown'
      ? 'The Spine may have the message; it is being asked. The answer will be at Content-Location'
      : 'The message is kept and will be sent. The answer will be at Content-Location: ask there, or send the same again',
});

const NOT_SENT: Issue = {
  severity: 'error',
  code: 'transient',
  diagnostics: 'The Spine could not be reached for so long that the message was laid aside: nothing of it was sent',
};
const ANSWER_LOST: Issue = {
  severity: 'information',
  code: 'informational',
  diagnostics: 'The Spine has done what the message asks; the words of its answer were lost on the way',
};
