import type { Knex } from 'knex';

// What an app asked for while the person signs in, chooses a record and consents. The browser holds the id, the table
// its hash.

const UP = `
create table auth.authorization_request (
  hash bytea primary key,
  client_id text not null references auth.client (id) on delete cascade,
  content jsonb not null,
  user_id text,
  progress jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index authorization_request_expires on auth.authorization_request (expires_at);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table auth.authorization_request');
}
