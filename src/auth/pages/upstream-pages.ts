/** Signing in through NHS Care Identity and NHS login: there and back, the choice of a role, connecting an identity. SECURITY NH-04 … NH-09 */
import type { Request, Response, Router } from 'express';
import type { Session } from '../../ports/users.ts';
import type { Cis2Role } from '../../standards/nhs/cis2-claims.ts';
import { derive, isSame, newSecret } from '../people/secrets.ts';
import { isRecentAuth } from '../people/sessions.ts';
import type { LinkOffer, SignInResult, Upstream } from '../upstream/create-upstream.ts';
import type { Provider } from '../upstream/provider.ts';
import { UpstreamRefusal } from '../upstream/refusal.ts';
import { html, own } from './html.ts';
import { fieldOf, nextOf, type PageKit, type PageParts, seeOther, sendPage, withNext } from './kit.ts';
import { button, csrfField, hiddenField, radios } from './layout.ts';

const WAY = '/sign-in/with';
const ROLE = '/sign-in/role';
const IDENTITIES = '/account/identities';
const LINK = '/account/identities/connect';
const JOURNEY_MS = 15 * 60_000;

/** Where the provider sends the browser back to. */
export const answerPath = (providerId: string): string => `${WAY}/${providerId}/answer`;

/** Links of the sign-in page. */
export const waysToSignIn = (providers: Upstream['providers'], next: string) =>
  providers.length > 0 &&
  html`<h2>Other ways to sign in</h2>
<ul class="ways">${providers.map(({ id, label }) => html`<li><a href="${own(withNext(`${WAY}/${id}`, next))}">Sign in with ${label}</a></li>`)}</ul>`;

export function addUpstreamPages(router: Router, parts: PageParts, kit: PageKit, upstream: Upstream): void {
  const { sessions, cookies, record, addressOf, now } = parts;

  /** What this browser alone has. */
  const browserOf = (req: Request): string | undefined => cookies.read(req, 'upstream');

  const providerOf = ({ params }: Request): Provider | undefined => upstream.find(String(params['provider']));

  async function goThere(req: Request, res: Response, provider: Provider, linkPersonId?: string): Promise<void> {
    const browser = browserOf(req) ?? newSecret();
    const again = req.query['again'] !== undefined;
    const errand = { next: nextOf(req), again, ...(linkPersonId !== undefined && { linkPersonId }) };
    const url = await upstream.begin(provider, errand, browser);
    cookies.set(res, 'upstream', browser, JOURNEY_MS);
    res.redirect(303, url);
  }

  async function comeBack(req: Request, res: Response, result: SignInResult): Promise<void> {
    if (result.kind === 'choose-role') return seeOther(res, ROLE);
    if (result.kind === 'confirm-link') return seeOther(res, LINK);
    const { proof, next } = result;
    const before = await sessions.find(req);
    // In another role nothing is left of the one before.
    if (before?.user.nhs) await upstream.endActing(before.id);
    cookies.clear(res, 'upstream');
    await record({
      kind: 'login',
      outcome: 0,
      rule: `signed-in-${proof.acting?.nhs.provider}`,
      account: proof.user.id,
      address: addressOf(req),
      ...proof,
    });
    await sessions.start(req, res, proof);
    seeOther(res, next);
  }

  /** Refusals are told in a page, and to the audit trail. */
  const guarded =
    (handle: (req: Request, res: Response) => Promise<void>) =>
    async (req: Request, res: Response): Promise<void> => {
      try {
        await handle(req, res);
      } catch (error) {
        if (!(error instanceof UpstreamRefusal)) throw error;
        await record({ kind: 'login', outcome: 4, rule: `upstream-${error.detail}`, address: addressOf(req) });
        sendRefusal(res, error);
      }
    };

  /** OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8. */
  async function signOut(req: Request, res: Response, provider: Provider): Promise<void> {
    const rule = `${provider.id}-signed-out`;
    try {
      const account = await upstream.signOut(provider, fieldOf(req, 'logout_token'));
      if (account !== undefined) await record({ kind: 'logout', outcome: 0, rule, account, address: addressOf(req) });
      res.status(200).end();
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      await record({ kind: 'logout', outcome: 4, rule: `upstream-${error.detail}`, address: addressOf(req) });
      const status = error.rule === 'unavailable' ? 503 : 400;
      res.status(status).json({ error: 'invalid_request', error_description: 'the logout token is refused' });
    }
  }

  router.get(
    `${WAY}/keys`,
    kit.open(async (_req, res) => {
      res.json({ keys: await Promise.all(upstream.providers.map(({ party }) => party.publicJwk())) });
    }),
  );

  router.get(`${WAY}/:provider`, (req, res, next) => {
    const provider = providerOf(req);
    if (!provider) return next();
    return kit.open(guarded((_req, _res) => goThere(req, res, provider)))(req, res, next);
  });

  router.get(answerPath(':provider'), (req, res, next) => {
    const provider = providerOf(req);
    if (!provider) return next();
    return kit.open(
      guarded(async () => {
        const browser = browserOf(req);
        const { state, code, iss } = req.query;
        if (browser === undefined || typeof state !== 'string') throw new UpstreamRefusal('state');
        const answer = { state, code: textOf(code), iss: textOf(iss) };
        await comeBack(req, res, await upstream.answer(provider, answer, browser));
      }),
    )(req, res, next);
  });

  // From the provider itself: no browser, no cookie, but a signature.
  router.post(`${WAY}/:provider/logout`, (req, res, next) => {
    const provider = providerOf(req);
    if (!provider) return next();
    return kit.open(async () => signOut(req, res, provider))(req, res, next);
  });

  router.get(
    ROLE,
    kit.open(
      guarded(async (req, res) => {
        const browser = browserOf(req);
        const choice = browser === undefined ? undefined : await upstream.findRoleChoice(browser);
        if (browser === undefined || !choice) throw new UpstreamRefusal('state', 'role-step');
        sendRoles(res, choice.roles, csrfOf(browser));
      }),
    ),
  );

  router.post(
    ROLE,
    kit.form(
      guarded(async (req, res) => {
        const browser = browserOf(req);
        const roleId = fieldOf(req, 'role');
        const choice = browser === undefined ? undefined : await upstream.findRoleChoice(browser);
        if (browser === undefined || !choice || !isSame(fieldOf(req, 'csrf'), csrfOf(browser)))
          throw new UpstreamRefusal('state', 'role-step');
        if (roleId === '') return sendRoles(res, choice.roles, csrfOf(browser), true);
        await comeBack(req, res, await upstream.chooseRole(roleId, browser));
      }),
    ),
  );

  // Who signed in at a provider has no password here: they show there anew who they are.
  router.get('/sign-in/again', async (req, res, next) => {
    const provider = (await sessions.find(req))?.user.nhs?.provider;
    if (provider === undefined || !upstream.find(provider)) return next();
    const path = withNext(`${WAY}/${provider}`, nextOf(req));
    seeOther(res, `${path}${path.includes('?') ? '&' : '?'}again`);
  });

  router.get(
    IDENTITIES,
    kit.signedIn(async (_req, res, session) => sendIdentities(res, session, upstream)),
  );

  router.post(
    `${IDENTITIES}/disconnect`,
    kit.signedInForm(async (req, res, session) => {
      if (await upstream.unlink(session.user.id, fieldOf(req, 'id')))
        await record({
          kind: 'user',
          outcome: 0,
          rule: 'identity-disconnected',
          user: session.user,
          account: session.user.id,
        });
      seeOther(res, IDENTITIES);
    }, 'fresh'),
  );

  router.get(`${LINK}/:provider`, (req, res, next) => {
    const provider = providerOf(req);
    if (!provider) return next();
    return kit.freshlySignedIn(async (_req, _res, { user }) =>
      guarded(() => goThere(req, res, provider, user.id))(req, res),
    )(req, res, next);
  });

  router.get(
    LINK,
    kit.signedIn(async (req, res, session) =>
      guarded(async () => {
        const browser = browserOf(req);
        const offer = browser === undefined ? undefined : await upstream.findLinkOffer(session.user, browser);
        if (!offer) throw new UpstreamRefusal('state', 'link-step');
        sendLink(res, session, offer);
      })(req, res),
    ),
  );

  router.post(
    LINK,
    kit.signedInForm(async (req, res, session) =>
      guarded(async () => {
        const browser = browserOf(req);
        if (browser === undefined || !isRecentAuth(session, now())) throw new UpstreamRefusal('state', 'link-step');
        await upstream.confirmLink(session.user, browser);
        cookies.clear(res, 'upstream');
        const { user } = session;
        await record({ kind: 'user', outcome: 0, rule: 'identity-connected', user, account: user.id });
        seeOther(res, IDENTITIES);
      })(req, res),
    ),
  );
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const csrfOf = (browser: string): string => derive(browser, 'role csrf');

function sendRefusal(res: Response, { words: { status, title, text } }: UpstreamRefusal): void {
  sendPage(
    res,
    {
      title,
      body: html`<h1>${title}</h1>\n<p>${text}</p>\n<p><a href="${own('/sign-in')}">Go to the sign-in page</a></p>`,
    },
    status,
  );
}

function sendRoles(res: Response, roles: readonly Cis2Role[], csrf: string, isMissing = false): void {
  const errors = isMissing ? [{ field: 'role', text: 'Choose the role that you act in' }] : [];
  sendPage(res, {
    title: 'Choose your role',
    errors,
    body: html`<h1>Choose your role</h1>
<form method="post" action="${own(ROLE)}" novalidate>
${csrfField({ csrf })}
${radios({
  name: 'role',
  legend: 'In which role do you act now?',
  hint: 'To change it later, sign in again.',
  errors,
  choices: roles.map(({ id, name, odsCode, organizationName }) => ({
    value: id,
    label: name,
    hint: `${organizationName ?? 'Organisation'} (${odsCode})`,
  })),
})}
${button('Continue')}
</form>`,
  });
}

function sendLink(res: Response, session: Session, { label, name }: LinkOffer): void {
  sendPage(res, {
    title: 'Connect this identity',
    session,
    body: html`<h1>Connect this identity</h1>
<p>You have signed in with ${label} as <strong>${name}</strong>.</p>
<p>Once it is connected, whoever signs in so uses the account of <strong>${session.user.name}</strong>.</p>
<form method="post" action="${own(LINK)}" novalidate>
${csrfField(session)}
${button('Connect')}
</form>
<p><a href="${own(IDENTITIES)}">Do not connect it</a></p>`,
  });
}

async function sendIdentities(res: Response, session: Session, upstream: Upstream): Promise<void> {
  const identities = await upstream.identities(session.user.id);
  const labelOf = (id: string): string => upstream.find(id)?.label ?? id;
  const dayOf = (ms: number): string =>
    new Date(ms).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
  sendPage(res, {
    title: 'Connected identities',
    session,
    body: html`<h1>Connected identities</h1>
${session.user.nhs?.provider === 'cis2' && html`<p><a href="${own(withNext('/sign-in/again', IDENTITIES))}">Sign in again to act in another role</a></p>`}
${identities.length === 0 && html`<p>No other identity is connected to your account.</p>`}
${identities.map(
  ({ id, provider, createdAt }) => html`<form method="post" action="${own(`${IDENTITIES}/disconnect`)}">
${csrfField(session)}${hiddenField('id', id)}
<p>${labelOf(provider)}, since ${dayOf(createdAt)}</p>
${button(`Disconnect ${labelOf(provider)}`, { kind: 'secondary' })}
</form>`,
)}
${upstream.providers.map(({ id, label }) => html`<p><a href="${own(`${LINK}/${id}`)}">Connect ${label}</a></p>`)}`,
  });
}
