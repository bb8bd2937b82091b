/**
 * The clock of tests and demonstrations: a file holds an instant, and time runs on from there. The file is looked at
 * again when it is used, at most once a second, and at once when the system tells of a change.
 */
import { closeSync, type FSWatcher, openSync, readSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';

export interface FileClockOptions {
  readonly file: string;
  readonly log: Log;
  /** Milliseconds that only ever grow; how much time has passed is read from it. */
  readonly elapsed?: () => number;
}

export interface FileClock {
  readonly now: Clock;
  stop(): void;
}

/** At the start the file is missing or holds no time. The message names it. */
export class ClockFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ClockFileError';
  }
}

const LOOK_MS = 1_000;
const BYTES_MAX = 64;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Opens the clock. Throws `ClockFileError`; a file that is broken later leaves the clock as it runs, with a warning. */
export function createClock({ file, log, elapsed = () => performance.now() }: FileClockOptions): FileClock {
  let look = lookOf(file);
  let instant = readInstant(file);
  let readAt = elapsed();
  let lookedAt = readAt;
  let isTold = false;

  function refresh(at: number): void {
    lookedAt = at;
    isTold = false;
    const next = lookOf(file);
    if (next === look) return;
    look = next;
    try {
      instant = readInstant(file);
      readAt = at;
      log.info('the clock was set by CLOCK_FILE');
    } catch (error) {
      log.warn('CLOCK_FILE is not used: the clock runs on as it was', { error });
    }
  }

  const watcher = watchFile(file, () => {
    isTold = true;
  });
  return {
    now: () => {
      const at = elapsed();
      if (isTold || at - lookedAt >= LOOK_MS) refresh(at);
      return Math.floor(instant + (at - readAt));
    },
    stop: () => watcher?.close(),
  };
}

/** The folder is watched, as a file that is replaced is another one. Where the system cannot tell, looking is enough. */
function watchFile(file: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(file)) onChange();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

/** Changes when the file does. */
function lookOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return 'none';
  }
}

function readInstant(file: string): number {
  const text = readStart(file).trim();
  const instant = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant))
    throw new ClockFileError(`CLOCK_FILE: ${file} does not hold a time such as 2026-03-01T09:00:00Z`);
  return instant;
}

function readStart(file: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const bytes = Buffer.alloc(BYTES_MAX);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new ClockFileError(`CLOCK_FILE: ${file} cannot be read (${code})`, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
