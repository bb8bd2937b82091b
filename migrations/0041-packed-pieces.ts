import type { Knex } from 'knex';

// Pieces of results may be packed before they are sealed: `length` stays that of what was packed.

const UP = `
alter table mortar.async_piece add column is_packed boolean not null default false;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(
    'delete from mortar.async_piece where is_packed; alter table mortar.async_piece drop column is_packed',
  );
}
