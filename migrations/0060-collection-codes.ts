import type { Knex } from 'knex';

// Codes that patients get by text message and say at the counter: keyed hashes, and how often they were sent and tried. No
// patient is named; rows go after a day. Whoever dispenses on one uses it in the transaction that dispenses.

const UP = `
create table mortar.collection_code (
  token text collate "C" primary key,
  pharmacy text collate "C" not null,
  patient text collate "C" not null,
  digest bytea not null,
  sent_at timestamptz not null,
  expires_at timestamptz not null,
  tries smallint not null default 0,
  sendings timestamptz[] not null,
  confirmed_until timestamptz,
  used_at timestamptz
);
create index collection_code_patient on mortar.collection_code (patient);
create index collection_code_sent on mortar.collection_code (sent_at);
create function mortar.use_collection_code(asked_token text, asked_pharmacy text, asked_at timestamptz) returns void
language plpgsql as $$
begin
  update mortar.collection_code set used_at = asked_at
  where token = asked_token and pharmacy = asked_pharmacy and used_at is null and confirmed_until > asked_at;
  if not found then raise exception using errcode = 'MC001', message = 'no collection code was confirmed'; end if;
end $$;
`;

const DOWN = `
drop function mortar.use_collection_code(text, text, timestamptz);
drop table mortar.collection_code;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
