import type { Knex } from 'knex';

// Words of resources for `_text` and `_content`: a column and an index that holds only the rows that have any. What is
// stored already gets them in the background (src/postgres/full-text.ts).

const TYPE_TABLES = `select c.relname from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'tok'
where n.nspname = 'fhir' and c.relkind = 'r' order by c.relname`;

async function eachTable(knex: Knex, make: (name: string) => string): Promise<void> {
  const { rows } = await knex.raw<{ rows: { relname: string }[] }>(TYPE_TABLES);
  await knex.raw(rows.map(({ relname }) => make(relname)).join('\n'));
}

export const up = (knex: Knex): Promise<void> =>
  eachTable(
    knex,
    (name) => `alter table fhir.${name} add column txt tsvector;
create index ${name}_txt on fhir.${name} using gin (txt) with (fastupdate = on, gin_pending_list_limit = 64) where txt is not null;`,
  );

export const down = (knex: Knex): Promise<void> =>
  eachTable(knex, (name) => `alter table fhir.${name} drop column txt;`);
