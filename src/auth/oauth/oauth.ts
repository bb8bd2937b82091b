/** The authorisation server but for its pages: endpoints for programs, and the authentication of their tokens. SECURITY A */
import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';
import type { AuditLog } from '../../ports/audit.ts';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Client, Clients, JwkSet } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import type { Log } from '../../ports/log.ts';
import type { Notify } from '../../ports/notify.ts';
import type { Policy } from '../../ports/policy.ts';
import type { SigningKeys } from '../../ports/signing-keys.ts';
import type { User, Users } from '../../ports/users.ts';
import type { Scope, ScopeVocabulary } from '../../standards/smart/scope.ts';
import { createTell } from '../people/tell.ts';
import { createAdminClients } from './admin-clients.ts';
import { rotateKeys } from './admin-keys.ts';
import type { AdminAnswer } from './admin-right.ts';
import { type AuthenticateOptions, createAuthenticator } from './authenticate.ts';
import { type AuthenticateClient, type Certificate, createClientAuthentication } from './client-authentication.ts';
import { createClientKeys } from './client-keys.ts';
import {
  API_PATHS,
  type Interactive,
  openidConfiguration,
  PATHS,
  SMART_PATH,
  smartConfiguration,
} from './discovery.ts';
import { createDpop } from './dpop.ts';
import { createDpopNonces } from './dpop-nonces.ts';
import { chooseGrantable } from './grantable.ts';
import { fetchGuarded } from './guarded-fetch.ts';
import { addInitialToken } from './initial-tokens.ts';
import { introspect, revoke } from './introspect.ts';
import { LIFETIMES, type Lifetimes } from './issue-tokens.ts';
import { answerErrors } from './oauth-answers.ts';
import { invalidRequest, OAuthError } from './oauth-error.ts';
import { grantToOperator, OPERATOR, OPERATOR_CLIENT } from './operator.ts';
import { allowAnyOrigin, allowRegisteredOrigins, createOrigins } from './origins.ts';
import { OWN_DOORS } from './own-tokens.ts';
import { type Parameters, readForm } from './parameters.ts';
import { manageRegistration, register } from './register.ts';
import { SMART_STYLE } from './smart-style.ts';
import { type GrantHandler, grantTokens } from './token-endpoint.ts';
import type { LimitToken } from './token-limit.ts';
import { createTrail, type Trail } from './trail.ts';
import { userinfo } from './userinfo.ts';

export interface OAuthOptions {
  /** Public base URL of the server, without a trailing slash. */
  readonly issuer: string;
  /** FHIR base URL as links have it; tokens are for it. */
  readonly fhirBaseUrl: string;
  /** Other spellings of it that a token may be for. */
  readonly otherFhirBaseUrls?: readonly string[];
  readonly clients: Clients;
  readonly grants: Grants;
  readonly keys: SigningKeys;
  readonly users: Users;
  /** By name or e-mail, for the operator's command. */
  readonly findUserByName: (nameOrEmail: string) => Promise<User | undefined>;
  /** Organizations and those below them (`partOf`). SECURITY FA-02 */
  readonly organizationsBelow: (ids: readonly string[]) => Promise<readonly string[]>;
  /** Patients whose records a person has open in an emergency. SECURITY FA-04 */
  readonly emergencyPatients?: NonNullable<AuthenticateOptions['emergencyPatients']>;
  /** For whom else a person acts. SECURITY FA-09 */
  readonly proxiesOf?: NonNullable<AuthenticateOptions['proxiesOf']>;
  /** Whether a person may still reach the patient of a grant. SECURITY ST-08 */
  readonly isPatientPermitted?: (user: User, patientId: string) => Promise<boolean>;
  readonly policy: Pick<Policy, 'allows'>;
  readonly audit: AuditLog;
  readonly vocabulary: ScopeVocabulary;
  /** Public halves of the keys of `ensureOperator`, of every node. */
  readonly operatorKeys: () => Promise<JwkSet>;
  readonly areOperatorTokensAllowed: boolean;
  /** Whether anybody may register an app. SECURITY SR-01 */
  readonly isRegistrationOpen: boolean;
  /** `host:port` of key sets in the own network. SECURITY IN-40 */
  readonly allowedHosts?: ReadonlySet<string>;
  /** The verified client certificate of a connection, once a listener asks for one. */
  readonly certificateOf?: (req: IncomingMessage) => Certificate | undefined;
  /** The peer's address; that of the socket unless given. */
  readonly addressOf?: (req: IncomingMessage) => string | undefined;
  /** What the pages add to discovery; without them no code can be had. */
  readonly interactive?: Interactive;
  readonly hasPublicOffline?: boolean;
  /** Grants of the token endpoint besides its own, by their names. */
  readonly moreGrants?: ReadonlyMap<string, GrantHandler>;
  /** Whether each DPoP proof must hold a nonce of ours (RFC 9449 section 8); it is offered in any case. */
  readonly needsDpopNonce?: boolean;
  readonly lifetimes?: Lifetimes;
  /** Counts requests for tokens: by client, and by what is claimed and the address before that is known. WB-06 */
  readonly limitToken?: LimitToken;
  /** Tells a person that an app lost what they granted it, as somebody else had its token. SECURITY ST-07 */
  readonly notify?: Notify;
  readonly now: Clock;
  readonly log: Log;
}

export interface OAuth {
  /** Answers the paths of `PATHS` and the SMART configuration; passes on what it does not know when it is mounted. */
  readonly app: Express;
  readonly authenticate: Authenticate;
  /** For CORS: from memory, at most 5 s old. */
  isRegisteredOrigin(origin: string): boolean;
  /** Deletes what is over, and tends the signing keys. To be called every few minutes. */
  purge(): Promise<void>;
  /** Something was revoked elsewhere in this process: tokens are looked up anew at once. */
  forgetTokens(): void;

  // What the pages build on.
  readonly authenticateClient: AuthenticateClient;
  readonly trail: Trail;
  /** The scopes that an app may be granted of those it asks for; throws `OAuthError` `invalid_scope`. */
  chooseScopes(client: Client, text: string): readonly Scope[];
}

const JWKS_LIMITS = { bytesMax: 64 * 1024, timeoutMs: 5_000 };
const PURGE_MAX = 1000;
const PURGE_ROUNDS = 100;
const BODY_MAX = '64kb';

/** Makes first signing keys and the operator's client where there are none. */
export async function createOAuth(options: OAuthOptions): Promise<OAuth> {
  const { issuer, fhirBaseUrl, clients, grants, keys, now, log, certificateOf } = options;
  await keys.ensure();
  await clients.put(OPERATOR, OPERATOR_CLIENT);
  const origins = createOrigins(clients, now, log);
  await origins.load();

  const addressOf = options.addressOf ?? ((req) => req.socket.remoteAddress);
  const trail = createTrail(options.audit, addressOf, now);
  const allowed = options.allowedHosts;
  const fetch = (url: string) => fetchGuarded(url, { ...JWKS_LIMITS, ...(allowed && { allowed }) });
  const findKey = createClientKeys({ fetch, now });
  const dpop = createDpop({
    publicUrl: issuer,
    grants,
    nonces: createDpopNonces(keys, now),
    needsNonce: options.needsDpopNonce ?? false,
    now,
  });
  const authenticator = createAuthenticator({
    ...options,
    dpop,
    addressOf,
    fhirBaseUrls: [fhirBaseUrl, ...(options.otherFhirBaseUrls ?? [])],
  });
  const { authenticate, forget: forgetTokens } = authenticator;
  const authenticateClient = createClientAuthentication({
    clients,
    grants,
    findKey,
    now,
    audiences: [issuer + PATHS.token, issuer],
    ...(certificateOf && { certificateOf }),
  });
  const parts = {
    ...options,
    lifetimes: options.lifetimes ?? LIFETIMES,
    ownClients: new Set([OPERATOR, OWN_DOORS]),
    operatorTokenUrl: issuer + PATHS.operatorToken,
    registrationUrl: issuer + PATHS.register,
    dpop,
    addressOf,
    tell: createTell(options.notify ?? (async () => {}), log),
    authenticate,
    authenticateClient,
    findKey,
    trail,
    forgetTokens,
  };

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  const registered = allowRegisteredOrigins(origins);
  const form = express.urlencoded({ extended: false, limit: BODY_MAX, parameterLimit: 100 });
  app.use('/oauth2', registered, noStore);
  app.use([...API_PATHS], registered, noStore);

  // Documents that are the same for everybody.
  const discovery = {
    issuer,
    hasCertificates: certificateOf !== undefined,
    ...(options.moreGrants && { moreGrantTypes: [...options.moreGrants.keys()] }),
    ...(options.interactive && { interactive: options.interactive }),
  };
  // A proxy that serves us below a path of the public URL takes it off.
  const smartPaths = [fhirBaseUrl, ...(options.otherFhirBaseUrls ?? [])].map(
    (url) => (url.startsWith(`${issuer}/`) ? url.slice(issuer.length) : new URL(url).pathname) + SMART_PATH,
  );
  serveDocument(app, smartPaths, async () => smartConfiguration(discovery));
  // RFC 8414 section 3.1 puts what it looks for before the path of the issuer.
  const oauthPaths = [
    ...new Set([PATHS.openid, PATHS.oauth, PATHS.oauth + new URL(issuer).pathname.replace(/\/$/, '')]),
  ];
  serveDocument(app, oauthPaths, async () => openidConfiguration(discovery));
  if (options.interactive) serveDocument(app, [PATHS.style], async () => SMART_STYLE);
  serveDocument(app, [PATHS.jwks], async () => ({ keys: await keys.published() }));

  const forms: readonly (readonly [
    path: string,
    answer: (req: express.Request, of: Parameters) => Promise<unknown>,
  ])[] = [
    [PATHS.token, (req, of) => grantTokens(parts, req, of)],
    [PATHS.introspect, (req, of) => introspect(parts, req, of)],
    [PATHS.revoke, (req, of) => revoke(parts, req, of)],
    [PATHS.operatorToken, (req, of) => grantToOperator(parts, req, of)],
  ];
  for (const [path, answer] of forms) {
    app.post(path, form, async (req, res) => {
      const body = await answer(req, readForm(req));
      if (body === undefined) res.status(200).end();
      else res.json(body);
    });
    refuseOtherMethods(app, path, 'POST');
  }

  app.post(PATHS.register, async (req, res) => {
    res.status(201).json(await register(parts, req));
  });
  refuseOtherMethods(app, PATHS.register, 'POST');
  for (const method of ['get', 'put', 'delete'] as const)
    app[method](`${PATHS.register}/:id`, async (req: express.Request<{ id: string }>, res) => {
      const body = await manageRegistration(parts, req, req.params.id);
      if (body === undefined) res.status(204).end();
      else res.json(body);
    });

  for (const method of ['get', 'post'] as const)
    app[method](PATHS.userinfo, async (req, res) => void res.json(await userinfo(parts, req)));

  const admin = createAdminClients(parts);
  const ADMIN = PATHS.adminClients;
  app.get(ADMIN, async (req, res) => sendAdmin(res, await admin.list(req)));
  app.post(ADMIN, async (req, res) => sendAdmin(res, await admin.add(req)));
  app.get(`${ADMIN}/:id`, async (req, res) => sendAdmin(res, await admin.find(req, req.params.id)));
  app.put(`${ADMIN}/:id`, async (req, res) => sendAdmin(res, await admin.change(req, req.params.id)));
  app.post(`${ADMIN}/:id/secrets`, async (req, res) => sendAdmin(res, await admin.addSecret(req, req.params.id)));
  for (const [word, isDisabled] of [
    ['disable', true],
    ['enable', false],
  ] as const)
    app.post(`${ADMIN}/:id/${word}`, async (req, res) =>
      sendAdmin(res, await admin.setDisabled(req, req.params.id, isDisabled)),
    );

  app.post(`${PATHS.adminKeys}/rotate`, async (req, res) => sendAdmin(res, await rotateKeys(parts, req)));
  app.post(PATHS.adminRegistrationTokens, async (req, res) => sendAdmin(res, await addInitialToken(parts, req)));

  app.use(answerErrors(trail, log));

  return {
    app,
    authenticate,
    isRegisteredOrigin: (origin) => origins.isRegistered(origin),
    async purge() {
      for (let i = 0; i < PURGE_ROUNDS && (await grants.purge(PURGE_MAX)) >= PURGE_MAX; i += 1);
      await keys.tend();
    },
    forgetTokens,
    authenticateClient,
    trail,
    chooseScopes: (client, text) => chooseGrantable(client, text, 'app', options.vocabulary),
  };
}

/** A public document in JSON, whatever `Accept` says; it may be kept for five minutes. SECURITY SD-01, SO-02 */
function serveDocument(app: Express, paths: string[], read: () => Promise<unknown>): void {
  app.get(paths, allowAnyOrigin, async (_req, res) => {
    const body = await read();
    res.set({ 'Cache-Control': 'public, max-age=300', 'X-Content-Type-Options': 'nosniff' });
    res.json(body);
  });
  app.options(paths, allowAnyOrigin, (_req, res) => {
    res.set('Access-Control-Allow-Methods', 'GET').status(204).end();
  });
}

function noStore(_req: express.Request, res: express.Response, next: express.NextFunction): void {
  res.set({ 'Cache-Control': 'no-store', Pragma: 'no-cache', 'X-Content-Type-Options': 'nosniff' });
  next();
}

function refuseOtherMethods(app: Express, path: string, allow: string): void {
  app.all(path, () => {
    const { message } = invalidRequest(`use ${allow}`);
    throw new OAuthError(405, 'invalid_request', message, { headers: { Allow: allow } });
  });
}

function sendAdmin(res: express.Response, { status, body }: AdminAnswer): void {
  res.status(status);
  if (body === undefined) res.end();
  else res.json(body);
}
