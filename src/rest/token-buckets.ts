/**
 * Token buckets in memory, one number each: the moment at which the bucket is full again (GCRA, ITU-T I.371 annex A).
 * Not the memory store of rate-limiter-flexible: that one counts by fixed windows and the machine's clock, keeps a timer
 * a key and has no bound.
 */
import type { Clock } from '../ports/clock.ts';
import type { Rate, RateStore, RateVerdict } from './rate-limit.ts';

const KEYS_MAX = 100_000;

export interface MemoryBuckets extends RateStore {
  take(key: string, rate: Rate): RateVerdict;
  /** How many keys are remembered. */
  readonly size: number;
}

/** A full bucket need not be remembered; past `keysMax` the one that was used least lately is forgotten. */
export function createMemoryBuckets(now: Clock, keysMax = KEYS_MAX): MemoryBuckets {
  const fullAt = new Map<string, number>(); // in the order of their last use
  return {
    get size() {
      return fullAt.size;
    },
    take(key, { count, perMs }) {
      const at = now();
      const oneMs = perMs / count;
      // A clock that was set back must not lock a client out for longer than an empty bucket does.
      const before = Math.min(Math.max(fullAt.get(key) ?? at, at), at + perMs);
      const after = before + oneMs;
      const allowed = after - at <= perMs + 1e-6;
      fullAt.delete(key);
      fullAt.set(key, allowed ? after : before);
      if (fullAt.size > keysMax) forgetOne(fullAt);
      const missingMs = (allowed ? after : before) - at;
      return {
        allowed,
        retryAfterS: allowed ? 0 : Math.max(1, Math.ceil((after - at - perMs) / 1000)),
        limit: count,
        remaining: Math.max(0, Math.floor((perMs - missingMs) / oneMs + 1e-6)),
        resetS: Math.ceil(missingMs / 1000),
      };
    },
  };
}

function forgetOne(fullAt: Map<string, number>): void {
  for (const key of fullAt.keys()) {
    fullAt.delete(key);
    return;
  }
}
