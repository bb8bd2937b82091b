import type { Knex } from 'knex';

// Requests that are answered later, and what comes of them: sealed under a key of each one's own, which goes with it.

const UP = `
create table mortar.async_request (
  id uuid primary key,
  kind text not null,
  owner text not null,
  state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed', 'cancelled', 'gone')),
  key bytea,
  payload bytea,
  checkpoint bytea,
  outcome bytea,
  progress text,
  step int not null default 0,
  is_begun boolean not null default false,
  bytes bigint not null default 0,
  asked_at timestamptz not null,
  ended_at timestamptz,
  expires_at timestamptz,
  check ((key is null) = (state in ('cancelled', 'gone')))
);
create index async_request_owner on mortar.async_request (owner) where state in ('waiting', 'running', 'done', 'failed');
create index async_request_open on mortar.async_request (asked_at) where state in ('waiting', 'running');
create index async_request_expiry on mortar.async_request (expires_at);

create table mortar.async_piece (
  request_id uuid not null references mortar.async_request (id) on delete cascade,
  file text not null,
  step int not null,
  part int not null,
  count int not null,
  length int not null,
  bytes bytea not null,
  primary key (request_id, file, step, part)
);
alter table mortar.async_piece alter column bytes set storage external;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.async_piece, mortar.async_request');
}
