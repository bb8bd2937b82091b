/** An access token becomes a caller. RFC 6750. SECURITY ST-11, ST-12, AZ-07, FA-02, SC-12 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { OpenRecord } from '../../ports/break-glass.ts';
import type { Caller, CallerUser, ProxyRight } from '../../ports/caller.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grant, Grants, GrantUser, StoredToken } from '../../ports/grants.ts';
import type { User, Users } from '../../ports/users.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { parseGranted } from '../../standards/smart/scope.ts';
import type { Certificate } from './client-authentication.ts';
import { DPOP_ALGS, type Dpop, DpopError } from './dpop.ts';
import { fhirUserOf, findGrantor } from './people.ts';

export interface AuthenticateOptions {
  readonly grants: Pick<Grants, 'findToken'>;
  readonly users: Users;
  /** An organization and all below it. SECURITY FA-02 */
  readonly organizationsBelow: (ids: readonly string[]) => Promise<readonly string[]>;
  /** Patients whose records a person has open in an emergency. SECURITY FA-04 */
  readonly emergencyPatients?: (userId: string) => Promise<readonly OpenRecord[]>;
  /** For whom else a person acts. SECURITY FA-09 */
  readonly proxiesOf?: (user: User) => Promise<readonly ProxyRight[]>;
  /** Spellings of our own FHIR base URL, without a trailing slash. */
  readonly fhirBaseUrls: readonly string[];
  readonly certificateOf?: (req: IncomingMessage) => Certificate | undefined;
  /** Looks at proofs of possession; without it no token that is bound to a key is taken. */
  readonly dpop?: Dpop;
  readonly addressOf: (req: IncomingMessage) => string | undefined;
  readonly now: Clock;
}

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Something was revoked in this process: everything is looked up anew. */
  forget(): void;
}

/** All of a caller but what differs between requests. */
interface Known {
  readonly caller: Omit<Caller, 'correlationId' | 'address'>;
  /** What the token is bound to. SECURITY ST-10 */
  readonly cnf: Grant['cnf'];
  /** ms UTC */
  readonly until: number;
}

const CACHED_MS = 5_000;
const CACHE_MAX = 10_000;
const TOKEN_NAME = /^\s*access_token\s*$/i;
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9._~+/=-]{1,2048})$/i;

export function createAuthenticator(options: AuthenticateOptions): Authenticator {
  const { grants, users, organizationsBelow, certificateOf, dpop, addressOf, now } = options;
  const audiences = new Set(options.fhirBaseUrls.map(withoutSlash));
  let cache = new Map<string, Known>();
  let loading = new Map<string, Promise<Known | undefined>>();

  async function load(key: string): Promise<Known | undefined> {
    const at = now();
    const stored = await grants.findToken(Buffer.from(key, 'hex'));
    if (!stored || !audiences.has(withoutSlash(stored.grant.audience))) return undefined;
    const { grant } = stored;
    const user = grant.user && (await findGrantor(users, grant.user));
    if (grant.user && !user) return undefined;
    const callerUser =
      user &&
      grant.user &&
      toCallerUser(user, grant.user, {
        organizationIds: await organizationsBelow(user.organizationIds),
        emergency: await options.emergencyPatients?.(user.id),
        proxies: await options.proxiesOf?.(user),
      });
    return {
      caller: toCaller(stored, callerUser, key),
      cnf: grant.cnf,
      until: Math.min(at + CACHED_MS, stored.expiresAt),
    };
  }

  function keep(key: string, known: Known): void {
    cache.set(key, known);
    if (cache.size <= CACHE_MAX) return;
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  }

  /** Requests that arrive together ask once. */
  function find(token: string): Known | Promise<Known | undefined> {
    const key = hash('sha256', token);
    const known = cache.get(key);
    if (known && now() < known.until) return known;
    cache.delete(key);
    const under = loading.get(key);
    if (under) return under;
    const [ownCache, ownLoading] = [cache, loading];
    const found = load(key)
      .then((one) => {
        if (one && cache === ownCache) keep(key, one); // what was revoked meanwhile is not kept
        return one;
      })
      .finally(() => ownLoading.delete(key));
    ownLoading.set(key, found);
    return found;
  }

  /** Every member of the confirmation must hold (RFC 7800 section 3.1), and one that is not known never does. */
  async function checkBinding(req: IncomingMessage, credentials: Credentials, cnf: NonNullable<Grant['cnf']>) {
    const { jkt, 'x5t#S256': thumbprint, ...others } = cnf;
    if (Object.keys(others).length > 0) throw invalidToken(credentials);
    if (thumbprint !== undefined && certificateOf?.(req)?.thumbprint !== thumbprint) throw invalidToken(credentials);
    // The scheme says what the token is: a bound one is no bearer token, nor the other way round.
    if (credentials.isDpop !== (jkt !== undefined)) throw invalidToken({ isDpop: jkt !== undefined });
    if (jkt === undefined) return;
    if (!dpop) throw invalidToken(credentials);
    try {
      if ((await dpop.prove(req, credentials.token)) === jkt) return;
    } catch (error) {
      if (!(error instanceof DpopError)) throw error;
      throw badProof(error, await dpop.nonce());
    }
    throw invalidToken(credentials);
  }

  return {
    async authenticate(req, correlationId) {
      const credentials = readCredentials(req);
      const found = find(credentials.token);
      const known = found instanceof Promise ? await found : found;
      if (!known) throw invalidToken(credentials);
      if (known.cnf || credentials.isDpop) await checkBinding(req, credentials, known.cnf ?? {});
      const address = addressOf(req);
      return { ...known.caller, correlationId, ...(address !== undefined && { address }) };
    },
    forget() {
      cache = new Map();
      loading = new Map();
    },
  };
}

interface Credentials {
  readonly token: string;
  /** RFC 9449 section 7.1 */
  readonly isDpop: boolean;
}

/** The token of the header, and of nowhere else. */
function readCredentials(req: IncomingMessage): Credentials {
  if (hasTokenInQuery(req.url ?? '')) throw badCredentials('access tokens belong into the header Authorization');
  const header = req.headers.authorization;
  if (header === undefined) throw unauthenticated('This needs an access token: Authorization: Bearer …');
  if (hasTwo(req.rawHeaders)) throw badCredentials('there is more than one header Authorization');
  if (!/^(bearer|dpop)\b/i.test(header)) throw unauthenticated('Only access tokens are taken: Authorization: Bearer …');
  const [, scheme, token] = CREDENTIALS.exec(header) ?? [];
  if (token === undefined) throw badCredentials('the header Authorization does not hold one access token');
  return { token, isDpop: scheme?.toLowerCase() === 'dpop' };
}

/** Whatever way its name is written. */
function hasTokenInQuery(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  const query = url.slice(start + 1);
  if (!/[%+]/.test(query)) return /(?:^|[&;])access_token(?:[=&;]|$)/i.test(query);
  return [...new URLSearchParams(query.replaceAll(';', '&')).keys()].some((name) => TOKEN_NAME.test(name));
}

/** Node keeps the first of several. */
function hasTwo(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'authorization') count += 1;
  return count > 1;
}

const refuse = (status: number, diagnostics: string, challenge: string): FhirError =>
  new FhirError(status, [issue('login', diagnostics)], { headers: { 'WWW-Authenticate': challenge } });

const unauthenticated = (diagnostics: string): FhirError => refuse(401, diagnostics, 'Bearer realm="mortar"');
const invalidToken = ({ isDpop }: Pick<Credentials, 'isDpop'>): FhirError =>
  refuse(
    401,
    'The access token is not valid, or not any more',
    isDpop ? `DPoP realm="mortar", error="invalid_token", ${ALGS}` : 'Bearer realm="mortar", error="invalid_token"',
  );
function badProof({ fault }: DpopError, nonce: string): FhirError {
  const [code, diagnostics] =
    fault === 'nonce'
      ? ['use_dpop_nonce', 'The DPoP proof needs the nonce of DPoP-Nonce']
      : ['invalid_dpop_proof', 'The DPoP proof is missing or not valid'];
  const challenge = `DPoP realm="mortar", error="${code}", ${ALGS}`;
  const headers = { 'WWW-Authenticate': challenge, 'DPoP-Nonce': nonce };
  return new FhirError(401, [issue('login', diagnostics)], { headers });
}
const badCredentials = (diagnostics: string): FhirError =>
  refuse(400, diagnostics, 'Bearer realm="mortar", error="invalid_request"');

const ALGS = `algs="${DPOP_ALGS.join(' ')}"`;

const withoutSlash = (url: string): string => url.replace(/\/$/, '');

function toCaller({ grant, familyId }: StoredToken, user: CallerUser | undefined, key: string): Known['caller'] {
  const { clientId, patientId, encounterId } = grant;
  const scopes = parseGranted(grant.scope);
  return {
    kind: user ? 'user' : 'client',
    name: clientId,
    // A patient's scope without a patient grants nothing.
    scopes: scopes.flatMap(({ resource }) =>
      resource && (resource.level !== 'patient' || patientId !== undefined) ? [resource] : [],
    ),
    otherScopes: scopes.flatMap(({ text, resource }) => (resource ? [] : [text])),
    ...(user && { user }),
    ...(patientId !== undefined && { patientId }),
    ...(encounterId !== undefined && { encounterId }),
    clientId,
    ...(familyId !== undefined && { grantId: familyId }),
    tokenId: key.slice(0, 16),
  };
}

/** What is looked up of a person's rights. */
export interface CurrentRights {
  /** Those of the role, with all below them. */
  readonly organizationIds: readonly string[];
  readonly emergency?: readonly OpenRecord[] | undefined;
  readonly proxies?: readonly ProxyRight[] | undefined;
}

/** The person with the rights they have at this moment. */
export function toCallerUser(
  user: User,
  { authTime, amr, sessionId }: Pick<GrantUser, 'authTime' | 'amr' | 'sessionId'>,
  { organizationIds, emergency = [], proxies = [] }: CurrentRights,
): CallerUser {
  const fhirUser = fhirUserOf(user);
  const emergencyPatientIds = emergency.map(({ patientId }) => patientId);
  const lawfulPatientIds = emergency.flatMap(({ patientId, isLawful }) => (isLawful ? [patientId] : []));
  return {
    id: user.id,
    name: user.name,
    roles: user.roles,
    ...(fhirUser !== undefined && { fhirUser }),
    ...(user.practitionerId !== undefined && { practitionerId: user.practitionerId }),
    practitionerRoleIds: user.practitionerRoleIds,
    organizationIds,
    patientIds: user.patientIds,
    ...(emergencyPatientIds.length > 0 && { emergencyPatientIds }),
    ...(lawfulPatientIds.length > 0 && { lawfulPatientIds }),
    ...(proxies.length > 0 && { proxies }),
    authTime,
    amr,
    ...(user.nhs && { nhs: user.nhs, ...(sessionId !== undefined && { sessionId }) }),
  };
}
