/**
 * What the time limit has passed is removed by whole months, after a signed tombstone that lets the chain be proved all
 * the same. Done by the owner's role; the application's cannot. SECURITY AU-11, AU-12
 */
import type pg from 'pg';
import type { CheckpointKey } from '../../ports/audit.ts';
import { GENESIS } from './chain-hash.ts';
import { SHARD } from './entry.ts';
import { type Month, parseMonth } from './partitions.ts';
import { openSigned, type PurgedRun, type Signed, signStatement, type Tombstone } from './signed.ts';

export interface RetentionOptions {
  /** Connected as the role that owns the schema. */
  readonly client: pg.ClientBase;
  readonly checkpointKey: CheckpointKey;
  /** ms UTC */
  readonly now: number;
  /** Years after the end of a month: 8 in the United Kingdom, 7 in the United States. */
  readonly years: number;
  /** Legal hold: whether a month must stay. */
  readonly isHeld?: (month: string) => boolean | Promise<boolean>;
}

export interface PurgedMonth {
  readonly month: string;
  readonly count: number;
}

/** Removes the months whose time has passed, oldest first; resolves to those it removed. */
export async function purgeAudit(options: RetentionOptions): Promise<readonly PurgedMonth[]> {
  const purged: PurgedMonth[] = [];
  for (const month of await monthsBefore(options)) {
    if (await options.isHeld?.(month.name)) continue;
    const count = await purgeMonth(options, month);
    if (count !== undefined) purged.push({ month: month.name, count });
  }
  return purged;
}

async function monthsBefore({ client, now, years }: RetentionOptions): Promise<readonly Month[]> {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
where i.inhparent = 'audit.entry'::regclass order by c.relname`,
  );
  return rows.flatMap(({ name }) => {
    const month = parseMonth(name.replace(/^entry_/, ''));
    return month && yearsAfter(month.until, years) <= now ? [month] : [];
  });
}

/** Months end on a first of a month, which every year has. */
function yearsAfter(at: number, years: number): number {
  const date = new Date(at);
  return date.setUTCFullYear(date.getUTCFullYear() + years);
}

/** In one transaction; undefined when entries of the month have not been linked yet. */
async function purgeMonth({ client, checkpointKey, now }: RetentionOptions, month: Month): Promise<number | undefined> {
  const [entries, links] = [`audit.entry_${month.name}`, `audit.link_${month.name}`]; // digits only: parsed
  await client.query('begin');
  try {
    await client.query("set local lock_timeout = '10s'");
    await client.query(`lock table ${entries}, ${links} in share mode`);
    const { rows } = await client.query<{ linked: boolean }>(
      `select (select count(*) from ${entries}) = (select coalesce(sum(count), 0) from ${links}) as linked`,
    );
    if (rows[0]?.linked !== true) {
      await client.query('rollback');
      return undefined;
    }
    const runs = await runsOf(client, links, checkpointKey);
    const count = runs.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    const { content, signature } = signStatement<Tombstone>(checkpointKey, {
      kind: 'tombstone',
      shard: SHARD,
      month: month.name,
      count,
      runs,
      at: now,
    });
    await client.query(
      'insert into audit.tombstone (shard, month, at, content, signature) values ($1, $2, $3, $4, $5)',
      [SHARD, month.name, now, content, signature],
    );
    await client.query(`drop table ${links}, ${entries}`);
    await client.query('commit');
    return count;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** The month's links as runs without a gap: the months of clocks that differ are linked between one another. */
async function runsOf(client: pg.ClientBase, links: string, key: CheckpointKey): Promise<readonly PurgedRun[]> {
  const { rows } = await client.query<{ from: string; to: string; last: string; before: string | null }>(
    `with ends as (
  select seq, seq - count as ahead, seq - count is distinct from lag(seq) over (order by seq) as begins
  from ${links} where shard = $1
), numbered as (
  select seq, ahead, count(*) filter (where begins) over (order by seq) as run from ends
), runs as (
  select min(ahead) + 1 as first, max(seq) as last from numbered group by run
)
select r.first::text as from, r.last::text as to,
  (select encode(hash, 'hex') from ${links} where shard = $1 and seq = r.last) as last,
  (select encode(hash, 'hex') from audit.link where shard = $1 and seq = r.first - 1) as before
from runs r order by r.first`,
    [SHARD],
  );
  const earlier = rows.some(({ before }) => before === null)
    ? await lastOfEarlier(client, key)
    : new Map<number, string>();
  return rows.map(({ from, to, last, before }) => {
    const ahead = before ?? earlier.get(Number(from) - 1);
    if (ahead === undefined) throw new Error(`the audit chain has no link ahead of ${from}: run verify-audit`);
    return { from: Number(from), to: Number(to), before: ahead, last };
  });
}

/** Where the runs that were removed before end: their hash by seq. */
async function lastOfEarlier(client: pg.ClientBase, key: CheckpointKey): Promise<ReadonlyMap<number, string>> {
  const { rows } = await client.query<Signed>('select content, signature from audit.tombstone where shard = $1', [
    SHARD,
  ]);
  const found = new Map<number, string>([[0, GENESIS.toString('hex')]]);
  for (const signed of rows)
    for (const { to, last } of openSigned<Tombstone>(key, 'tombstone', signed)?.runs ?? []) found.set(to, last);
  return found;
}
