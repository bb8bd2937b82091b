import type { Knex } from 'knex';

// Who follows the change log, and how far each has come; and the sequence numbers of HL7 v2 senders that use them.

const UP = `
create table mortar.consumer (
  name text primary key,
  xid xid8 not null,
  rid bigint not null,
  ver int not null,
  at bigint not null
);
create table mortar.hl7v2_sequence (
  sender text primary key,
  number int not null
);
`;

export async function up(knex: Knex): Promise<void> {
  await knex.raw(UP);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table mortar.hl7v2_sequence; drop table mortar.consumer');
}
