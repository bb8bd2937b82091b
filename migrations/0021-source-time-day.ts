import type { Knex } from 'knex';

// The day on which a sender last said something of a resource: rows go when messages of that day have gone. A day, and
// not a time, so that the index is touched once a day for each row.

const UP = `
alter table mortar.source_time add column said_on date not null default current_date;
create index source_time_day on mortar.source_time (said_on);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table mortar.source_time drop column said_on');
}
