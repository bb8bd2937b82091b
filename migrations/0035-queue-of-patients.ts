import type { Knex } from 'knex';

// A page of a pharmacy's queue for patients of one name: each patient's prescriptions in the order of the queue, so that
// a page is read and no more.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
create index dispense_task_of_patient on mortar.dispense_task (owner, patient, state, rank, issued, rid);
drop index mortar.dispense_task_patient;
`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
create index dispense_task_patient on mortar.dispense_task (owner, patient);
drop index mortar.dispense_task_of_patient;
`);
}
