/** The processes that are measured: one Postgres, Mortar and the bare baseline on it; and what they use. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type pg from 'pg';
import { requestOperatorToken } from '../src/auth/oauth/operator-client.ts';
import { startEmbeddedPostgres } from '../src/postgres/embedded.ts';

const ROOT = join(import.meta.dirname, '..');
/** Clock ticks a second in /proc: fixed on Linux. */
const TICKS = 100;
const TOKEN_S = 86_400;

export interface Server {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Mortar extends Server {
  /** Of the operator: it lives a day. */
  readonly token: string;
}

export interface BenchPostgres {
  /** Gone afterwards; other users may pass through it, as Postgres may run as one. */
  readonly folder: string;
  /** As the owner of the database. */
  readonly url: string;
  readonly owner: pg.ClientConfig;
}

/** Measures on a Postgres of its own, with its durable defaults. */
export async function withPostgres<T>(work: (postgres: BenchPostgres) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mortar-bench-'));
  chmodSync(folder, 0o711);
  const postgres = await startEmbeddedPostgres({
    dataDir: folder,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  try {
    const owner = postgres.connection('owner');
    const url = new URL(`postgresql://${owner.user}:${String(owner.password)}@localhost/${owner.database}`);
    url.searchParams.set('host', owner.host ?? '127.0.0.1');
    url.searchParams.set('port', String(owner.port));
    return await work({ folder, url: url.href, owner });
  } finally {
    for (const child of started) child.kill('SIGKILL'); // those that a failure left
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `entry`: another program that starts it; `flags`: more of Node's own, such as `--cpu-prof`. */
export async function startMortar(
  databaseUrl: string,
  dataDir: string,
  { entry = 'src/main.ts', flags = [] }: { readonly entry?: string; readonly flags?: readonly string[] } = {},
): Promise<Mortar> {
  const child = start(['--max-semi-space-size=64', ...flags, join(ROOT, entry)], {
    ...process.env,
    PORT: '0',
    MLLP_PORT: '0',
    SPINE_PORT: 'off',
    PAYER_PORT: 'off',
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'warn',
  });
  await line(child, /ready after/);
  const ports = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as { http: number };
  const { token } = await requestOperatorToken({ dataDir, ttlS: TOKEN_S, now: Date.now });
  return { ...server(child, ports.http), token };
}

export async function startBaseline(connection: pg.ClientConfig): Promise<Server> {
  const child = start([join(ROOT, 'bench/baseline.ts'), JSON.stringify(connection)]);
  return server(child, Number(await line(child, /^\d+$/)));
}

/** Every process that was started and has not ended. */
const started = new Set<ChildProcess>();

function start(args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], ...(env && { env }) });
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

function server(child: ChildProcess, port: number): Server {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    port,
    pid: child.pid as number, // it has printed a line
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function line(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream }); // stdout is a pipe
    lines.on('line', (text) => {
      if (pattern.test(text)) resolve(text);
    });
    child.once('exit', (code) => reject(new Error(`a measured process ended with ${code}`)));
  });
}

/** CPU seconds a process has used. */
export function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return 0;
  }
}

/** CPU seconds of a process and of each of its children. */
export function cpuOfTree(pid: number): ReadonlyMap<number, number> {
  const found = new Map([[pid, cpuOf(pid)]]);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (Number(fields[1]) === pid) found.set(Number(name), (Number(fields[11]) + Number(fields[12])) / TICKS);
    } catch {
      // the process ended while we looked
    }
  }
  return found;
}

/** How the kernel schedules a process and its children, where there is `chrt`. sched(7) */
export function schedule(pid: number, policy: 'batch' | 'other'): void {
  for (const one of cpuOfTree(pid).keys())
    spawnSync('chrt', [`--${policy}`, '--pid', '0', String(one)], { stdio: 'ignore' });
}

/** CPU seconds between two looks, by the processes that live at the second. */
export function cpuBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  let total = 0;
  for (const [pid, seconds] of after) total += seconds - (before.get(pid) ?? 0);
  return total;
}

/** Resident memory, MiB. */
export const rssOf = (pid: number): number => memoryOf(pid, 'VmRSS');

/** The most there was of it since `forgetPeak`, MiB. */
export const peakOf = (pid: number): number => memoryOf(pid, 'VmHWM');

/** From here on the peak is counted anew. https://docs.kernel.org/filesystems/proc.html, clear_refs */
export const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

function memoryOf(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}
