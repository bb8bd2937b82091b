/** A forgotten password, and proof of an e-mail address. SECURITY LG-11, LG-15 */
import type { Request, Response, Router } from 'express';
import type { User } from '../../ports/users.ts';
import { passwordLengthMin } from '../people/passwords.ts';
import { isEmail, throttled } from '../people/problem.ts';
import { html, own } from './html.ts';
import { fieldOf, type PageKit, type PageParts, seeOther, sendGone, sendPage } from './kit.ts';
import { button, type FieldFault, input } from './layout.ts';

export function addResetPages(router: Router, parts: PageParts, kit: PageKit): void {
  const { account, throttle, addressOf } = parts;

  router.get(
    '/reset',
    kit.open(async (_req, res) => sendRequest(res)),
  );

  router.post(
    '/reset',
    kit.form(async (req, res) => {
      const email = fieldOf(req, 'email').trim();
      if (!isEmail(email))
        return sendRequest(res, [
          { field: 'email', text: 'Enter an e-mail address in the right form, like name@example.org' },
        ]);
      const wait = await throttle.admitReset(addressOf(req));
      if (wait !== undefined) {
        res.set(throttled(wait).headers);
        return sendRequest(res, [{ field: 'email', text: 'There were too many attempts. Try again later' }], 429);
      }
      account.requestReset(email);
      seeOther(res, '/reset/sent');
    }),
  );

  router.get(
    '/reset/sent',
    kit.open(async (_req, res) =>
      sendPage(res, {
        title: 'Look at your e-mail',
        body: html`<h1>Look at your e-mail</h1>
<p>If there is an account with this address, we have sent a link to it. It works once, for 30 minutes.</p>
<p>Your second step stays as it is. If nothing comes, ask an administrator.</p>`,
      }),
    ),
  );

  router.get(
    '/reset/:token',
    kit.open(async (req, res) => {
      const person = await account.findReset(tokenOf(req));
      if (!person) return sendLinkGone(res);
      sendReset(res, req, person);
    }),
  );

  router.post(
    '/reset/:token',
    kit.form(async (req, res) => {
      const person = await account.findReset(tokenOf(req));
      const result = person && (await account.reset(tokenOf(req), fieldOf(req, 'password'), addressOf(req)));
      if (!person || !result) return sendLinkGone(res);
      if ('fault' in result) return sendReset(res, req, person, [{ field: 'password', text: result.fault }]);
      seeOther(res, '/sign-in?done=reset');
    }),
  );

  // Programs that look at e-mails open links: only the form says that a person has.
  router.get(
    '/verify-email/:token',
    kit.open(async (req, res) => {
      if (!(await account.isVerifyLink(tokenOf(req)))) return sendVerifyGone(res);
      sendVerify(res, req);
    }),
  );

  router.post(
    '/verify-email/:token',
    kit.form(async (req, res) => {
      const result = await account.verifyEmail(tokenOf(req), fieldOf(req, 'password'));
      if (result === 'confirmed') return seeOther(res, '/sign-in?done=verified');
      if (result === 'over') return sendVerifyGone(res);
      sendVerify(res, req, [{ field: 'password', text: 'Enter the password that you chose when you registered' }]);
    }),
  );
}

function sendVerify(res: Response, req: Request, errors: readonly FieldFault[] = []): void {
  sendPage(res, {
    title: 'Confirm your e-mail address',
    errors,
    body: html`<h1>Confirm your e-mail address</h1>
<p>If you have not registered with us, close this page: somebody else has typed your address.</p>
<form method="post" action="${own(req.path)}" novalidate>
${input({ name: 'password', label: 'Password', hint: 'The one that you chose when you registered', type: 'password', autocomplete: 'current-password', errors })}
${button('Confirm')}
</form>`,
  });
}

const sendVerifyGone = (res: Response): void =>
  sendGone(res, 'It has been used, it is too old, or you have registered again since.', {
    href: '/sign-in',
    text: 'Sign in',
  });

const tokenOf = (req: Request): string => String(req.params['token']);

const sendLinkGone = (res: Response): void =>
  sendGone(res, 'It has been used, or it is too old.', { href: '/reset', text: 'Ask for a new one' });

function sendRequest(res: Response, errors: readonly FieldFault[] = [], status?: number): void {
  sendPage(
    res,
    {
      title: 'Forgotten password',
      errors,
      body: html`<h1>Forgotten password</h1>
<form method="post" action="${own('/reset')}" novalidate>
${input({ name: 'email', label: 'E-mail address', hint: 'We send a link to it', type: 'email', autocomplete: 'username', spellcheck: false, errors })}
${button('Send the link')}
</form>
<p><a href="${own('/sign-in')}">Back to sign in</a></p>`,
    },
    status,
  );
}

function sendReset(res: Response, req: Request, { email, roles }: User, errors: readonly FieldFault[] = []): void {
  sendPage(res, {
    title: 'Choose a new password',
    errors,
    body: html`<h1>Choose a new password</h1>
<p>You are signed out everywhere. Your second step stays as it is.</p>
<form method="post" action="${own(req.path)}" novalidate>
<input type="hidden" name="username" autocomplete="username" value="${email}">
${input({ name: 'password', label: 'New password', hint: `At least ${passwordLengthMin(roles)} characters`, type: 'password', autocomplete: 'new-password', errors })}
${button('Save the password')}
</form>`,
  });
}
