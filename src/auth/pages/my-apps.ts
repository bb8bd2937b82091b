/** The apps that a person has given access to. SECURITY SX-04 */
import type { Session } from '../../ports/users.ts';
import { parseGranted } from '../../standards/smart/scope.ts';
import { type OfflineWords, wordsOf } from '../authorize/scope-words.ts';
import { type Html, html, own } from './html.ts';
import { button, csrfField, hiddenField, type PageOptions } from './layout.ts';

export interface AppSummary {
  readonly id: string;
  readonly name: string;
  readonly publisher?: string;
  readonly grants: readonly GrantSummary[];
}

export interface GrantSummary {
  readonly scope: string;
  /** Whose record it is for, when it is for one and the person may see it. */
  readonly patient?: string;
  /** ms UTC */
  readonly grantedAt: number;
  readonly usedAt: number;
}

export interface MyAppsPage {
  readonly action: string;
  readonly session: Session;
  readonly apps: readonly AppSummary[];
  readonly offline: OfflineWords;
  /** Whether access of an app has just been ended. */
  readonly ended: boolean;
}

export const myAppsPage = ({ action, session, apps, offline, ended }: MyAppsPage): PageOptions => ({
  title: 'My apps',
  session,
  body: html`${ended && html`<div class="notice good" role="status"><p>The app has no access any more.</p></div>`}
<h1>My apps</h1>
<p>${apps.length === 0 ? 'No app has access through you.' : 'These apps have access through you. End what you do not need.'}</p>
${apps.map(
  (app) => html`<section class="card">
<h2>${app.name}</h2>
${app.publisher !== undefined && html`<p>Made by ${app.publisher}</p>`}
${app.grants.map((grant) => grantList(grant, offline))}
<form method="post" action="${own(action)}">
${csrfField(session)}${hiddenField('app', app.id)}
${button(`End access of ${app.name}`, { kind: 'warning' })}
</form>
</section>`,
)}`,
});

const grantList = (
  { scope, patient, grantedAt, usedAt }: GrantSummary,
  offline: OfflineWords,
): Html => html`<dl class="facts">
${patient !== undefined && html`<div><dt>Whose record</dt><dd>${patient}</dd></div>`}
<div><dt>Since</dt><dd>${timeWords(grantedAt)}</dd></div>
<div><dt>Last used</dt><dd>${timeWords(usedAt)}</dd></div>
<div><dt>It may</dt><dd><ul>${parseGranted(scope).map((one) => html`<li>${wordsOf(one, offline).label}</li>`)}</ul></dd></div>
</dl>`;

const timeFormat = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'Europe/London',
});
const timeWords = (at: number): string => timeFormat.format(at);
