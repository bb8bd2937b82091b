import type { Knex } from 'knex';

// Data keys of field-level encryption, each wrapped by the key in the key file. One is active for a patient (`pat`, the
// rid) and one for what is about no patient (`type`); old ones still open what they sealed.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create table mortar.data_key (
  id text primary key,
  pat bigint,
  type text,
  wrapped bytea not null,
  state text not null default 'active' check (state in ('active', 'old')),
  used bigint not null default 0,
  created bigint not null,
  retired bigint,
  check ((state = 'old') = (retired is not null)),
  check (num_nonnulls(pat, type) = 1)
);
create unique index on mortar.data_key (pat) where state = 'active' and pat is not null;
create unique index on mortar.data_key (type) where state = 'active' and type is not null;
create index on mortar.data_key (id) where state = 'old';
`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.data_key');
}
