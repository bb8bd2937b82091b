/** People who sign in, put together: pages, JSON doors, the API for administrators, and what the rest of Mortar asks. */
import type { IncomingMessage } from 'node:http';
import express, { type Express, type Request } from 'express';
import type { AuditLog } from '../../ports/audit.ts';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Notify } from '../../ports/notify.ts';
import type { Identity, PeopleStore, Person } from '../../ports/people.ts';
import type { Policy } from '../../ports/policy.ts';
import { addAccountPages } from '../pages/account-pages.ts';
import { serveAsset } from '../pages/assets.ts';
import { setBasePath } from '../pages/base-path.ts';
import { addEnrolPages } from '../pages/enrol-pages.ts';
import { pageHeaders } from '../pages/headers.ts';
import { html } from '../pages/html.ts';
import { createPageKit, HOME, type PageParts, sendPage } from '../pages/kit.ts';
import { addPasskeyPages } from '../pages/passkey-pages.ts';
import { addResetPages } from '../pages/reset-pages.ts';
import { addSignInPages } from '../pages/sign-in-pages.ts';
import { addUpstreamPages } from '../pages/upstream-pages.ts';
import type { Upstream } from '../upstream/create-upstream.ts';
import { createAccount } from './account.ts';
import { createAdminApi } from './admin-api.ts';
import { createPeopleAudit } from './audit-people.ts';
import { type CardOptions, createCardSignIn } from './card-sign-in.ts';
import { createCookies } from './cookies.ts';
import { type DemoUser, loadDemoUsers } from './demo-users.ts';
import { createEnrolment } from './enrolment.ts';
import { createHashing, type HashingOptions } from './hashing.ts';
import { BODY_MAX, createJsonDoors, type IssueTokens, type RefreshTokens } from './json-doors.ts';
import { createOriginCheck } from './origin.ts';
import { createPasskeys } from './passkeys.ts';
import { isStaff } from './passwords.ts';
import { createSecurityKeys } from './security-keys.ts';
import { createSessions, type PeopleSessions } from './sessions.ts';
import { createSetup } from './setup.ts';
import { createSignIn, hasMfa } from './sign-in.ts';
import { createTell } from './tell.ts';
import { createThrottle, type ThrottleLimits } from './throttle.ts';

export interface PeopleOptions {
  /** `createIdentity` of src/postgres/identity/people.ts */
  readonly identity: Identity;
  readonly cipher: Cipher;
  readonly audit: AuditLog;
  readonly authenticate: Authenticate;
  readonly policy: Pick<Policy, 'allows'>;
  readonly issueTokens: IssueTokens;
  readonly refreshTokens: RefreshTokens;
  /** How browsers reach the server, without a trailing slash: origin of forms, cookies' kind, WebAuthn's relying party. */
  readonly url: string;
  /** Where `setup-link` is written. */
  readonly dataDir: string;
  /** Whether patients need a second factor too. */
  readonly patientMfa: 'required' | 'optional';
  readonly isProduction: boolean;
  readonly now: Clock;
  readonly log: Log;
  /** Sends nothing unless given. */
  readonly notify?: Notify;
  /** The peer's address; that of the socket unless given. */
  readonly addressOf?: (req: IncomingMessage) => string;
  readonly hashing?: HashingOptions;
  readonly limits?: Partial<ThrottleLimits>;
  /** Providers of the NHS through whom people may sign in too. */
  readonly upstream?: Upstream;
  /** Smart cards. */
  readonly card?: CardOptions;
}

export interface PeopleAuth {
  /** Answers the paths whose first segments are `PEOPLE_SEGMENTS`, and 404 for others. */
  readonly app: Express;
  /** For the listener for smart cards. */
  readonly cardApp?: Express;
  readonly sessions: PeopleSessions;
  readonly users: PeopleStore;
  /** A one-time link to make the first administrator; undefined when there is one. Called once at each start. */
  setupLink(): Promise<string | undefined>;
  /** Makes demo users that are not there yet. Throws in production. */
  loadDemoUsers(): Promise<readonly DemoUser[]>;
  /** Removes expired sessions, links and counters; to be called every few minutes. */
  purge(): Promise<number>;
}

/** First segments of the paths that `app` answers; below `/api` and `/booking` only those named in `PEOPLE_PATHS`. */
export const PEOPLE_SEGMENTS = ['sign-in', 'sign-out', 'account', 'reset', 'verify-email', 'setup', 'assets'] as const;
const PEOPLE_PATHS = ['/api/v2/auth', '/api/v2/admin/users', '/booking/v1/auth'] as const;

const API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox";

export async function createPeople(options: PeopleOptions): Promise<PeopleAuth> {
  const { identity, cipher, url, dataDir, now, log } = options;
  const { people, challenges } = identity;
  const isTls = new URL(url).protocol === 'https:';
  const addressOf = options.addressOf ?? ((req: IncomingMessage): string => req.socket.remoteAddress ?? 'unknown');
  const needsMfa = (person: Person): boolean =>
    isStaff(person.roles) || options.patientMfa === 'required' || hasMfa(person) || person.mustEnrol === true;

  const record = createPeopleAudit(options.audit);
  const tell = createTell(options.notify ?? (async () => {}), log);
  const hashing = await createHashing(options.hashing);
  const throttle = createThrottle(identity.rates, now, options.limits);
  const cookies = createCookies(url);
  const isOwnOrigin = createOriginCheck(url);
  const sessions = createSessions({ store: identity.sessions, cookies, isOwnOrigin, needsMfa, addressOf, now });
  const securityKeys = createSecurityKeys({ people, url });
  const signIn = createSignIn({
    people,
    challenges,
    hashing,
    throttle,
    cipher,
    securityKeys,
    needsMfa,
    record,
    tell,
    now,
  });
  const enrolment = createEnrolment({ people, challenges, cipher, record, tell, now });
  const account = createAccount({
    people,
    challenges,
    hashing,
    throttle,
    sessions,
    cipher,
    record,
    tell,
    url,
    now,
    log,
  });
  const setup = createSetup({ people, challenges, enrolment, hashing, record, url, dataDir, now });

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  setBasePath(app, url);
  app.use(pageHeaders({ isTls }));
  app.get('/assets/:file', serveAsset);
  app.use([...PEOPLE_PATHS], (_req, res, next) => {
    res.set('Content-Security-Policy', API_POLICY);
    next();
  });
  const { issueTokens, refreshTokens, authenticate, policy, audit } = options;
  app.use(createJsonDoors({ signIn, account, throttle, issueTokens, refreshTokens, addressOf, log }));
  app.use(
    createAdminApi({
      tellPerson: tell,
      people,
      account,
      enrolment,
      hashing,
      sessions,
      authenticate,
      policy,
      audit,
      url,
      now,
      log,
    }),
  );
  addPages(app, {
    signIn,
    passkeys: createPasskeys({ challenges, securityKeys, record, now }),
    tell,
    account,
    enrolment,
    securityKeys,
    setup,
    sessions,
    people,
    challenges,
    throttle,
    cookies,
    isOwnOrigin,
    addressOf,
    record,
    ...(options.upstream && { upstream: options.upstream }),
    ...(options.card && { card: options.card }),
    now,
    log,
  });
  const cardApp =
    options.card &&
    createCardSignIn({ card: options.card, people, sessions, record, addressOf, siteUrl: url, now, log });
  return {
    app,
    ...(cardApp && { cardApp }),
    sessions,
    users: people,
    setupLink: () => setup.link(),
    async loadDemoUsers() {
      const users = await loadDemoUsers(people, hashing, options.isProduction);
      await setup.link(); // one of them is an administrator: the link for the first goes
      return users;
    },
    purge: () => identity.purge(),
  };
}

function addPages(app: Express, parts: PageParts): void {
  const kit = createPageKit(parts);
  app.use(express.urlencoded({ extended: false, limit: BODY_MAX, parameterLimit: 50 }));
  if (parts.upstream) addUpstreamPages(app, parts, kit, parts.upstream); // before the pages that it stands in for
  addSignInPages(app, parts, kit);
  addPasskeyPages(app, parts, kit);
  addEnrolPages(app, parts, kit);
  addAccountPages(app, parts, kit);
  addResetPages(app, parts, kit);
  app.use(
    kit.open(async (_req, res) =>
      sendPage(
        res,
        {
          title: 'Page not found',
          body: html`<h1>Page not found</h1>
<p>Look whether the address is right. <a href="${HOME}">Go to your account</a></p>`,
        },
        404,
      ),
    ),
  );
  // Express tells an error handler by its four parameters.
  app.use((error: unknown, _req: Request, res: express.Response, _next: express.NextFunction) => {
    const status = statusOf(error);
    if (status === 500) parts.log.error('a request failed', { error });
    const title = status === 500 ? 'Sorry, there is a problem' : 'This request cannot be read';
    sendPage(res, { title, body: html`<h1>${title}</h1><p>Nothing was changed.</p>` }, status);
  });
}

const statusOf = (error: unknown): number =>
  typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number'
    ? error.status
    : 500;
