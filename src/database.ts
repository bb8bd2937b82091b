/** The database of the server: the one that DATABASE_URL names, or one of its own; migrated, and not older than it may be. */
import { join } from 'node:path';
import type pg from 'pg';
import type { Config } from './config.ts';
import type { ContextLog } from './log.ts';
import type { Clock } from './ports/clock.ts';
import { checkDatabaseClock } from './postgres/database-clock.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded.ts';
import { type PreparedDatabase, prepareDatabase } from './postgres/migrate.ts';
import { createPools, type Pools } from './postgres/pools.ts';

export interface OpenedDatabase {
  readonly name: string;
  readonly owner: pg.ClientConfig;
  readonly app: pg.ClientConfig;
  readonly embedded: EmbeddedPostgres | undefined;
}

/** An embedded one is stopped by the stack. Throws `StartError`. */
export async function openDatabase(
  config: Config,
  log: ContextLog,
  dataDir: string,
  stack: AsyncDisposableStack,
): Promise<OpenedDatabase> {
  if (config.databaseUrl !== undefined) {
    const given = { connectionString: config.databaseUrl };
    return { name: 'the database of DATABASE_URL', owner: given, app: given, embedded: undefined };
  }
  const embedded = await startEmbeddedPostgres({ dataDir, log, uid: config.postgresUid });
  stack.defer(() => embedded.stop());
  return { name: 'embedded', owner: embedded.connection('owner'), app: embedded.connection('app'), embedded };
}

const MIGRATIONS = join(import.meta.dirname, '../migrations');

/** Brings its schema to where this version needs it. Throws `StartError`. */
export async function migrateDatabase(
  { owner, app }: OpenedDatabase,
  config: Config,
  {
    migrationsDir = MIGRATIONS,
    now,
    log,
  }: { readonly migrationsDir?: string | undefined; readonly now: Clock; readonly log: ContextLog },
): Promise<PreparedDatabase> {
  const allowUnsafe = config.unsafeDatabase === 'allow';
  const prepared = await prepareDatabase({ connection: owner, migrationsDir, log, allowUnsafe });
  if (config.nodeEnv === 'production') await checkDatabaseClock(app, now);
  return prepared;
}

/** Its connections, ended by the stack. */
export function openPools(
  { app }: OpenedDatabase,
  config: Config,
  log: ContextLog,
  stack: AsyncDisposableStack,
): Pools {
  const { readConnections, writeConnections, transactionConnections } = config;
  const pools = createPools({ readConnections, writeConnections, transactionConnections, connection: app, log });
  stack.defer(() => pools.end());
  return pools;
}
