/**
 * Failed sign-ins are counted for the account, the address, its neighbourhood and the whole, in counters that all
 * processes share. What is counted does not depend on whether the account exists. SECURITY LG-05
 */
import { isIPv6 } from 'node:net';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { Clock } from '../../ports/clock.ts';
import type { RateCount, RateStore } from '../../ports/people.ts';
import { hashOf } from './secrets.ts';

/** The library's limiter on counters of ours: the SQL is in src/postgres, and the clock is the one we are given. */
class SharedLimiter extends RateLimiterPostgres {
  readonly #rates: RateStore;
  readonly #now: Clock;

  constructor(rates: RateStore, now: Clock, options: { keyPrefix: string; points: number; duration: number }) {
    super({
      ...options,
      storeClient: {},
      storeType: 'client',
      tableName: 'rate',
      tableCreated: true,
      clearExpiredByTimeout: false,
    });
    this.#rates = rates;
    this.#now = now;
  }

  // What the library asks of a store of its own; its types do not name these.
  _upsert(key: string, points: number, durationMs: number, isForced = false): Promise<RateCount> {
    return this.#rates.upsert(key, points, durationMs, isForced);
  }

  async _get(key: string): Promise<RateCount | null> {
    return (await this.#rates.find(key)) ?? null;
  }

  _delete(key: string): Promise<boolean> {
    return this.#rates.remove(key);
  }

  _getRateLimiterRes(_key: string, _changed: number, { points, expiresAt }: RateCount): RateLimiterRes {
    return new RateLimiterRes(
      Math.max(this.points - points, 0),
      Math.max(expiresAt - this.#now(), 0),
      points,
      points === 1,
    );
  }
}

/** Whose attempt it is. */
export interface Attempt {
  /** As it was typed; the counter bears a digest of it. */
  readonly email: string;
  readonly address: string;
  /** The person's own browser, when it proved to be: it has a counter of its own. */
  readonly deviceId?: string;
}

/** Whether an attempt may be judged. */
export type Admission =
  | { readonly kind: 'admitted'; failed(): Promise<void>; succeeded(): Promise<void> }
  /** The account is locked: the answer is that of a wrong password. */
  | { readonly kind: 'locked' }
  | { readonly kind: 'throttled'; readonly retryAfterMs: number };

export interface Throttle {
  admit(attempt: Attempt): Promise<Admission>;
  /** Counts something rare that an address may do so often an hour; how long to wait when it is too often. */
  admitRegistration(address: string): Promise<number | undefined>;
  admitReset(address: string): Promise<number | undefined>;
  /** Forgets what is counted against an account: an administrator has helped its owner. */
  forgive(email: string): Promise<void>;
}

const MINUTE = 60;
const LOCK_AT = 10;
const LOCK_SECONDS = 15 * MINUTE;
const DELAY_FROM = 5;

export interface ThrottleLimits {
  /** Failures in 10 minutes. */
  readonly perAddress: number;
  readonly perNeighbourhood: number;
  readonly everywhere: number;
  readonly registrationsPerHour: number;
  readonly resetsPerHour: number;
}

const LIMITS: ThrottleLimits = {
  perAddress: 30,
  perNeighbourhood: 150,
  everywhere: 3000,
  registrationsPerHour: 5,
  resetsPerHour: 10,
};

/** Counters bear digests, not the addresses that people typed. */
export function createThrottle(rates: RateStore, now: Clock, limits: Partial<ThrottleLimits> = {}): Throttle {
  const limit = { ...LIMITS, ...limits };
  const limiter = (keyPrefix: string, points: number, duration: number): SharedLimiter =>
    new SharedLimiter(rates, now, { keyPrefix, points, duration });
  const accounts = limiter('account', LOCK_AT, LOCK_SECONDS);
  const delays = limiter('delay', 1, MINUTE);
  const places = [
    { of: (address: string) => address, limiter: limiter('address', limit.perAddress, 10 * MINUTE) },
    { of: neighbourhoodOf, limiter: limiter('neighbourhood', limit.perNeighbourhood, 10 * MINUTE) },
    { of: () => 'all', limiter: limiter('everywhere', limit.everywhere, 10 * MINUTE) },
  ];
  const registrations = limiter('register', limit.registrationsPerHour, 60 * MINUTE);
  const resets = limiter('reset', limit.resetsPerHour, 60 * MINUTE);
  const accountOf = (email: string): string => digest(email.normalize('NFKC').trim().toLowerCase());

  /** How long until places whose limit is reached are open again. */
  async function placesShut(address: string): Promise<number | undefined> {
    const counts = await Promise.all(places.map((place) => place.limiter.get(place.of(address))));
    const waits = counts.flatMap((count, i) => {
      const max = places[i]?.limiter.points ?? 0;
      return count && count.consumedPoints >= max ? [count.msBeforeNext] : [];
    });
    return waits.length > 0 ? Math.max(...waits) : undefined;
  }

  return {
    async admit({ email, address, deviceId }) {
      // A person's own browser is not kept out by what others do.
      const shut = deviceId === undefined ? await placesShut(address) : undefined;
      if (shut !== undefined) return { kind: 'throttled', retryAfterMs: shut };
      const account = deviceId === undefined ? accountOf(email) : digest(`device ${deviceId}`);
      const delay = await delays.get(account);
      if (delay && delay.msBeforeNext > 0) return { kind: 'throttled', retryAfterMs: delay.msBeforeNext };
      // Counted before it is judged: of many at once no more than the limit are.
      const counted = await consume(accounts, account);
      if (counted.consumedPoints > LOCK_AT) return { kind: 'locked' };
      return {
        kind: 'admitted',
        async failed() {
          const failures = counted.consumedPoints;
          if (failures >= LOCK_AT) await accounts.block(account, LOCK_SECONDS);
          else if (failures >= DELAY_FROM) await delays.block(account, 2 ** (failures - DELAY_FROM));
          await Promise.all(places.map((place) => place.limiter.penalty(place.of(address))));
        },
        async succeeded() {
          // Only this attempt is taken back: a success elsewhere must not give a guesser new attempts.
          if (deviceId === undefined) await accounts.reward(account);
          else await accounts.delete(account);
        },
      };
    },
    admitRegistration: (address) => tooOften(registrations, address),
    admitReset: (address) => tooOften(resets, address),
    async forgive(email) {
      await Promise.all([accounts.delete(accountOf(email)), delays.delete(accountOf(email))]);
    },
  };
}

const digest = (text: string): string => hashOf(text).toString('base64url');

async function tooOften(limiter: SharedLimiter, key: string): Promise<number | undefined> {
  const counted = await consume(limiter, key);
  return counted.consumedPoints > limiter.points ? counted.msBeforeNext : undefined;
}

/** The library rejects with the count when there are too many. */
async function consume(limiter: SharedLimiter, key: string): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key);
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return refused;
    throw refused;
  }
}

/** The network an address is in: the first 24 bits of IPv4, 48 of IPv6. */
export function neighbourhoodOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+)\.\d+$/i.exec(address)?.[1] ?? /^(\d+\.\d+\.\d+)\.\d+$/.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return 'other';
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(8 - front.length - back.length, 0)).fill('0');
  return [...front, ...zeros, ...back]
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
