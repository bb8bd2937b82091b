/**
 * One Postgres a run, one database a suite. The server is Mortar's embedded one on a temporary folder, or the one that
 * `TEST_DATABASE_URL` names (its role must be allowed to create databases). The schema is migrated once, into a
 * template from which each suite's database is copied.
 */
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import type { DatabaseRole } from '../../src/postgres/embedded-cluster.ts';
import { restrictDatabase } from '../../src/postgres/embedded-roles.ts';
import { prepareDatabase } from '../../src/postgres/migrate.ts';
import { silentLog } from './log.ts';
import { findFastParent, makeTempFolder, removeLeftovers, removeTempFolders } from './temp-folder.ts';

export interface TestDatabase {
  readonly name: string;
  /** How to connect as a role; on a given server every role is that of `TEST_DATABASE_URL`. */
  connection(role?: DatabaseRole): pg.ClientConfig;
  /** Ends its sessions and lets nobody in, as if its server were away. */
  stopSessions(): Promise<void>;
  allowSessions(): Promise<void>;
  /** Ends its sessions and drops it. */
  drop(): Promise<void>;
}

interface TestServer {
  readonly embedded: EmbeddedPostgres | undefined;
  connection(role: DatabaseRole, database: string): pg.ClientConfig;
  readonly template: string;
  stop(): Promise<void>;
}

export const MIGRATIONS = join(import.meta.dirname, '../../migrations');

let server: Promise<TestServer> | undefined;
let count = 0;
const open = new Set<TestDatabase>();

/** A database of its own for one suite, with the schema of `migrations/`, or an empty one. */
export async function createDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  server ??= startServer();
  const running = await server;
  count += 1;
  const name = `mortar_test_${process.pid}_${count}`;
  await asSuperuser(running, async (client) => {
    const template = options.empty ? 'template0' : running.template;
    const owner = running.embedded === undefined ? '' : 'owner mortar_owner';
    await client.query(`create database ${name} ${owner} template ${template} strategy file_copy`);
    if (running.embedded !== undefined) await restrictDatabase(client, name);
  });
  const database: TestDatabase = {
    name,
    connection: (role = 'app') => running.connection(role, name),
    stopSessions: () =>
      asSuperuser(running, async (client) => {
        await client.query(`alter database ${name} allow_connections false`);
        await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      }),
    allowSessions: () =>
      asSuperuser(running, async (client) => {
        await client.query(`alter database ${name} allow_connections true`);
      }),
    drop: async () => {
      open.delete(database);
      await asSuperuser(running, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`);
      });
    },
  };
  open.add(database);
  return database;
}

/** Whether tests run on the embedded server, which has the three roles. */
export const hasRoles = (): boolean => process.env['TEST_DATABASE_URL'] === undefined;

/** Drops what is left and stops the server. Called once, after the last test. */
export async function stopTestDatabases(): Promise<void> {
  const running = await server?.catch(() => undefined);
  if (running !== undefined) {
    if (running.embedded === undefined) for (const database of [...open]) await database.drop();
    await running.stop();
  }
  removeTempFolders();
}

async function asSuperuser(running: TestServer, work: (client: pg.Client) => Promise<void>): Promise<void> {
  await withClient(running.connection('superuser', 'postgres'), work);
}

/** Opens a session for the length of `work`. */
export async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function startServer(): Promise<TestServer> {
  removeLeftovers();
  const url = process.env['TEST_DATABASE_URL'];
  return url === undefined ? startEmbedded() : useGiven(url);
}

async function startEmbedded(): Promise<TestServer> {
  const dataDir = join(makeTempFolder(findFastParent()), 'data');
  // Throw-away data: nothing needs to survive a power cut, and some machines take long to flush.
  const embedded = await startEmbeddedPostgres({ dataDir, log: silentLog, settings: { fsync: 'off' } });
  process.once('exit', embedded.requestStop);
  await prepareDatabase({
    connection: embedded.connection('owner'),
    migrationsDir: MIGRATIONS,
    log: silentLog,
    allowUnsafe: true,
  });
  return {
    embedded,
    connection: (role, database) => embedded.connection(role, database),
    template: 'mortar',
    stop: async () => {
      process.removeListener('exit', embedded.requestStop);
      await embedded.stop();
    },
  };
}

async function useGiven(url: string): Promise<TestServer> {
  const template = `mortar_test_${process.pid}_template`;
  const connection = (_role: DatabaseRole, database: string): pg.ClientConfig => {
    const target = new URL(url);
    target.pathname = `/${database}`;
    return { connectionString: target.href };
  };
  const asGiven = <T>(work: (client: pg.Client) => Promise<T>): Promise<T> =>
    withClient({ connectionString: url }, work);
  await asGiven((client) => client.query(`create database ${template} template template0 encoding 'UTF8'`));
  await prepareDatabase({
    connection: connection('owner', template),
    migrationsDir: MIGRATIONS,
    log: silentLog,
    allowUnsafe: true,
  });
  return {
    embedded: undefined,
    connection,
    template,
    stop: async () => {
      await asGiven((client) => client.query(`drop database if exists ${template} with (force)`));
    },
  };
}
