/** What a partner's acknowledgement says. HL7 v2.5.1 sections 2.9.2, 2.15.5 and 2.15.8; reference 2.3. */
import type { AcknowledgementCode } from '../../../standards/hl7v2/acknowledgement.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';
import { parseMessage } from '../../../standards/hl7v2/parse.ts';

export interface ReadAnswer {
  readonly code: AcknowledgementCode;
  /** MSA-2: which message it answers. */
  readonly controlId: string;
  /** `AE 101 PID-3`: codes and places, and none of the partner's words, which may name patients. */
  readonly error: string;
  /** Who answers: MSH-3 and MSH-4. */
  readonly sender: string;
  /** MSH-15: whether it wants to be told that it came. */
  readonly wantsAcceptance: boolean;
}

const CODES: readonly string[] = ['AA', 'AE', 'AR', 'CA', 'CE', 'CR'];
const ERRORS_MAX = 5;
const LIMITS = { bytes: 1024 * 1024, segments: 1000 };

/** Undefined when it is no acknowledgement. */
export function readAnswer(raw: Buffer): ReadAnswer | undefined {
  const { value: message } = parseMessage(raw, LIMITS);
  const msa = message?.find('MSA');
  if (message === undefined || msa === undefined) return undefined;
  const code = msa.value(1).toUpperCase();
  if (!CODES.includes(code)) return undefined;
  const { header } = message;
  return {
    code: code as AcknowledgementCode, // one of them
    controlId: msa.value(2),
    error: [code, ...errorsOf(message)].join(' '),
    sender: `${header.value(3)}|${header.value(4)}`,
    wantsAcceptance: ['AL', 'SU'].includes(header.value(15)),
  };
}

/** ERR-3 and ERR-2; before version 2.5 ERR-1: segment, sequence, field, code. */
function errorsOf(message: Message): readonly string[] {
  return message
    .all('ERR')
    .slice(0, ERRORS_MAX)
    .map((error) => {
      const code = codeOnly(error.value(3)) || codeOnly(error.value(1, 4));
      const at = error.value(3) === '' ? 1 : 2;
      const place = [error.value(at, 1), error.value(at, at === 1 ? 3 : 3)].map(codeOnly).filter((text) => text !== '');
      return [code, place.join('-')].filter((text) => text !== '').join(' ');
    })
    .filter((text) => text !== '');
}

const codeOnly = (text: string): string => (/^[A-Za-z0-9]{1,8}$/.test(text) ? text : '');
