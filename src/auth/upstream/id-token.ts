/** Checks of an ID token of a provider. OpenID Connect Core 1.0, section 3.1.3.7. SECURITY NH-03, NH-04 */
import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import type { FindClientKey } from '../oauth/client-keys.ts';
import { isSame } from '../people/secrets.ts';
import { UpstreamRefusal } from './refusal.ts';

export type Claims = Readonly<Record<string, unknown>>;

export interface Expected {
  readonly issuer: string;
  readonly clientId: string;
  readonly jwksUrl: string;
  /** Absent for a token that another program asked for: then there is to be one, whatever it is. */
  readonly nonce?: string;
  /** The token of the same answer, which `at_hash` is of. */
  readonly accessToken?: string;
  /** ms UTC */
  readonly now: number;
}

export interface IdToken {
  readonly subject: string;
  readonly nonce: string;
  /** ms UTC */
  readonly authTime: number;
  readonly expiresAt: number;
  readonly claims: Claims;
}

/** Hashes of `at_hash` by the algorithm of the signature. */
const ALGS = new Map([
  ['RS256', 'sha256'],
  ['RS512', 'sha512'],
]);
const SKEW_MS = 30_000;
const LIFETIME_MAX_MS = 24 * 60 * 60_000;
const TOKEN_CHARS_MAX = 16 * 1024;
const SUBJECT_CHARS_MAX = 255;

/** What the provider says in an ID token that it made for us. Throws `UpstreamRefusal` that says which check failed. */
export async function verifyIdToken(token: string, expected: Expected, findKey: FindClientKey): Promise<IdToken> {
  const { claims, alg, subject, expiresAt } = await verifyClaims(token, expected, findKey);
  checkAccessToken(claims, alg, expected.accessToken);
  return {
    subject,
    nonce: checkNonce(claims, expected.nonce),
    authTime: readAuthTime(claims, expected.now),
    expiresAt,
    claims,
  };
}

/** What every token has that the provider makes for us: its signature, both names, a time, and whom it is about. */
export async function verifyClaims(token: string, expected: Expected, findKey: FindClientKey) {
  const { alg, kid } = readHeader(token);
  const found = await findKey({ id: expected.clientId, jwksUri: expected.jwksUrl }, { alg, kid });
  if ('failure' in found)
    throw found.failure === 'unreachable' ? new UpstreamRefusal('unavailable', 'jwks') : refuseToken(found.failure);
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(token, found.key, { algorithms: [alg] }));
  } catch {
    throw refuseToken('signature');
  }
  const claims = parseClaims(payload);
  checkIssuerAndAudience(claims, expected);
  return { claims, alg, subject: readSubject(claims), expiresAt: checkTimes(claims, expected.now) };
}

export const refuseToken = (what: string): UpstreamRefusal => new UpstreamRefusal('id-token', `id-token-${what}`);

function readHeader(token: string): { readonly alg: string; readonly kid: string } {
  if (token.length > TOKEN_CHARS_MAX) throw refuseToken('long');
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw refuseToken('malformed');
  }
  const { alg, kid } = header;
  if (alg === undefined || !ALGS.has(alg)) throw refuseToken('alg');
  if (typeof kid !== 'string' || kid === '' || kid.length > SUBJECT_CHARS_MAX) throw refuseToken('kid');
  return { alg, kid };
}

function parseClaims(payload: Uint8Array): Claims {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Claims; // an object
  } catch {
    // As any other text that is no object.
  }
  throw refuseToken('malformed');
}

function checkIssuerAndAudience({ iss, aud, azp }: Claims, { issuer, clientId }: Expected): void {
  if (iss !== issuer) throw refuseToken('issuer');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(clientId)) throw refuseToken('audience');
  if ((audiences.length > 1 || azp !== undefined) && azp !== clientId) throw refuseToken('azp');
}

function checkTimes({ exp, iat, nbf }: Claims, now: number): number {
  const [expiresAt, issuedAt] = [toMs(exp), toMs(iat)];
  if (expiresAt === undefined || expiresAt <= now - SKEW_MS) throw refuseToken('expired');
  if (issuedAt === undefined || issuedAt > now + SKEW_MS || now - issuedAt > LIFETIME_MAX_MS) throw refuseToken('iat');
  if (nbf !== undefined && (toMs(nbf) ?? Number.POSITIVE_INFINITY) > now + SKEW_MS) throw refuseToken('nbf');
  return expiresAt;
}

function checkNonce({ nonce }: Claims, expected: string | undefined): string {
  if (typeof nonce !== 'string' || nonce === '' || nonce.length > SUBJECT_CHARS_MAX) throw refuseToken('nonce');
  if (expected !== undefined && !isSame(nonce, expected)) throw refuseToken('nonce');
  return nonce;
}

function checkAccessToken({ at_hash: given }: Claims, alg: string, accessToken: string | undefined): void {
  if (given === undefined || accessToken === undefined) return;
  const digest = createHash(ALGS.get(alg) ?? '')
    .update(accessToken)
    .digest();
  const expected = digest.subarray(0, digest.length / 2).toString('base64url');
  if (typeof given !== 'string' || !isSame(given, expected)) throw refuseToken('at-hash');
}

function readSubject({ sub }: Claims): string {
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_CHARS_MAX || sub.includes('\0'))
    throw refuseToken('sub');
  return sub;
}

function readAuthTime({ auth_time: time }: Claims, now: number): number {
  const authTime = toMs(time);
  if (authTime === undefined || authTime > now + SKEW_MS) throw new UpstreamRefusal('not-fresh', 'auth-time');
  return Math.min(authTime, now);
}

const toMs = (seconds: unknown): number | undefined =>
  typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
