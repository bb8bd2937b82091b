/** What the pages of signing in show. */
import type { Response } from 'express';
import { CARD_PATH } from '../people/card-sign-in.ts';
import type { Upstream } from '../upstream/create-upstream.ts';
import { type Html, html, own } from './html.ts';
import { sendPage, withNext } from './kit.ts';
import { button, csrfField, type FieldFault, hiddenField, input } from './layout.ts';
import { waysToSignIn } from './upstream-pages.ts';

export const PASSKEY = '/sign-in/passkey';

/** Words for how long to wait. */
const waitText = (ms: number): string =>
  ms < 90_000 ? `${Math.max(1, Math.ceil(ms / 1000))} seconds` : `${Math.ceil(ms / 60_000)} minutes`;

export const tooMany = (field: string, ms: number): FieldFault => ({
  field,
  text: `There were too many attempts. Wait ${waitText(ms)}, then try again`,
});

const DONE = new Map([
  ['signed-out', 'You have signed out.'],
  ['reset', 'Your password has been changed. Sign in with the new one.'],
  ['over', 'There were too many wrong codes, or it took too long. Start again with your password.'],
  ['verified', 'Your e-mail address is confirmed. You can sign in now.'],
  ['passkey', 'That passkey did not sign you in. Try again, or use your password.'],
]);

export interface SignInPage {
  readonly email?: string;
  readonly errors?: readonly FieldFault[];
  readonly status?: number;
  /** What has just happened: a key of `DONE`. */
  readonly done?: unknown;
}

export function sendSignIn(
  res: Response,
  next: string,
  { email, errors = [], status, done }: SignInPage,
  upstream: Upstream | undefined,
  cardUrl: string | undefined,
): void {
  const news = typeof done === 'string' ? DONE.get(done) : undefined;
  sendPage(
    res,
    {
      title: 'Sign in',
      errors,
      body: html`${news && html`<div class="notice" role="status"><p>${news}</p></div>`}
<h1>Sign in</h1>
<form method="post" action="${own('/sign-in')}" novalidate>
${hiddenField('next', next)}
${input({ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'username', spellcheck: false, errors, ...(email !== undefined && { value: email }) })}
${input({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', errors })}
${button('Sign in')}
</form>
<form method="post" action="${own(PASSKEY)}">
${hiddenField('next', next)}
${button('Use a passkey', { kind: 'secondary' })}
</form>
${upstream && waysToSignIn(upstream.providers, next)}
${cardUrl !== undefined && html`<p><a href="${withNext(cardUrl + CARD_PATH, next)}">Sign in with a smart card</a></p>`}
<p>After ten wrong passwords an account is locked for 15 minutes: a passkey opens it all the same.</p>
<p><a href="${own('/reset')}">I have forgotten my password</a></p>`,
    },
    status,
  );
}

export function sendSecondStep(
  res: Response,
  csrf: string,
  next: string,
  keyOptions: string | undefined,
  hasApp: boolean,
  errors: readonly FieldFault[] = [],
  status?: number,
): void {
  sendPage(
    res,
    {
      title: 'Confirm that it is you',
      errors,
      ...(keyOptions !== undefined && { withScript: true }),
      body: html`<h1>Confirm that it is you</h1>
${
  hasApp &&
  html`<form method="post" action="${own('/sign-in/second-step')}" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'code', label: 'Code', hint: 'Six digits from your authenticator app', autocomplete: 'one-time-code', inputmode: 'numeric', short: true, spellcheck: false, errors })}
${button('Continue')}
</form>`
}
${keyOptions !== undefined && securityKeyForm('assert', '/sign-in/security-key', keyOptions, html`${csrfField({ csrf })}${hiddenField('next', next)}`, 'Use a security key')}
<p><a href="${own(withNext('/sign-in/recovery', next))}">Use a recovery code</a></p>
<p><a href="${own('/sign-in')}">Start again</a></p>`,
    },
    status,
  );
}

/** A path of the sign-in page that says what has just happened. */
export const withDone = (path: string, done: string): string => `${path}${path.includes('?') ? '&' : '?'}done=${done}`;

/** A form that only JavaScript can fill in: it shows itself when the browser can. */
export const securityKeyForm = (
  kind: 'assert' | 'register',
  action: string,
  options: string,
  fields: Html,
  label: string,
): Html =>
  html`<form method="post" action="${own(action)}" data-security-key="${kind}" data-options="${options}" hidden>
${fields}${hiddenField('answer', '')}
<p class="fault" role="alert" data-problem></p>
${button(label, { kind: 'secondary' })}
</form>
<noscript><p>Security keys need JavaScript. Everything else works without it.</p></noscript>`;

export function sendRecovery(
  res: Response,
  csrf: string,
  next: string,
  errors: readonly FieldFault[] = [],
  status?: number,
): void {
  sendPage(
    res,
    {
      title: 'Use a recovery code',
      errors,
      body: html`<h1>Use a recovery code</h1>
<p>You were given ten codes when you set up the second step. Each works once.</p>
<form method="post" action="${own('/sign-in/recovery')}" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'code', label: 'Recovery code', autocomplete: 'off', spellcheck: false, errors })}
${button('Continue')}
</form>
<p><a href="${own(withNext('/sign-in/second-step', next))}">Use another way</a></p>`,
    },
    status,
  );
}

export function sendAgain(
  res: Response,
  csrf: string,
  next: string,
  errors: readonly FieldFault[] = [],
  status?: number,
): void {
  sendPage(
    res,
    {
      title: 'Enter your password again',
      errors,
      body: html`<h1>Enter your password again</h1>
<p>What you are about to do needs a fresh proof that it is you.</p>
<form method="post" action="${own('/sign-in/again')}" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', errors })}
${button('Continue')}
</form>`,
    },
    status,
  );
}
