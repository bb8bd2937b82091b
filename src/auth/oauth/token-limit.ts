/** How often a client may ask for tokens. SECURITY WB-06 */
import { OAuthError } from './oauth-error.ts';

/** Whether one more is allowed, and when it would be. */
export interface TokenVerdict {
  readonly allowed: boolean;
  readonly retryAfterS: number;
  /** 0 where nothing is limited. */
  readonly limit: number;
  readonly remaining: number;
  readonly resetS: number;
}

export type LimitToken = (key: string) => Promise<TokenVerdict>;

/** Counts one; throws 429 where it is one too many. */
export async function checkTokenLimit(limitToken: LimitToken | undefined, key: string): Promise<void> {
  const verdict = await limitToken?.(key);
  if (!verdict || verdict.allowed) return;
  throw new OAuthError(429, 'temporarily_unavailable', `too many requests: try again in ${verdict.retryAfterS} s`, {
    rule: 'rate',
    headers: {
      'Retry-After': String(verdict.retryAfterS),
      'RateLimit-Limit': String(verdict.limit),
      'RateLimit-Remaining': String(verdict.remaining),
      'RateLimit-Reset': String(verdict.resetS),
    },
  });
}

/**
 * Who is counted before it is known who asks: a claimed id from one address, so that nobody can use up what another
 * has, nor have many guesses. A public client's users are counted by this alone, as many share its id.
 */
export const claimKey = (claimedId: string | undefined, address: string | undefined): string =>
  `${claimedId !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(claimedId) ? claimedId : 'unknown'} ${address ?? ''}`;
