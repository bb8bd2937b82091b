import type { Knex } from 'knex';

// The message log of the gateway, what the job runner needs beyond its table, and schedules.

const UP = `
create table mortar.message (
  id uuid primary key,
  direction text not null check (direction in ('in', 'out')),
  dialect text not null,
  kind text not null,
  control_id text,
  sender text,
  receiver text,
  correlation text,
  hash bytea not null,
  relation text check (relation in ('conflict', 'correction')),
  first_id uuid references mortar.message (id),
  state text not null check (state in
    ('received', 'applied', 'rejected', 'queued', 'sent', 'unknown', 'acknowledged', 'dead')),
  attempts int not null default 0,
  error text,
  issues jsonb,
  raw bytea not null,
  answer bytea,
  resources text[] not null default '{}',
  received_at timestamptz not null,
  updated_at timestamptz not null,
  check ((relation is null) = (first_id is null))
);
alter table mortar.message alter column raw set storage external, alter column answer set storage external;
create unique index message_control on mortar.message (dialect, coalesce(sender, ''), control_id)
  where direction = 'in' and relation is null and control_id is not null;
create unique index message_relation on mortar.message (first_id, relation, hash) where first_id is not null;
create index message_control_id on mortar.message (control_id) where control_id is not null;
create index message_received on mortar.message (received_at desc, id desc);
create index message_open on mortar.message (state, received_at)
  where state in ('received', 'queued', 'sent', 'unknown', 'rejected', 'dead');

alter table mortar.job add column done_at timestamptz, add column dedupe text;
drop index if exists mortar.job_run_at_idx;
drop index if exists mortar.job_key_created_at_idx;
alter table mortar.job alter column created_at set default clock_timestamp();
create unique index job_dedupe on mortar.job (kind, dedupe) where dedupe is not null and state in ('ready', 'running');
create index job_ready on mortar.job (run_at) where state = 'ready';
create index job_lease on mortar.job (leased_until) where state = 'running';
create index job_key on mortar.job (kind, key, created_at, id) where key is not null and state in ('ready', 'running');
create index job_dead on mortar.job (kind, created_at) where state = 'dead';
create table mortar.schedule (
  name text primary key,
  next_at timestamptz not null
);
`;

const DOWN = `
drop table mortar.schedule;
drop table mortar.message;
alter table mortar.job drop column done_at, drop column dedupe;
create index on mortar.job (run_at) where state = 'ready';
create index on mortar.job (key, created_at) where state in ('ready', 'running');
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
