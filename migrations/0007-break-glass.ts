import type { Knex } from 'knex';

// Access taken in an emergency, with its reason and who reviewed it.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create table auth.break_glass (
  id uuid primary key,
  user_id text not null,
  patient_id text not null,
  reason text not null,
  explanation bytea not null,
  opened_at timestamptz not null,
  expires_at timestamptz not null,
  reviewed_by text,
  reviewed_at timestamptz,
  check (reviewed_by is null or reviewed_by <> user_id)
);
create index on auth.break_glass (user_id, opened_at);
create index on auth.break_glass (opened_at, id) where reviewed_at is null;
`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table auth.break_glass');
}
