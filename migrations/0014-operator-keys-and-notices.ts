import type { Knex } from 'knex';

// The operator's keys of all nodes; whether somebody must make a new second factor; messages to people that wait to be
// sent, sealed, as they may hold a link.

const UP = `
create table auth.operator_key (
  node text primary key,
  kid text not null,
  jwk jsonb not null,
  seen_at timestamptz not null
);

alter table auth.person add column must_enrol boolean not null default false;

create table auth.notice (
  id uuid primary key,
  content bytea not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index notice_expires on auth.notice (expires_at);
`;

const DOWN = `
drop table auth.notice;
alter table auth.person drop column must_enrol;
drop table auth.operator_key;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
