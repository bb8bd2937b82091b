import type { Knex } from 'knex';

// Search parameters that were posted (docs/fhir.md): whether the values of what is stored have been made, and by whom they
// are known already.

const UP = `
create sequence mortar.custom_parameter_generation;
create table mortar.index_pass (
  id bigint generated always as identity primary key,
  types text[] not null,
  -- place in types, and the last rid of it that is done
  type int not null default 0,
  after bigint,
  rows bigint not null default 0,
  started_at timestamptz not null default now()
);
create table mortar.custom_parameter (
  -- of the SearchParameter
  id text primary key,
  version int not null,
  -- what is searched for; null: nothing any more
  fingerprint text,
  format int not null,
  types text[] not null,
  generation bigint not null default nextval('mortar.custom_parameter_generation'),
  state text not null default 'waiting' check (state in ('waiting', 'indexing', 'ready', 'retired')),
  -- all that wrote when every process knew it have ended when this one is over
  fence xid8,
  pass bigint references mortar.index_pass on delete set null,
  rows bigint,
  changed_at timestamptz not null default now(),
  ready_at timestamptz
);
-- The last generation that this very holder makes values of.
alter table mortar.worker add column parameters bigint not null default 0, add column parameters_by text;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    `alter table mortar.worker drop column parameters, drop column parameters_by;
drop table mortar.custom_parameter; drop table mortar.index_pass; drop sequence mortar.custom_parameter_generation`,
  );
}
