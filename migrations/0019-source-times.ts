import type { Knex } from 'knex';

// When each sender of messages last said something of a resource, element by element: what comes late changes nothing newer.

const UP = `
create table mortar.source_time (
  resource text not null,
  feed text not null,
  ver int not null,
  elements text not null,
  primary key (resource, feed)
) with (fillfactor = 70);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.source_time');
}
