import type { Knex } from 'knex';

// The audit trail (DESIGN 6a; SECURITY AU-08 to AU-11): compact entries, the chain over them, its signed checkpoints.
// The application's role may add to them and read them, nothing else; no trigger stands between it and a table.

/** Partitions of other months come from src/postgres/audit/partitions.ts. */
const TABLES = `
create schema audit;

create table audit.agent (
  id uuid primary key,
  at bigint not null,
  kind text not null,
  name text not null,
  user_id text,
  fhir_user text,
  client_id text,
  content bytea not null
);
create index on audit.agent (user_id) where user_id is not null;
create index on audit.agent (fhir_user) where fhir_user is not null;
create index on audit.agent (client_id) where client_id is not null;

create table audit.entry (
  at bigint not null,
  id bigint not null,
  xid xid8 not null default pg_current_xact_id(),
  rid bigint,
  pat bigint,
  agent uuid not null,
  ver int,
  shard smallint not null check (shard = 0),
  kind smallint not null,
  outcome smallint not null,
  type smallint,
  ref text,
  purpose text,
  rule text,
  operation text,
  correlation text,
  address text,
  token text,
  mac bytea not null,
  pats bigint[],
  detail bytea,
  primary key (at, id)
) partition by range (at);
create index entry_commit on audit.entry (shard, xid, id);
create index entry_patient on audit.entry (pat, at) where pat is not null;
create index entry_patients on audit.entry using gin (pats) where pats is not null;
create index entry_agent on audit.entry using brin (agent uuid_bloom_ops) with (pages_per_range = 16, autosummarize = on);
create table audit.entry_other partition of audit.entry default;

-- A run of entries of one month, in the order of their commits: seq, xid and id are those of its last.
create table audit.link (
  shard smallint not null,
  seq bigint not null,
  at bigint not null,
  count int not null,
  xid xid8 not null,
  id bigint not null,
  marks bytea not null,
  hash bytea not null,
  primary key (shard, seq, at)
) partition by range (at);
create table audit.link_other partition of audit.link default;

create table audit.checkpoint (
  shard smallint not null,
  seq bigint not null,
  at bigint not null,
  content text not null,
  signature text not null,
  primary key (shard, seq)
);

create table audit.tombstone (
  shard smallint not null,
  month text not null,
  at bigint not null,
  content text not null,
  signature text not null,
  primary key (shard, month)
);

-- shift: what this cluster's transaction numbers lag behind those of the cluster that the rows came from.
create table audit.chain (
  shard smallint primary key,
  seq bigint not null default 0,
  hash bytea not null default decode(repeat('00', 32), 'hex'),
  xid xid8 not null default '0',
  id bigint not null default 0,
  at bigint not null default 0,
  holder text,
  fence bigint not null default 0,
  shift bigint not null default 0,
  leased_until timestamptz not null default '-infinity'
);
insert into audit.chain (shard) values (0);
`;

/** What the owner makes is the app's to change by default, but not this. On a database with one role there is nobody to keep out. */
const RIGHTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'mortar_app') and current_user <> 'mortar_app' then
    revoke all on all tables in schema audit from mortar_app;
    grant usage on schema audit to mortar_app;
    grant select, insert on audit.agent, audit.entry, audit.link, audit.checkpoint to mortar_app;
    grant select on audit.tombstone to mortar_app;
    grant select, update on audit.chain to mortar_app;
  end if;
end
$$;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(TABLES);
  await knex.raw(RIGHTS);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop schema audit cascade');
}
