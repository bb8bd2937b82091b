/**
 * Rate limits that all processes share, counted in Redis by fixed windows of the rate's length. SECURITY WB-06. Redis
 * holds no truth: when it does not answer at once, each process counts for itself.
 */
import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Log } from '../ports/log.ts';
import type { Rate, RateStore, RateVerdict } from './rate-limit.ts';

export interface RedisRatesOptions {
  readonly redisUrl: string;
  /** Those who share it share the counts; servers of another name do not. */
  readonly name: string;
  readonly log: Log;
}

const COMMAND_MS_MAX = 250;
const RATES_MAX = 1_000;

/** Connects in the background. `take` rejects while Redis does not answer. */
export function createRedisRates({ redisUrl, name, log }: RedisRatesOptions): RateStore & { stop(): void } {
  const client = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_MS_MAX,
    retryStrategy: (tries) => Math.min(tries * 100, 2_000),
  });
  let isUp = true;
  client.on('ready', () => {
    if (!isUp) log.info('Redis answers: rates are counted by all processes together');
    isUp = true;
  });
  client.on('error', (error: Error) => {
    if (isUp) log.warn('Redis does not answer: each process counts rates for itself', { cause: error.message });
    isUp = false;
  });

  const limiters = new Map<string, RateLimiterRedis>();
  const keyPrefix = `mortar:rate:${digest(name).slice(0, 16)}`;
  function limiterOf({ count, perMs }: Rate): RateLimiterRedis {
    const id = `${count}/${perMs}`;
    const known = limiters.get(id);
    if (known) return known;
    const made = new RateLimiterRedis({
      storeClient: client,
      keyPrefix: `${keyPrefix}:${id}`,
      points: count,
      duration: Math.ceil(perMs / 1000),
      rejectIfRedisNotReady: true,
    });
    if (limiters.size >= RATES_MAX) limiters.clear();
    limiters.set(id, made);
    return made;
  }

  return {
    async take(key, rate) {
      const limiter = limiterOf(rate);
      try {
        return verdictOf(await limiter.consume(digest(key)), rate, true);
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return verdictOf(refusal, rate, false);
        throw refusal;
      }
    },
    stop: () => client.disconnect(),
  };
}

function verdictOf({ remainingPoints, msBeforeNext }: RateLimiterRes, { count }: Rate, allowed: boolean): RateVerdict {
  const resetS = Math.max(0, Math.ceil(msBeforeNext / 1000));
  return { allowed, retryAfterS: allowed ? 0 : Math.max(1, resetS), limit: count, remaining: remainingPoints, resetS };
}

/** Addresses and ids of clients stay out of Redis. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');
