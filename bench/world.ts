/** A store of one size with all that is measured on it: a Postgres of its own, Mortar and the bare baseline. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/postgres/embedded.ts';
import { type Loaded, loadRecords } from './import.ts';
import { cpuBetween, cpuOf, cpuOfTree, type Mortar, type Server, startBaseline, startMortar } from './processes.ts';
import { note } from './report.ts';

export interface World {
  readonly loaded: Loaded;
  readonly mortar: Mortar;
  readonly baseline: Server;
  readonly pgPid: number;
  /** As the owner of the database. */
  readonly admin: pg.Client;
  stop(): Promise<void>;
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** Nothing is asked of a server, and yet it works: on what was written, which is not what is measured. */
const BUSY_SHARE = 0.05;
const LOOK_MS = 2_000;
const WAIT_MAX_MS = 120_000;

/** Loads at least `size` resources; the server that is measured starts with the statistics of what is there. */
export async function openWorld(size: number): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'mortar-bench-'));
  chmodSync(folder, 0o711); // Postgres may run as another user
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silent });
  const owner = postgres.connection('owner');
  const admin = new pg.Client(owner);
  const servers: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers) await server.stop();
    await admin.end().catch(() => undefined);
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await admin.connect();
    await admin.query('create schema bare; create table bare.t (id uuid primary key, content text not null)');
    const databaseUrl = urlOf(owner);
    const serverFolder = join(folder, 'server');
    note(`loading ${size} resources …`);
    const loader = await startMortar(databaseUrl, serverFolder);
    servers.push(loader);
    const loaded = await loadRecords(loader, size);
    note(`there are ${loaded.resources}, in transaction bundles of 100, ${Math.round(loaded.rate)}/s`);
    await admin.query('vacuum analyze');
    await servers.pop()?.stop();
    const mortar = await startMortar(databaseUrl, serverFolder);
    const baseline = await startBaseline(owner);
    servers.push(mortar, baseline);
    const pgPid = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
    await untilIdle(mortar.pid, pgPid);
    return { loaded, mortar, baseline, pgPid, admin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until server and database have nothing left to do of what was loaded; two minutes at most. */
async function untilIdle(serverPid: number, pgPid: number): Promise<void> {
  for (let waited = 0; waited < WAIT_MAX_MS; waited += LOOK_MS) {
    const before = [cpuOf(serverPid), cpuOfTree(pgPid)] as const;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const used = cpuOf(serverPid) - before[0] + cpuBetween(before[1], cpuOfTree(pgPid));
    if (used < (BUSY_SHARE * LOOK_MS) / 1000) return;
  }
  note('it is still at work on what was loaded: its figures are too high');
}

function urlOf(c: pg.ClientConfig): string {
  const url = new URL(`postgresql://${c.user}:${String(c.password)}@localhost/${c.database}`);
  url.searchParams.set('host', c.host ?? '127.0.0.1');
  url.searchParams.set('port', String(c.port));
  return url.href;
}
