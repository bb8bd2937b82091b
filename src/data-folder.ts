/** The folder in which the server keeps what is its own, and what it tells there of where it listens. docs/configuration.md */
import { accessSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StartError } from './postgres/start-error.ts';

/** Made where it is not there. Throws `StartError`: before anything else, so that the message is about the folder and not about what failed in it. */
export function makeDataDir(given: string): string {
  const dataDir = resolve(given);
  try {
    mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new StartError('folder', `the data folder ${dataDir} cannot be written (${reason}): set DATA_DIR`, cause);
  }
  return dataDir;
}

/** Writes `ports.json` whole, for programs of this machine; returns what takes it away. */
export function writePorts(dataDir: string, ports: Readonly<Record<string, unknown>>): () => void {
  const file = join(dataDir, 'ports.json');
  writeFileSync(`${file}.tmp`, `${JSON.stringify(ports, undefined, 2)}\n`);
  renameSync(`${file}.tmp`, file);
  return () => rmSync(file, { force: true });
}
