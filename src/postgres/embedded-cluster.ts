/** The data folder of the embedded Postgres: made once by initdb, with passwords of its own. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../ports/log.ts';
import type { Binaries } from './embedded-binaries.ts';
import { isReachable, type ProcessUser } from './postgres-user.ts';
import { StartError } from './start-error.ts';

/** `superuser` bootstraps, `owner` owns schema and migrations, `app` changes rows, `reader` reads them. */
export type DatabaseRole = 'superuser' | 'owner' | 'app' | 'reader';

export type Passwords = Readonly<Record<DatabaseRole, string>>;

export interface Cluster {
  /** Folder of the Postgres user (0700) that holds `data`, `run` and `postgres.log`. */
  readonly folder: string;
  readonly data: string;
  /** Folder of the Unix socket. */
  readonly run: string;
  readonly logFile: string;
  /** How the server processes name `data`: their working folder when they cannot enter the folders above it. */
  readonly dataArgument: string;
  readonly runArgument: string;
  readonly passwords: Passwords;
  readonly user: ProcessUser | undefined;
}

/** The environment of the server processes: none of our own settings, some of which are secrets. */
export const POSTGRES_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
  ...(process.platform === 'win32' && { SystemRoot: process.env['SystemRoot'] ?? 'C:\\Windows' }),
};

/** Makes the cluster below `dataDir` unless a whole one is there. */
export async function prepareCluster(
  dataDir: string,
  binaries: Binaries,
  user: ProcessUser | undefined,
  log: Log,
): Promise<Cluster> {
  const folder = join(dataDir, 'postgres');
  const data = join(folder, 'data');
  const run = join(folder, 'run');
  makeOwnFolder(folder, user);
  makeOwnFolder(run, user);
  const reachable = isReachable(data, user);
  if (!reachable && process.platform !== 'linux')
    throw new StartError(
      'folder',
      `the user ${user?.name} that runs Postgres cannot enter the folders above ${data}: choose another DATA_DIR`,
    );
  const cluster: Cluster = {
    folder,
    data,
    run,
    logFile: join(folder, 'postgres.log'),
    dataArgument: reachable ? data : '/proc/self/cwd',
    runArgument: reachable ? run : '../run',
    passwords: readOrMakePasswords(dataDir, existsSync(join(data, 'PG_VERSION'))),
    user,
  };
  removeUnfinished(folder);
  if (existsSync(join(data, 'PG_VERSION'))) checkMajorVersion(cluster);
  else await initialise(cluster, binaries, log);
  return cluster;
}

function makeOwnFolder(folder: string, user: ProcessUser | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
}

/** The passwords lie beside the cluster, in a folder that only we can enter: not even the Postgres user. */
function readOrMakePasswords(dataDir: string, clusterExists: boolean): Passwords {
  const folder = join(dataDir, 'secrets');
  const file = join(folder, 'postgres.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Passwords; // written below
  if (clusterExists)
    throw new StartError(
      'folder',
      `${file} is missing: it holds the passwords of the Postgres in ${join(dataDir, 'postgres')}. ` +
        `Put it back from your backup.`,
    );
  const make = (): string => randomBytes(24).toString('base64url');
  const passwords: Passwords = { superuser: make(), owner: make(), app: make(), reader: make() };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.tmp`, `${JSON.stringify(passwords, undefined, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.tmp`, file);
  return passwords;
}

/**
 * A Mortar that was killed leaves the draft of its initdb behind; only a finished one was renamed to `data`. That initdb
 * may still be writing, hence the retries.
 */
function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith('data.new-'))
      rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 20 });
}

const MAJOR_VERSION = '18';

function checkMajorVersion(cluster: Cluster): void {
  const version = readFileSync(join(cluster.data, 'PG_VERSION'), 'utf8').trim();
  if (version === MAJOR_VERSION) return;
  throw new StartError(
    'unsuitable',
    `${cluster.data} was made by PostgreSQL ${version}, and this release carries ${MAJOR_VERSION}: ` +
      `dump it with the release that made it and load it into a new DATA_DIR.`,
  );
}

async function initialise(cluster: Cluster, binaries: Binaries, log: Log): Promise<void> {
  const started = performance.now();
  const name = `data.new-${randomBytes(4).toString('hex')}`;
  const draft = join(cluster.folder, name);
  const passwordFile = join(cluster.folder, `${name}.password`);
  makeOwnFolder(draft, cluster.user);
  writeFileSync(passwordFile, cluster.passwords.superuser, { mode: 0o600, flag: 'wx' });
  if (cluster.user !== undefined) chownSync(passwordFile, cluster.user.uid, cluster.user.gid);
  const asGiven = cluster.dataArgument === cluster.data;
  try {
    await runInitdb(cluster, binaries, draft, [
      ...['-D', asGiven ? draft : cluster.dataArgument],
      ...['-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${asGiven ? passwordFile : `../${name}.password`}`],
      ...['--data-checksums', '--locale=C', '--encoding=UTF8', '--no-instructions'],
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  rmSync(cluster.data, { recursive: true, force: true });
  renameSync(draft, cluster.data);
  log.debug('postgres: cluster made', { ms: Math.round(performance.now() - started) });
}

function runInitdb(cluster: Cluster, binaries: Binaries, cwd: string, args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(join(binaries.bin, 'initdb'), args, {
    ...processIds(cluster.user),
    cwd,
    env: POSTGRES_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  child.on('error', (cause) => reject(new StartError('unreachable', `initdb did not start: ${cause.message}`, cause)));
  child.on('close', (code, signal) => {
    if (code === 0) resolve();
    else reject(new StartError('folder', `initdb ended with ${code ?? signal}: ${errors.trim()}`));
  });
  return promise;
}

/** What `spawn` needs to run a process as the Postgres user. */
export const processIds = (user: ProcessUser | undefined): { uid?: number; gid?: number } =>
  user === undefined ? {} : { uid: user.uid, gid: user.gid };
