/** The server as a process of its own, on a database of its own: what is killed, and started again on what it left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from './database.ts';
import { databaseUrl, operatorToken, SERVER_SETTINGS } from './server.ts';
import { makeTempFolder } from './temp-folder.ts';

/** Where it listens in this life, and a token of the operator for it: another port is another address, and tokens are for one. */
export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly mllp: number;
  readonly dataDir: string;
  readonly bearer: { readonly authorization: string };
}

export interface ServerProcess {
  /** It is there before the first start. */
  readonly dataDir: string;
  /** Starts it, or starts it again; resolves when it answers. `env`: settings of this life alone. */
  start(env?: Readonly<Record<string, string>>): Promise<RunningServer>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Tells it to end; resolves when it has. */
  stop(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const START_TRIES = 2400;
const TRY_MS = 50;

/** `env`: settings beside those that every one has. */
export function createServerProcess(database: TestDatabase, env: Readonly<Record<string, string>> = {}): ServerProcess {
  const folder = makeTempFolder();
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  let child: ChildProcess | undefined;

  function readPorts(): { pid: number; url: string; fhir: string; mllp: number } | undefined {
    try {
      return JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8'));
    } catch {
      return undefined; // not yet
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  return {
    dataDir,
    async start(more = {}) {
      const running = spawn(process.execPath, [MAIN], {
        cwd: folder,
        env: {
          PATH: process.env['PATH'] ?? '',
          ...SERVER_SETTINGS,
          DATA_DIR: dataDir,
          DATABASE_URL: databaseUrl(database),
          LOG_LEVEL: 'error',
          ...env,
          ...more,
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      child = running;
      for (let tries = 0; tries < START_TRIES; tries++) {
        const found = readPorts();
        if (found !== undefined && found.pid === running.pid) {
          const bearer = { authorization: `Bearer ${await operatorToken({ dataDir })}` };
          const { pid, url, fhir, mllp } = found;
          return { pid, url, fhirBaseUrl: fhir, mllp, dataDir, bearer };
        }
        if (running.exitCode !== null) throw new Error(`the server ended with ${running.exitCode}`);
        await sleep(TRY_MS);
      }
      throw new Error('the server did not start');
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}
