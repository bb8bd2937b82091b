/** Signing out on behalf of an app. SECURITY SO-05 */
import type { Session } from '../../ports/users.ts';
import { html, own } from './html.ts';
import { button, csrfField, hiddenField, type PageOptions } from './layout.ts';

/** `fields`: what the app asked, sent along. */
export const logoutPage = (
  action: string,
  session: Session,
  fields: Readonly<Record<string, string>>,
): PageOptions => ({
  title: 'Sign out?',
  session,
  body: html`<h1>Sign out?</h1>
<p>An app asks that you sign out of Mortar in this browser. Apps that you gave access while you are signed in lose it.</p>
<form method="post" action="${own(action)}">
${csrfField(session)}${Object.entries(fields).map(([name, value]) => hiddenField(name, value))}
${button('Sign out')}
<a href="${own('/account')}">Stay signed in</a>
</form>`,
});

export const signedOutPage: PageOptions = {
  title: 'You have signed out',
  body: html`<h1>You have signed out</h1>
<p>You can close this window, or <a href="${own('/sign-in')}">sign in again</a>.</p>`,
};
