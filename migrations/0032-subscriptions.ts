import type { Knex } from 'knex';

// Who is told of changes (docs/subscriptions.md): with whose rights, how far each has come, and what is still to be told.

const UP = `
create table mortar.subscription_owner (
  subscription text not null,
  version int not null,
  owner jsonb not null,
  -- header fields for the endpoint, sealed
  headers bytea,
  at bigint not null,
  primary key (subscription, version)
);
create index subscription_owner_at on mortar.subscription_owner (at);
create table mortar.subscription (
  id text primary key,
  version int not null,
  state text not null check (state in ('requested', 'active', 'error', 'off')),
  channel text not null,
  heartbeat_s int,
  -- number of the last event that was told
  events bigint not null default 0,
  sent_at bigint,
  since bigint not null
);
create table mortar.subscription_event (
  seq bigint generated always as identity primary key,
  subscription text not null references mortar.subscription on delete cascade,
  type text not null,
  resource text not null,
  version int not null,
  operation text not null,
  -- ms UTC
  at bigint not null,
  patients text[] not null,
  -- given out when it is told; hidden ones never have one
  number bigint,
  dropped boolean not null default false
);
create index subscription_event_number on mortar.subscription_event (subscription, number) where number is not null;
create index subscription_event_open on mortar.subscription_event (subscription, seq) where number is null and not dropped;
create index subscription_event_at on mortar.subscription_event (at);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    'drop table mortar.subscription_event; drop table mortar.subscription; drop table mortar.subscription_owner',
  );
}
