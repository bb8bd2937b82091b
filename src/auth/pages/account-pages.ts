/** The account of who is signed in: sessions, password, second factors. SECURITY LG-08, LG-10, LG-12, LG-14 */
import type { Response, Router } from 'express';
import type { SecurityKey } from '../../ports/people.ts';
import type { Session } from '../../ports/users.ts';
import { passwordLengthMin } from '../people/passwords.ts';
import { hashOf } from '../people/secrets.ts';
import { KEYS_MAX } from '../people/security-keys.ts';
import type { SessionSummary } from '../people/sessions.ts';
import { type Html, html, own } from './html.ts';
import { fieldOf, ofAccount, type PageKit, type PageParts, seeOther, sendPage } from './kit.ts';
import { button, csrfField, type FieldFault, hiddenField, input, type PageOptions } from './layout.ts';
import { securityKeyForm, tooMany } from './sign-in-views.ts';

const KEY_NAME_MAX = 60;

export function addAccountPages(router: Router, parts: PageParts, kit: PageKit): void {
  const { account, sessions, people, challenges, securityKeys, signIn, record, tell, addressOf, now } = parts;

  router.get(
    '/account',
    kit.signedIn(async (_req, res, session) => {
      const [person, open, keys] = await Promise.all([
        people.findPerson(session.user.id),
        sessions.list(session.user.id),
        people.securityKeys(session.user.id),
      ]);
      sendPage(res, {
        title: 'Your account',
        session,
        body: html`<h1>Your account</h1>
<dl class="facts">
<div><dt>Name</dt><dd>${session.user.name}</dd></div>
${person?.passwordHash !== undefined && html`<div><dt>E-mail address</dt><dd>${session.user.email}</dd></div>`}
<div><dt>Roles</dt><dd>${session.user.roles.join(', ')}</dd></div>
</dl>
${
  // Who signs in through a provider alone has neither.
  person?.passwordHash !== undefined &&
  html`<h2>Password</h2>
<p><a href="${own('/account/password')}">Change your password</a></p>
<h2>Second step</h2>
${secondStep(session, person.totp !== undefined, person.recoveryCodeCount, keys)}`
}
${
  parts.upstream &&
  html`<h2>Other ways to sign in</h2>
<p><a href="${own('/account/identities')}">Connected identities</a></p>`
}
<h2>Where you are signed in</h2>
${open.map((one) => sessionCard(session, one))}
<form method="post" action="${own('/account/sessions/end-others')}">${csrfField(session)}${button('Sign out everywhere else', { kind: 'secondary' })}</form>`,
      });
    }),
  );

  router.post(
    '/account/sessions/end',
    kit.signedInForm(async (req, res, session) => {
      const id = fieldOf(req, 'id');
      const ended = await sessions.endOne(session.user.id, id);
      if (ended)
        await record({
          kind: 'logout',
          outcome: 0,
          rule: 'session-ended',
          user: session.user,
          address: addressOf(req),
        });
      seeOther(res, '/account');
    }),
  );

  router.post(
    '/account/sessions/end-others',
    kit.signedInForm(async (req, res, session) => {
      await sessions.endAll(session.user.id, session.id);
      await record({ kind: 'logout', outcome: 0, rule: 'others-ended', user: session.user, address: addressOf(req) });
      seeOther(res, '/account');
    }),
  );

  router.get('/account/password', kit.signedIn(ofAccount(async (_req, res, session) => sendPassword(res, session))));

  router.post(
    '/account/password',
    kit.signedInForm(
      ofAccount(async (req, res, session) => {
        const proven = await kit.provePassword(req, session, fieldOf(req, 'current'));
        if (proven.kind === 'throttled')
          return sendPassword(res, session, [tooMany('current', proven.retryAfterMs)], 429);
        if (proven.kind === 'wrong')
          return sendPassword(res, session, [{ field: 'current', text: 'Enter your current password' }]);
        const result = await account.changePassword(session.user, fieldOf(req, 'password'), addressOf(req));
        if (!result) return seeOther(res, '/sign-in');
        if ('fault' in result) return sendPassword(res, session, [{ field: 'password', text: result.fault }]);
        await sessions.start(req, res, { user: result.user, amr: session.amr, authTime: now() });
        seeOther(res, '/account');
      }),
    ),
  );

  router.get(
    '/account/security-keys/add',
    kit.freshlySignedIn(
      ofAccount(async (_req, res, session) => {
        const question = await securityKeys.askToRegister(session.user);
        const token = await signIn.beginEnrolment(session.user, { keyChallenge: question.challenge });
        kit.openStep(res, token);
        sendAddKey(res, session, JSON.stringify(question.options));
      }),
    ),
  );

  router.post(
    '/account/security-keys/add',
    kit.signedInForm(
      ofAccount(async (req, res, session) => {
        const step = kit.step(req);
        const challenge = step && (await challenges.take('enrolment', hashOf(step.token)));
        const expected = challenge?.data['keyChallenge'];
        const name = fieldOf(req, 'name').trim().slice(0, KEY_NAME_MAX) || 'Security key';
        const keys = await people.securityKeys(session.user.id);
        const key =
          challenge?.personId === session.user.id && typeof expected === 'string' && keys.length < KEYS_MAX
            ? await securityKeys.readRegistration(session.user, fieldOf(req, 'answer'), expected, name)
            : undefined;
        const user = key && (await people.addSecurityKey(session.user.id, key));
        if (!user) return seeOther(res, '/account/security-keys/add');
        await record({ kind: 'mfa', outcome: 0, rule: 'enrolled-security-key', user, account: user.id });
        tell({ kind: 'security-key-added', to: user.email, name: user.name });
        await sessions.endAll(user.id);
        // It may be the first second factor: the session stays as strong as it was proven.
        await sessions.start(req, res, { user, amr: withKey(session.amr), authTime: session.authTime });
        seeOther(res, '/account');
      }),
      'fresh',
    ),
  );

  router.post(
    '/account/security-keys/remove',
    kit.signedInForm(
      ofAccount(async (req, res, session) => {
        const person = await people.findPerson(session.user.id);
        // The last second factor stays; another is made first.
        if (person?.totp === undefined) return seeOther(res, '/account');
        const user = await people.removeSecurityKey(session.user.id, fieldOf(req, 'id'));
        if (!user) return seeOther(res, '/account');
        await record({ kind: 'mfa', outcome: 0, rule: 'removed-security-key', user, account: user.id });
        tell({ kind: 'security-key-removed', to: user.email, name: user.name });
        await sessions.endAll(user.id);
        await sessions.start(req, res, { user, amr: session.amr, authTime: session.authTime });
        seeOther(res, '/account');
      }),
      'fresh',
    ),
  );
}

const withKey = (amr: readonly string[]): string[] => [...new Set([...amr, 'hwk'])];

function secondStep(session: Session, hasApp: boolean, codesLeft: number, keys: readonly SecurityKey[]): Html {
  return html`<p>${hasApp ? 'You use an authenticator app.' : 'You do not use an authenticator app.'} You have ${codesLeft} recovery codes left.</p>
<form method="post" action="${own('/account/second-factor')}">${csrfField(session)}${button(hasApp ? 'Set up another app' : 'Set up an app', { kind: 'secondary' })}</form>
${
  hasApp &&
  html`<form method="post" action="${own('/account/recovery-codes/renew')}">${csrfField(session)}${button('Make new recovery codes', { kind: 'secondary' })}</form>`
}
<h3>Security keys</h3>
${keys.length === 0 && html`<p>You have none.</p>`}
${keys.map(
  (key) => html`<div class="card"><p><strong>${key.name}</strong><br>added ${formatTime(key.createdAt)}${
    key.usedAt !== undefined && `, last used ${formatTime(key.usedAt)}`
  }</p>
${
  hasApp &&
  html`<form method="post" action="${own('/account/security-keys/remove')}">${csrfField(session)}${hiddenField('id', key.id)}${button(html`Remove ${key.name}`, { kind: 'secondary' })}</form>`
}</div>`,
)}
<p><a href="${own('/account/security-keys/add')}">Add a security key</a></p>`;
}

const sessionCard = (session: Session, one: SessionSummary): Html => {
  const label = `${browserOf(one.agent)}, ${one.address ?? 'unknown address'}`;
  return html`<div class="card"><p><strong>${label}</strong>${one.id === session.id && ' (this browser)'}<br>
signed in ${formatTime(one.createdAt)}, last used ${formatTime(one.seenAt)}</p>
${
  one.id !== session.id &&
  html`<form method="post" action="${own('/account/sessions/end')}">${csrfField(session)}${hiddenField('id', one.id)}${button(html`Sign out ${label}`, { kind: 'secondary' })}</form>`
}</div>`;
};

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg\//, 'Edge'],
  [/Firefox\//, 'Firefox'],
  [/Chrom(?:e|ium)\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];

const browserOf = (agent = ''): string => BROWSERS.find(([pattern]) => pattern.test(agent))?.[1] ?? 'Another program';

/** `21 November 2026, 10:15 UTC` */
const formatTime = (ms: number): string =>
  `${new Date(ms).toLocaleString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' }).replace(' at ', ', ')} UTC`;

function sendPassword(res: Response, session: Session, errors: readonly FieldFault[] = [], status?: number): void {
  const options: PageOptions = {
    title: 'Change your password',
    session,
    errors,
    body: html`<h1>Change your password</h1>
<p>You stay signed in here, and are signed out everywhere else.</p>
<form method="post" action="${own('/account/password')}" novalidate>
${csrfField(session)}
<input type="hidden" name="username" autocomplete="username" value="${session.user.email}">
${input({ name: 'current', label: 'Current password', type: 'password', autocomplete: 'current-password', errors })}
${input({ name: 'password', label: 'New password', hint: `At least ${passwordLengthMin(session.user.roles)} characters`, type: 'password', autocomplete: 'new-password', errors })}
${button('Change password')}
</form>`,
  };
  sendPage(res, options, status);
}

function sendAddKey(res: Response, session: Session, options: string): void {
  const fields = html`${csrfField(session)}${input({ name: 'name', label: 'Name for this key', hint: 'So that you know it again, such as “blue key”', autocomplete: 'off' })}`;
  sendPage(res, {
    title: 'Add a security key',
    session,
    withScript: true,
    body: html`<h1>Add a security key</h1>
<p>A security key is a small device, or your phone or computer itself, that proves it is you.</p>
${securityKeyForm('register', '/account/security-keys/add', options, fields, 'Add this key')}
<p><a href="${own('/account')}">Back to your account</a></p>`,
  });
}
