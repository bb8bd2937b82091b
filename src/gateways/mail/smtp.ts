/**
 * Sends e-mail through a mail server (RFC 5321). Plain SMTP is spoken with this machine only: else TLS from the start
 * (`smtps:`) or STARTTLS, without which nothing is said. SECURITY IN-44
 */
import type { Mail, SendMail } from '../../ports/mail.ts';

export interface SmtpOptions {
  /** `smtp://user:password@host:587` or `smtps://host` */
  readonly url: string;
  /** The sender's address. */
  readonly from: string;
  /** Certificates of authorities, in PEM, in place of the system's. */
  readonly ca?: string;
  /** For each step of the conversation. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const PORTS = new Map([
  ['smtp:', 587],
  ['smtps:', 465],
]);
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
/** One address and nothing that a header or a list of addresses is made of. RFC 5321 section 4.1.2, without its oddities. */
const ADDRESS = /^[^\s@<>"(),:;\\[\]\p{Cc}]{1,64}@[\p{L}\p{N}.-]{1,253}$/u;
const HEADER_TEXT = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,200}$/u;
/** What the server says of this message for good, unlike of us: who we are may be mended. */
const OF_MESSAGE = new Set(['EENVELOPE', 'EMESSAGE']);

export function createSmtpSender({ url, from, ca, timeoutMs = TIMEOUT_MS }: SmtpOptions): SendMail {
  const { protocol, hostname, port, username, password } = new URL(url);
  const isTls = protocol === 'smtps:';
  const isHere = LOOPBACK.has(hostname);
  const settings = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORTS.get(protocol) : Number(port),
    secure: isTls,
    requireTLS: !isTls && !isHere,
    ignoreTLS: !isTls && isHere,
    tls: { minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(username !== '' && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  } as const;

  return async (mail) => {
    if (!isPlain(mail)) return 'refused';
    // Loaded with the first message: most starts send none.
    const { createTransport } = await import('nodemailer');
    try {
      await createTransport(settings).sendMail({
        from: { name: '', address: from },
        to: { name: '', address: mail.to },
        subject: mail.subject,
        text: mail.text,
        messageId: `<${mail.id}@${from.split('@')[1]}>`,
        headers: { 'Auto-Submitted': 'auto-generated', ...unsubscribeHeaders(mail) },
      });
      return 'sent';
    } catch (error) {
      const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number };
      if (OF_MESSAGE.has(code) && responseCode !== undefined && responseCode >= 500) return 'refused';
      // Without its cause, which may repeat the address.
      throw new Error(`the mail server did not take a message (${code}${responseCode ? `, ${responseCode}` : ''})`);
    }
  };
}

/** RFC 2369 section 3.2, RFC 8058 */
function unsubscribeHeaders({ unsubscribeUrl }: Mail): Readonly<Record<string, string>> {
  if (unsubscribeUrl === undefined) return {};
  const isOneClick = unsubscribeUrl.startsWith('https:');
  return {
    'List-Unsubscribe': `<${new URL(unsubscribeUrl).href}>`,
    ...(isOneClick && { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
  };
}

const isPlain = ({ id, to, subject }: Mail): boolean =>
  ADDRESS.test(to) && HEADER_TEXT.test(subject) && /^[\w-]{1,100}$/.test(id);
