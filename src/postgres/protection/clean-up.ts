/** What removed rows leave behind in Postgres: dead rows, and values of theirs in the planner's statistics. SECURITY DP-04 */
import type pg from 'pg';
import type { RemovalCounts } from '../../ports/protection.ts';
import { tableOf } from '../tables.ts';

/** Tables that a removal took something from, in all its runs. */
export function tablesOf({ resources, rewritten }: Pick<RemovalCounts, 'resources' | 'rewritten'>): readonly string[] {
  const types = [...new Set([...Object.keys(resources), ...Object.keys(rewritten)])].map(tableOf);
  return [
    ...types.flatMap(({ main, history, numbers, strings }) => [main, history, numbers, strings]),
    ...['mortar.message', 'mortar.job', 'mortar.data_key', 'auth.person'],
  ];
}

/**
 * Vacuums and analyses tables, as the role that owns them. An empty table keeps the statistics of what was in it, as there
 * is nothing to make new ones of: they go when its columns get the types that they have.
 */
export async function cleanUp(
  client: pg.ClientBase,
  tables: Iterable<string>,
  onError: (table: string, error: Error) => void,
): Promise<void> {
  await client.query("set lock_timeout = '5s'");
  for (const table of tables)
    try {
      await client.query(`vacuum (analyze) ${table}`); // a name of ours
      await clearStatistics(client, table);
    } catch (error) {
      onError(table, error as Error);
    }
}

async function clearStatistics(client: pg.ClientBase, table: string): Promise<void> {
  const { rows } = await client.query<{ text: string | null }>(
    `select string_agg(format('alter column %I type %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
  coalesce(' collate ' || quote_ident(n.nspname) || '.' || quote_ident(c.collname), '')), ', ') as text
from pg_attribute a
left join pg_collation c on c.oid = a.attcollation
left join pg_namespace n on n.oid = c.collnamespace
where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
  and not exists (select from ${table})`,
    [table],
  );
  const changes = rows[0]?.text;
  if (changes) await client.query(`alter table ${table} ${changes}`); // made of the catalogue's own names, quoted
}
