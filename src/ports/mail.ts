/** E-mail to people. `src/gateways/mail/` sends it. */

export interface Mail {
  /** The same for each attempt, so that a mailbox knows a message that comes twice. */
  readonly id: string;
  /** One e-mail address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Where it is switched off, by a page and by one POST (RFC 8058). */
  readonly unsubscribeUrl?: string;
}

/** `refused`: the mail server will never take it. Rejects when it could not be sent now; the error names no address. */
export type SendMail = (mail: Mail) => Promise<'sent' | 'refused'>;
