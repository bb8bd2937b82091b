import type { Knex } from 'knex';

// Proofs of possession that were used, tokens by which an app may register once, and how a client wants its ID tokens.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create table auth.dpop_proof (
  hash bytea primary key,
  expires_at timestamptz not null
);
create index dpop_proof_expires on auth.dpop_proof (expires_at);
create table auth.initial_token (
  hash bytea primary key,
  made_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index initial_token_expires on auth.initial_token (expires_at);
alter table auth.client add column id_token_alg text check (id_token_alg in ('RS256', 'ES256'));
`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
alter table auth.client drop column id_token_alg;
drop table auth.initial_token, auth.dpop_proof;
`);
}
