/** The server as a process of its own on a test's database, to be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from './database.ts';
import { createFhirClient, type FhirClient } from './fhir-client.ts';
import { databaseUrl, operatorToken } from './server.ts';
import { makeTempFolder } from './temp-folder.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

export interface KillableServer {
  /** Starts it, again; resolves to a client with all rights. */
  start(): Promise<FhirClient>;
  readonly pid: number;
  /** kill -9 */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export function createKillableServer(database: TestDatabase): KillableServer {
  const dataDir = makeTempFolder();
  let child: ChildProcess | undefined;
  const running = (): ChildProcess => {
    if (!child) throw new Error('it was not started');
    return child;
  };
  function readPorts(): { readonly pid: number; readonly fhir: string } | undefined {
    try {
      return JSON.parse(readFileSync(join(dataDir, 'data/ports.json'), 'utf8')) as { pid: number; fhir: string };
    } catch {
      return undefined;
    }
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
  return {
    get pid() {
      return running().pid as number; // it is running
    },
    async start() {
      child = spawn(process.execPath, [MAIN], {
        cwd: dataDir,
        env: {
          PATH: process.env['PATH'] ?? '',
          PORT: '0',
          MLLP_PORT: '0',
          SPINE_PORT: 'off',
          PAYER_PORT: 'off',
          DATA_DIR: join(dataDir, 'data'),
          DATABASE_URL: databaseUrl(database),
          UNSAFE_DATABASE: 'allow',
          LOG_LEVEL: 'error',
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      for (let tries = 0; tries < 2400; tries++) {
        const ports = readPorts();
        if (ports !== undefined && ports.pid === child.pid) {
          const token = await operatorToken({ dataDir: join(dataDir, 'data') });
          return createFhirClient({ fhirBaseUrl: ports.fhir, bearer: { authorization: `Bearer ${token}` } });
        }
        if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
        await sleep(50);
      }
      throw new Error('the server did not start');
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}
