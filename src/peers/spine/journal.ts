/**
 * What the Spine has accepted, on disk: one line a message, flushed before it is answered, so that a Spine that is killed
 * knows again everything it has said. At the start the lines are gathered into a new file.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Settings } from './book.ts';
import type { Prescription } from './prescription.ts';

/** A message that was answered. */
export interface Handled {
  /** Of the V3 wrapper. */
  readonly id: string;
  readonly ebxmlId: string;
  /** SHA-256 of the V3 document, hexadecimal. */
  readonly hash: string;
  readonly interaction: string;
  readonly fromParty: string;
  /** The whole body that is answered. */
  readonly answer: string;
  /** What the answer says, for people: `AA`, `AE 0012`. */
  readonly outcome: string;
  /** ms UTC */
  readonly at: number;
  /** ms UTC: from when a poll finds the answer. */
  readonly readyAt: number;
}

export type Entry =
  | { readonly kind: 'prescription'; readonly value: Prescription }
  | { readonly kind: 'document'; readonly id: string; readonly xml: string }
  | { readonly kind: 'message'; readonly value: Handled }
  | { readonly kind: 'settings'; readonly value: Settings };

export interface Journal {
  /** Resolves when the entries are on disk, all of them or (after a crash) none. */
  append(entries: readonly Entry[]): Promise<void>;
  /** Resolves when all that was appended so far is on disk. */
  flushed(): Promise<void>;
  close(): Promise<void>;
}

/** Another Spine works in the folder. */
export class FolderInUse extends Error {}

const FILE = 'spine.journal';
const LOCK = 'spine.lock';
const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);

/**
 * Opens the journal of a folder. `replay` is called with what was there, in order; `gather` then gives all that is to be
 * kept. Throws when another Spine works in the folder, or a line other than the last is broken.
 */
export function openJournal(
  folder: string,
  replay: (entry: Entry) => void,
  gather: () => Iterable<readonly Entry[]>,
): Journal {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lock(join(folder, LOCK));
  const path = join(folder, FILE);
  try {
    if (existsSync(path)) replayFile(path, replay);
    rewrite(path, gather());
  } catch (error) {
    unlock();
    throw error;
  }
  const file = openSync(path, 'a', 0o600);
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;
  let failure: Error | undefined;

  /** Everything that waits goes in one write and one flush. */
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const text = Buffer.from(waiting.join(''));
      waiting = [];
      for (let done = 0; done < text.length; ) done += (await writeAsync(file, text, done)).bytesWritten;
      await syncAsync(file);
    }
  }
  const flushed = async (): Promise<void> => {
    // What cannot be written must not be answered, now or later: the state in memory is ahead of the disk.
    if (failure !== undefined) throw failure;
    writing ??= drain()
      .catch((error: Error) => {
        failure = error;
        throw error;
      })
      .finally(() => {
        writing = undefined;
      });
    await writing;
    if (waiting.length > 0) await flushed();
  };
  return {
    append(entries) {
      waiting.push(formatLine(entries));
      return flushed();
    },
    flushed,
    async close() {
      await flushed().finally(() => {
        closeSync(file);
        unlock();
      });
    },
  };
}

const formatLine = (entries: readonly Entry[]): string => `${JSON.stringify(entries)}\n`;

function replayFile(path: string, replay: (entry: Entry) => void): void {
  const lines = readFileSync(path, 'utf8').split('\n');
  const torn = lines.pop(); // empty after a whole line
  for (const [index, line] of lines.entries()) {
    try {
      for (const entry of JSON.parse(line) as readonly Entry[]) replay(entry);
    } catch (cause) {
      throw new Error(`line ${index + 1} of ${path} cannot be read`, { cause });
    }
  }
  // A line that was being written when the process ended was never answered: the sender asks again.
  void torn;
}

function rewrite(path: string, batches: Iterable<readonly Entry[]>): void {
  const aside = `${path}.new`;
  const file = openSync(aside, 'w', 0o600);
  try {
    for (const batch of batches) writeSync(file, formatLine(batch));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
}

/** One process a folder: the second would write over what the first has said. */
function lock(path: string): () => void {
  const take = (): void => writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
  try {
    take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = Number(readFileSync(path, 'utf8'));
    if (isHeld(path, holder)) throw new FolderInUse(`another Spine (process ${holder}) works in this folder: ${path}`);
    rmSync(path, { force: true });
    take();
  }
  held.add(path);
  return () => {
    held.delete(path);
    rmSync(path, { force: true });
  };
}

/** Locks of this process. */
const held = new Set<string>();

/** In a container a process may have the number of the one before it: that one is gone. */
const isHeld = (path: string, holder: number): boolean => (holder === process.pid ? held.has(path) : isRunning(holder));

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
