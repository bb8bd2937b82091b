/**
 * A token that is checked without asking who issued it: by the published keys, the clock, and the last list of tokens that
 * have ended. What passes is `unconfirmed`: whether it was used meanwhile only the issuer knows. SECURITY RX-02, RX-08
 */
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { readJws, type TokenClaims } from './jws-form.ts';

/** What clocks may differ by. */
export const SKEW_MS = 120_000;

export interface OfflineKnowledge {
  /** By key id; `readJwks` reads them. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** Whose tokens are taken; anybody's unless given. */
  readonly issuer?: string;
  /** Code of the pharmacy that checks; any unless given. */
  readonly pharmacyCode?: string;
  /** Ids of tokens that have ended. */
  readonly ended: ReadonlySet<string>;
  /** ms UTC */
  readonly at: number;
}

export type OfflineVerdict =
  | { readonly result: 'unconfirmed'; readonly claims: TokenClaims }
  /** `step`: as `step_failed` of a check that asks. */
  | { readonly result: 'invalid'; readonly step: string; readonly reason: string };

/** Keys of a JWK set that sign prescription tokens; others in it are left out. Throws an Error for what is no JWK set. */
export function readJwks(text: string): ReadonlyMap<string, KeyObject> {
  const { keys } = Object(JSON.parse(text)) as { readonly keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('it has no list of keys: a JWK set is {"keys": [...]}');
  const read = keys.flatMap((one: unknown): readonly (readonly [string, KeyObject])[] => {
    const { kid, kty, crv, d } = Object(one) as JsonWebKey & { readonly kid?: unknown };
    if (typeof kid !== 'string' || kty !== 'EC' || crv !== 'P-256' || d !== undefined) return [];
    return [[kid, createPublicKey({ key: one as JsonWebKey, format: 'jwk' })]];
  });
  if (read.length === 0) throw new Error('none of its keys signs prescription tokens (EC, P-256, with kid)');
  return new Map(read);
}

/** The first check that fails is told. `token`: compact JWS. */
export function verifyOffline(token: unknown, known: OfflineKnowledge): OfflineVerdict {
  const invalid = (step: string, reason: string): OfflineVerdict => ({ result: 'invalid', step, reason });
  const given = readJws(token);
  if (!given) return invalid('payload_format', 'Not a prescription token');
  const { claims, keyId, bytes, signature } = given;
  const key = known.keys.get(keyId);
  if (!key) return invalid('key_validation', 'Signed with a key that is not known');
  const isSigned = signature.length === 64 && verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature);
  if (!isSigned) return invalid('signature_verification', 'Invalid signature - possible forgery');
  if (known.issuer !== undefined && claims.iss !== known.issuer)
    return invalid('issuer_check', 'Issued by somebody else');
  if (claims.exp * 1000 + SKEW_MS <= known.at) return invalid('expiry_check', 'Prescription has expired');
  if (claims.iat * 1000 > known.at + SKEW_MS) return invalid('expiry_check', 'Prescription is not valid yet');
  if (known.ended.has(claims.jti)) return invalid('status_check', 'Prescription was dispensed, cancelled or moved');
  if (known.pharmacyCode !== undefined && claims.pharmacy !== '' && claims.pharmacy !== known.pharmacyCode)
    return invalid('pharmacy_check', 'Prescription is for another pharmacy');
  return { result: 'unconfirmed', claims };
}
