/** The mailbox for development: what would be sent, as a page and as JSON, for whoever sits at this machine. docs/notifications.md */
import type { IncomingMessage } from 'node:http';
import { FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import type { RequestHandler } from './http-server.ts';
import { sendOutcome } from './send-outcome.ts';

export interface MailboxMessage {
  readonly id: string;
  readonly channel: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly at: string;
}

export interface MailboxPageOptions {
  /** The newest first. */
  readonly list: (to?: string) => readonly MailboxMessage[];
  readonly isOperator: (req: IncomingMessage) => boolean;
}

/** `GET /dev/mailbox?to=`. To anybody else it is not there. */
export function createMailboxPage({ list, isOperator }: MailboxPageOptions): RequestHandler {
  return (req, res) => {
    const url = new URL(req.url ?? '', 'http://mailbox.invalid');
    if (url.pathname !== '/dev/mailbox' || !isOperator(req)) return sendOutcome(res, notFound('That path'));
    if (req.method !== 'GET' && req.method !== 'HEAD')
      return sendOutcome(
        res,
        new FhirError(405, [issue('not-supported', 'It can be looked at only')], { headers: { Allow: 'GET' } }),
      );
    const messages = list(url.searchParams.get('to') || undefined);
    const isPage = /\btext\/html\b/.test(req.headers.accept ?? '');
    const body = isPage ? pageOf(messages) : `${JSON.stringify({ messages })}\n`;
    res.writeHead(200, {
      'Content-Type': isPage ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    });
    res.end(req.method === 'HEAD' ? undefined : body);
  };
}

const text = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Addresses in a text become links where they begin as ours do; everything else stays text. */
const linked = (raw: string): string =>
  text(raw).replaceAll(/https?:\/\/[^\s<>"]+/g, (link) => `<a href="${link}" rel="noreferrer">${link}</a>`);

const pageOf = (messages: readonly MailboxMessage[]): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Mailbox</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:50rem;padding:1rem;color:#212b32}article{border:1px solid #aeb7bd;border-radius:4px;margin:.75rem 0;padding:.5rem .75rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}h2{font-size:1rem;margin:0}p{margin:0;color:#425563}</style></head>
<body><h1>Mailbox</h1><p>What would have been sent: no mail server and no SMS provider is set.</p><main>
${messages
  .map(
    ({ channel, to, subject, text: body, at }) =>
      `<article><h2>${text(subject) || text(channel)}</h2><p>${text(channel)} to ${text(to)}, ${text(at)}</p><pre>${linked(body)}</pre></article>`,
  )
  .join('\n')}
</main></body></html>
`;
