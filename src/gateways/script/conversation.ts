/**
 * What is said about messages that Mortar sends: partners fetch them from the mailbox, and answers find what they answer
 * (reference sections 8.1, 8.4, 8.5).
 */
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { MessageLog, MessageState, StoredMessage } from '../../ports/message-log.ts';
import type { Partner } from '../../ports/partner.ts';
import { textOf as textOfIssue } from '../../standards/fhir/outcome.ts';
import {
  DESCRIPTION_SENDER,
  ERROR_REJECTED,
  formatAnswer,
  MORTAR_SOFTWARE,
  STATUS_ACCEPTED,
  STATUS_EMPTY,
  STATUS_FORWARDED,
} from '../../standards/script/answer.ts';
import { findText, formatParty, type ScriptMessage } from '../../standards/script/message.ts';
import { readScript } from '../../standards/script/read.ts';
import { isResponse } from '../../standards/script/transactions.ts';
import { findSenderFault } from '../certified-sender.ts';
import type { IsPartner } from '../partners.ts';

export interface ConversationOptions {
  readonly messages: Pick<MessageLog, 'findOutgoing' | 'settle'>;
  readonly isPartner: IsPartner;
  /** Told of a message that its receiver wants once more. */
  readonly onAgain?: (message: StoredMessage) => Promise<void>;
  readonly now: Clock;
  readonly newId: () => string;
  readonly log: Log;
}

export interface Conversation {
  /** The answer to a GetMessage; undefined for every other message, of which nothing is done here. */
  fetch(raw: Buffer, partner?: Partner): Promise<{ readonly answer: Buffer; readonly verdict: string } | undefined>;
  /** Marks what a message that was taken answers. */
  pair(raw: Buffer): Promise<void>;
}

const DIALECT = 'script';
/** Given out and not acknowledged: the partner may ask again until it says that it has it. */
const WAITING: readonly MessageState[] = ['queued', 'sent'];
const OPEN: readonly MessageState[] = ['queued', 'sent', 'unknown', 'rejected'];

export function createConversation(options: ConversationOptions): Conversation {
  const { messages, isPartner, now, newId, log } = options;
  async function acknowledge(receiver: string, controlId: string): Promise<void> {
    const found = await messages.findOutgoing({ dialect: DIALECT, receiver, controlId, states: WAITING }, 2);
    for (const { id, resources } of found) await messages.settle(id, { state: 'acknowledged', resources });
  }

  return {
    async fetch(raw, partner) {
      const reading = readScript(raw);
      const { message } = reading;
      if (message?.kind !== 'GetMessage') return undefined;
      const say = (kind: 'Status' | 'Error', code: string, descriptionCodes: readonly string[], description: string) =>
        Buffer.from(
          formatAnswer(
            reading,
            { kind, code, descriptionCodes, description },
            { messageId: newId().replaceAll('-', ''), sentAt: now(), software: MORTAR_SOFTWARE },
          ),
        );
      const { from } = message.header;
      const receiver = from && formatParty(from);
      const fault =
        partner &&
        findSenderFault(partner, { kind: 'GetMessage', ...(receiver !== undefined && { sender: receiver }) });
      if (receiver === undefined || fault || !(await isPartner(DIALECT, receiver))) {
        const why = fault?.issues[0] ? textOfIssue(fault.issues[0]) : 'The sender is no partner';
        return { verdict: 'refused', answer: say('Error', ERROR_REJECTED, [DESCRIPTION_SENDER], why) };
      }
      const acknowledged = findText(message.root, 'Header/Mailbox/AcknowledgementID');
      if (acknowledged !== undefined) await acknowledge(receiver, acknowledged);
      const [next] = await messages.findOutgoing({ dialect: DIALECT, receiver, states: WAITING }, 1);
      if (!next) return { verdict: 'applied', answer: say('Status', STATUS_EMPTY, [], 'Nothing is waiting') };
      await messages.settle(next.id, { state: 'sent', resources: next.resources });
      log.info('a message was fetched', { message: next.id, dialect: DIALECT });
      return { verdict: 'applied', answer: next.raw };
    },

    async pair(raw) {
      const { message } = readScript(raw);
      const { relatesToMessageId: controlId, to } = message?.header ?? {};
      if (!message || controlId === undefined || !to) return;
      const sender = formatParty(to);
      const found = await messages.findOutgoing({ dialect: DIALECT, sender, controlId, states: OPEN }, 2);
      // An answer to nothing that was sent stays as it is in the log: unmatched, and no fault of its sender.
      for (const one of found) await settleOne(one, message);
    },
  };

  async function settleOne(message: StoredMessage, answer: ScriptMessage): Promise<void> {
    const { id, state, resources } = message;
    const next = stateAfter(answer);
    if (next === undefined || next.state === state) return;
    await messages.settle(id, { ...next, resources });
    if (next.state === 'queued') await options.onAgain?.(message);
    log.info('a message was answered', { message: id, dialect: DIALECT, state: next.state });
  }
}

/** Codes of Error after which the same message may be sent again (reference section 7.1). */
const AGAIN = new Set(['600', '602']);

/** What an answer makes of the message it answers. A code nobody knows changes nothing. */
export function stateAfter({
  kind,
  transaction,
}: ScriptMessage): { readonly state: MessageState; readonly error?: string } | undefined {
  const code = findText(transaction, 'Code') ?? findText(transaction, 'VerifyStatus/Code');
  if (kind === 'Error') {
    const detail = findText(transaction, 'DescriptionCode');
    const error = `Error ${[code, detail].filter((one) => one !== undefined && /^\w{1,10}$/.test(one)).join(' ')}`;
    return { state: AGAIN.has(code ?? '') ? 'queued' : 'rejected', error };
  }
  if (kind === 'Status' || kind === 'Verify') {
    if (code === STATUS_ACCEPTED) return { state: 'acknowledged' };
    return code === STATUS_FORWARDED ? { state: 'sent' } : undefined;
  }
  return isResponse(kind) ? { state: 'acknowledged' } : undefined;
}
