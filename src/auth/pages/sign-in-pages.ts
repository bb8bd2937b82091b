/** Signing in and out: password, second step, recovery code, and proving again who you are. SECURITY LG-04 … LG-13 */
import type { Response, Router } from 'express';
import { CARD_PATH } from '../people/card-sign-in.ts';
import { isEmail, throttled } from '../people/problem.ts';
import { hashOf } from '../people/secrets.ts';
import type { SecondFactorAnswer } from '../people/sign-in.ts';
import type { Upstream } from '../upstream/create-upstream.ts';
import { type Html, html } from './html.ts';
import { fieldOf, nextOf, ofAccount, type PageKit, type PageParts, seeOther, sendPage, withNext } from './kit.ts';
import { button, csrfField, type FieldFault, hiddenField, input } from './layout.ts';
import { waysToSignIn } from './upstream-pages.ts';

const WRONG: FieldFault = { field: 'email', text: 'Enter the e-mail address and password of your account' };

/** Words for how long to wait. */
const waitText = (ms: number): string =>
  ms < 90_000 ? `${Math.max(1, Math.ceil(ms / 1000))} seconds` : `${Math.ceil(ms / 60_000)} minutes`;

export const tooMany = (field: string, ms: number): FieldFault => ({
  field,
  text: `There were too many attempts. Wait ${waitText(ms)}, then try again`,
});

export function addSignInPages(router: Router, parts: PageParts, kit: PageKit): void {
  const { signIn, sessions, securityKeys, challenges, cookies, addressOf, record, now } = parts;

  const showSignIn = (res: Response, next: string, page: SignInPage): void =>
    sendSignIn(res, next, page, parts.upstream, parts.card?.url());

  router.get(
    '/sign-in',
    kit.open(async (req, res) => {
      if (await sessions.find(req)) return seeOther(res, nextOf(req));
      showSignIn(res, nextOf(req), { done: req.query['done'] });
    }),
  );

  router.post(
    '/sign-in',
    kit.form(async (req, res) => {
      const [email, password, next] = [fieldOf(req, 'email').trim(), fieldOf(req, 'password'), nextOf(req)];
      const faults = missing({ email, password });
      if (faults.length > 0) return showSignIn(res, next, { email, errors: faults });
      const device = cookies.read(req, 'device');
      const result = await signIn.password({
        email,
        password,
        address: addressOf(req),
        ...(device !== undefined && { device }),
      });
      switch (result.kind) {
        case 'done':
          return kit.finish(req, res, result.proof, next);
        case 'second-step':
          kit.openStep(res, result.token);
          return seeOther(res, withNext('/sign-in/second-step', next));
        case 'enrolment':
          kit.openStep(res, result.token);
          return seeOther(res, withNext('/sign-in/enrol', next));
        case 'throttled':
          res.set(throttled(result.retryAfterMs).headers);
          return showSignIn(res, next, { email, errors: [tooMany('email', result.retryAfterMs)], status: 429 });
        case 'refused':
          return showSignIn(res, next, { email, errors: [WRONG], status: 401 });
      }
    }),
  );

  router.get(
    '/sign-in/second-step',
    kit.open(async (req, res) => {
      const step = kit.step(req);
      const found = step && (await signIn.findSecondStep(step.token));
      if (!step || !found) return seeOther(res, withNext('/sign-in', nextOf(req)));
      sendSecondStep(res, step.csrf, nextOf(req), await keyQuestion(step.token), found.person.totp !== undefined);
    }),
  );

  router.get(
    '/sign-in/recovery',
    kit.open(async (req, res) => {
      const step = kit.step(req);
      if (!step || !(await signIn.findSecondStep(step.token))) return seeOther(res, withNext('/sign-in', nextOf(req)));
      sendRecovery(res, step.csrf, nextOf(req));
    }),
  );

  const answered = (path: string, read: (code: string) => SecondFactorAnswer, field: string): void => {
    router.post(
      path,
      kit.stepForm(async (req, res, token) => {
        const next = nextOf(req);
        const device = cookies.read(req, 'device');
        const result = await signIn.secondStep({
          token,
          answer: read(fieldOf(req, field)),
          address: addressOf(req),
          ...(device !== undefined && { device }),
        });
        if (result.kind === 'done') {
          cookies.clear(res, 'step');
          return kit.finish(req, res, result.proof, next);
        }
        if (result.kind === 'over') {
          cookies.clear(res, 'step');
          return seeOther(
            res,
            `${withNext('/sign-in', next)}${withNext('/sign-in', next).includes('?') ? '&' : '?'}done=over`,
          );
        }
        if (result.kind === 'throttled') res.set(throttled(result.retryAfterMs).headers);
        const fault = result.kind === 'throttled' ? tooMany('code', result.retryAfterMs) : wrongCode(path);
        const status = result.kind === 'throttled' ? 429 : 401;
        const csrf = fieldOf(req, 'csrf'); // it was compared with the step's
        if (path === '/sign-in/recovery') return sendRecovery(res, csrf, next, [fault], status);
        const found = await signIn.findSecondStep(token);
        sendSecondStep(res, csrf, next, await keyQuestion(token), found?.person.totp !== undefined, [fault], status);
      }),
    );
  };
  answered('/sign-in/second-step', (code) => ({ kind: 'code', code }), 'code');
  answered('/sign-in/recovery', (code) => ({ kind: 'recovery', code }), 'code');
  answered('/sign-in/security-key', (answer) => ({ kind: 'security-key', answer }), 'answer');

  router.get(
    '/sign-in/again',
    kit.signedIn(async (req, res, session) => sendAgain(res, session.csrf, nextOf(req))),
  );

  router.post(
    '/sign-in/again',
    kit.signedInForm(
      ofAccount(async (req, res, session) => {
        const next = nextOf(req);
        const proven = await kit.provePassword(req, session, fieldOf(req, 'password'));
        if (proven.kind === 'throttled')
          return sendAgain(res, session.csrf, next, [tooMany('password', proven.retryAfterMs)], 429);
        if (proven.kind === 'wrong')
          return sendAgain(res, session.csrf, next, [{ field: 'password', text: 'Enter your password' }], 401);
        await sessions.start(req, res, { user: session.user, amr: session.amr, authTime: now() });
        seeOther(res, next);
      }),
    ),
  );

  router.post(
    '/sign-out',
    kit.signedInForm(async (req, res, session) => {
      await sessions.end(req, res);
      await record({ kind: 'logout', outcome: 0, rule: 'signed-out', user: session.user, address: addressOf(req) });
      seeOther(res, '/sign-in?done=signed-out');
    }),
  );

  /** What the browser's security key is asked in this step; undefined for who has none. */
  async function keyQuestion(token: string): Promise<string | undefined> {
    const found = await signIn.findSecondStep(token);
    if (!found || found.person.securityKeyCount === 0) return undefined;
    const { options, challenge } = await securityKeys.ask(found.person);
    await challenges.setData(hashOf(token), { keyChallenge: challenge });
    return JSON.stringify(options);
  }
}

function missing({ email, password }: { readonly email: string; readonly password: string }): FieldFault[] {
  const faults: FieldFault[] = [];
  if (email === '') faults.push({ field: 'email', text: 'Enter your e-mail address' });
  else if (!isEmail(email))
    faults.push({ field: 'email', text: 'Enter an e-mail address in the right form, like name@example.org' });
  if (password === '') faults.push({ field: 'password', text: 'Enter your password' });
  else if (password.length > 1024)
    faults.push({ field: 'password', text: 'Enter a password of at most 128 characters' });
  return faults;
}

const wrongCode = (path: string): FieldFault =>
  path === '/sign-in/recovery'
    ? { field: 'code', text: 'Enter one of your recovery codes that you have not used yet' }
    : { field: 'code', text: 'Enter the newest code: each works once' };

const DONE = new Map([
  ['signed-out', 'You have signed out.'],
  ['reset', 'Your password has been changed. Sign in with the new one.'],
  ['over', 'There were too many wrong codes, or it took too long. Start again with your password.'],
  ['verified', 'Your e-mail address is confirmed. You can sign in now.'],
]);

interface SignInPage {
  readonly email?: string;
  readonly errors?: readonly FieldFault[];
  readonly status?: number;
  /** What has just happened: a key of `DONE`. */
  readonly done?: unknown;
}

function sendSignIn(
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
<form method="post" action="/sign-in" novalidate>
${hiddenField('next', next)}
${input({ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'username', spellcheck: false, errors, ...(email !== undefined && { value: email }) })}
${input({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', errors })}
${button('Sign in')}
</form>
${upstream && waysToSignIn(upstream.providers, next)}
${cardUrl !== undefined && html`<p><a href="${withNext(cardUrl + CARD_PATH, next)}">Sign in with a smart card</a></p>`}
<p>After ten wrong passwords an account is locked for 15 minutes.</p>
<p><a href="/reset">I have forgotten my password</a></p>`,
    },
    status,
  );
}

function sendSecondStep(
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
  html`<form method="post" action="/sign-in/second-step" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'code', label: 'Code', hint: 'Six digits from your authenticator app', autocomplete: 'one-time-code', inputmode: 'numeric', short: true, spellcheck: false, errors })}
${button('Continue')}
</form>`
}
${keyOptions !== undefined && securityKeyForm('assert', '/sign-in/security-key', keyOptions, html`${csrfField({ csrf })}${hiddenField('next', next)}`, 'Use a security key')}
<p><a href="${withNext('/sign-in/recovery', next)}">Use a recovery code</a></p>
<p><a href="/sign-in">Start again</a></p>`,
    },
    status,
  );
}

/** A form that only JavaScript can fill in: it shows itself when the browser can. */
export const securityKeyForm = (
  kind: 'assert' | 'register',
  action: string,
  options: string,
  fields: Html,
  label: string,
): Html =>
  html`<form method="post" action="${action}" data-security-key="${kind}" data-options="${options}" hidden>
${fields}${hiddenField('answer', '')}
<p class="fault" role="alert" data-problem></p>
${button(label, { kind: 'secondary' })}
</form>
<noscript><p>Security keys need JavaScript. Everything else works without it.</p></noscript>`;

function sendRecovery(
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
<form method="post" action="/sign-in/recovery" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'code', label: 'Recovery code', autocomplete: 'off', spellcheck: false, errors })}
${button('Continue')}
</form>
<p><a href="${withNext('/sign-in/second-step', next)}">Use another way</a></p>`,
    },
    status,
  );
}

function sendAgain(
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
<form method="post" action="/sign-in/again" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${input({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', errors })}
${button('Continue')}
</form>`,
    },
    status,
  );
}
