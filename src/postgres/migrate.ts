/**
 * Brings the database to this release's schema: the numbered files of `migrations/`, run once however many processes
 * start together. SECURITY: RL-62, RL-63. Each migration runs in a transaction unless it exports
 * `config = { transaction: false }`; such a one that stops half way blocks the next start, except when it also exports
 * `resumable = true`, which says that running it again is harmless.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Knex } from 'knex';
import pg from 'pg';
import type { Log } from '../ports/log.ts';
import { checkDatabase, type DatabaseFacts } from './check-database.ts';
import { ROLE_NAMES } from './embedded-roles.ts';
import { StartError } from './start-error.ts';

export interface PrepareDatabaseOptions {
  /** The role that owns the schema. */
  readonly connection: pg.ClientConfig;
  /** Folder of `0001-name.ts` files that export `up` and `down`. */
  readonly migrationsDir: string;
  readonly log: Log;
  /** Goes on although the server would lose acknowledged writes: tests and throw-away data only. */
  readonly allowUnsafe?: boolean;
}

export interface PreparedDatabase extends DatabaseFacts {
  /** Migrations that this start ran. */
  readonly applied: readonly string[];
  /** Name of the newest migration in the database; undefined when there is none. */
  readonly schema: string | undefined;
}

interface MigrationModule extends Knex.Migration {
  readonly config?: { readonly transaction?: boolean };
  readonly resumable?: boolean;
}

/** Any number that no other program on this database uses for an advisory lock: 'mort' in ASCII. */
const MIGRATION_LOCK = 0x6d6f7274;
const MIGRATION_FILE = /^\d{4}-[a-z0-9-]+\.ts$/;
/** A database may be one migration ahead, as each is readable by the release before it. */
const NEWER_MAX = 1;

/** Checks the server, then migrates. Throws `StartError`: `unreachable`, `unsuitable` or `migration`. */
export async function prepareDatabase(options: PrepareDatabaseOptions): Promise<PreparedDatabase> {
  const client = await connect(options.connection);
  try {
    const facts = await checkDatabase(client, options.log, { allowUnsafe: options.allowUnsafe ?? false });
    const known = readdirSync(options.migrationsDir)
      .filter((name) => MIGRATION_FILE.test(name))
      .map((name) => name.slice(0, -'.ts'.length))
      .sort();
    let state = await readState(client);
    let applied: readonly string[] = [];
    if (findPending(state, known, options.log).length > 0) {
      await takeMigrationLock(client, options.log);
      state = await readState(client); // another start may have migrated while we waited
      applied = findPending(state, known, options.log);
      await runMigrations(client, options, applied);
    }
    return { ...facts, applied, schema: applied.at(-1) ?? state.applied.at(-1) };
  } finally {
    await client.end(); // ends the session, and with it the lock
  }
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ connectionTimeoutMillis: 10_000, ...config });
  client.on('error', () => {}); // a session that breaks while idle fails its next query, which tells it
  try {
    await client.connect();
    return client;
  } catch (cause) {
    throw new StartError('unreachable', `the database does not answer: ${describe(cause)}`, cause);
  }
}

/** Connection errors of several addresses come as an AggregateError without a message. */
function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}

interface State {
  readonly applied: readonly string[];
  /** A migration without a transaction that was begun and not ended. */
  readonly unfinished: string | undefined;
}

async function readState(client: pg.Client): Promise<State> {
  const { rows } = await client.query<{ migration: string | null; running: string | null }>(
    `select to_regclass('migration.applied')::text as migration, to_regclass('migration.running')::text as running`,
  );
  const there = rows[0];
  if (there?.migration == null || there.running == null) return { applied: [], unfinished: undefined };
  const applied = await client.query<{ name: string }>('select name from migration.applied order by name');
  const running = await client.query<{ name: string }>('select name from migration.running');
  return { applied: applied.rows.map((row) => row.name), unfinished: running.rows[0]?.name };
}

/** The known migrations that are not applied, in order. Throws when database and release do not fit. */
function findPending(state: State, known: readonly string[], log: Log): string[] {
  const last = known.at(-1) ?? '';
  const unknown = state.applied.filter((name) => !known.includes(name));
  const newer = unknown.filter((name) => name > last);
  const pending = known.filter((name) => !state.applied.includes(name));
  if (newer.length > NEWER_MAX)
    throw new StartError(
      'migration',
      `the database was migrated by a newer release (it has ${newer.join(', ')}; this release ends with ` +
        `${last || 'none'}). Start that release, or restore a backup from before the upgrade.`,
    );
  const newestApplied = state.applied.at(-1) ?? '';
  const outOfOrder = [...unknown.filter((name) => name <= last), ...pending.filter((name) => name < newestApplied)];
  if (outOfOrder.length > 0)
    throw new StartError(
      'migration',
      `the database's migrations are not those of this release (they differ in ${outOfOrder.join(', ')}): ` +
        `it was made by another branch. Use its release or another database.`,
    );
  if (newer.length > 0) log.warn('the database is one migration newer than this release', { newer: newer[0] });
  return pending;
}

/** Waits while another start migrates. */
async function takeMigrationLock(client: pg.Client, log: Log): Promise<void> {
  const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [MIGRATION_LOCK]);
  if (rows[0]?.got === true) return;
  log.info('waiting for another start that is migrating this database');
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
}

async function runMigrations(
  client: pg.Client,
  { connection, migrationsDir, log }: PrepareDatabaseOptions,
  pending: readonly string[],
): Promise<void> {
  if (pending.length === 0) return;
  await makeMigrationSchema(client);
  // Loaded here, as most starts have nothing to migrate and knex takes a fifth of a second.
  const { default: createKnex } = await import('knex');
  const silent = { warn() {}, error() {}, debug() {}, deprecate() {} };
  const knex = createKnex({
    client: 'pg',
    connection: connection as Knex.PgConnectionConfig, // the same settings: knex hands them to pg
    pool: { min: 0, max: 1 },
    log: silent,
  });
  const modules = new Map<string, MigrationModule>();
  for (const name of pending) modules.set(name, await loadMigration(join(migrationsDir, `${name}.ts`)));
  const known = [...(await readState(client)).applied, ...pending];
  const migratorConfig: Knex.MigratorConfig = {
    schemaName: 'migration',
    tableName: 'applied',
    disableMigrationsListValidation: true, // findPending did it, and allows what knex would not
    migrationSource: {
      getMigrations: async () => known,
      getMigrationName: (name: string) => name,
      getMigration: async (name: string) => modules.get(name) ?? { up: async () => {}, down: async () => {} },
    },
  };
  try {
    for (const name of pending) {
      const started = performance.now();
      await runMigration(client, knex, migratorConfig, name, modules.get(name)!); // filled from pending above
      log.info('migrated', { migration: name, ms: Math.round(performance.now() - started) });
    }
    await protectMigrationTables(client);
  } finally {
    await knex.destroy();
  }
}

async function runMigration(
  client: pg.Client,
  knex: Knex,
  config: Knex.MigratorConfig,
  name: string,
  module: MigrationModule,
): Promise<void> {
  const transactional = module.config?.transaction !== false;
  await refuseUnfinished(client, module);
  if (!transactional)
    await client.query('insert into migration.running (name) values ($1) on conflict do nothing', [name]);
  try {
    // Knex's own lock is a row that a killed start leaves set; ours is the session's.
    await knex.migrate.forceFreeMigrationsLock(config);
    await knex.migrate.up(config);
  } catch (cause) {
    throw new StartError('migration', `migration ${name} failed: ${lastPart(cause)}`, cause);
  }
  if (!transactional) await client.query('delete from migration.running');
}

async function refuseUnfinished(client: pg.Client, next: MigrationModule): Promise<void> {
  const { applied, unfinished } = await readState(client);
  if (unfinished === undefined || next.resumable === true) return;
  if (applied.includes(unfinished)) {
    // It had come to its end, and only its mark was left.
    await client.query('delete from migration.running');
    return;
  }
  throw new StartError(
    'migration',
    `migration ${unfinished} stopped half way and cannot be undone by itself. Restore the backup from before the ` +
      `upgrade, or finish it by hand and delete its row from migration.running.`,
  );
}

/** Knex puts the whole statement before the reason. */
function lastPart(error: unknown): string {
  const message = describe(error);
  return message.slice(message.lastIndexOf(' - ') + 1).replace(/^- /, '');
}

async function loadMigration(file: string): Promise<MigrationModule> {
  try {
    return (await import(pathToFileURL(file).href)) as MigrationModule; // checked below
  } catch (cause) {
    throw new StartError('migration', `migration ${file} cannot be loaded: ${describe(cause)}`, cause);
  }
}

async function makeMigrationSchema(client: pg.Client): Promise<void> {
  await client.query('create schema if not exists migration');
  await client.query('create table if not exists migration.running (name text primary key)');
}

/** The app role may change what the owner makes by default, but not this. */
async function protectMigrationTables(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1 and rolname <> current_user', [
    ROLE_NAMES.app,
  ]);
  if (rowCount === 1)
    await client.query(`revoke insert, update, delete on all tables in schema migration from ${ROLE_NAMES.app}`);
}
