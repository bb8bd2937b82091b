import type { Knex } from 'knex';

// Legal holds, erasures and the runs of the purge. What may name a person is sealed; of an erasure that is done a keyed
// hash of the reference stays, and counts.

const UP = `
create schema if not exists protection;

create table protection.hold (
  id uuid primary key,
  kind text not null check (kind in ('patient', 'resource', 'query')),
  type text not null,
  rid bigint,
  target bytea not null,
  reason bytea not null,
  state text not null check (state in ('proposed', 'rejected', 'active', 'lifting', 'lifted')),
  proposed_by text not null,
  proposed_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  lift_reason bytea,
  lift_by text,
  lift_at timestamptz,
  lifted_by text,
  lifted_at timestamptz,
  check ((kind = 'query') = (rid is null)),
  check (state in ('proposed', 'rejected') or decided_by <> proposed_by),
  check (lifted_by <> lift_by)
);
create index on protection.hold (rid, type) where state in ('active', 'lifting');
create index on protection.hold (proposed_at, id);

create table protection.erasure (
  id uuid primary key,
  patient_hash bytea not null,
  patient bytea,
  reason bytea,
  basis text not null,
  state text not null check (state in ('proposed', 'rejected', 'approved', 'held', 'done')),
  proposed_by text not null,
  proposed_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  done_at timestamptz,
  counts jsonb not null default '{}',
  check ((patient is null) = (state in ('rejected', 'done'))),
  check ((patient is null) = (reason is null)),
  check (state in ('proposed', 'rejected') or decided_by <> proposed_by)
);
create unique index erasure_open on protection.erasure (patient_hash) where state in ('proposed', 'approved', 'held');
create index on protection.erasure (proposed_at, id);

create table protection.purge_run (
  id uuid primary key,
  mode text not null check (mode in ('on', 'dry-run')),
  cutoff timestamptz not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  counts jsonb not null default '{}'
);
create index on protection.purge_run (started_at);

-- Patients who were looked at and are not due yet, so that each is not looked at every day.
create table protection.not_due (
  rid bigint primary key,
  look_again bigint not null
);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema protection cascade');
}
