/**
 * One Mortar a data folder. The owner is the process named in the highest `mortar-<n>.pid`; a dead owner is followed
 * by whoever makes file n + 1. Making a file by `link` is atomic and the highest file is never removed, so that of any
 * number of starts at once exactly one wins, without a kernel lock that Node does not offer.
 */
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProcess, isRunning, type ProcessIdentity } from './process-identity.ts';
import { StartError } from './start-error.ts';

export interface FolderLock {
  /** Lets the next start in; safe to call twice. */
  release(): void;
}

interface Owner extends ProcessIdentity {
  readonly released?: boolean;
}

const FILE = /^mortar-(\d+)\.pid$/;
const fileOf = (folder: string, n: number): string => join(folder, `mortar-${n}.pid`);

/** Takes the folder for this process. Throws `folder-in-use` with the owner's pid when a living Mortar has it. */
export function takeFolder(folder: string): FolderLock {
  const self = findProcess(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
  const draft = join(folder, `.mortar-${process.pid}-${Math.random().toString(36).slice(2)}.tmp`);
  writeFileSync(draft, `${JSON.stringify(self)}\n`, { mode: 0o644 });
  try {
    for (;;) {
      const highest = highestFile(folder);
      refuseLivingOwner(folder, highest);
      const mine = highest + 1;
      if (!linkExclusively(draft, fileOf(folder, mine))) continue; // another start was quicker: look at it
      if (highestFile(folder) > mine) {
        // Our listing was older than an owner that has come and cleaned up since.
        rmSync(fileOf(folder, mine), { force: true });
        continue;
      }
      removeOlder(folder, mine);
      return { release: () => markReleased(folder, mine, self) };
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

function highestFile(folder: string): number {
  let highest = 0;
  for (const name of readdirSync(folder)) highest = Math.max(highest, Number(FILE.exec(name)?.[1] ?? 0));
  return highest;
}

function refuseLivingOwner(folder: string, n: number): void {
  const owner = n === 0 ? undefined : readOwner(fileOf(folder, n));
  if (owner === undefined || owner.released === true || !isRunning(owner)) return;
  throw new StartError(
    'folder-in-use',
    `the data folder ${folder} is in use by another Mortar, process ${owner.pid}. ` +
      `Stop that one first, or give this one a folder of its own with DATA_DIR.`,
  );
}

/** Undefined when the file is gone or unreadable, as a power cut may leave it. */
function readOwner(file: string): Owner | undefined {
  try {
    const owner: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof owner !== 'object' || owner === null || !('pid' in owner) || !('startedAt' in owner)) return undefined;
    return owner as Owner; // written by takeFolder only
  } catch {
    return undefined;
  }
}

function linkExclusively(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    // File systems without hard links (some network and FAT mounts) still create exclusively.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') return createExclusively(from, to);
    throw error;
  }
}

function createExclusively(from: string, to: string): boolean {
  try {
    writeFileSync(to, readFileSync(from), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function removeOlder(folder: string, mine: number): void {
  for (const name of readdirSync(folder)) {
    const n = Number(FILE.exec(name)?.[1] ?? mine);
    if (n < mine) rmSync(join(folder, name), { force: true });
  }
}

/** The file stays, as the highest must; only its owner is no longer there. */
function markReleased(folder: string, n: number, self: ProcessIdentity): void {
  const file = fileOf(folder, n);
  if (readOwner(file)?.released === true) return;
  try {
    writeFileSync(`${file}.tmp`, `${JSON.stringify({ ...self, released: true })}\n`);
    renameSync(`${file}.tmp`, file);
  } catch {
    // The folder was taken away under us (a test's, say): then nobody can be kept out by it.
  }
}
