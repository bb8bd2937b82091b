/** ID tokens. https://openid.net/specs/openid-connect-core-1_0.html#IDToken SECURITY SO-01 */
import { createHash } from 'node:crypto';
import type { UserGrant } from '../../ports/grants.ts';
import type { SigningAlg, SigningKeys } from '../../ports/signing-keys.ts';
import type { User } from '../../ports/users.ts';
import { parseGranted } from '../../standards/smart/scope.ts';
import { hasScope } from '../../standards/smart/scope-set.ts';
import { fhirUserOf } from './people.ts';

export interface IdTokenParts {
  readonly keys: Pick<SigningKeys, 'current'>;
  readonly issuer: string;
  readonly fhirBaseUrl: string;
}

export interface IdTokenContent {
  readonly grant: UserGrant;
  readonly user: User;
  readonly accessToken: string;
  readonly nonce?: string;
  /** ms UTC */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** A signed JWT about the person, for the client alone. */
export async function makeIdToken(
  { keys, issuer, fhirBaseUrl }: IdTokenParts,
  { grant, user, accessToken, nonce, issuedAt, expiresAt }: IdTokenContent,
  alg: SigningAlg = 'RS256',
): Promise<string> {
  const { acr, amr, authTime } = grant.user;
  return signJwt(keys, alg, {
    iss: issuer,
    sub: user.id,
    aud: grant.clientId,
    exp: seconds(expiresAt),
    iat: seconds(issuedAt),
    auth_time: seconds(authTime),
    ...(nonce !== undefined && { nonce }),
    ...(acr !== undefined && { acr }),
    amr,
    at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
    ...claimsOf(user, grant.scope, fhirBaseUrl),
  });
}

/** What the scopes let a client know of the person. */
export function claimsOf(user: User, scope: string, fhirBaseUrl: string): Record<string, string> {
  const scopes = parseGranted(scope);
  const fhirUser = fhirUserOf(user);
  return {
    ...(hasScope(scopes, 'profile') && { name: user.name }),
    ...(hasScope(scopes, 'fhirUser') && fhirUser !== undefined && { fhirUser: `${fhirBaseUrl}/${fhirUser}` }),
  };
}

/** A compact JWS (RFC 7515 section 7.1); the keys sign where they lie. */
async function signJwt(keys: Pick<SigningKeys, 'current'>, alg: SigningAlg, claims: object): Promise<string> {
  const key = await keys.current(alg);
  const input = `${encode({ alg, typ: 'JWT', kid: key.id })}.${encode(claims)}`;
  return `${input}.${key.sign(Buffer.from(input)).toString('base64url')}`;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const seconds = (ms: number): number => Math.floor(ms / 1000);
