/**
 * What goes back on the wire for a message: in original mode one AA, AE or AR; in enhanced mode, as MSH-15 and MSH-16 ask,
 * that it was taken (CA, CE, CR), what became of it, both or neither. HL7 v2.5.1 sections 2.9.2 and 2.9.3; table 0155.
 */
import { type AcknowledgementCode, formatAcknowledgement } from '../../standards/hl7v2/acknowledgement.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import { parseMessage } from '../../standards/hl7v2/parse.ts';
import type { Verdict } from '../dialect.ts';
import type { Received } from '../receive.ts';
import { readAnswer } from './feed/read-answer.ts';

export interface AnswerTools {
  /** ms UTC */
  readonly now: () => number;
  readonly newId: () => string;
}

/** What was taken is durably stored, whatever its content: a dead letter or a fault in it is told by MSH-16, and is in the log. */
const ACCEPTANCE: Record<Received['verdict'], AcknowledgementCode> = {
  applied: 'CA',
  rejected: 'CA',
  repeated: 'CA',
  conflict: 'CE',
  refused: 'CR',
  unavailable: 'CR',
};

/** The frames that answer a message, in order. */
export function answersTo(
  raw: Buffer,
  { verdict, answer }: Pick<Received, 'verdict' | 'answer'>,
  { now, newId }: AnswerTools,
): readonly Buffer[] {
  const { value: message } = parseMessage(raw);
  const accept = message?.header.value(15) ?? '';
  const application = message?.header.value(16) ?? '';
  // Nobody could tell which message it was: it is answered as one in original mode.
  if (message === undefined || message.header.field(10).isEmpty || (accept === '' && application === ''))
    return [answer];
  const code = ACCEPTANCE[verdict];
  const isGood = (readAnswer(answer)?.code ?? 'AR') === 'AA';
  return [
    ...(isAsked(accept, code === 'CA') ? [acceptance(message, code, verdict, now(), newId())] : []),
    // What was not taken has no outcome.
    ...(code === 'CA' && isAsked(application, isGood) ? [answer] : []),
  ];
}

/** Table 0155; a condition that is not in it is taken for "always". */
function isAsked(condition: string, isGood: boolean): boolean {
  if (condition === '' || condition === 'NE') return false;
  if (condition === 'ER') return !isGood;
  return condition !== 'SU' || isGood;
}

function acceptance(
  message: Message,
  code: AcknowledgementCode,
  verdict: Received['verdict'],
  at: number,
  controlId: string,
): Buffer {
  const reason = REASONS.get(verdict);
  return formatAcknowledgement(message, { code, issues: reason ? [reason] : [], at, controlId });
}

type Issue = Verdict['issues'][number];

const REASONS = new Map<Received['verdict'], Issue>([
  ['conflict', { severity: 'error', code: 'duplicate', diagnostics: 'This control id came before with other content' }],
  [
    'refused',
    { severity: 'error', code: 'forbidden', diagnostics: 'The sender, or a message like this, is not taken' },
  ],
  ['unavailable', { severity: 'error', code: 'transient', diagnostics: 'Not taken now: send it again later' }],
]);
