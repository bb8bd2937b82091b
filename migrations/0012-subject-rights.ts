import type { Knex } from 'knex';

// Copies of their record that patients ask for, page by page under a key of their own; processing that is stopped; and
// what patients say is wrong. Words that people wrote are sealed.

const UP = `
create schema if not exists protection;

create table protection.copy (
  id uuid primary key,
  patient_id text not null,
  asked_by text not null,
  reason bytea,
  state text not null default 'waiting' check (state in ('waiting', 'ready', 'failed', 'gone')),
  asked_at timestamptz not null,
  ready_at timestamptz,
  expires_at timestamptz,
  key bytea,
  page int not null default 0,
  step int not null default 0,
  cursor text,
  counts jsonb not null default '{"resources": 0, "messages": 0, "visits": 0}',
  check ((key is null) = (state in ('failed', 'gone')))
);
create index on protection.copy (patient_id, asked_at);
create index on protection.copy (asked_by, asked_at);
create unique index copy_waiting on protection.copy (patient_id) where state = 'waiting';
create index on protection.copy (expires_at) where state = 'ready';
create table protection.copy_page (
  copy_id uuid not null references protection.copy (id) on delete cascade,
  form text not null check (form in ('bundle', 'html')),
  page int not null,
  bytes bytea not null,
  primary key (copy_id, form, page)
);
alter table protection.copy_page alter column bytes set storage external;

create table protection.restriction (
  id uuid primary key,
  patient_id text not null,
  reason bytea not null,
  placed_by text not null,
  placed_at timestamptz not null,
  lift_reason bytea,
  lift_by text,
  lift_at timestamptz,
  lifted_by text,
  lifted_at timestamptz,
  check ((lift_by is null) = (lift_at is null)),
  check ((lifted_by is null) = (lifted_at is null)),
  check (lifted_by is null or lifted_by <> lift_by)
);
create unique index restriction_open on protection.restriction (patient_id) where lifted_at is null;
create index on protection.restriction (placed_at, id);

create table protection.rectification (
  id uuid primary key,
  patient_id text not null,
  asked_by text not null,
  type text not null,
  ref text not null,
  version int not null,
  words bytea not null,
  state text not null default 'open' check (state in ('open', 'accepted', 'refused')),
  asked_at timestamptz not null,
  answer bytea,
  answered_by text,
  answered_at timestamptz,
  new_version int,
  check ((state = 'open') = (answered_at is null)),
  check ((state = 'accepted') = (new_version is not null)),
  check (answered_by is null or answered_by <> asked_by)
);
create index on protection.rectification (patient_id, asked_at);
create index on protection.rectification (asked_at, id) where state = 'open';

-- Jobs that wait until the processing of somebody's data may go on.
alter table mortar.job drop constraint job_state_check, add column held_for text,
  add constraint job_state_check check (state in ('ready', 'running', 'done', 'dead', 'held')),
  add constraint job_held_check check ((state = 'held') = (held_for is not null));
create index job_held on mortar.job (held_for) where state = 'held';

create index on mortar.change (pat, at) where op = 'D' and pat is not null;
`;

const DOWN = `
drop index mortar.change_pat_at_idx;
update mortar.job set state = 'ready', held_for = null where state = 'held';
alter table mortar.job drop constraint job_held_check, drop constraint job_state_check, drop column held_for,
  add constraint job_state_check check (state in ('ready', 'running', 'done', 'dead'));
drop table protection.rectification, protection.restriction, protection.copy_page, protection.copy;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
