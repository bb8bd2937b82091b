import type { Knex } from 'knex';

// A client may be registered with an alternative name of its certificate instead of the subject: `uri:urn:mortar:org:A83008`.

export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table auth.client add column certificate_name text');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table auth.client drop column certificate_name');
}
