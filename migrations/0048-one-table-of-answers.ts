import type { Knex } from 'knex';

// Answers of the workflow APIs lie in mortar.request_answer, as those of the FHIR API do; none is older than a day.

const DOWN = `
create table mortar.kept_answer (
  key bytea primary key,
  request bytea not null,
  status int not null,
  body bytea not null,
  at timestamptz not null
);
create index kept_answer_at on mortar.kept_answer (at);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.kept_answer');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(DOWN);
}
