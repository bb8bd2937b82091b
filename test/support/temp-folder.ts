/** Folders that a run makes below the system's temporary folder, and what runs that were killed left there. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPostmasterFile } from '../../src/postgres/postmaster-file.ts';
import { findProcess, isPostmasterOf, isRunning, type ProcessIdentity } from '../../src/postgres/process-identity.ts';

const PREFIX = 'mortar-test-';
const made = new Set<string>();

const MEMORY = '/dev/shm';
const ROOM_BYTES_MIN = 2 * 1024 ** 3;

/** A parent folder in memory where there is room: copying a database of 2,000 files takes a tenth of the time there. */
export function findFastParent(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
    return Math.min(bavail * bsize, freemem(), limit / 2) > ROOM_BYTES_MIN ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** A new folder, which the Postgres user may pass through, removed when the run ends. */
export function makeTempFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, PREFIX));
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'runner.json'), JSON.stringify(findProcess(process.pid)));
  made.add(folder);
  return folder;
}

/** Removes the folders of this run; a Postgres that still runs in one is ended first, by its number. */
export function removeTempFolders(): void {
  for (const folder of made) removeFolder(folder);
  made.clear();
}

/** Removes what a killed run left behind. */
export function removeLeftovers(): void {
  for (const parent of new Set([tmpdir(), findFastParent()]))
    for (const name of readdirSync(parent)) {
      const folder = join(parent, name);
      if (name.startsWith(PREFIX) && !made.has(folder) && !hasLivingRunner(folder)) removeFolder(folder);
    }
}

function hasLivingRunner(folder: string): boolean {
  try {
    return isRunning(JSON.parse(readFileSync(join(folder, 'runner.json'), 'utf8')) as ProcessIdentity);
  } catch {
    return true; // not ours to judge
  }
}

function removeFolder(folder: string): void {
  for (const data of findDataFolders(folder)) {
    const pid = readPostmasterFile(data)?.pid;
    if (pid !== undefined && isPostmasterOf(pid, data) === true) process.kill(pid, 'SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** The data folders of Postgres servers at most three levels down. */
function findDataFolders(folder: string, depth = 3): string[] {
  if (depth === 0) return [];
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) return [];
      return entry.name === 'postgres' ? [join(path, 'data')] : findDataFolders(path, depth - 1);
    });
  } catch {
    return [];
  }
}
