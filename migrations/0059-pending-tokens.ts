import type { Knex } from 'knex';

// How many tokens wait to be sorted into their index is a setting of the connection from here on, so that many resources that
// come together may let more of them wait (src/postgres/pending-tokens.ts). What writes with the release before waits for
// Postgres' own 4 MB; searches read what waits, and take some milliseconds longer until it has been sorted in.

const TOKEN_INDEXES = `select c.relname from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'gin'
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where n.nspname = 'fhir' and a.attname = 'tok' order by c.relname`;

async function eachIndex(knex: Knex, change: string): Promise<void> {
  const { rows } = await knex.raw<{ rows: { relname: string }[] }>(TOKEN_INDEXES);
  await knex.raw(rows.map(({ relname }) => `alter index fhir.${relname} ${change};`).join('\n'));
}

export const up = (knex: Knex): Promise<void> => eachIndex(knex, 'reset (gin_pending_list_limit)');

export const down = (knex: Knex): Promise<void> => eachIndex(knex, 'set (gin_pending_list_limit = 64)');
