/** ID tokens of ours that come back as hints. OpenID Connect Core section 3.1.2.2; SECURITY SO-05 */
import { compactVerify, createLocalJWKSet, type JWTPayload } from 'jose';
import type { SigningKeys } from '../../ports/signing-keys.ts';

export interface IdTokenHint {
  readonly userId: string;
  readonly clientId: string;
}

/** Whom we once told which client; undefined for what is no ID token of ours. It may have expired. */
export async function readIdTokenHint(
  keys: Pick<SigningKeys, 'published'>,
  issuer: string,
  token: string,
): Promise<IdTokenHint | undefined> {
  const find = createLocalJWKSet({ keys: [...(await keys.published())] });
  try {
    const { payload } = await compactVerify(token, find, { algorithms: ['RS256', 'ES256'] });
    const { iss, sub, aud } = JSON.parse(Buffer.from(payload).toString()) as JWTPayload; // signed by us
    return iss === issuer && sub !== undefined && typeof aud === 'string' ? { userId: sub, clientId: aud } : undefined;
  } catch {
    return undefined; // not signed by us, or nothing that can be read
  }
}
