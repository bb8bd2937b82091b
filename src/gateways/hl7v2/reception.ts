/** What comes in as HL7 v2 over any door, and what goes back: numbers looked at, acknowledgements taken, modes kept. */
import type { Log } from '../../ports/log.ts';
import type { Partner } from '../../ports/partner.ts';
import { parseMessage } from '../../standards/hl7v2/parse.ts';
import type { Received } from '../receive.ts';
import { hl7v2Dialect } from './dialect.ts';
import { type AnswerTools, answersTo } from './enhanced-mode.ts';
import { readAnswer } from './feed/read-answer.ts';
import { type SequenceOptions, withSequence } from './sequence.ts';

export interface V2ReceptionOptions extends AnswerTools {
  /** The way in that all dialects share. */
  readonly receive: (raw: Buffer, partner: Partner | undefined) => Promise<Received>;
  /** Who is answered as MSH-15 and MSH-16 ask; the others get one application acknowledgement, whatever these say. */
  readonly enhancedSenders: ReadonlySet<string> | 'all';
  readonly sequence?: SequenceOptions;
  /** Takes the acknowledgement of a message that we sent; false when it is none of ours. */
  readonly acknowledge?: (raw: Buffer) => Promise<boolean>;
  readonly log: Log;
}

export interface V2Reception {
  /** One message: what became of it. */
  receive(raw: Buffer, partner?: Partner): Promise<Received>;
  /** One message: the frames that answer it, in order. */
  answers(raw: Buffer, partner?: Partner): Promise<readonly Buffer[]>;
}

export function createV2Reception(options: V2ReceptionOptions): V2Reception {
  const { enhancedSenders, acknowledge, log } = options;
  const isEnhanced = (raw: Buffer): boolean =>
    enhancedSenders === 'all' ||
    (enhancedSenders.size > 0 && enhancedSenders.has(hl7v2Dialect.read(raw).envelope.sender ?? ''));
  const numbered = options.sequence && withSequence(options.sequence);
  const receive: V2Reception['receive'] = (raw, partner) =>
    numbered ? numbered(raw, (same) => options.receive(same, partner)) : options.receive(raw, partner);

  /** An acknowledgement is never answered by another, which would have no end; that it was taken is, if it asks. */
  async function take(raw: Buffer, partner: Partner | undefined): Promise<readonly Buffer[]> {
    const answer = readAnswer(raw);
    const isTheirs = !partner || (answer !== undefined && partner.senders.includes(answer.sender));
    const isOurs = isTheirs && (await acknowledge?.(raw)) === true;
    if (!isOurs) log.info('an acknowledgement of no message of ours was passed over');
    if (answer?.wantsAcceptance !== true) return [];
    const taken = { verdict: isOurs ? 'applied' : 'refused', answer: raw } as const;
    return answersTo(raw, taken, options).slice(0, 1);
  }

  return {
    receive,
    async answers(raw, partner) {
      if (isAcknowledgement(raw)) return take(raw, partner);
      const received = await receive(raw, partner);
      return isEnhanced(raw) ? answersTo(raw, received, options) : [received.answer];
    },
  };
}

const isAcknowledgement = (raw: Buffer): boolean => parseMessage(raw).value?.header.value(9) === 'ACK';
