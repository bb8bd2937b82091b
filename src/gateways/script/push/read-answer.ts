/** What a partner says about a message in the same HTTP exchange (reference sections 7.1, 8.1, 8.4). */
import type { ScriptOutcome } from '../../../ports/script-push.ts';
import { STATUS_ACCEPTED, STATUS_FORWARDED } from '../../../standards/script/answer.ts';
import { elementsNamed, findElement, type ScriptMessage, textOf } from '../../../standards/script/message.ts';
import { readScript } from '../../../standards/script/read.ts';
import { isResponse } from '../../../standards/script/transactions.ts';
import type { XmlElement } from '../../../standards/xml/tree.ts';

/** Codes of Status by which somebody on the way has the message; the last two say more besides. */
const FORWARDED = new Set([STATUS_FORWARDED, '001', '005']);
/** Codes of Error after which the same message may be sent again. */
const AGAIN = new Set(['600', '602']);

/** Undefined where the bytes are no SCRIPT message. */
export function readPushAnswer(answer: Buffer, controlId: string): ScriptOutcome | undefined {
  const { message } = readScript(answer);
  if (message === undefined) return undefined;
  if (!relatesTo(message, controlId)) return { kind: 'unknown', cause: 'the answer is that of another message' };
  switch (message.kind) {
    case 'Status':
      return ofStatus(codeOf(message.transaction), answer);
    case 'Verify':
      return ofStatus(codeOf(findElement(message.transaction, 'VerifyStatus')), answer);
    case 'Error':
      return ofError(message.transaction, answer);
    default:
      // What is asked of us is brought to our own door, where it is seen whether its sender may.
      return isResponse(message.kind)
        ? { kind: 'answered', answer }
        : { kind: 'unclear', answer, error: 'the answer is no response' };
  }
}

/** An Error about a message that its receiver could not read names none, or `0` (reference section 2.2). */
function relatesTo({ kind, header: { relatesToMessageId: relates } }: ScriptMessage, controlId: string): boolean {
  return relates === controlId || (kind === 'Error' && (relates === undefined || relates === '0'));
}

function ofStatus(code: string | undefined, answer: Buffer): ScriptOutcome {
  if (code === STATUS_ACCEPTED) return { kind: 'delivered', answer };
  if (code !== undefined && FORWARDED.has(code)) return { kind: 'forwarded', answer };
  return { kind: 'unclear', answer, error: `Status ${safe(code)} is not known` };
}

function ofError(transaction: XmlElement, answer: Buffer): ScriptOutcome {
  const code = codeOf(transaction);
  const details = elementsNamed(transaction, 'DescriptionCode').map((one) => safe(textOf(one)));
  const error = ['Error', safe(code), ...details.slice(0, 10)].join(' ');
  return code !== undefined && AGAIN.has(code) ? { kind: 'again', answer, error } : { kind: 'rejected', answer, error };
}

/** Of two codes none is believed. */
function codeOf(element: XmlElement | undefined): string | undefined {
  const codes = elementsNamed(element, 'Code');
  return codes.length === 1 ? textOf(codes[0]) : undefined;
}

/** The partner's words stay out of logs: codes only. */
const safe = (code: string | undefined): string => (code !== undefined && /^\w{1,10}$/.test(code) ? code : '(no code)');
