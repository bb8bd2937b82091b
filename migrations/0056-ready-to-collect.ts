import type { Knex } from 'knex';

// Whoever writes into a Task of a queue that it is ready to collect, the patient is told: a job with the Task, or none. The
// rest of the function is as 0036 made it.

const MADE = `select n.rid, n.id, q.* from made_of n cross join lateral mortar.dispense_task_of(n.op, n.lu, n.content) q`;

const COUNT = `insert into mortar.dispense_count as t (owner, state, day, rank, shard, n)
  select owner, state, (issued / 86400000)::int, rank, pg_backend_pid() % 16, sum(n) from counted
  group by 1, 2, 3, 4 having sum(n) <> 0 order by 1, 2, 3, 4
  on conflict (owner, state, day, rank, shard) do update set n = t.n + excluded.n`;

const BY_KEY = 'set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off';

const READY = `ready as (
    insert into mortar.job (id, kind, payload, run_at)
    select gen_random_uuid(), 'ready-to-collect', jsonb_build_object('task', n.id), '-infinity'
    from made m join made_of n on n.rid = m.rid join made_from o on o.rid = n.rid
    where m.state = 0 and n.content like '%"ready-to-collect"%' and o.content not like '%"ready-to-collect"%'
  ), `;

const updated = (more: string): string => `
create or replace function mortar.dispense_tasks_updated() returns trigger language plpgsql ${BY_KEY} as $$
begin
  with was as (
    select * from mortar.dispense_task where rid in (select rid from made_from)
  ), made as (
    ${MADE}
  ), gone as (
    delete from mortar.dispense_task d using was w
    where d.rid = w.rid and not exists (select from made m where m.rid = w.rid)
  ), kept as (
    insert into mortar.dispense_task (rid, id, owner, state, rank, issued, expires, done, patient)
    select * from made
    on conflict (rid) do update set id = excluded.id, owner = excluded.owner, state = excluded.state, rank = excluded.rank,
      issued = excluded.issued, expires = excluded.expires, done = excluded.done, patient = excluded.patient
  ), ${more}counted as (
    select owner, state, issued, rank, -1 as n from was
    union all
    select owner, state, issued, rank, 1 from made
  )
  ${COUNT};
  return null;
end $$`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(updated(READY));
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(updated(''));
}
