/** The grants that the token endpoint knows: one row each. SECURITY A4, SL-13, SL-14, SL-16, SA-10 */
import type { Request } from 'express';
import type { Client } from '../../ports/clients.ts';
import type { Family, Grant, Grants, StoredRefresh, UserGrant } from '../../ports/grants.ts';
import type { User, Users } from '../../ports/users.ts';
import { formatScopes, parseGranted, type ScopeVocabulary } from '../../standards/smart/scope.ts';
import { isWithin } from '../../standards/smart/scope-set.ts';
import { type AuthenticateClient, claimedIdOf } from './client-authentication.ts';
import { chooseGrantable, readScopes } from './grantable.ts';
import { type IssueParts, issueForService, issueForUser, refreshKindOf, type TokenAnswer } from './issue-tokens.ts';
import { invalidGrant, invalidScope, unauthorizedClient, unsupportedGrantType } from './oauth-error.ts';
import { type Parameters, readParameter } from './parameters.ts';
import { findGrantor } from './people.ts';
import { isPkceVerifier, provesChallenge } from './pkce.ts';
import { type Binding, type BindingParts, bindingOf } from './token-binding.ts';
import { checkTokenLimit, claimKey, type LimitToken } from './token-limit.ts';
import { endReused, type ReuseParts } from './token-reuse.ts';
import type { Trail } from './trail.ts';

export interface TokenEndpointParts extends IssueParts, BindingParts, ReuseParts {
  readonly grants: Grants;
  readonly users: Users;
  readonly vocabulary: ScopeVocabulary;
  readonly authenticateClient: AuthenticateClient;
  readonly trail: Trail;
  /** Whether the person may still reach the patient of a grant; a grant whose patient they lost is refused. ST-08 */
  readonly isPatientPermitted?: (user: User, patientId: string) => Promise<boolean>;
  /** Whether public clients may have refresh tokens that outlive the session. ST-09 */
  readonly hasPublicOffline?: boolean;
  /** Clients of our own that get their tokens elsewhere. */
  readonly ownClients?: ReadonlySet<string>;
  /** Grants of other parts, by their names. */
  readonly moreGrants?: ReadonlyMap<string, GrantHandler>;
  readonly limitToken?: LimitToken;
}

export interface Exchange {
  readonly req: Request;
  readonly client: Client;
  readonly parameters: Parameters;
  /** What the access token is bound to. */
  readonly cnf: Binding | undefined;
}

export type GrantHandler = (parts: TokenEndpointParts, exchange: Exchange) => Promise<TokenAnswer>;

const GRANTS = new Map<string, GrantHandler>([
  ['authorization_code', exchangeCode],
  ['refresh_token', refresh],
  ['client_credentials', grantToService],
]);

export const GRANT_TYPES: readonly string[] = [...GRANTS.keys()];

/** How long a confidential client may repeat a use whose answer it lost. SECURITY ST-07 */
const REPEAT_MS = 10_000;

/** Answers a request for tokens; throws `OAuthError`. */
export async function grantTokens(
  parts: TokenEndpointParts,
  req: Request,
  parameters: Parameters,
): Promise<TokenAnswer> {
  const grantType = readParameter(parameters, 'grant_type');
  const handle = GRANTS.get(grantType) ?? parts.moreGrants?.get(grantType);
  if (!handle) throw unsupportedGrantType('the grant type is not supported');
  await checkTokenLimit(parts.limitToken, claimKey(claimedIdOf(req, parameters), parts.addressOf(req)));
  const client = await parts.authenticateClient(req, await nameApp(parts, req, grantType, parameters));
  if (client.kind !== 'public') await checkTokenLimit(parts.limitToken, client.id);
  if (parts.ownClients?.has(client.id)) throw unauthorizedClient('this client gets its tokens elsewhere');
  const cnf = await bindingOf(parts, req, client);
  const answer = await handle(parts, { req, client, parameters, cnf });
  await parts.trail({ kind: 'token', req, clientId: client.id, detail: { grantType } });
  return answer;
}

/**
 * Browser apps refresh without saying who they are, as SMART App Launch shows it: the token tells. It is no proof, and a
 * client that has one must still give it. https://hl7.org/fhir/smart-app-launch/app-launch.html#step-6-refresh-access-token
 */
async function nameApp(
  { grants }: TokenEndpointParts,
  req: Request,
  grantType: string,
  parameters: Parameters,
): Promise<Parameters> {
  if (grantType !== 'refresh_token' || claimedIdOf(req, parameters) !== undefined) return parameters;
  const stored = await grants.findRefresh(parameters.get('refresh_token') ?? '');
  return stored ? new Map([...parameters, ['client_id', stored.family.grant.clientId]]) : parameters;
}

async function exchangeCode(parts: TokenEndpointParts, exchange: Exchange): Promise<TokenAnswer> {
  const { req, client, parameters, cnf } = exchange;
  const code = readParameter(parameters, 'code');
  const found = await parts.grants.findCode(code);
  if (!found) throw invalidGrant('the code is unknown', 'code-unknown');
  const { familyId, grant, binding } = found;
  if (found.isUsed) throw await endReused(parts, { req, client, familyId, grantor: grant.user, rule: 'code-reuse' });
  if (grant.clientId !== client.id) throw invalidGrant('the code is for another client', 'code-client');
  if (found.expiresAt <= parts.now()) throw invalidGrant('the code has expired', 'code-expired');
  if (parameters.get('redirect_uri') !== binding.redirectUri)
    throw invalidGrant('redirect_uri is not the one of the authorization request', 'code-redirect');
  const verifier = parameters.get('code_verifier') ?? '';
  if (!isPkceVerifier(verifier) || !provesChallenge(verifier, binding.challenge))
    throw invalidGrant('code_verifier does not fit the challenge', 'pkce');
  checkKey(grant, cnf, 'code-key');
  const user = await findGrantor(parts.users, grant.user);
  if (!user) throw invalidGrant('the person may not sign in any more', 'user');
  // Of two uses at once the second is as bad as a later one.
  if (!(await parts.grants.useCode(code)))
    throw await endReused(parts, { req, client, familyId, grantor: grant.user, rule: 'code-reuse' });
  const kind = refreshKindOf(grant.scope);
  const isOpen = kind === 'online' || client.kind !== 'public' || (parts.hasPublicOffline ?? true);
  const refreshToken =
    kind && isOpen
      ? await parts.grants.openRefresh(familyId, kind, parts.lifetimes.refresh[kind], refreshBinding(exchange))
      : undefined;
  const { nonce } = binding;
  return issueForUser(parts, {
    client,
    grant: bind(grant, cnf),
    user,
    familyId,
    refreshToken,
    ...(nonce !== undefined && { nonce }),
  });
}

async function refresh(parts: TokenEndpointParts, exchange: Exchange): Promise<TokenAnswer> {
  const { client, parameters, cnf } = exchange;
  const token = readParameter(parameters, 'refresh_token');
  const stored = await parts.grants.findRefresh(token);
  if (!stored || stored.family.grant.clientId !== client.id)
    throw invalidGrant('the refresh token is unknown', 'refresh-unknown');
  const { family } = stored;
  if (family.isRevoked || stored.expiresAt <= parts.now() || family.expiresAt <= parts.now())
    throw invalidGrant(
      'the refresh token is not valid any more',
      family.isRevoked ? 'refresh-revoked' : 'refresh-expired',
    );
  if (client.kind === 'public') checkKey(family.grant, cnf, 'refresh-key');
  const scope = narrow(parts, family.grant.scope, parameters.get('scope'));
  const user = await findPermitted(parts, family);
  if (!user) {
    await parts.grants.revoke({ id: family.id }, 'user changed');
    parts.forgetTokens();
    throw invalidGrant('what was granted is not valid any more', 'user');
  }
  const refreshToken = await succeed(parts, exchange, token, stored);
  const { nonce } = family;
  return issueForUser(parts, {
    client,
    grant: bind({ ...family.grant, scope }, cnf),
    user,
    familyId: family.id,
    refreshToken,
    ...(nonce !== undefined && { nonce }),
  });
}

/** The next refresh token, or the very one that the last use got; a used token otherwise ends everything. ST-06, ST-07 */
async function succeed(
  parts: TokenEndpointParts,
  { req, client }: Exchange,
  token: string,
  first: StoredRefresh,
): Promise<string> {
  const { grants, lifetimes, trail, now } = parts;
  const { refresh: kind = 'online' } = first.family;
  let stored: StoredRefresh | undefined = first;
  if (stored.generation === 'current') {
    const next = await grants.rotateRefresh(token, lifetimes.refresh[kind].slidingMs);
    if (next !== undefined) return next;
    stored = await grants.findRefresh(token);
    if (!stored || stored.family.isRevoked)
      throw invalidGrant('the refresh token is not valid any more', 'refresh-revoked');
  }
  const isRecent = stored.rotatedAt !== undefined && now() - stored.rotatedAt <= REPEAT_MS;
  if (stored.generation === 'previous' && client.kind !== 'public' && isRecent) {
    const same = await grants.successorOf(token);
    if (same !== undefined) {
      await trail({
        kind: 'token',
        req,
        clientId: client.id,
        rule: 'refresh-repeated',
        detail: { familyId: first.family.id },
      });
      return same;
    }
  }
  const { id: familyId, grant } = first.family;
  throw await endReused(parts, { req, client, familyId, grantor: grant.user, rule: 'refresh-reuse' });
}

async function grantToService(parts: TokenEndpointParts, { client, parameters, cnf }: Exchange): Promise<TokenAnswer> {
  if (client.kind !== 'asymmetric' && client.kind !== 'mtls')
    throw unauthorizedClient('this grant is for clients with a key or a certificate', 'service-kind');
  // The NHS platform knows no scopes: such a client gets all it is registered for.
  const asked = parameters.get('scope') ?? (client.profile === 'nhs' ? client.scope : undefined);
  if (asked === undefined) throw invalidScope('scope is missing', 'scope-missing');
  const scope = formatScopes(chooseGrantable(client, asked, 'service', parts.vocabulary));
  return issueForService(parts, bind({ clientId: client.id, scope, audience: parts.fhirBaseUrl }, cnf), client);
}

/** What came before was for the holder of one key. RFC 9449 sections 5 and 10 */
function checkKey({ cnf: bound }: UserGrant, cnf: Binding | undefined, rule: string): void {
  const jkt = bound?.['jkt'];
  if (jkt !== undefined && cnf?.['jkt'] !== jkt) throw invalidGrant('it is bound to another key', rule);
}

/** Only a public client's: others prove who they are at each refresh, and may have a new key by then. RFC 9449 section 5 */
const refreshBinding = ({ client, cnf }: Exchange): Binding | undefined =>
  client.kind === 'public' && cnf?.['jkt'] !== undefined ? { jkt: cnf['jkt'] } : undefined;

/** The binding of the access token is that of the request, whatever there was before. */
function bind<G extends Grant>({ cnf: _before, ...grant }: G, cnf: Binding | undefined): G {
  return { ...grant, ...(cnf && { cnf }) } as G; // the same but for what every grant may have
}

/** The same scopes or fewer. SECURITY ST-05 */
function narrow({ vocabulary }: TokenEndpointParts, granted: string, asked: string | undefined): string {
  if (asked === undefined) return granted;
  const scopes = readScopes(asked, vocabulary);
  const words = asked.split(' ').filter((word) => word !== '');
  if (scopes.length === 0 || new Set(words).size !== scopes.length || !isWithin(scopes, parseGranted(granted)))
    throw invalidScope('more is asked for than was granted', 'refresh-scope');
  return formatScopes(scopes);
}

async function findPermitted(parts: TokenEndpointParts, { grant }: Family): Promise<User | undefined> {
  const user = await findGrantor(parts.users, grant.user);
  if (!user || grant.patientId === undefined || !parts.isPatientPermitted) return user;
  return (await parts.isPatientPermitted(user, grant.patientId)) ? user : undefined;
}
