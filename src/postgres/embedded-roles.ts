/** The roles and the database of the embedded Postgres, made once. SECURITY: SU-08. */
import pg from 'pg';
import type { DatabaseRole, Passwords } from './embedded-cluster.ts';

export const DATABASE = 'mortar';
export const ROLE_NAMES: Readonly<Record<DatabaseRole, string>> = {
  superuser: 'postgres',
  owner: 'mortar_owner',
  app: 'mortar_app',
  reader: 'mortar_reader',
};

/** Written last; a start that finds it has nothing to do. */
const DONE = 'mortar roles 1';

/** Makes roles, database and default privileges unless a start before this one came to the end of it. */
export async function prepareRoles(
  connect: (role: DatabaseRole, database: string) => pg.ClientConfig,
  passwords: Passwords,
): Promise<void> {
  await withClient(connect('superuser', 'postgres'), async (client) => {
    if (await isDone(client)) return;
    for (const role of ['owner', 'app', 'reader'] as const) await makeRole(client, role, passwords[role]);
    const database = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (database.rowCount === 0) await client.query(`create database ${DATABASE} owner ${ROLE_NAMES.owner}`);
    await restrictDatabase(client, DATABASE);
    await withClient(connect('superuser', DATABASE), grantDefaults);
    await client.query(`comment on database ${DATABASE} is '${DONE}'`);
  });
}

/** Only our roles may connect, and nobody but the owner may create anything, temporary tables included. */
export async function restrictDatabase(client: pg.Client, database: string): Promise<void> {
  await client.query(`revoke all on database ${client.escapeIdentifier(database)} from public`);
  await client.query(
    `grant connect on database ${client.escapeIdentifier(database)} to ${ROLE_NAMES.app}, ${ROLE_NAMES.reader}`,
  );
}

async function isDone(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `select 1
       from pg_database
      where datname = $1
        and shobj_description(oid, 'pg_database') = $2`,
    [DATABASE, DONE],
  );
  return rowCount === 1;
}

async function makeRole(client: pg.Client, role: DatabaseRole, password: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [ROLE_NAMES[role]]);
  await client.query(
    `${rowCount === 0 ? 'create' : 'alter'} role ${ROLE_NAMES[role]}
       login nosuperuser nocreatedb nocreaterole noinherit noreplication
       password ${client.escapeLiteral(password)}`,
  );
}

/** Every table that the owner's migrations make is the app's to change and the reader's to read. */
async function grantDefaults(client: pg.Client): Promise<void> {
  const { owner, app, reader } = ROLE_NAMES;
  const defaults = `alter default privileges for role ${owner}`;
  await client.query('revoke all on schema public from public');
  await client.query(`${defaults} grant usage on schemas to ${app}, ${reader}`);
  await client.query(`${defaults} grant select, insert, update, delete on tables to ${app}`);
  await client.query(`${defaults} grant usage, select on sequences to ${app}`);
  await client.query(`${defaults} grant select on tables to ${reader}`);
}

async function withClient(config: pg.ClientConfig, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
