/**
 * Where the authority keeps its things. Every file is written aside and renamed into place; private keys are for their
 * owner alone, from the first byte on. docs/pki.md has the layout. SECURITY KS-01, KS-02
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { AuthorityName, ProfileName } from './profiles.ts';

/** Something is missing, in the way or not as it must be. The message says what to do. */
export class PkiError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PkiError';
  }
}

const FILE_BYTES_MAX = 64 * 1024 * 1024;
const LOCK_MS_MAX = 10_000;

export const settingsFile = (folder: string): string => join(folder, 'pki.json');
export const authorityFile = (folder: string, authority: AuthorityName, name: string): string =>
  join(folder, authority, name);
export const leafFile = (folder: string, profile: ProfileName, label: string, end: 'crt' | 'key' | 'csr'): string =>
  join(folder, profile, `${label}.${end}`);

export function writeWhole(file: string, content: string | Buffer, mode: 0o600 | 0o644): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  const handle = openSync(aside, 'wx', mode);
  try {
    writeSync(handle, typeof content === 'string' ? Buffer.from(content) : content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(aside, file);
}

export const isThere = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;

export function readWhole(file: string, mend: string): Buffer {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new PkiError(`${file} is too large`);
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new PkiError(`${file} cannot be read (${code}): ${mend}`, cause);
  }
}

/** Refuses a private key that others may read. */
export function checkKeyMode(file: string): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (mode !== undefined && process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new PkiError(`the private key ${file} can be read by other users: chmod 600 ${file}`);
}

/** One command at a time changes the folder. A lock that is older than any command takes is of one that was killed. */
export function withLock<T>(folder: string, now: () => number, change: () => T): T {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const lock = join(folder, '.lock');
  const age = now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? now());
  if (age > LOCK_MS_MAX) unlinkSync(lock);
  try {
    closeSync(openSync(lock, 'wx', 0o600));
  } catch (cause) {
    throw new PkiError(`another command works on ${folder}: wait for it, or remove ${lock}`, cause);
  }
  try {
    return change();
  } finally {
    unlinkSync(lock);
  }
}
