/** What every page does: reads its form, looks whether it is genuine, finds who is signed in, answers. SECURITY WB-01 */
import type { Request, RequestHandler, Response } from 'express';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ChallengeStore, PeopleStore } from '../../ports/people.ts';
import type { Session } from '../../ports/users.ts';
import { FhirError, textOf } from '../../standards/fhir/outcome.ts';
import type { Account } from '../people/account.ts';
import type { RecordPeople } from '../people/audit-people.ts';
import type { CardOptions } from '../people/card-sign-in.ts';
import type { Cookies } from '../people/cookies.ts';
import type { Enrolment } from '../people/enrolment.ts';
import type { Passkeys } from '../people/passkeys.ts';
import { derive, hashOf, isSame, newSecret } from '../people/secrets.ts';
import type { SecurityKeys } from '../people/security-keys.ts';
import { isMfa, isRecentAuth, type PeopleSessions, type Proof } from '../people/sessions.ts';
import type { Setup } from '../people/setup.ts';
import type { SignIn } from '../people/sign-in.ts';
import type { Tell } from '../people/tell.ts';
import type { Throttle } from '../people/throttle.ts';
import type { Upstream } from '../upstream/create-upstream.ts';
import { readBasePath } from './base-path.ts';
import { html, own } from './html.ts';
import { type PageOptions, page } from './layout.ts';

/** What the pages are built from. */
export interface PageParts {
  readonly signIn: SignIn;
  readonly account: Account;
  readonly enrolment: Enrolment;
  readonly securityKeys: SecurityKeys;
  readonly passkeys: Passkeys;
  readonly setup: Setup;
  readonly sessions: PeopleSessions;
  readonly people: PeopleStore;
  readonly challenges: ChallengeStore;
  readonly throttle: Throttle;
  readonly cookies: Cookies;
  readonly isOwnOrigin: (req: Request) => boolean;
  readonly addressOf: (req: Request) => string;
  readonly record: RecordPeople;
  readonly tell: Tell;
  /** Other ways to sign in, by links. */
  readonly upstream?: Upstream;
  readonly card?: CardOptions;
  readonly now: Clock;
  readonly log: Log;
}

export type Handler = (req: Request, res: Response) => Promise<void>;
export type SignedInHandler = (req: Request, res: Response, session: Session) => Promise<void>;

const DEVICE_MS = 90 * 24 * 60 * 60_000;
export const HOME = '/account';
const PATH_MAX = 4096;

export type Proven =
  | { readonly kind: 'right' | 'wrong' }
  | { readonly kind: 'throttled'; readonly retryAfterMs: number };

export interface PageKit {
  /** For everybody. */
  open(handle: Handler): RequestHandler;
  /** For everybody, when the form comes from a page of ours. */
  form(handle: Handler): RequestHandler;
  /** For who is signed in; others go and sign in first. */
  signedIn(handle: SignedInHandler): RequestHandler;
  /** A form of who is signed in. `isFresh`: only when they have proven who they are lately (LG-12). */
  signedInForm(handle: SignedInHandler, isFresh?: 'fresh'): RequestHandler;
  /** The same for a page. */
  freshlySignedIn(handle: SignedInHandler): RequestHandler;
  /** The open step of this browser, and the token that its forms carry. */
  step(req: Request): { readonly token: string; readonly csrf: string } | undefined;
  openStep(res: Response, token: string): void;
  /** A form of the open step; without one the person begins again. */
  stepForm(handle: (req: Request, res: Response, token: string) => Promise<void>): RequestHandler;
  /** Whether this is the password of who is signed in; counted like a sign-in. */
  provePassword(req: Request, session: Session, password: string): Promise<Proven>;
  /** Begins the session of who has just signed in and leads on. */
  finish(req: Request, res: Response, proof: Proof, next: string): Promise<void>;
}

/**
 * For passwords and second factors, which are the account's: who acts by what another provider vouched for has the rights
 * of that session alone, and must not make one of the account out of it. SECURITY NH-05, LG-12
 */
export const ofAccount =
  (handle: SignedInHandler): SignedInHandler =>
  async (req, res, session) =>
    session.user.nhs ? sendNotOfAccount(res) : handle(req, res, session);

export function createPageKit(parts: PageParts): PageKit {
  const { sessions, people, cookies, isOwnOrigin, now, log } = parts;

  const open =
    (handle: Handler): RequestHandler =>
    async (req, res) => {
      try {
        await handle(req, res);
      } catch (error) {
        sendFault(res, error, log);
      }
    };

  const form = (handle: Handler): RequestHandler =>
    open(async (req, res) => (isOwnOrigin(req) ? handle(req, res) : sendStale(res)));

  const signedIn = (handle: SignedInHandler): RequestHandler =>
    open(async (req, res) => {
      const session = await sessions.find(req);
      if (session) return handle(req, res, session);
      seeOther(res, withNext('/sign-in', req.method === 'GET' ? req.originalUrl : HOME));
    });

  const fresh =
    (handle: SignedInHandler): SignedInHandler =>
    async (req, res, session) => {
      if (isRecentAuth(session, now())) return handle(req, res, session);
      seeOther(res, withNext('/sign-in/again', req.method === 'GET' ? req.originalUrl : HOME));
    };

  const step = (req: Request) => {
    const token = cookies.read(req, 'step');
    return token === undefined ? undefined : { token, csrf: derive(token, 'csrf') };
  };

  return {
    open,
    form,
    signedIn,
    freshlySignedIn: (handle) => signedIn(fresh(handle)),
    signedInForm: (handle, isFresh) =>
      signedIn(async (req, res, session) => {
        if (!sessions.isGenuine(req, session, fieldOf(req, 'csrf'))) return sendStale(res);
        return isFresh ? fresh(handle)(req, res, session) : handle(req, res, session);
      }),
    step,
    openStep: (res, token) => cookies.set(res, 'step', token),
    stepForm: (handle) =>
      form(async (req, res) => {
        const current = step(req);
        if (!current) return seeOther(res, '/sign-in');
        if (!isSame(fieldOf(req, 'csrf'), current.csrf)) return sendStale(res);
        return handle(req, res, current.token);
      }),
    async provePassword(req, session, password) {
      const { user } = session;
      const device = cookies.read(req, 'device');
      const deviceHash = device === undefined ? undefined : hashOf(device);
      const isOwn = deviceHash !== undefined && (await people.findDevice(deviceHash)) === user.id;
      const address = parts.addressOf(req);
      const admission = await parts.throttle.admit({
        email: user.email,
        address,
        ...(isOwn && { deviceId: deviceHash.toString('base64url') }),
      });
      if (admission.kind === 'throttled') return admission;
      const isRight = (await parts.account.isPassword(user, password)) && admission.kind === 'admitted';
      if (admission.kind === 'admitted') await (isRight ? admission.succeeded() : admission.failed());
      const rule = isRight ? 'proven-again' : 'wrong-password-again';
      const who = { user, amr: session.amr, authTime: isRight ? now() : session.authTime };
      await parts.record({ kind: 'login', outcome: isRight ? 0 : 4, rule, account: user.id, address, ...who });
      return { kind: isRight ? 'right' : 'wrong' };
    },
    async finish(req, res, proof, next) {
      await sessions.start(req, res, proof);
      if (isMfa(proof.amr)) await trustBrowser(req, res, proof.user.id);
      seeOther(res, next);
    },
  };

  async function trustBrowser(req: Request, res: Response, userId: string): Promise<void> {
    const known = cookies.read(req, 'device');
    if (known !== undefined && (await people.findDevice(hashOf(known))) === userId) return;
    const value = newSecret();
    await people.trustDevice(userId, hashOf(value), now() + DEVICE_MS);
    cookies.set(res, 'device', value, DEVICE_MS);
  }
}

/** A field of the posted form; empty when it is missing, sent twice, or holds what no database text may. */
export function fieldOf(req: Request, name: string): string {
  const body = req.body as Record<string, unknown> | undefined; // of express.urlencoded: texts and lists of them
  const value = body !== undefined && Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === 'string' && !value.includes('\0') ? value : '';
}

/** Where to go afterwards: a path of ours, from the form or the query, else the account page. */
export function nextOf(req: Request): string {
  const asked = req.method === 'GET' ? req.query['next'] : fieldOf(req, 'next');
  return typeof asked === 'string' && isOwnPath(asked) ? asked : HOME;
}

/** Whether a browser would stay on this site; `//host` and `/\host` would lead out of it. */
export function isOwnPath(path: string): boolean {
  if (path.length > PATH_MAX || !/^\/(?![/\\])[\x21-\x7e]*$/.test(path) || path.includes('\\')) return false;
  const base = 'http://own.invalid';
  return URL.canParse(path, base) && new URL(path, base).origin === base;
}

/** A path that keeps in mind where to go afterwards. */
export const withNext = (path: string, next: string): string =>
  next === HOME || !isOwnPath(next) ? path : `${path}?next=${encodeURIComponent(next)}`;

/** To a page of ours. After a form: the browser fetches it, and reloading it sends nothing twice. */
export function seeOther(res: Response, path: string): void {
  res.redirect(303, readBasePath(res) + path);
}

export function sendPage(res: Response, options: PageOptions, status = options.errors?.length ? 422 : 200): void {
  res
    .status(status)
    .type('html')
    .send(page(options, readBasePath(res)));
}

const sendStale = (res: Response): void =>
  sendPage(
    res,
    {
      title: 'This form is out of date',
      body: html`<h1>This form is out of date</h1>
<p>It was not sent from the page we gave you last. Nothing was changed.</p>
<p><a href="${own(HOME)}">Go back and try again</a></p>`,
    },
    403,
  );

const sendNotOfAccount = (res: Response): void =>
  sendPage(
    res,
    {
      title: 'Sign in with your password',
      body: html`<h1>Sign in with your password</h1>
<p>You have signed in through another provider. Sign out, then sign in with your e-mail address and password to do this.</p>
<p><a href="${own(HOME)}">Go to your account</a></p>`,
    },
    403,
  );

export const sendGone = (res: Response, what: string, way: { readonly href: string; readonly text: string }): void =>
  sendPage(
    res,
    {
      title: 'This link does not work',
      body: html`<h1>This link does not work</h1>
<p>${what}</p>
<p><a href="${own(way.href)}">${way.text}</a></p>`,
    },
    404,
  );

export function sendFault(res: Response, error: unknown, log: Log): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const known = error instanceof FhirError && error.status < 500 ? error : undefined;
  const busy = error instanceof FhirError && error.status === 503 ? error : undefined;
  if (!known && !busy) log.error('a page failed', { error });
  if (busy) res.set(busy.headers);
  sendPage(
    res,
    {
      title: 'Sorry, there is a problem',
      body: html`<h1>Sorry, there is a problem</h1>
<p>${(known ?? busy)?.issues.map(textOf).join('. ') ?? 'Something failed on our side. Try again later.'}</p>
<p><a href="${own(HOME)}">Go to your account</a></p>`,
    },
    known?.status ?? busy?.status ?? 500,
  );
}
