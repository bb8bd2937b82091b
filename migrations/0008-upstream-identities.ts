import type { Knex } from 'knex';

// Sign-in through NHS CIS2 and NHS login. An identity is a provider's name for somebody; acting is as what they act in
// one session; a step is what a browser still has to do, sealed. `session_id` names a session or, for tokens that were
// exchanged for an ID token, nothing else: it outlives the row of the session, so that what was granted in it does not
// fall back to the rights of the account.

const UP = `
create table auth.upstream_identity (
  id uuid primary key,
  issuer text not null,
  subject text not null,
  provider text not null check (provider in ('cis2', 'nhs-login')),
  person_id uuid not null references auth.person (id) on delete cascade,
  created_at timestamptz not null
);
create unique index upstream_identity_key on auth.upstream_identity (issuer, subject);
create index upstream_identity_person on auth.upstream_identity (person_id);

create table auth.acting (
  session_id uuid primary key,
  person_id uuid not null references auth.person (id) on delete cascade,
  content jsonb not null,
  ends_at timestamptz not null
);
create index acting_person on auth.acting (person_id);
create index acting_ends on auth.acting (ends_at);

create table auth.upstream_step (
  hash bytea primary key,
  kind text not null check (kind in ('request', 'role', 'link')),
  content bytea not null,
  expires_at timestamptz not null
);
create index upstream_step_expires on auth.upstream_step (expires_at);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table auth.upstream_step, auth.acting, auth.upstream_identity');
}
