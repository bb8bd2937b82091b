/**
 * How often a client may do a thing. SECURITY WB-06. Token buckets: a client may spend its whole minute at once, and
 * gets it back evenly. The classes and their rates are a table; who is counted is the key that the caller gives.
 */
import type { Clock } from '../ports/clock.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import { createMemoryBuckets } from './token-buckets.ts';

export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

const MINUTE = 60_000;

/** What is limited, and how much of it one key may do. */
export const RATES = {
  /** by address */
  login: { count: 10, perMs: MINUTE },
  /** by address */
  register: { count: 5, perMs: 60 * MINUTE },
  /** by address, as a person's browser brings them: a hospital may be one address */
  authorize: { count: 300, perMs: MINUTE },
  /** by client */
  token: { count: 60, perMs: MINUTE },
  /** by pharmacy */
  verify: { count: 30, perMs: MINUTE },
  /** by prescription */
  'verify-prescription': { count: 10, perMs: MINUTE },
  /** by token of a user or patient, as the next two */
  read: { count: 600, perMs: MINUTE },
  search: { count: 300, perMs: MINUTE },
  write: { count: 120, perMs: MINUTE },
} as const satisfies Record<string, Rate>;

export type RateClass = keyof typeof RATES;

export interface RateVerdict {
  readonly allowed: boolean;
  /** When it may be tried again; 0 when it is allowed. */
  readonly retryAfterS: number;
  readonly limit: number;
  readonly remaining: number;
  /** When the whole limit is there again. */
  readonly resetS: number;
}

/** Where the buckets are; one that several processes share holds for all of them together. */
export interface RateStore {
  /** Takes one from the bucket of this key. */
  take(key: string, rate: Rate): RateVerdict | Promise<RateVerdict>;
}

export interface RateLimits {
  /** Counts one. `rate` replaces that of the class, for a client with a rate of its own. */
  check(rateClass: RateClass, key: string, rate?: Rate): Promise<RateVerdict>;
}

export interface RateLimitsOptions {
  readonly now: Clock;
  /** Instead of those of `RATES`; `off` does not limit. */
  readonly rates?: ReadonlyMap<string, Rate | 'off'>;
  /** Memory of this process unless given. */
  readonly store?: RateStore;
}

const UNLIMITED: RateVerdict = { allowed: true, retryAfterS: 0, limit: 0, remaining: 0, resetS: 0 };

/** Creates the limits. When a shared store fails, this process counts for itself: a limit never opens by a fault. */
export function createRateLimits({ now, rates = new Map(), store }: RateLimitsOptions): RateLimits {
  const memory = createMemoryBuckets(now);
  return {
    async check(rateClass, key, own) {
      const rate = own ?? rates.get(rateClass) ?? RATES[rateClass];
      if (rate === 'off') return UNLIMITED;
      const bucket = `${rateClass} ${key}`;
      if (store === undefined) return memory.take(bucket, rate);
      try {
        return await store.take(bucket, rate);
      } catch {
        return memory.take(bucket, rate);
      }
    },
  };
}

/** Headers of an answer that was counted. draft-ietf-httpapi-ratelimit-headers-06 */
export const rateLimitHeaders = ({ limit, remaining, resetS }: RateVerdict): Record<string, string> => ({
  'RateLimit-Limit': String(limit),
  'RateLimit-Remaining': String(remaining),
  'RateLimit-Reset': String(resetS),
});

/** 429 with when to come back. RFC 6585 section 4 */
export function throttled(verdict: RateVerdict): FhirError {
  const text = `Too many requests: ${verdict.limit} are allowed; try again in ${verdict.retryAfterS} s`;
  return new FhirError(429, [issue('throttled', text)], {
    headers: { 'Retry-After': String(verdict.retryAfterS), ...rateLimitHeaders(verdict) },
  });
}
