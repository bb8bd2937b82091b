/** Key files: made once, whole and durable, and read only while nobody but their owner can read them. SECURITY KS-01, KS-03 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** The key file is missing its right, its form or its reader. The message names the file and what to do. */
export class KeyFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KeyFileError';
  }
}

/**
 * Makes the file unless it is there. Written aside and linked into place, so that two starts agree on one file and none
 * is ever seen half written. `advice` ends the error's message. Throws `KeyFileError`.
 */
export function makeKeyFile(path: string, content: () => string, advice = ''): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(aside, 'wx', 0o600);
    try {
      writeSync(file, content());
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(aside, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      unlinkSync(aside);
    }
    syncFolder(dirname(path));
  } catch (cause) {
    throw new KeyFileError(`the key file ${path} cannot be made (${codeOf(cause)})${advice}`, cause);
  }
}

/** A key that a power cut takes away again would be made anew, and nothing of the first would fit it. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Throws `KeyFileError`, also where others could read the file. */
export function readKeyFile(path: string): string {
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new KeyFileError(`the key file ${path} can be read by other users: chmod 600 ${path}`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof KeyFileError) throw cause;
    throw new KeyFileError(`the key file ${path} cannot be read (${codeOf(cause)})`, cause);
  }
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown';
