import type { Knex } from 'knex';

// The archive of prescriptions for controlled substances: bytes, hash and our signature. Rows are only ever added
// (21 CFR 1311.210, .215, .305).

const UP = `
create table mortar.epcs_record (
  id uuid primary key,
  sender text,
  message_id text,
  kind text not null,
  schedule text not null,
  presence text not null check (presence in ('signature', 'indicator', 'absent')),
  verdict text not null check (verdict in ('verified', 'not-verified', 'failed')),
  certificate bytea,
  sha256 bytea not null,
  raw bytea not null,
  key_id text not null,
  signature bytea not null,
  received_at timestamptz not null
);
create unique index epcs_record_once on mortar.epcs_record (coalesce(sender, ''), coalesce(message_id, ''), sha256);
create index epcs_record_day on mortar.epcs_record (received_at);
create function mortar.epcs_record_stays() returns trigger language plpgsql as
$$ begin raise exception 'records of controlled substances are never changed'; end $$;
create trigger epcs_record_stays before update or delete or truncate on mortar.epcs_record
  for each statement execute function mortar.epcs_record_stays();
`;

const DOWN = `
drop table mortar.epcs_record;
drop function mortar.epcs_record_stays();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
