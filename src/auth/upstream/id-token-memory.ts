/** Remembers ID tokens, on all nodes, so that each serves once. SECURITY NH-03 */
import { createHash } from 'node:crypto';
import type { Grants } from '../../ports/grants.ts';
import type { IdToken } from './id-token.ts';

const SKEW_MS = 30_000;
/** For how long a nonce is remembered beyond its token: as long as a provider might make another token with it. */
const KEPT_MS = 24 * 60 * 60_000;

/**
 * Whether this is the first use of a token of the issuer. It is known by its nonce, which a provider takes over from one
 * request: so a copy in another spelling of the signature is the same token.
 */
export const createIdTokenMemory =
  ({ rememberAssertion }: Pick<Grants, 'rememberAssertion'>) =>
  (issuer: string, { nonce, subject, expiresAt }: IdToken): Promise<boolean> =>
    rememberAssertion(
      `id-token ${issuer}`,
      createHash('sha256')
        .update(JSON.stringify([subject, nonce]))
        .digest('base64url'),
      expiresAt + SKEW_MS + KEPT_MS,
    );
