import type { Knex } from 'knex';

// People who sign in: accounts, what they prove themselves with, sessions, links and counters. Passwords, codes,
// cookies and links are there as hashes only; what must be read again (TOTP secret, claimed NHS number) is sealed.

const UP = `
create schema if not exists auth;

create table auth.person (
  id uuid primary key,
  name text not null,
  email text not null,
  email_key text not null,
  roles text[] not null,
  is_disabled boolean not null default false,
  patient_ids text[] not null default '{}',
  practitioner_id text,
  practitioner_role_ids text[] not null default '{}',
  organization_ids text[] not null default '{}',
  security_version int not null default 1,
  password_hash text,
  email_verified_at timestamptz,
  totp bytea,
  totp_step bigint,
  nhs_number_claim bytea,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create unique index person_email on auth.person (email_key);
create index person_unconfirmed on auth.person (created_at) where email_verified_at is null;
create index person_administrator on auth.person (id) where 'ADMIN' = any (roles);

create table auth.recovery_code (
  person_id uuid not null references auth.person (id) on delete cascade,
  hash bytea not null,
  primary key (person_id, hash)
);

create table auth.security_key (
  id text primary key,
  person_id uuid not null references auth.person (id) on delete cascade,
  name text not null,
  public_key bytea not null,
  counter bigint not null,
  is_backed_up boolean not null,
  device_type text not null,
  transports text[] not null default '{}',
  created_at timestamptz not null,
  used_at timestamptz
);
create index security_key_person on auth.security_key (person_id);

create table auth.trusted_device (
  hash bytea primary key,
  person_id uuid not null references auth.person (id) on delete cascade,
  expires_at timestamptz not null
);
create index trusted_device_person on auth.trusted_device (person_id);
create index trusted_device_expires on auth.trusted_device (expires_at);

create table auth.session (
  id uuid primary key,
  hash bytea not null,
  person_id uuid not null references auth.person (id) on delete cascade,
  security_version int not null,
  auth_time timestamptz not null,
  amr text[] not null,
  address text,
  agent text,
  created_at timestamptz not null,
  seen_at timestamptz not null,
  ends_at timestamptz not null
);
create unique index session_hash on auth.session (hash);
create index session_person on auth.session (person_id, created_at);
create index session_ends on auth.session (ends_at);

-- A step that somebody must still take: the second factor, enrolment, a reset, the first administrator.
create table auth.challenge (
  hash bytea primary key,
  kind text not null check (kind in ('second-step', 'enrolment', 'security-key', 'reset', 'setup', 'verify-email')),
  person_id uuid references auth.person (id) on delete cascade,
  security_version int,
  failures int not null default 0,
  data jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index challenge_person on auth.challenge (person_id, kind) where person_id is not null;
create index challenge_expires on auth.challenge (expires_at);

create table auth.rate (
  key text primary key,
  points int not null,
  expires_at timestamptz not null
);
create index rate_expires on auth.rate (expires_at);
`;

const DOWN = `
drop table auth.rate;
drop table auth.challenge;
drop table auth.session;
drop table auth.trusted_device;
drop table auth.security_key;
drop table auth.recovery_code;
drop table auth.person;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
