/** The Postgres server process: started or taken over, watched, started again when it dies, stopped last. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../ports/log.ts';
import type { Binaries } from './embedded-binaries.ts';
import { type Cluster, POSTGRES_ENVIRONMENT, processIds } from './embedded-cluster.ts';
import { type PostgresSettings, settingArguments } from './embedded-settings.ts';
import { markPostmasterFileStale, readPostmasterFile } from './postmaster-file.ts';
import { findProcess, isPostmasterOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import { StartError } from './start-error.ts';

/** Where the server listens: a Unix socket's folder or a loopback address, and the port that names it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Postmaster {
  readonly endpoint: Endpoint;
  /** Whether a server that an earlier Mortar left behind was taken over. */
  readonly adopted: boolean;
  /** The server's process number now; undefined while it is being started again. */
  pid(): number | undefined;
  /** Ends sessions and writes everything to disk; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Sends the same request without waiting, for a process that is about to exit. */
  requestStop(): void;
}

export interface PostmasterOptions {
  readonly cluster: Cluster;
  readonly binaries: Binaries;
  readonly settings: PostgresSettings;
  readonly log: Log;
}

/** Long, as recovery after a crash replays up to `max_wal_size` of log. */
const READY_TIMEOUT_MS = 600_000;
const STOP_TIMEOUT_MS = 30_000;
const RETRY_DELAY_MAX_MS = 5_000;
const WATCH_INTERVAL_MS = 250;
const LOG_BYTES_MAX = 10 * 1024 * 1024;
/** With the file name, a Unix socket's path may have 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_BYTES_MAX = 100;
const SOCKET_PORT = 5432;

interface Running {
  readonly identity: ProcessIdentity;
  readonly exited: Promise<void>;
}

/** Starts the server of the cluster, or takes over the one that already runs it. Resolves when it accepts sessions. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { cluster, log } = options;
  const left = await settleLeftover(options);
  const endpoint = left?.endpoint ?? (await chooseEndpoint(cluster));
  let running: Running | undefined = left?.running ?? (await launchWithRetry(options, endpoint));
  let stopping = false;

  const supervise = async (): Promise<void> => {
    for (;;) {
      await running?.exited;
      if (stopping) return;
      log.error('postgres: the server process ended unexpectedly and is started again', { pid: running?.identity.pid });
      running = undefined;
      for (let delayMs = 100; running === undefined; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MAX_MS)) {
        running = await launch(options, endpoint).catch((error: unknown) => {
          log.error('postgres: start failed', { cause: error, retryInMs: delayMs });
          return undefined;
        });
        if (stopping) return;
        if (running === undefined) await sleep(delayMs, undefined, { ref: false });
        if (stopping) return;
      }
      log.info('postgres: the server runs again', { pid: running.identity.pid });
    }
  };
  const supervised = supervise();

  return {
    endpoint,
    adopted: left !== undefined,
    pid: () => running?.identity.pid,
    stop: async () => {
      stopping = true;
      if (running === undefined) await supervised; // a start under way is waited for, so that none is left behind
      if (running !== undefined) await stopRunning(options, running);
    },
    requestStop: () => {
      stopping = true;
      if (running !== undefined) signalPostmaster(options, running.identity.pid, 'SIGINT');
    },
  };
}

/**
 * Deals with a server that a killed Mortar left behind: taken over when it was started as we would start it, stopped
 * when it was not (another release, other settings), its file marked stale when the number is another program's.
 */
async function settleLeftover(
  options: PostmasterOptions,
): Promise<{ running: Running; endpoint: Endpoint } | undefined> {
  const { cluster, log } = options;
  const file = readPostmasterFile(cluster.data);
  const identity = file === undefined ? undefined : findProcess(file.pid);
  if (file === undefined || identity === undefined) return undefined;
  if (isPostmasterOf(file.pid, cluster.data) === false) {
    markPostmasterFileStale(cluster.data);
    return undefined;
  }
  const running: Running = { identity, exited: watchUntilGone(identity) };
  const endpoint = endpointOf(cluster, file.socketFolder, file.port);
  if (startedAlike(options, endpoint) && (await becomesReady(cluster.data, identity))) {
    log.warn('postgres: took over the server that an earlier Mortar left running', { pid: identity.pid });
    return { running, endpoint };
  }
  log.warn('postgres: stopping the server that an earlier Mortar left running', { pid: identity.pid });
  await stopRunning(options, running);
  return undefined;
}

function endpointOf(cluster: Cluster, socketFolder: string, port: number): Endpoint {
  return socketFolder === '' ? { host: '127.0.0.1', port } : { host: cluster.run, port };
}

/** `postmaster.opts` holds the command line of the last start, each argument in quotes. */
function startedAlike(options: PostmasterOptions, endpoint: Endpoint): boolean {
  try {
    const line = readFileSync(join(options.cluster.data, 'postmaster.opts'), 'utf8').trim();
    const wanted = serverArguments(options, endpoint).map((argument) => ` "${argument}"`);
    return line === join(options.binaries.bin, 'postgres') + wanted.join('');
  } catch {
    return false;
  }
}

/** True once the process is ready; false when it goes away, is stopping, or takes too long. */
async function becomesReady(data: string, identity: ProcessIdentity): Promise<boolean> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline && isRunning(identity)) {
    const file = readPostmasterFile(data);
    if (file?.pid === identity.pid && file.status === 'ready') return true;
    if (file?.pid === identity.pid && file.status === 'stopping') return false;
    await sleep(10);
  }
  return false;
}

/** A process that is not our child tells nobody when it ends. */
async function watchUntilGone(identity: ProcessIdentity): Promise<void> {
  while (isRunning(identity)) await sleep(WATCH_INTERVAL_MS, undefined, { ref: false });
}

async function chooseEndpoint(cluster: Cluster): Promise<Endpoint> {
  const socket = join(cluster.run, `.s.PGSQL.${SOCKET_PORT}`);
  if (process.platform !== 'win32' && Buffer.byteLength(socket) <= SOCKET_PATH_BYTES_MAX)
    return { host: cluster.run, port: SOCKET_PORT };
  return { host: '127.0.0.1', port: await findFreePort() };
}

function findFreePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().on('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}

function serverArguments({ cluster, settings }: PostmasterOptions, endpoint: Endpoint): string[] {
  const onSocket = endpoint.host === cluster.run;
  return [
    ...['-D', cluster.dataArgument, '-p', String(endpoint.port)],
    ...['-c', `listen_addresses=${onSocket ? '' : endpoint.host}`],
    ...['-c', `unix_socket_directories=${onSocket ? cluster.runArgument : ''}`],
    ...['-c', 'unix_socket_permissions=0700'],
    ...settingArguments(settings),
  ];
}

/** What passes by itself: the children of a killed server that still hold its shared memory, a port just let go. */
const PASSING = /shared memory block|could not bind|already in use|lock file/;

async function launchWithRetry(options: PostmasterOptions, endpoint: Endpoint): Promise<Running> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await launch(options, endpoint);
    } catch (error) {
      if (Date.now() > deadline || !PASSING.test((error as Error).message)) throw error;
      await sleep(100);
    }
  }
}

async function launch(options: PostmasterOptions, endpoint: Endpoint): Promise<Running> {
  const { cluster, binaries } = options;
  rotateLog(cluster.logFile);
  const logFile = openSync(cluster.logFile, 'a', 0o600);
  const logStart = fstatSync(logFile).size;
  const child = spawn(join(binaries.bin, 'postgres'), serverArguments(options, endpoint), {
    ...processIds(cluster.user),
    cwd: cluster.data,
    env: POSTGRES_ENVIRONMENT,
    stdio: ['ignore', logFile, logFile],
    detached: true, // a process group of its own: Ctrl-C in the terminal reaches us, and we stop it last
  });
  closeSync(logFile);
  const exited = onceExited(child);
  const pid = child.pid;
  if (pid !== undefined) yieldToServer(pid);
  const identity = pid === undefined ? undefined : findProcess(pid);
  const ready = identity !== undefined && (await becomesReady(cluster.data, identity));
  if (ready) {
    child.unref();
    return { identity, exited };
  }
  child.kill('SIGKILL');
  await exited;
  const said = readFileSync(cluster.logFile).subarray(logStart).toString('utf8').trim();
  throw new StartError('unreachable', `the embedded Postgres did not start: ${fatalLine(said)}`);
}

/**
 * A backend that is given a statement waits for its turn instead of taking the processor from who sent it, who has other
 * requests to answer: the processes of a server inherit SCHED_BATCH, which changes no shares (sched(7)). Where there is no
 * `chrt` it stays as it is.
 */
function yieldToServer(pid: number): void {
  if (process.platform === 'linux')
    spawnSync('chrt', ['-b', '-p', '0', String(pid)], { timeout: 5_000, stdio: 'ignore' });
}

function onceExited(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.once('error', () => resolve());
  return promise;
}

function fatalLine(said: string): string {
  const lines = said.split('\n').filter((line) => line !== '');
  return lines.find((line) => /FATAL|PANIC|error/.test(line)) ?? lines.at(-1) ?? 'it said nothing';
}

function rotateLog(file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
}

/** Fast shutdown; immediate shutdown (safe, followed by recovery) when that takes too long. */
async function stopRunning(options: PostmasterOptions, running: Running): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!isRunning(running.identity)) break;
    signalPostmaster(options, running.identity.pid, signal);
    if (await endsWithin(running, signal === 'SIGINT' ? STOP_TIMEOUT_MS : 5_000)) return;
    options.log.warn('postgres: the server does not stop', { pid: running.identity.pid, signal });
  }
  await running.exited;
}

async function endsWithin(running: Running, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      running.exited.then(() => true),
      sleep(timeoutMs, false, { signal: timer.signal }), // also keeps the event loop alive until then
    ]);
  } finally {
    timer.abort();
  }
}

function signalPostmaster({ binaries }: PostmasterOptions, pid: number, signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL') {
  if (process.platform === 'win32' && signal !== 'SIGKILL') {
    // Windows has no signals; Postgres listens on a pipe that pg_ctl knows.
    spawnSync(join(binaries.bin, 'pg_ctl'), ['kill', signal.slice(3), String(pid)], { timeout: 5_000 });
    return;
  }
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
