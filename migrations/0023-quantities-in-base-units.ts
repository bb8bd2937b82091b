import type { Knex } from 'knex';

// Quantities in base units stand in `_n` beside those as written. What is stored already gets them in the background,
// type by type (src/postgres/reindex.ts), and is found as it was written until then.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(
    `insert into mortar.meta (name, value) select 'reindex', '{"scope":"quantities"}' where exists (select from mortar.change)`,
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw("delete from mortar.meta where name = 'reindex'");
}
