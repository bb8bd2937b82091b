/** Checks of a provider's word that somebody has signed out there. OpenID Connect Back-Channel Logout 1.0, section 2.6 */
import type { FindClientKey } from '../oauth/client-keys.ts';
import { type Claims, type Expected, refuseToken, verifyClaims } from './id-token.ts';

export interface LogoutToken {
  readonly subject: string;
  readonly tokenId: string;
  /** ms UTC */
  readonly expiresAt: number;
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const AGE_MAX_MS = 5 * 60_000;
const ID_CHARS_MAX = 255;

/** Throws `UpstreamRefusal`. A token that names a session alone is refused, as we keep no names of the provider's sessions. */
export async function verifyLogoutToken(
  token: string,
  expected: Expected,
  findKey: FindClientKey,
): Promise<LogoutToken> {
  const { claims, subject, expiresAt } = await verifyClaims(token, expected, findKey);
  // What tells it from an ID token, which must never end sessions.
  if (!isObject(claims['events']) || !isObject(claims['events'][EVENT])) throw refuseToken('events');
  if ('nonce' in claims) throw refuseToken('nonce');
  const { jti, iat } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > ID_CHARS_MAX) throw refuseToken('jti');
  if (expected.now - Number(iat) * 1000 > AGE_MAX_MS) throw refuseToken('old');
  return { subject, tokenId: jti, expiresAt };
}

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
