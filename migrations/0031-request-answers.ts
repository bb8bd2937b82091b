import type { Knex } from 'knex';

// Answers to requests with an Idempotency-Key, kept in the transaction that did what was asked.

const UP = `
create table mortar.request_answer (
  owner text not null,
  key bytea not null,
  hash bytea not null,
  answer bytea,
  kept_at timestamptz not null,
  primary key (owner, key)
);
create index request_answer_at on mortar.request_answer (kept_at);
alter table mortar.request_answer alter column answer set storage external;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.request_answer');
}
