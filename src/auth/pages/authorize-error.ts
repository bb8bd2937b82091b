/** Pages of the authorisation endpoint that lead to no app. SECURITY SL-02 */
import { html, own } from './html.ts';
import type { PageOptions } from './layout.ts';

/** Nothing is sent to the app, as it may be none of ours. */
export const untrustedPage = (reason: string): PageOptions => ({
  title: 'The app cannot be connected',
  body: html`<h1>The app cannot be connected</h1>
<p>${reason} Nothing was shared with it.</p>
<p>Go back to the app and try again. If this goes on, tell the people who make it.</p>`,
});

export const expiredPage: PageOptions = {
  title: 'This request is over',
  body: html`<h1>This request is over</h1>
<p>It was answered already, it took longer than ten minutes, or somebody else began it. Go back to the app and start again.</p>`,
};

export const forgedPage: PageOptions = {
  title: 'This form is out of date',
  body: html`<h1>This form is out of date</h1>
<p>It was not sent from the page we gave you last. Nothing was shared. Go back to the app and start again.</p>`,
};

export const failedPage = (isBusy: boolean): PageOptions => ({
  title: 'Sorry, there is a problem',
  body: html`<h1>Sorry, there is a problem</h1>
<p>${isBusy ? 'The server is busy. Try again in a moment.' : 'Something failed on our side. Try again later.'} Nothing was shared.</p>`,
});

/** After a sign-in: the browser goes on by itself, as a form may not lead to the app through several redirects. */
export const onwardPage = (path: string): PageOptions => ({
  title: 'You have signed in',
  refresh: path,
  body: html`<h1>You have signed in</h1>
<p><a href="${own(path)}">Continue to the app</a></p>`,
});
