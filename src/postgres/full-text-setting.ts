/** Under which setting the words of rows were written; where it is another now, they are made again (reindex.ts). */
import type { Pools } from './pools.ts';

/** Notes the setting; true when what is stored has to follow it. */
export async function noteFullText({ writes }: Pools, setting: readonly string[], now: number): Promise<boolean> {
  const rows = await writes.query({
    text: `with s as (
  insert into mortar.meta as m (name, value) values ('full-text', $1)
  on conflict (name) do update set value = excluded.value where m.value <> excluded.value
  returning 1
)
insert into mortar.meta (name, value) select 'reindex', $2 from s where exists (select from mortar.change)
on conflict (name) do update set value = excluded.value
returning 1`,
    values: [setting.join(), JSON.stringify({ scope: 'all', started: now })],
  });
  return rows.length > 0;
}
