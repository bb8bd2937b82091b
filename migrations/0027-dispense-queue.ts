import type { Knex } from 'knex';

// The queues of pharmacies: one narrow row a Task that carries a token, and counts by pharmacy, state, priority and day of
// issue. Both are derived from fhir.task by a trigger, in the transaction that writes the Task, whoever writes it, so that
// a page and its counts cost the same however long a queue is. Counts are spread over 16 rows: those who dispense together
// do not wait for one another.
// state: 0 open, 1 dispensed, 2 expired, 3 ended otherwise. rank: 0 controlled, 1 high risk, 2 routine. Times: ms UTC.

const MARK = `'%"https://mortar-fhir.org/NamingSystem/prescription-token"%'`;

const UP = `
create table mortar.dispense_task (
  rid bigint primary key,
  id text collate "C" not null,
  owner text collate "C" not null,
  state smallint not null,
  rank smallint not null,
  issued bigint not null,
  expires bigint not null,
  done bigint,
  patient text collate "C"
);
create index dispense_task_page on mortar.dispense_task (owner, state, rank, issued, rid);
create index dispense_task_overdue on mortar.dispense_task (expires) where state = 0;
create index dispense_task_owner_overdue on mortar.dispense_task (owner, expires) where state = 0;
create index dispense_task_patient on mortar.dispense_task (owner, patient);
create index dispense_task_done on mortar.dispense_task (owner, done) where state = 1;
create table mortar.dispense_count (
  owner text collate "C" not null,
  state smallint not null,
  day int not null,
  rank smallint not null,
  shard smallint not null,
  n bigint not null,
  primary key (owner, state, day, rank, shard)
) with (fillfactor = 50);

create function mortar.dispense_task_follow() returns trigger language plpgsql as $$
declare
  c json;
  was mortar.dispense_task;
  made mortar.dispense_task;
  reference text;
begin
  if tg_op <> 'INSERT' then
    delete from mortar.dispense_task where rid = old.rid returning * into was;
  end if;
  if tg_op <> 'DELETE' and new.op <> 'D' and new.content like ${MARK} then
    c := new.content::json;
    reference := c #>> '{owner,reference}';
    if (reference is null or reference like 'Organization/%') and c #>> '{restriction,period,end}' is not null then
      made.rid := new.rid;
      made.id := new.id;
      made.owner := coalesce(substr(reference, 14), ''); -- any pharmacy's
      made.state := case c ->> 'status' when 'completed' then 1 when 'failed' then 2
        when 'cancelled' then 3 when 'rejected' then 3 when 'entered-in-error' then 3 when 'draft' then 3 else 0 end;
      made.rank := case c ->> 'priority' when 'asap' then 0 when 'stat' then 0 when 'urgent' then 1 else 2 end;
      made.issued := extract(epoch from (c ->> 'authoredOn')::timestamptz) * 1000;
      made.expires := extract(epoch from (c #>> '{restriction,period,end}')::timestamptz) * 1000;
      made.done := extract(epoch from (c #>> '{executionPeriod,end}')::timestamptz) * 1000;
      made.patient := substr(c #>> '{for,reference}', 9);
      made.issued := coalesce(made.issued, new.lu);
      insert into mortar.dispense_task select made.*;
      -- A controlled drug is told of at once, and once: with the Task, or not at all.
      if tg_op = 'INSERT' and made.rank = 0 and made.state = 0 and made.owner <> '' then
        insert into mortar.job (id, kind, payload, run_at)
        values (gen_random_uuid(), 'controlled-alert', jsonb_build_object('task', made.id), '-infinity');
      end if;
    end if;
  end if;
  insert into mortar.dispense_count as t (owner, state, day, rank, shard, n)
  select owner, state, day, rank, pg_backend_pid() % 16, sum(n)
  from (
    select was.owner, was.state, (was.issued / 86400000)::int as day, was.rank, -1 as n where was.rid is not null
    union all
    select made.owner, made.state, (made.issued / 86400000)::int, made.rank, 1 where made.rid is not null
  ) x
  group by 1, 2, 3, 4 having sum(n) <> 0 order by 1, 2, 3, 4
  on conflict (owner, state, day, rank, shard) do update set n = t.n + excluded.n;
  return null;
end $$;
create trigger dispense_task_insert after insert on fhir.task for each row
  when (new.content like ${MARK}) execute function mortar.dispense_task_follow();
create trigger dispense_task_update after update on fhir.task for each row
  when (old.content like ${MARK} or new.content like ${MARK}) execute function mortar.dispense_task_follow();
create trigger dispense_task_delete after delete on fhir.task for each row
  when (old.content like ${MARK}) execute function mortar.dispense_task_follow();
`;

const DOWN = `
drop trigger dispense_task_insert on fhir.task;
drop trigger dispense_task_update on fhir.task;
drop trigger dispense_task_delete on fhir.task;
drop function mortar.dispense_task_follow();
drop table mortar.dispense_count;
drop table mortar.dispense_task;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
