import type { Knex } from 'knex';

// RelatedPerson resources that are a person: by them somebody acts for a patient (SECURITY FA-09).

export async function up(knex: Knex): Promise<void> {
  await knex.raw("alter table auth.person add column related_person_ids text[] not null default '{}'");
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table auth.person drop column related_person_ids');
}
