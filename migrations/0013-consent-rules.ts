import type { Knex } from 'knex';

// What Consents say, one row a provision, written with the Consent itself (SECURITY FA-06). Null lists do not narrow.
// Consents that are stored already are read when a store next opens: `consent-rules` says by which reading.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create table mortar.consent_rule (
  consent bigint not null references fhir.consent (rid) on delete cascade,
  ver int not null,
  number int not null,
  pat bigint not null,
  effect "char" not null,
  ancestors int[] not null,
  by_patient boolean not null,
  actors text[],
  purposes text[],
  actions int not null,
  types text[],
  labels text[],
  resources text[],
  referring text[],
  from_ms bigint not null,
  until_ms bigint not null,
  primary key (consent, ver, number)
);
create index on mortar.consent_rule (pat);
insert into mortar.meta (name, value) values ('consent-rules', '0');
`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("drop table mortar.consent_rule; delete from mortar.meta where name = 'consent-rules'");
}
