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

/** Rows of one table that a sweep removes at most, so that it holds no lock for long. */
const PURGE_MAX = 5000;
const UNCONFIRMED_MS = 7 * 24 * 60 * 60_000;

async function purge({ writes, now }: IdentityOptions): Promise<number> {
  const ends = [
    ['session', 'id', 'ends_at'],
    ['challenge', 'hash', 'expires_at'],
    ['trusted_device', 'hash', 'expires_at'],
    ['rate', 'key', 'expires_at'],
  ] as const;
  // Accounts that somebody made with an address that nobody has confirmed hold it no longer than this.
  const forgotten = await translated(() =>
    writes.query({
      text: `delete from auth.person where id in (
  select id from auth.person where email_verified_at is null and nhs_number_claim is not null and created_at <= $1
  limit $2) returning 1`,
      values: [new Date(now() - UNCONFIRMED_MS), PURGE_MAX],
    }),
  );
  let count = forgotten.length;
  for (const [table, key, end] of ends) {
    const rows = await translated(() =>
      writes.query({
        text: `delete from auth.${table} where ${key} in (
  select ${key} from auth.${table} where ${end} <= $1 limit $2) returning 1`,
        values: [new Date(now()), PURGE_MAX],
      }),
    );
    count += rows.length;
  }
  return count;
}
