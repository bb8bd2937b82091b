/**
 * Where the links of mails lead by which they are switched off: a page with a button, as programs open links too, and the POST
 * of RFC 8058, which mail programs send by themselves. Nobody signs in for it. SECURITY DP-10, IN-44
 */
import type { Cipher } from '../../ports/cipher.ts';
import type { NoticeBook } from '../../ports/notices.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { readUnsubscribeToken, type Unsubscribing, withoutEmail } from '../../workflow/notices/unsubscribe.ts';
import { type RateLimits, throttled } from '../rate-limit.ts';
import { TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface UnsubscribeParts {
  readonly book: Pick<NoticeBook, 'changePreferences'>;
  readonly cipher: Cipher;
  readonly limits: RateLimits;
}

const QUERY = {
  type: 'object',
  required: ['t'],
  properties: { t: TEXT(1000), all: { type: 'boolean' } },
};
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const STYLE =
  'body{font:1.1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:40rem;padding:1.5rem;color:#212b32;background:#fff}' +
  'button{font:inherit;background:#007f3b;color:#fff;border:0;border-radius:4px;padding:.6rem 1rem;margin:.25rem 0}';

export function createUnsubscribeRoutes({ book, cipher, limits }: UnsubscribeParts): readonly WorkflowRoute[] {
  async function read({ query, address }: WorkflowCall): Promise<Unsubscribing> {
    const verdict = await limits.check('verify', `unsubscribe ${address}`);
    if (!verdict.allowed) throw throttled(verdict);
    const found = readUnsubscribeToken(cipher, String(query['t']));
    if (found) return found;
    throw new FhirError(404, [issue('not-found', 'This link is not one of ours: open it as it stands in the message')]);
  }

  async function ask(call: WorkflowCall): Promise<WorkflowAnswer> {
    await read(call);
    const token = encodeURIComponent(String(call.query['t']));
    return page(
      'Switch off messages',
      `<p>You will still see everything in the app.</p>
<form method="post" action="unsubscribe?t=${token}"><button>Switch off messages of this kind</button></form>
<form method="post" action="unsubscribe?t=${token}&amp;all=true"><button>Switch off all messages by e-mail</button></form>`,
    );
  }

  async function act(call: WorkflowCall): Promise<WorkflowAnswer> {
    const { recipient, kind } = await read(call);
    const of = call.query['all'] === true ? '*' : kind;
    await book.changePreferences(recipient, (current) => withoutEmail(current, of), 'link');
    const patientId = /^Patient\/(.+)$/.exec(recipient)?.[1];
    return {
      ...page('Done', '<p>These messages are switched off. You can switch them on again in the app.</p>'),
      ...(patientId !== undefined && { patientId }),
      detail: { recipient, kind: of },
    };
  }

  const own = { path: '/unsubscribe', tag: 'Notifications', rights: 'anonymous', told: 'notice-unsubscribe' } as const;
  const answers = { 200: { about: 'A page', schema: { type: 'string' }, mediaType: 'text/html' } };
  return [
    {
      ...own,
      method: 'GET',
      summary: 'A page that asks whether messages are to be switched off',
      kind: 'read',
      isUntold: true, // of nobody
      request: { query: QUERY },
      answers,
      handle: ask,
    },
    {
      ...own,
      method: 'POST',
      summary: 'Switches them off (RFC 8058)',
      kind: 'update',
      request: { query: QUERY, isBodyIgnored: true },
      answers,
      handle: act,
    },
  ];
}

const page = (title: string, body: string): WorkflowAnswer => ({
  status: 200,
  content: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>${STYLE}</style></head><body><main><h1>${title}</h1>
${body}</main></body></html>
`,
  mediaType: 'text/html; charset=utf-8',
  headers: { 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer' },
});
