import type { Knex } from 'knex';

// Who asked for a message to be sent: its answer is theirs to fetch, and nobody else's (SECURITY AZ-01).

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table mortar.message add column asked_by text');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table mortar.message drop column asked_by');
}
