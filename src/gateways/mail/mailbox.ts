/** A mailbox of this process for development: what would be sent, to look at. It holds the last few hundred messages. */
import type { SendMail } from '../../ports/mail.ts';
import type { SendText } from '../../ports/notices.ts';

export interface KeptMessage {
  readonly id: string;
  readonly channel: 'email' | 'sms';
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** ISO 8601 */
  readonly at: string;
}

export interface Mailbox {
  readonly sendMail: SendMail;
  readonly sendText: SendText;
  /** The newest first; all of them without a name. */
  list(to?: string): readonly KeptMessage[];
}

const KEPT_MAX = 500;

export function createMailbox(now: () => number): Mailbox {
  const messages = new Map<string, KeptMessage>();
  const keep = (message: Omit<KeptMessage, 'at'>): 'sent' => {
    // A message that comes twice is one.
    messages.set(message.id, { ...message, at: new Date(now()).toISOString() });
    const [oldest] = messages.keys();
    if (messages.size > KEPT_MAX && oldest !== undefined) messages.delete(oldest);
    return 'sent';
  };
  return {
    sendMail: async ({ id, to, subject, text }) => keep({ id, channel: 'email', to, subject, text }),
    sendText: async ({ id, to, text }) => keep({ id, channel: 'sms', to, subject: '', text }),
    list: (to) =>
      [...messages.values()].filter((one) => to === undefined || one.to.toLowerCase() === to.toLowerCase()).reverse(),
  };
}
