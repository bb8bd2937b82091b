import type { Knex } from 'knex';

// Programs that may ask for tokens, what people granted them, and the keys that sign. Tokens, codes, secrets and
// handles are there as hashes only.

const UP = `
create schema if not exists auth;

create table auth.client (
  id text primary key,
  name text not null,
  publisher text,
  kind text not null check (kind in ('public', 'symmetric', 'asymmetric', 'mtls')),
  redirect_uris text[] not null default '{}',
  post_logout_uris text[] not null default '{}',
  launch_url text,
  scope text not null,
  jwks jsonb,
  jwks_uri text,
  certificate_subject text,
  profile text check (profile in ('nhs')),
  may_introspect boolean not null default false,
  is_legacy_audience boolean not null default false,
  is_verified boolean not null default false,
  needs_pushed_requests boolean not null default false,
  is_disabled boolean not null default false,
  registration_hash bytea,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (jwks is null or jwks_uri is null)
);
create table auth.client_secret (
  client_id text not null references auth.client (id) on delete cascade,
  hash bytea not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  primary key (client_id, hash)
);

-- What one person granted one client at one moment: its code, its refresh tokens and its access tokens live and die with it.
create table auth.family (
  id uuid primary key,
  client_id text not null references auth.client (id) on delete cascade,
  user_id text not null,
  security_version int not null,
  session_id text,
  scope text not null,
  audience text not null,
  patient_id text,
  encounter_id text,
  context jsonb,
  auth_time timestamptz not null,
  amr text[] not null default '{}',
  acr text,
  nonce text,
  cnf jsonb,
  code_hash bytea,
  redirect_uri text,
  challenge text,
  code_expires_at timestamptz,
  code_used_at timestamptz,
  refresh text check (refresh in ('online', 'offline')),
  handle_hash bytea,
  current_hash bytea,
  previous_hash bytea,
  salt bytea,
  rotated_at timestamptz,
  refresh_expires_at timestamptz,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_for text
);
create unique index family_code on auth.family (code_hash) where code_hash is not null;
create unique index family_handle on auth.family (handle_hash) where handle_hash is not null;
create index family_user on auth.family (user_id, created_at desc);
create index family_client on auth.family (client_id, created_at desc);
create index family_session on auth.family (session_id) where session_id is not null;
create index family_expires on auth.family (expires_at);

create table auth.access_token (
  hash bytea primary key,
  family_id uuid references auth.family (id) on delete cascade,
  client_id text not null references auth.client (id) on delete cascade,
  user_id text,
  security_version int,
  session_id text,
  scope text not null,
  audience text not null,
  patient_id text,
  encounter_id text,
  context jsonb,
  auth_time timestamptz,
  amr text[] not null default '{}',
  acr text,
  cnf jsonb,
  issued_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  check ((user_id is null) = (security_version is null))
);
create index access_token_family on auth.access_token (family_id) where family_id is not null;
create index access_token_client on auth.access_token (client_id);
create index access_token_user on auth.access_token (user_id) where user_id is not null;
create index access_token_expires on auth.access_token (expires_at);

create table auth.pushed_request (
  hash bytea primary key,
  client_id text not null references auth.client (id) on delete cascade,
  parameters jsonb not null,
  expires_at timestamptz not null
);
create index pushed_request_expires on auth.pushed_request (expires_at);

create table auth.launch (
  hash bytea primary key,
  client_id text not null references auth.client (id) on delete cascade,
  user_id text not null,
  patient_id text,
  encounter_id text,
  context jsonb,
  expires_at timestamptz not null
);
create index launch_expires on auth.launch (expires_at);

create table auth.remembered_consent (
  user_id text not null,
  client_id text not null references auth.client (id) on delete cascade,
  patient_id text not null default '',
  scope text not null,
  given_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (user_id, client_id, patient_id)
);
create index remembered_consent_expires on auth.remembered_consent (expires_at);

create table auth.assertion (
  issuer text not null,
  jti_hash bytea not null,
  expires_at timestamptz not null,
  primary key (issuer, jti_hash)
);
create index assertion_expires on auth.assertion (expires_at);

create table auth.signing_key (
  id text primary key,
  alg text not null check (alg in ('RS256', 'ES256')),
  public_jwk jsonb not null,
  private_key bytea,
  created_at timestamptz not null,
  signs_from timestamptz not null,
  signs_until timestamptz
);
`;

const DOWN = `
drop table auth.signing_key, auth.assertion, auth.remembered_consent, auth.launch, auth.pushed_request,
  auth.access_token, auth.family, auth.client_secret, auth.client;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
