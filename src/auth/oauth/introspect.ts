/** Introspection and revocation. RFC 7662, RFC 7009. SECURITY SX-01 to SX-03 */
import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Client, Clients } from '../../ports/clients.ts';
import type { Grant, Grants } from '../../ports/grants.ts';
import type { Users } from '../../ports/users.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import type { AuthenticateClient } from './client-authentication.ts';
import { claimsOf, seconds } from './id-token.ts';
import { contextOf } from './issue-tokens.ts';
import { invalidClient, OAuthError } from './oauth-error.ts';
import { type Parameters, readParameter } from './parameters.ts';
import { findGrantor } from './people.ts';
import { tokenTypeOf } from './token-binding.ts';
import type { Trail } from './trail.ts';

export interface TokenQuestionParts {
  readonly clients: Pick<Clients, 'find'>;
  readonly grants: Pick<Grants, 'findToken' | 'findRefresh' | 'revokeToken' | 'revoke'>;
  readonly users: Users;
  readonly authenticate: Authenticate;
  readonly authenticateClient: AuthenticateClient;
  readonly trail: Trail;
  readonly issuer: string;
  readonly fhirBaseUrl: string;
  readonly now: () => number;
  readonly forgetTokens: () => void;
}

interface Known {
  readonly grant: Grant;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly familyId?: string;
  readonly isRefresh: boolean;
}

const INACTIVE = { active: false };

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Tells what a token is good for, to a client that may know. */
export async function introspect(parts: TokenQuestionParts, req: Request, parameters: Parameters): Promise<object> {
  const bearer = /^(?:bearer|dpop) +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
  const client = bearer === undefined ? await parts.authenticateClient(req, parameters) : await bearerOf(parts, req);
  if (client.kind === 'public' && bearer === undefined) throw invalidClient('public');
  const token = readParameter(parameters, 'token');
  const known = await findToken(parts, token);
  if (!known) return INACTIVE;
  const isOwn = bearer === undefined ? known.grant.clientId === client.id : bearer === token;
  if (!client.mayIntrospect && !isOwn) return INACTIVE;
  return describe(parts, known);
}

/** Ends a token of the client's own, a refresh token with all that came of it. Anything else is left alone. */
export async function revoke(parts: TokenQuestionParts, req: Request, parameters: Parameters): Promise<void> {
  const client = await parts.authenticateClient(req, parameters);
  const token = readParameter(parameters, 'token');
  const known = await findToken(parts, token);
  if (!known || known.grant.clientId !== client.id) return;
  if (known.isRefresh && known.familyId !== undefined)
    await parts.grants.revoke({ id: known.familyId }, 'revoked by the client');
  else await parts.grants.revokeToken(hashOf(token));
  parts.forgetTokens();
  const detail = { token: known.isRefresh ? 'refresh' : 'access' };
  await parts.trail({ kind: 'token-revoked', req, clientId: client.id, detail });
}

/** The client of the access token that the request itself bears, as good as anywhere else. */
async function bearerOf({ authenticate, clients }: TokenQuestionParts, req: Request): Promise<Client> {
  try {
    const { clientId = '' } = await authenticate(req, correlationIdOf(req));
    const client = await clients.find(clientId);
    if (client && !client.isDisabled) return client;
    throw badToken({ 'WWW-Authenticate': 'Bearer realm="mortar", error="invalid_token"' });
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) throw badToken(error.headers);
    throw error;
  }
}

const badToken = (headers: Readonly<Record<string, string>>): OAuthError =>
  new OAuthError(401, 'invalid_token', 'the access token is not valid', { headers });

async function findToken(parts: TokenQuestionParts, token: string): Promise<Known | undefined> {
  const access = await parts.grants.findToken(hashOf(token));
  if (access) return { ...access, isRefresh: false };
  const refresh = await parts.grants.findRefresh(token);
  if (refresh?.generation !== 'current') return undefined;
  const { family, expiresAt } = refresh;
  if (family.isRevoked || Math.min(expiresAt, family.expiresAt) <= parts.now()) return undefined;
  return { grant: family.grant, issuedAt: family.createdAt, expiresAt, familyId: family.id, isRefresh: true };
}

async function describe(parts: TokenQuestionParts, known: Known): Promise<object> {
  const { grant } = known;
  const user = grant.user && (await findGrantor(parts.users, grant.user));
  if (grant.user && !user) return INACTIVE;
  const { fhirUser } = user ? claimsOf(user, grant.scope, parts.fhirBaseUrl) : {};
  return {
    ...contextOf(grant),
    active: true,
    scope: grant.scope,
    client_id: grant.clientId,
    exp: seconds(known.expiresAt),
    iat: seconds(known.issuedAt),
    ...(!known.isRefresh && { token_type: tokenTypeOf(grant) }),
    aud: grant.audience,
    iss: parts.issuer,
    sub: grant.user?.id ?? grant.clientId,
    ...(fhirUser !== undefined && { fhirUser }),
    ...(grant.cnf && { cnf: grant.cnf }),
  };
}
