import type { Knex } from 'knex';

// The queues of pharmacies follow Tasks once a statement, not once a row: those who dispense at the same time write their
// Tasks by one statement. What 0027 says of the rows and counts stays.

const MARK = `'%"https://mortar-fhir.org/NamingSystem/prescription-token"%'`;

/** Columns of `mortar.dispense_task`, made from the new Tasks. */
const MADE = `select n.rid, n.id, q.* from made_of n cross join lateral mortar.dispense_task_of(n.op, n.lu, n.content) q`;

const COUNT = `insert into mortar.dispense_count as t (owner, state, day, rank, shard, n)
  select owner, state, (issued / 86400000)::int, rank, pg_backend_pid() % 16, sum(n) from counted
  group by 1, 2, 3, 4 having sum(n) <> 0 order by 1, 2, 3, 4
  on conflict (owner, state, day, rank, shard) do update set n = t.n + excluded.n`;

// The plan is kept from when there are few rows to when there are many: each is found by its key from the beginning.
const BY_KEY = 'set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off';

const UP = `
-- A token makes a Task a little longer than what Postgres keeps in the row, and it cannot be compressed: trying to, and
-- keeping it elsewhere, takes more than twice the time of writing it.
alter table fhir.task set (toast_tuple_target = 8160);
alter table fhir.task_h set (toast_tuple_target = 8160);

create function mortar.dispense_task_of(op "char", lu bigint, content text, out owner text, out state smallint,
  out rank smallint, out issued bigint, out expires bigint, out done bigint, out patient text) returns setof record
language plpgsql stable as $$
declare
  c jsonb;
  reference text;
begin
  if op = 'D' or content not like ${MARK} then return; end if;
  c := content::jsonb;
  reference := c #>> '{owner,reference}';
  if reference not like 'Organization/%' or c #>> '{restriction,period,end}' is null then return; end if;
  owner := coalesce(substr(reference, 14), ''); -- any pharmacy's
  state := case c ->> 'status' when 'completed' then 1 when 'failed' then 2
    when 'cancelled' then 3 when 'rejected' then 3 when 'entered-in-error' then 3 when 'draft' then 3 else 0 end;
  rank := case c ->> 'priority' when 'asap' then 0 when 'stat' then 0 when 'urgent' then 1 else 2 end;
  issued := coalesce((extract(epoch from (c ->> 'authoredOn')::timestamptz) * 1000)::bigint, lu);
  expires := extract(epoch from (c #>> '{restriction,period,end}')::timestamptz) * 1000;
  done := extract(epoch from (c #>> '{executionPeriod,end}')::timestamptz) * 1000;
  patient := substr(c #>> '{for,reference}', 9);
  return next;
end $$;

create function mortar.dispense_tasks_inserted() returns trigger language plpgsql as $$
begin
  with made as (
    insert into mortar.dispense_task (rid, id, owner, state, rank, issued, expires, done, patient)
    ${MADE}
    returning *
  ), alerts as (
    -- A controlled drug is told of at once, and once: with the Task, or not at all.
    insert into mortar.job (id, kind, payload, run_at)
    select gen_random_uuid(), 'controlled-alert', jsonb_build_object('task', id), '-infinity'
    from made where rank = 0 and state = 0 and owner <> ''
  ), counted as (
    select owner, state, issued, rank, 1 as n from made
  )
  ${COUNT};
  return null;
end $$;

create function mortar.dispense_tasks_updated() returns trigger language plpgsql ${BY_KEY} as $$
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
  ), counted as (
    select owner, state, issued, rank, -1 as n from was
    union all
    select owner, state, issued, rank, 1 from made
  )
  ${COUNT};
  return null;
end $$;

create function mortar.dispense_tasks_deleted() returns trigger language plpgsql ${BY_KEY} as $$
begin
  with gone as (
    delete from mortar.dispense_task where rid in (select rid from made_from) returning *
  ), counted as (
    select owner, state, issued, rank, -1 as n from gone
  )
  ${COUNT};
  return null;
end $$;

drop trigger dispense_task_insert on fhir.task;
drop trigger dispense_task_update on fhir.task;
drop trigger dispense_task_delete on fhir.task;
create trigger dispense_tasks_inserted after insert on fhir.task referencing new table as made_of
  for each statement execute function mortar.dispense_tasks_inserted();
create trigger dispense_tasks_updated after update on fhir.task referencing old table as made_from new table as made_of
  for each statement execute function mortar.dispense_tasks_updated();
create trigger dispense_tasks_deleted after delete on fhir.task referencing old table as made_from
  for each statement execute function mortar.dispense_tasks_deleted();
`;

const DOWN = `
alter table fhir.task reset (toast_tuple_target);
alter table fhir.task_h reset (toast_tuple_target);
drop trigger dispense_tasks_inserted on fhir.task;
drop trigger dispense_tasks_updated on fhir.task;
drop trigger dispense_tasks_deleted on fhir.task;
drop function mortar.dispense_tasks_inserted();
drop function mortar.dispense_tasks_updated();
drop function mortar.dispense_tasks_deleted();
drop function mortar.dispense_task_of("char", bigint, text);
create trigger dispense_task_insert after insert on fhir.task for each row
  when (new.content like ${MARK}) execute function mortar.dispense_task_follow();
create trigger dispense_task_update after update on fhir.task for each row
  when (old.content like ${MARK} or new.content like ${MARK}) execute function mortar.dispense_task_follow();
create trigger dispense_task_delete after delete on fhir.task for each row
  when (old.content like ${MARK}) execute function mortar.dispense_task_follow();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
