/** Everything that sign-in keeps, on one database; and the counters that its processes share. */
import type { Identity, RateCount, RateStore } from '../../ports/people.ts';
import { translated } from '../database-error.ts';
import type { Row } from '../pools.ts';
import { createChallenges } from './people-challenges.ts';
import { createCredentials } from './people-credentials.ts';
import { type IdentityOptions, type Send, toMs } from './people-statements.ts';
import { createSessionStore } from './sessions.ts';
import { createAccounts } from './users.ts';

export function createIdentity(options: IdentityOptions): Identity {
  return {
    people: { ...createAccounts(options), ...createCredentials(options) },
    challenges: createChallenges(options),
    sessions: createSessionStore(options),
    rates: createRates(options),
    purge: () => purge(options),
  };
}

function createRates({ writes, now }: IdentityOptions): RateStore {
  const query: Send = (statement) => translated(() => writes.query(statement));
  return {
    async upsert(key, points, durationMs, isForced) {
      const [row] = await query({
        name: 'rate-upsert',
        text: `insert into auth.rate as r (key, points, expires_at) values ($1, $2, $3)
on conflict (key) do update set
  points = case when $5 or r.expires_at <= $4 then $2 else r.points + $2 end,
  expires_at = case when $5 or r.expires_at <= $4 then $3 else r.expires_at end
returning points, expires_at`,
        values: [key, points, new Date(now() + durationMs), new Date(now()), isForced],
      });
      if (!row) throw new Error('an upsert gave no row');
      return toCount(row);
    },
    async find(key) {
      const [row] = await query({
        name: 'rate-find',
        text: 'select points, expires_at from auth.rate where key = $1 and expires_at > $2',
        values: [key, new Date(now())],
      });
      return row && toCount(row);
    },
    async remove(key) {
      const rows = await query({
        name: 'rate-remove',
        text: 'delete from auth.rate where key = $1 returning 1',
        values: [key],
      });
      return rows.length > 0;
    },
  };
}

const toCount = ([points, expiresAt]: Row): RateCount => ({ points: points as number, expiresAt: toMs(expiresAt) });

/** Rows that one statement removes at most, so that it holds no lock for long; and how often it is sent in one sweep. */
const PURGE_MAX = 5000;
const PURGE_ROUNDS = 200;
const UNCONFIRMED_MS = 7 * 24 * 60 * 60_000;

/** `max`: for tests, which have fewer rows. */
export async function purge({ writes, now }: IdentityOptions, max = PURGE_MAX): Promise<number> {
  const ends = [
    ['session', 'id', 'ends_at'],
    ['challenge', 'hash', 'expires_at'],
    ['trusted_device', 'hash', 'expires_at'],
    ['rate', 'key', 'expires_at'],
    ['notice', 'id', 'expires_at'],
  ] as const;
  /** In rounds until nothing is left, as one that lags behind would never catch up. `$1` is the time, `$2` how many. */
  const clear = async (text: string, until: number): Promise<number> => {
    let count = 0;
    for (let round = 0; round < PURGE_ROUNDS; round += 1) {
      const rows = await translated(() => writes.query({ text, values: [new Date(until), max] }));
      count += rows.length;
      if (rows.length < max) break;
    }
    return count;
  };
  // Accounts that somebody made with an address that nobody has confirmed hold it no longer than this.
  let count = await clear(
    `delete from auth.person where id in (
  select id from auth.person where email_verified_at is null and nhs_number_claim is not null and created_at <= $1
  limit $2) returning 1`,
    now() - UNCONFIRMED_MS,
  );
  for (const [table, key, end] of ends)
    count += await clear(
      `delete from auth.${table} where ${key} in (
  select ${key} from auth.${table} where ${end} <= $1 limit $2) returning 1`,
      now(),
    );
  return count;
}
