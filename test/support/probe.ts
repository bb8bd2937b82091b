/** Talks to what is loaded into a server's process to look at it from within (`live-memory.ts`, `loop-turns.ts`). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTempFolder } from './temp-folder.ts';

export interface Probe<T> {
  /** Of the server's process. */
  readonly env: Readonly<Record<string, string>>;
  /** What the probe has seen of process `pid` while this was done. */
  during(pid: number, work: () => Promise<void>): Promise<T>;
}

const TRY_MS = 20;

/** `name`: a module beside this one, that measures between two SIGUSR2 and writes to PROBE_FILE. */
export function createProbe<T extends object>(name: 'live-memory' | 'loop-turns'): Probe<T> {
  const file = join(makeTempFolder(), name);
  const read = (): unknown => {
    try {
      return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
    } catch {
      return undefined; // half written
    }
  };
  return {
    env: { NODE_OPTIONS: `--import ${join(import.meta.dirname, `${name}.ts`)}`, PROBE_FILE: file },
    async during(pid, work) {
      process.kill(pid, 'SIGUSR2');
      while (read() !== 'measuring') await sleep(TRY_MS);
      await work();
      process.kill(pid, 'SIGUSR2');
      for (;;) {
        const value = read();
        if (typeof value === 'object' && value !== null) return value as T; // what the probe tells
        await sleep(TRY_MS);
      }
    },
  };
}
