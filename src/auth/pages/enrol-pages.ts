/** Making a second factor, its recovery codes, and the first administrator. SECURITY LG-06, LG-08, LG-09, LG-16 */
import type { Request, Response, Router } from 'express';
import { toDataURL } from 'qrcode';
import type { OfferedSecret } from '../people/enrolment.ts';
import { findPasswordFault, passwordLengthMin } from '../people/passwords.ts';
import { isEmail } from '../people/problem.ts';
import { otpauthUrl } from '../people/totp.ts';
import { type Html, html, own } from './html.ts';
import {
  fieldOf,
  nextOf,
  ofAccount,
  type PageKit,
  type PageParts,
  seeOther,
  sendGone,
  sendPage,
  withNext,
} from './kit.ts';
import { button, csrfField, type FieldFault, hiddenField, input } from './layout.ts';

const CODE_FAULT: FieldFault = { field: 'code', text: 'Enter the code that the app shows now, six digits' };

export function addEnrolPages(router: Router, parts: PageParts, kit: PageKit): void {
  const { signIn, enrolment, setup, cookies, addressOf, now } = parts;

  router.get(
    '/sign-in/enrol',
    kit.open(async (req, res) => {
      const step = kit.step(req);
      const found = step && (await enrolment.find(step.token));
      const offered = step && found && (await enrolment.offer(step.token, 'enrolment'));
      if (!step || !found || !offered) return seeOther(res, withNext('/sign-in', nextOf(req)));
      await sendEnrol(res, step.csrf, nextOf(req), offered, found.person.email);
    }),
  );

  router.post(
    '/sign-in/enrol',
    kit.stepForm(async (req, res, token) => {
      const next = nextOf(req);
      const user = await enrolment.enrol(token, fieldOf(req, 'code'), addressOf(req));
      if (user) {
        const proof = { user, amr: ['pwd', 'otp'], authTime: now() };
        return kit.finish(req, res, proof, withNext('/account/recovery-codes', next));
      }
      const found = await enrolment.find(token);
      const offered = found && (await enrolment.offer(token, 'enrolment'));
      if (!found || !offered) return seeOther(res, withNext('/sign-in', next));
      await sendEnrol(res, fieldOf(req, 'csrf'), next, offered, found.person.email, [CODE_FAULT]);
    }),
  );

  router.get(
    '/account/recovery-codes',
    kit.signedIn(async (req, res, session) => {
      const step = kit.step(req);
      const codes = step && (await enrolment.codes(step.token));
      if (!codes) return seeOther(res, nextOf(req));
      sendPage(res, {
        title: 'Your recovery codes',
        session,
        body: html`<h1>Your recovery codes</h1>
${codesList(codes)}
<form method="post" action="${own('/account/recovery-codes')}">
${csrfField(session)}${hiddenField('next', nextOf(req))}
${button('I have kept my codes')}
</form>`,
      });
    }),
  );

  router.post(
    '/account/recovery-codes',
    kit.signedInForm(async (req, res) => {
      const step = kit.step(req);
      if (step) await enrolment.forget(step.token);
      cookies.clear(res, 'step');
      seeOther(res, nextOf(req));
    }),
  );

  router.post(
    '/account/second-factor',
    kit.signedInForm(
      ofAccount(async (_req, res, session) => {
        kit.openStep(res, await signIn.beginEnrolment(session.user));
        seeOther(res, '/sign-in/enrol');
      }),
      'fresh',
    ),
  );

  router.post(
    '/account/recovery-codes/renew',
    kit.signedInForm(
      ofAccount(async (_req, res, session) => {
        const token = await signIn.beginEnrolment(session.user);
        await enrolment.renewCodes(token, session.user);
        kit.openStep(res, token);
        seeOther(res, '/account/recovery-codes');
      }),
      'fresh',
    ),
  );

  router.get(
    '/setup/:token',
    kit.open(async (req, res) => {
      const offered = await enrolment.offer(tokenOf(req), 'setup');
      if (!offered) return sendSetupGone(res);
      await sendSetup(res, req, offered);
    }),
  );

  router.post(
    '/setup/:token',
    kit.form(async (req, res) => {
      const token = tokenOf(req);
      const offered = await enrolment.offer(token, 'setup');
      if (!offered) return sendSetupGone(res);
      const administrator = {
        name: fieldOf(req, 'name').trim(),
        email: fieldOf(req, 'email').trim(),
        password: fieldOf(req, 'password'),
      };
      const faults = setupFaults(administrator);
      if (faults.length > 0) return sendSetup(res, req, offered, faults);
      const made = await setup.make(token, administrator, fieldOf(req, 'code'), addressOf(req));
      if (made === 'wrong-code') return sendSetup(res, req, offered, [CODE_FAULT]);
      if (!made) return sendSetupGone(res);
      const step = await signIn.beginEnrolment(made.user);
      await enrolment.keepCodes(step, made.recoveryCodes);
      kit.openStep(res, step);
      return kit.finish(req, res, { user: made.user, amr: ['pwd', 'otp'], authTime: now() }, '/account/recovery-codes');
    }),
  );
}

const tokenOf = (req: Request): string => String(req.params['token']);

const sendSetupGone = (res: Response): void =>
  sendGone(res, 'It has been used, is older than a day, or a newer start has made another.', {
    href: '/sign-in',
    text: 'Sign in',
  });

const codesList = (codes: readonly string[]): Html =>
  html`<p>Keep these codes where only you can find them. Each of them lets you sign in once when you do not have your phone or security key. They are shown only now.</p>
<ul class="codes card">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>`;

/** Picture and text of the secret for the app. The picture is made here: nothing is asked of anybody else. */
async function secretParts({ secret, base32 }: OfferedSecret, account: string): Promise<Html> {
  const picture = await toDataURL(otpauthUrl(secret, account, 'Mortar'), { margin: 2, width: 240 });
  return html`<ol>
<li>Install an authenticator app on your phone if you have none.</li>
<li>Scan this picture with it, or type the key.</li>
<li>Enter the code that it shows.</li>
</ol>
<img class="picture" src="${picture}" alt="QR code with the key below, for an authenticator app" width="240" height="240">
<p>Key: <code id="key">${base32.replaceAll(/(.{4})(?=.)/g, '$1 ')}</code></p>`;
}

const codeInput = (errors: readonly FieldFault[]): Html =>
  input({
    name: 'code',
    label: 'Code',
    hint: 'Six digits from the app',
    autocomplete: 'one-time-code',
    inputmode: 'numeric',
    short: true,
    spellcheck: false,
    errors,
  });

async function sendEnrol(
  res: Response,
  csrf: string,
  next: string,
  offered: OfferedSecret,
  account: string,
  errors: readonly FieldFault[] = [],
): Promise<void> {
  sendPage(res, {
    title: 'Set up the second step',
    errors,
    body: html`<h1>Set up the second step</h1>
<p>Besides your password you need a code from an app on your phone. Until it is set up you cannot do anything else.</p>
${await secretParts(offered, account)}
<form method="post" action="${own('/sign-in/enrol')}" novalidate>
${csrfField({ csrf })}${hiddenField('next', next)}
${codeInput(errors)}
${button('Continue')}
</form>`,
  });
}

async function sendSetup(
  res: Response,
  req: Request,
  offered: OfferedSecret,
  errors: readonly FieldFault[] = [],
): Promise<void> {
  const [name, email] = [fieldOf(req, 'name'), fieldOf(req, 'email')];
  sendPage(res, {
    title: 'Make the first administrator',
    errors,
    body: html`<h1>Make the first administrator</h1>
<p>This server has no administrator yet. The one you make here can add everybody else. This page works once.</p>
<form method="post" action="${own(req.path)}" novalidate>
${input({ name: 'name', label: 'Full name', autocomplete: 'name', value: name, errors })}
${input({ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'username', value: email, spellcheck: false, errors })}
${input({ name: 'password', label: 'Password', hint: `At least ${passwordLengthMin(['ADMIN'])} characters`, type: 'password', autocomplete: 'new-password', errors })}
<h2>Second step</h2>
${await secretParts(offered, 'administrator')}
${codeInput(errors)}
${button('Make the administrator')}
</form>`,
  });
}

function setupFaults({ name, email, password }: { name: string; email: string; password: string }): FieldFault[] {
  const faults: FieldFault[] = [];
  if (name === '' || name.length > 200) faults.push({ field: 'name', text: 'Enter your full name' });
  if (!isEmail(email))
    faults.push({ field: 'email', text: 'Enter an e-mail address in the right form, like name@example.org' });
  const fault = findPasswordFault(password, { name, email, roles: ['ADMIN'] });
  if (fault !== undefined) faults.push({ field: 'password', text: fault });
  return faults;
}
