/** JWT assertions by which a client proves who it is. RFC 7523, SMART `private_key_jwt`. SECURITY SA-03 to SA-06, NH-01 */
import { compactVerify, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import type { Client } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import { ASSERTION_ALGS, type FindClientKey } from './client-keys.ts';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Why an assertion is refused. For the audit trail, and for clients of the NHS profile in words. */
export type AssertionFault =
  | 'malformed'
  | 'kid'
  | 'typ'
  | 'alg'
  | 'header'
  | 'issuer'
  | 'jti-missing'
  | 'jti-used'
  | 'aud'
  | 'exp-missing'
  | 'expired'
  | 'exp-late'
  | 'not-yet'
  | 'no-key'
  | 'unreachable'
  | 'not-registered'
  | 'signature';

export class AssertionError extends Error {
  readonly fault: AssertionFault;

  constructor(fault: AssertionFault) {
    super(`the assertion is refused: ${fault}`);
    this.name = 'AssertionError';
    this.fault = fault;
  }
}

export interface AssertionParts {
  readonly findKey: FindClientKey;
  readonly grants: Pick<Grants, 'rememberAssertion'>;
  readonly now: Clock;
}

export type Claims = Readonly<Record<string, unknown>>;

const SKEW_MS = 30_000;
const LIFETIME_MS = 300_000;
const JTI_CHARS_MAX = 255;
const TYPES = new Set([undefined, 'JWT', 'client-authentication+jwt']);

/** Who an assertion says it is from, `iss` and `sub`, which are to be one; nothing of it is proved yet. */
export function peekIssuers(assertion: string): readonly string[] {
  try {
    const { iss, sub } = parseClaims(assertion);
    return [...new Set([iss, sub])].filter((value) => typeof value === 'string');
  } catch {
    return [];
  }
}

/**
 * Checks an assertion of this client for one of `audiences`; returns its claims. Throws `AssertionError`. Its `jti` is
 * used up only when everything else is right.
 */
export async function checkAssertion(
  assertion: string,
  client: Client,
  audiences: readonly string[],
  parts: AssertionParts,
): Promise<Claims> {
  const header = readHeader(assertion, client);
  const claims = readClaims(assertion);
  if (claims['iss'] !== client.id || claims['sub'] !== client.id) throw new AssertionError('issuer');
  const jti = claims['jti'];
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_CHARS_MAX) throw new AssertionError('jti-missing');
  checkAudience(claims['aud'], client, audiences);
  const expiresAt = checkTimes(claims, parts.now());
  const { alg = '', kid = '', jku } = header; // readHeader has seen the first two
  const found = await parts.findKey(client, { alg, kid, ...(jku !== undefined && { jku }) });
  if ('failure' in found) throw new AssertionError(found.failure);
  try {
    await compactVerify(assertion, found.key, { algorithms: [alg] });
  } catch {
    throw new AssertionError('signature');
  }
  if (!(await parts.grants.rememberAssertion(client.id, jti, expiresAt + SKEW_MS)))
    throw new AssertionError('jti-used');
  return claims;
}

/** Keys and other people's rules in the header are not ours: only the registered key counts. */
function readHeader(assertion: string, { profile }: Client): ProtectedHeaderParameters {
  let header: ProtectedHeaderParameters;
  try {
    header = decodeProtectedHeader(assertion);
  } catch {
    throw new AssertionError('malformed');
  }
  if (typeof header.kid !== 'string' || header.kid === '') throw new AssertionError('kid');
  if (profile === 'nhs' ? header.typ !== 'JWT' : !TYPES.has(header.typ)) throw new AssertionError('typ');
  const algs = profile === 'nhs' ? ['RS512'] : ASSERTION_ALGS;
  if (!algs.includes(header.alg ?? '')) throw new AssertionError('alg');
  if (['jwk', 'x5u', 'x5c', 'crit', 'b64'].some((name) => name in header)) throw new AssertionError('header');
  if (header.jku !== undefined && typeof header.jku !== 'string') throw new AssertionError('header');
  return header;
}

function readClaims(assertion: string): Claims {
  try {
    return parseClaims(assertion);
  } catch {
    throw new AssertionError('malformed');
  }
}

function parseClaims(assertion: string): Claims {
  const parts = assertion.split('.');
  if (parts.length !== 3) throw new Error('not a JWS');
  const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw new Error('not an object');
  return claims as Claims; // an object
}

/** One string, so that an assertion made for another server cannot be used here. */
function checkAudience(aud: unknown, { isLegacyAudience }: Client, audiences: readonly string[]): void {
  const [one] = isLegacyAudience && Array.isArray(aud) && aud.length === 1 ? aud : [aud];
  if (typeof one !== 'string' || !audiences.includes(one)) throw new AssertionError('aud');
}

function checkTimes({ exp, iat, nbf }: Claims, now: number): number {
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw new AssertionError('exp-missing');
  const expiresAt = exp * 1000;
  if (expiresAt <= now - SKEW_MS) throw new AssertionError('expired');
  if (expiresAt > now + LIFETIME_MS + SKEW_MS) throw new AssertionError('exp-late');
  for (const from of [iat, nbf]) {
    if (from === undefined) continue;
    if (typeof from !== 'number' || from * 1000 > now + SKEW_MS) throw new AssertionError('not-yet');
  }
  return expiresAt;
}
