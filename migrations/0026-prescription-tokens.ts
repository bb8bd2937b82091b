import type { Knex } from 'knex';

// Numbers that the ids of prescription tokens are made from, the secret by which, and the log of who showed a token.

const UP = `
create sequence mortar.prescription_number minvalue 0 maxvalue 99999999 cache 1;
insert into mortar.meta (name, value) values
  ('token-key', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
create table mortar.prescription_attempt (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  token text,
  pharmacy text,
  pharmacy_name text,
  kind text not null check (kind in ('verify', 'dispense')),
  success boolean not null,
  reason text not null,
  address text
);
create index prescription_attempt_token on mortar.prescription_attempt (token, id) where token is not null;
create index prescription_attempt_pharmacy on mortar.prescription_attempt (pharmacy, at) where pharmacy is not null;
create index prescription_attempt_failed on mortar.prescription_attempt (at) where not success;
create function mortar.prescription_attempt_stays() returns trigger language plpgsql as
$$ begin raise exception 'the log of prescription tokens is never changed'; end $$;
create trigger prescription_attempt_stays before update on mortar.prescription_attempt
  for each statement execute function mortar.prescription_attempt_stays();
`;

const DOWN = `
drop table mortar.prescription_attempt;
drop function mortar.prescription_attempt_stays();
delete from mortar.meta where name = 'token-key';
drop sequence mortar.prescription_number;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
