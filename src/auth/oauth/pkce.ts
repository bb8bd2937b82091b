/** Proof Key for Code Exchange, S256 alone. RFC 7636; SECURITY SL-04, SL-14 */
import { createHash, timingSafeEqual } from 'node:crypto';

export const isPkceChallenge = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

export const isPkceVerifier = (text: string): boolean => /^[A-Za-z0-9._~-]{43,128}$/.test(text);

/** S256 of a verifier. */
export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

export function provesChallenge(verifier: string, challenge: string): boolean {
  const [a, b] = [Buffer.from(challengeOf(verifier)), Buffer.from(challenge)];
  return a.length === b.length && timingSafeEqual(a, b);
}
