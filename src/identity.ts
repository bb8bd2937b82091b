/** Identity and access put together: tokens, people, launches; a piece of the composition root. */
import type { IncomingMessage } from 'node:http';
import { createAccountMail } from './account-mail.ts';
import { createAuthorize, interactiveOf } from './auth/authorize/create-authorize.ts';
import { createCertificateCaller } from './auth/oauth/certificate-caller.ts';
import { oauthCertificateOf } from './auth/oauth/certificate-names.ts';
import { createOAuth } from './auth/oauth/oauth.ts';
import { ensureOperator, OperatorKeyError } from './auth/oauth/operator.ts';
import { createOwnTokens } from './auth/oauth/own-tokens.ts';
import { createFindSubscriber, ownerOf } from './auth/oauth/standing-caller.ts';
import type { CardOptions } from './auth/people/card-sign-in.ts';
import { createPeople, type PeopleAuth } from './auth/people/create-people.ts';
import { createBreakGlass } from './break-glass.ts';
import type { Config } from './config.ts';
import { every } from './every.ts';
import { elseNotFound, identityDoors, type PrefixDoor } from './identity-doors.ts';
import type { JobSet } from './jobs/runner.ts';
import type { ContextLog } from './log.ts';
import { createOrganizationsBelow } from './organizations.ts';
import { peerCertificateOf } from './pki/peer-certificate.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Caller } from './ports/caller.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { PartnerOf } from './ports/partner.ts';
import type { Policy } from './ports/policy.ts';
import type { FindSubscriber, SubscriptionOwner } from './ports/subscriptions.ts';
import type { UpstreamStore } from './ports/upstream.ts';
import { createAuthorizationRequests } from './postgres/identity/authorization-requests.ts';
import { createBreakGlassBook } from './postgres/identity/break-glass.ts';
import { createClients } from './postgres/identity/clients.ts';
import { createGrants } from './postgres/identity/grants.ts';
import { createSigningKeys } from './postgres/identity/keys.ts';
import { createOperatorKeys } from './postgres/identity/operator-keys.ts';
import { createIdentity } from './postgres/identity/people.ts';
import { createUpstreamStore } from './postgres/identity/upstream.ts';
import type { Pools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';
import type { OpenStore } from './postgres/store.ts';
import { createProxies } from './proxies.ts';
import { createRecords } from './records.ts';
import { toldAuthenticate } from './rest/door.ts';
import type { RequestHandler } from './rest/http-server.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import type { Refusals } from './rest/refusals.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { ScopeVocabulary } from './standards/smart/scope.ts';
import { createUpstreamDoors } from './upstream.ts';

export interface IdentityParts {
  readonly config: Config;
  readonly dataDir: string;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly pools: Pools;
  readonly store: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly policy: Policy;
  readonly audit: AuditLog;
  /** Answers paths below `/api/v2/audit`. */
  readonly auditApi: (authenticate: Authenticate) => RequestHandler;
  /** Doors of other parts below `/api/v2`, by the beginnings of their paths. */
  readonly moreDoors?: (authenticate: Authenticate) => readonly PrefixDoor[];
  readonly cipher: Cipher;
  readonly vocabulary: ScopeVocabulary;
  readonly addressOf: (req: IncomingMessage) => string;
  readonly limits: RateLimits;
  readonly refusals: Refusals;
  readonly card?: CardOptions | undefined;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Identity {
  readonly authenticate: Authenticate;
  /** The same, or by a certificate alone for whom the table of partners names: for doors of messages. */
  authenticatePartner(partnerOf: PartnerOf): Authenticate;
  /** By the first segment of their paths. */
  readonly doors: ReadonlyMap<string, RequestHandler>;
  /** Paths below `{fhirBase}/.well-known`. */
  readonly wellKnown: RequestHandler;
  isRegisteredOrigin(origin: string): boolean;
  /** A one-time link to make the first administrator; undefined when there is one. */
  setupLink(): Promise<string | undefined>;
  loadDemoUsers: PeopleAuth['loadDemoUsers'];
  /** What of a caller is kept with what they set up; undefined for who is no client of ours. */
  readonly ownerOf: (caller: Caller) => Promise<SubscriptionOwner | undefined>;
  /** That caller again, with the rights that are left. */
  readonly findSubscriber: FindSubscriber;
  /** What is done later: messages to people. */
  readonly jobs: JobSet;
  /** For the listener for smart cards. */
  readonly cardApp?: RequestHandler;
  stop(): Promise<void>;
}

function certificateOf(req: IncomingMessage) {
  const certificate = peerCertificateOf(req);
  return certificate && oauthCertificateOf(certificate);
}

const PURGE_EVERY_MS = 5 * 60 * 1000;
const PURGE_MAX = 5000;
const PURGE_ROUNDS = 200;

export async function createIdentityDoors(parts: IdentityParts): Promise<Identity> {
  const { config, pools, store, policy, audit, cipher, url, fhirBaseUrl, addressOf, now, log } = parts;
  const identity = createIdentity({ ...pools, now });
  const clients = createClients({ ...pools, now });
  const grants = createGrants({ ...pools, now });
  const keys = createSigningKeys({ ...pools, cipher, now });
  const glass = createBreakGlassBook(pools, cipher);
  const users = identity.people;
  const mail = createAccountMail(parts);
  const identities = createUpstreamStore({ ...pools, now });
  const nhs = createUpstreamDoors({ ...parts, identities, grants, forgetTokens: () => oauth.forgetTokens() });

  const operator = readOperator(parts);
  const operatorKeys = createOperatorKeys({ ...pools, now });
  const keepOperator = (): Promise<void> => operatorKeys.keep(operator.node, operator.jwks.keys[0]);
  await keepOperator();

  const organizationsBelow = createOrganizationsBelow(parts);
  const proxiesOf = createProxies({ store, ageMax: config.proxyAgeMax, now });
  const records = createRecords({ store, searchOf: parts.searchOf, organizationsBelow, proxiesOf });

  const oauth = await createOAuth({
    issuer: url,
    fhirBaseUrl,
    clients,
    grants,
    keys,
    users,
    findUserByName: (name) => users.findByName(name),
    organizationsBelow,
    otherFhirBaseUrls: [`${url}/FHIR/R4`],
    emergencyPatients: (userId) => glass.patientsOf(userId, now()),
    proxiesOf,
    isPatientPermitted: async (user, id) => (await records.findPatient(user, id)) !== undefined,
    interactive: interactiveOf(url),
    ...(nhs && { moreGrants: nhs.grantTypes }),
    policy,
    audit,
    vocabulary: parts.vocabulary,
    operatorKeys: () => operatorKeys.list(),
    areOperatorTokensAllowed: config.nodeEnv !== 'production' || config.operatorTokens === 'on',
    isRegistrationOpen: config.nodeEnv !== 'production' && config.registration === 'open',
    addressOf,
    limitToken: (key) => parts.limits.check('token', key),
    // Without authorities no client is asked for a certificate. SECURITY SD-04
    ...(config.tlsClientCaFile !== undefined && { certificateOf }),
    ...(mail && { notify: mail.notify }),
    now,
    log,
  });
  const { authenticate, forgetTokens } = oauth;
  const told = toldAuthenticate({ authenticate, addressOf, refusals: parts.refusals });
  const own = await createOwnTokens({ clients, grants, users, fhirBaseUrl, audit, forgetTokens, now });
  const people = await createPeople({
    identity,
    cipher,
    audit,
    authenticate: told,
    policy,
    issueTokens: own.issue,
    refreshTokens: own.refresh,
    url,
    dataDir: parts.dataDir,
    patientMfa: config.patientMfa,
    ...(nhs && { upstream: nhs.upstream }),
    ...(mail && { notify: mail.notify }),
    ...(parts.card && { card: parts.card }),
    isProduction: config.nodeEnv === 'production',
    now,
    log,
    addressOf,
  });
  const authorize = createAuthorize({
    issuer: url,
    fhirBaseUrl,
    otherFhirBaseUrls: [`${url}/FHIR/R4`],
    clients,
    grants,
    requests: createAuthorizationRequests({ ...pools, now }),
    sessions: people.sessions,
    users,
    keys,
    oauth: { ...oauth, authenticate: told },
    policy,
    records,
    cipher,
    addressOf,
    now,
    log,
  });
  const breakGlass = createBreakGlass({
    book: glass,
    authenticate: told,
    policy,
    audit,
    store,
    forget: forgetTokens,
    now,
    onError: (error) => log.error('a request failed', { error }),
  });
  const stop = every(
    PURGE_EVERY_MS,
    () => allOf([keepOperator(), purgeAll(identities), oauth.purge(), people.purge(), authorize.purge()]),
    (error) => log.error('what is over could not be cleared away', { error }),
  );
  return {
    authenticate,
    authenticatePartner: (partnerOf) =>
      createCertificateCaller({ authenticate, partnerOf, certificateOf, clients, addressOf }),
    doors: identityDoors(oauth, people, authorize, [
      ['/api/v2/audit', parts.auditApi(told)],
      ['/api/v2/break-glass', breakGlass],
      ...(parts.moreDoors?.(told) ?? []),
    ]),
    wellKnown: elseNotFound(oauth.app),
    isRegisteredOrigin: (origin) => oauth.isRegisteredOrigin(origin),
    ...(people.cardApp && { cardApp: people.cardApp }),
    setupLink: () => people.setupLink(),
    loadDemoUsers: () => people.loadDemoUsers(),
    ownerOf: (caller) => ownerOf(caller, users),
    findSubscriber: createFindSubscriber({
      clients,
      grants,
      users,
      organizationsBelow,
      emergencyPatients: (userId) => glass.patientsOf(userId, now()),
      proxiesOf,
    }),
    jobs: mail?.jobs ?? { handlers: [], schedules: [] },
    stop,
  };
}

/** Waits for all of them, then throws what went wrong. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(work);
  const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (reasons.length > 0) throw new AggregateError(reasons, reasons.map(String).join('; '));
}

/** In rounds, as long as there is something. */
async function purgeAll({ purge }: Pick<UpstreamStore, 'purge'>): Promise<void> {
  for (let round = 0; round < PURGE_ROUNDS && (await purge(PURGE_MAX)) >= PURGE_MAX; round += 1);
}

function readOperator({ dataDir }: IdentityParts) {
  try {
    return ensureOperator({ dataDir });
  } catch (cause) {
    if (cause instanceof OperatorKeyError) throw new StartError('folder', cause.message, cause);
    throw cause;
  }
}
