import type { Knex } from 'knex';

// The controlled drugs register: a running balance a pharmacy and product. Lines are numbered without a gap and only ever
// added. Who collected is sealed.

const UP = `
create table mortar.controlled_register (
  pharmacy text collate "C" not null,
  product text collate "C" not null,
  number bigint not null,
  at timestamptz not null,
  type text not null check (type in ('stock-in', 'supply', 'correction')),
  quantity numeric(14, 3) not null,
  balance numeric(14, 3) not null constraint controlled_register_balance check (balance >= 0),
  name text not null,
  schedule text,
  token text,
  reason text,
  by_name text not null,
  by_id text not null,
  identity bytea,
  primary key (pharmacy, product, number)
);
create index controlled_register_time on mortar.controlled_register (pharmacy, at);
create unique index controlled_register_supply on mortar.controlled_register (token) where type = 'supply';
create function mortar.controlled_register_stays() returns trigger language plpgsql as
$$ begin raise exception 'lines of the controlled drugs register are never changed'; end $$;
create trigger controlled_register_stays before update or delete or truncate on mortar.controlled_register
  for each statement execute function mortar.controlled_register_stays();
create unique index prescription_attempt_once on mortar.prescription_attempt (token) where kind = 'dispense' and success;
`;

const DOWN = `
drop index mortar.prescription_attempt_once;
drop table mortar.controlled_register;
drop function mortar.controlled_register_stays();
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
