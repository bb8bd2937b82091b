/** Takes resources out of the tables: current and old versions, search rows, changes. */

import type { Send } from '../in-transaction.ts';
import { tableOf } from '../tables.ts';

/** Gives how many there were. */
export async function removeRows(send: Send, type: string, rids: readonly string[]): Promise<number> {
  const { main, history, numbers, strings } = tableOf(type);
  // A write under way ends first, and the statement below sees what it left.
  await send({ text: `select 1 from ${main} where rid = any($1::bigint[]) order by rid for update`, values: [rids] });
  const [row] = await send({
    text: `with v as (
  select rid, lu from ${main} where rid = any($1::bigint[])
  union all
  select rid, lu from ${history} where rid = any($1::bigint[])
), c as (
  delete from mortar.change c using v where c.at = v.lu and c.rid = v.rid
), n as (
  delete from ${numbers} where rid = any($1::bigint[])
), s as (
  delete from ${strings} where rid = any($1::bigint[])
), h as (
  delete from ${history} where rid = any($1::bigint[])
), m as (
  delete from ${main} where rid = any($1::bigint[]) returning 1
)
select count(*)::int from m`,
    values: [rids],
  });
  return Number(row?.[0]);
}
