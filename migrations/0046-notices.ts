import type { Knex } from 'knex';

// Notices on their way to people (docs/notifications.md): what became of each by each channel, what people want to be told,
// and the browsers that take messages. No address lies here in clear: it is looked up as a message leaves.

const UP = `
create table mortar.notice_delivery (
  id bigint generated always as identity primary key,
  -- id of the Communication
  notice text collate "C" not null,
  recipient text collate "C" not null,
  patient text collate "C",
  channel text not null check (channel in ('email', 'sms', 'push')),
  kind text not null,
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'skipped', 'dead')),
  -- a code
  why text,
  basis text check (basis in ('service', 'consent')),
  -- ms UTC
  created_at bigint not null,
  done_at bigint,
  -- of a message that told of several: the first of them
  sent_with bigint,
  unique (notice, recipient, channel)
);
create index notice_delivery_waiting on mortar.notice_delivery (recipient, channel, kind, id) where state = 'waiting';
create index notice_delivery_sent on mortar.notice_delivery (recipient, done_at) where state = 'sent' and sent_with is null;
create index notice_delivery_created on mortar.notice_delivery (created_at);
create table mortar.notice_preference (
  recipient text collate "C" primary key,
  content jsonb not null,
  -- ms UTC
  changed_at bigint not null,
  changed_by text not null
);
create table mortar.push_subscription (
  id uuid primary key,
  recipient text collate "C" not null,
  -- sha-256 of the endpoint
  endpoint bytea not null unique,
  -- endpoint and keys, sealed
  content bytea not null,
  created_at bigint not null
);
create index push_subscription_recipient on mortar.push_subscription (recipient, created_at);
create index person_patients on auth.person using gin (patient_ids);
create index person_practitioner on auth.person (practitioner_id) where practitioner_id is not null;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`drop index auth.person_practitioner; drop index auth.person_patients;
drop table mortar.push_subscription; drop table mortar.notice_preference; drop table mortar.notice_delivery`);
}
