import type { Knex } from 'knex';

// The number of the session lock that the process that runs a job holds: where nobody holds it, the process is gone.

const UP = `
alter table mortar.job add column holder int;
create index job_holder on mortar.job (holder) where state = 'running' and holder is not null;
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table mortar.job drop column holder');
}
