/**
 * What has not changed since the first page of a walk: such rows are met exactly once, others at most once. A clock cannot
 * tell, as a write bears the time at which it began and is seen when it ends; the database's own snapshot can.
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
 */
import type { Row } from '../pools.ts';
import { tableOf } from '../tables.ts';
import type { Run } from './search-tools.ts';
import type { Params } from './sql.ts';

/** Rows whose time lies this far before the walk are not looked at again: no write takes so long. */
const SETTLED_MS = 10 * 60 * 1000;

/** A snapshot, and the number of the transaction that takes it: what that wrote is there when its walk goes on, after the commit. */
const NOW = "(select concat(pg_current_snapshot(), ' ', pg_current_xact_id_if_assigned()))";

/** The rows of a statement, and the snapshot in which they were read. */
export async function runInSnapshot(run: Run, text: string, values: readonly unknown[]): Promise<SnapshotRows> {
  const rows = await run(`select q.*, ${NOW} from (\n${text}\n) q`, values);
  const snapshot = rows[0]?.at(-1);
  return {
    rows: rows.map((row) => row.slice(0, -1)),
    ...(typeof snapshot === 'string' && { snapshot: withOwn(snapshot) }),
  };
}

interface SnapshotRows {
  readonly rows: readonly Row[];
  /** Absent where there are no rows. */
  readonly snapshot?: string;
}

export async function readSnapshot(run: Run): Promise<string> {
  const [row] = await run(`select ${NOW}`, []);
  return withOwn(row?.[0] as string); // a row, always
}

/**
 * A snapshot (`xmin:xmax:xip,…`) in which the transaction that took it has ended: it counts itself as still to come where
 * nobody who began later has ended yet. Those who began between are under way, as they were. `now`: as `NOW` gives it.
 */
export function withOwn(now: string): string {
  const [snapshot = '', own = ''] = now.split(' ');
  const [xmin = '', xmax = '', xip = ''] = snapshot.split(':');
  if (own === '' || BigInt(own) < BigInt(xmax)) return snapshot;
  const underWay = xip === '' ? [] : xip.split(',');
  for (let xid = BigInt(xmax); xid < BigInt(own); xid++) underWay.push(String(xid));
  return `${underWay[0] ?? xmin}:${BigInt(own) + 1n}:${underWay.join(',')}`;
}

/** Whether the row was as it is when the snapshot was taken. `start`: ms at which that was. */
export function unchangedFilter(params: Params, type: string, m: string, start: number, snapshot: string): string {
  const settled = params.add(start - SETTLED_MS, 'bigint');
  const z = `${m}z`;
  // `xmin` has 32 bits: the number meant is the last one with these that is not above the next to be given.
  return `(${m}.lu <= ${settled} or exists (select from ${tableOf(type).main} ${z}, (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as c offset 0) n
where ${z}.rid = ${m}.rid and pg_visible_in_snapshot((n.c - mod(mod(n.c - ${z}.xmin::text::bigint, 4294967296) + 4294967296, 4294967296))::text::xid8, ${params.add(snapshot, 'text')}::pg_snapshot) offset 0))`;
}
