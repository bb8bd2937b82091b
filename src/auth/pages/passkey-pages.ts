/** Signing in with a passkey, before or in place of a password. SECURITY LG-05, LG-10 */
import type { Router } from 'express';
import { html, own } from './html.ts';
import { fieldOf, nextOf, type PageKit, type PageParts, seeOther, sendPage, withNext } from './kit.ts';
import { csrfField, hiddenField } from './layout.ts';
import { PASSKEY, securityKeyForm, withDone } from './sign-in-views.ts';

export function addPasskeyPages(router: Router, { passkeys, cookies, addressOf }: PageParts, kit: PageKit): void {
  router.post(
    PASSKEY,
    kit.form(async (req, res) => {
      kit.openStep(res, await passkeys.begin());
      seeOther(res, withNext(PASSKEY, nextOf(req)));
    }),
  );

  router.get(
    PASSKEY,
    kit.open(async (req, res) => {
      const step = kit.step(req);
      const next = nextOf(req);
      const options = step && (await passkeys.question(step.token));
      if (!step || options === undefined) return seeOther(res, withNext('/sign-in', next));
      sendPage(res, {
        title: 'Sign in with a passkey',
        withScript: true,
        body: html`<h1>Sign in with a passkey</h1>
<p>Your browser asks for a security key, or for the passkey that your phone or computer holds.</p>
${securityKeyForm('assert', `${PASSKEY}/answer`, options, html`${csrfField(step)}${hiddenField('next', next)}`, 'Use my passkey')}
<p><a href="${own(withNext('/sign-in', next))}">Use my password</a></p>`,
      });
    }),
  );

  router.post(
    `${PASSKEY}/answer`,
    kit.stepForm(async (req, res, token) => {
      const next = nextOf(req);
      const proof = await passkeys.signIn(token, fieldOf(req, 'answer'), addressOf(req));
      cookies.clear(res, 'step');
      if (!proof) return seeOther(res, withDone(withNext('/sign-in', next), 'passkey'));
      return kit.finish(req, res, proof, next);
    }),
  );
}
