/**
 * Follows the change log. Rows are in the order of their transactions, and are read only below the oldest one that is
 * under way: what commits later never stands before what was read. SECURITY RL-17, RL-19
 */
import type { ChangeFeed, ChangePage, ChangePosition, ChangeTail, ConsumerTransaction } from '../ports/change-feed.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import { versionsByKey } from './history.ts';
import type { Pipeline, Row, Statement } from './pools.ts';
import type { Run } from './search/search-tools.ts';
import { tableOf } from './tables.ts';

/** No transaction is under way for longer: older days need not be looked at. */
const TRANSACTION_MAX_MS = 86_400_000;

export interface ChangeFeedOptions {
  readonly writes: Pipeline;
  /** Opens what is stored encrypted. */
  readonly run: Run;
}

export function createChangeFeed({ writes, run }: ChangeFeedOptions): ChangeFeed & ChangeTail {
  async function positionOf(consumer: string): Promise<ChangePosition> {
    const rows = await writes.query({
      name: 'consumer-position',
      text: 'select xid::text, rid::text, ver, at::text from mortar.consumer where name = $1',
      values: [consumer],
    });
    if (rows[0]) return toPosition(rows[0]);
    // Begins before whatever is under way now: it was not told of any of it.
    const made = await writes.query({
      name: 'consumer-make',
      text: `insert into mortar.consumer (name, xid, rid, ver, at)
select $1, pg_snapshot_xmin(pg_current_snapshot()), -9223372036854775808, 0,
  coalesce((select max(at) from mortar.change), 0)
on conflict (name) do update set name = excluded.name
returning xid::text, rid::text, ver, at::text`,
      values: [consumer],
    });
    return toPosition(made[0] as Row);
  }

  async function pageAfter(from: ChangePosition, types: ReadonlySet<string>, limit: number): Promise<ChangePage> {
    const rows = await writes.query({
      name: 'consumer-read',
      // The index on (xid, rid, ver) gives the order; `at` leaves out the partitions of earlier days.
      text: `select c.type, c.rid::text, c.ver, c.xid::text, c.at::text
from mortar.change c
where (c.xid, c.rid, c.ver) > ($1::xid8, $2::bigint, $3::int)
  and c.xid < pg_snapshot_xmin(pg_current_snapshot()) and c.at >= $4::bigint
order by c.xid, c.rid, c.ver
limit $5`,
      values: [from.xid, from.rid, from.versionId, String(Number(from.at) - TRANSACTION_MAX_MS), limit],
    });
    const wanted = new Set([...types].map((type) => tableOf(type).number));
    const mine = rows.filter(([type]) => wanted.has(type as number));
    const last = rows.at(-1);
    return {
      versions: mine.length === 0 ? [] : await versionsByKey(mine, undefined, run),
      from,
      to: last
        ? { xid: last[3] as string, rid: last[1] as string, versionId: last[2] as number, at: latest(from, last) }
        : from,
      isFull: rows.length === limit,
    };
  }

  return {
    read: (consumer, types, limit) => translated(async () => pageAfter(await positionOf(consumer), types, limit)),
    after: (position, types, limit) => translated(() => pageAfter(position, types, limit)),
    head: () =>
      translated(async () => {
        const rows = await writes.query({
          name: 'change-head',
          text: `select pg_snapshot_xmin(pg_current_snapshot())::text, '-9223372036854775808', 0,
  coalesce((select max(at) from mortar.change), 0)::text`,
          values: [],
        });
        return toPosition(rows[0] as Row);
      }),
    readSequence: (sender) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'sequence-read',
          text: 'select number from mortar.hl7v2_sequence where sender = $1',
          values: [sender],
        });
        return rows[0]?.[0] as number | undefined;
      }),
    writeSequence: (sender, number) =>
      translated(async () => {
        await writes.query({
          name: 'sequence-write',
          text: `insert into mortar.hl7v2_sequence (sender, number) values ($1, $2)
on conflict (sender) do update set number = excluded.number`,
          values: [sender, number],
        });
      }),
  };
}

/** Clocks of several processes differ: what leaves out partitions never goes back. */
const latest = (from: ChangePosition, row: Row): string =>
  BigInt(row[4] as string) > BigInt(from.at) ? (row[4] as string) : from.at;

const toPosition = ([xid, rid, versionId, at]: Row): ChangePosition => ({
  xid: xid as string,
  rid: rid as string,
  versionId: versionId as number,
  at: at as string,
});

export const createConsumerTransaction = (
  send: (statement: Statement) => Promise<readonly Row[]>,
): ConsumerTransaction => ({
  async advance(consumer, from, to) {
    const rows = await send({
      name: 'consumer-advance',
      // Of two that work on the same page the second waits here for the first, and finds the position moved.
      text: `update mortar.consumer set xid = $5::xid8, rid = $6::bigint, ver = $7, at = $8::bigint
where name = $1 and xid = $2::xid8 and rid = $3::bigint and ver = $4
returning 1`,
      values: [consumer, from.xid, from.rid, from.versionId, to.xid, to.rid, to.versionId, to.at],
    });
    if (rows.length === 0) throw conflict('Another process has told of these changes');
  },
});
