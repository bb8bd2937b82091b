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

/** The claims of a token that the provider made for us, now. Throws `UpstreamRefusal` that says which check failed. */
export async function verifyIdToken(token: string, expected: Expected, findKey: FindClientKey): Promise<IdToken> {
  const { alg, kid } = readHeader(token);
  const found = await findKey({ id: expected.clientId, jwksUri: expected.jwksUrl }, { alg, kid });
  if ('failure' in found)
    throw found.failure === 'unreachable' ? new UpstreamRefusal('unavailable', 'jwks') : refuse(found.failure);
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(token, found.key, { algorithms: [alg] }));
  } catch {
    throw refuse('signature');
  }
  const claims = parseClaims(payload);
  checkIssuerAndAudience(claims, expected);
  const expiresAt = checkTimes(claims, expected.now);
  checkAccessToken(claims, alg, expected.accessToken);
  return {
    subject: readSubject(claims),
    nonce: checkNonce(claims, expected.nonce),
    authTime: readAuthTime(claims, expected.now),
    expiresAt,
    claims,
  };
}

const refuse = (what: string): UpstreamRefusal => new UpstreamRefusal('id-token', `id-token-${what}`);

function readHeader(token: string): { readonly alg: string; readonly kid: string } {
  if (token.length > TOKEN_CHARS_MAX) throw refuse('long');
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw refuse('malformed');
  }
  const { alg, kid } = header;
  if (alg === undefined || !ALGS.has(alg)) throw refuse('alg');
  if (typeof kid !== 'string' || kid === '' || kid.length > SUBJECT_CHARS_MAX) throw refuse('kid');
  return { alg, kid };
}

function parseClaims(payload: Uint8Array): Claims {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Claims; // an object
  } catch {
    // As any other text that is no object.
  }
  throw refuse('malformed');
}

function checkIssuerAndAudience({ iss, aud, azp }: Claims, { issuer, clientId }: Expected): void {
  if (iss !== issuer) throw refuse('issuer');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(clientId)) throw refuse('audience');
  if ((audiences.length > 1 || azp !== undefined) && azp !== clientId) throw refuse('azp');
}

function checkTimes({ exp, iat, nbf }: Claims, now: number): number {
  const [expiresAt, issuedAt] = [toMs(exp), toMs(iat)];
  if (expiresAt === undefined || expiresAt <= now - SKEW_MS) throw refuse('expired');
  if (issuedAt === undefined || issuedAt > now + SKEW_MS || now - issuedAt > LIFETIME_MAX_MS) throw refuse('iat');
  if (nbf !== undefined && (toMs(nbf) ?? Number.POSITIVE_INFINITY) > now + SKEW_MS) throw refuse('nbf');
  return expiresAt;
}

function checkNonce({ nonce }: Claims, expected: string | undefined): string {
  if (typeof nonce !== 'string' || nonce === '' || nonce.length > SUBJECT_CHARS_MAX) throw refuse('nonce');
  if (expected !== undefined && !isSame(nonce, expected)) throw refuse('nonce');
  return nonce;
}

function checkAccessToken({ at_hash: given }: Claims, alg: string, accessToken: string | undefined): void {
  if (given === undefined || accessToken === undefined) return;
  const digest = createHash(ALGS.get(alg) ?? '')
    .update(accessToken)
    .digest();
  const expected = digest.subarray(0, digest.length / 2).toString('base64url');
  if (typeof given !== 'string' || !isSame(given, expected)) throw refuse('at-hash');
}

function readSubject({ sub }: Claims): string {
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_CHARS_MAX || sub.includes('\0'))
    throw refuse('sub');
  return sub;
}

function readAuthTime({ auth_time: time }: Claims, now: number): number {
  const authTime = toMs(time);
  if (authTime === undefined || authTime > now + SKEW_MS) throw new UpstreamRefusal('not-fresh', 'auth-time');
  return Math.min(authTime, now);
}

const toMs = (seconds: unknown): number | undefined =>
  typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
