/**
 * A dump that is loaded into another cluster brings entries whose transaction numbers that cluster has not come to yet:
 * what it writes would lie behind the end of the chain. From then on its own numbers are counted on from those. AU-08
 */
import type pg from 'pg';

/** Row of `mortar.meta`: the cluster that the trail was last written in. */
const CLUSTER = 'audit-cluster';

/** Done by the owner's role before anything is written; true when the trail came from another cluster. */
export async function adoptCluster(client: pg.ClientBase): Promise<boolean> {
  await client.query('begin');
  try {
    const { rows } = await client.query<{ here: string; known: string | null }>(
      `select (select system_identifier::text from pg_control_system()) as here,
  (select value from mortar.meta where name = $1 for update) as known`,
      [CLUSTER],
    );
    const { here, known } = rows[0] as { here: string; known: string | null }; // one row
    if (here === known) {
      await client.query('rollback');
      return false;
    }
    await client.query(
      'insert into mortar.meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value',
      [CLUSTER, here],
    );
    if (known !== null) await shift(client);
    await client.query('commit');
    return known !== null;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function shift(client: pg.ClientBase): Promise<void> {
  await client.query('lock table audit.entry, audit.chain in access exclusive mode');
  const { rows } = await client.query<{ last: string }>(
    `select greatest((select max(xid::text::bigint) from audit.chain),
  (select e.xid::text::bigint from audit.entry e order by e.shard desc, e.xid desc limit 1), 0)::text as last`,
  );
  const last = BigInt(rows[0]?.last ?? 0); // a number of its own, so that it may stand in a statement's text
  await client.query(
    `alter table audit.entry alter column xid set default ((pg_current_xact_id()::text::bigint + ${last})::text)::xid8`,
  );
  await client.query('update audit.chain set shift = $1', [String(last)]);
}
