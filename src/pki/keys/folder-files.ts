/** Key files of a folder, each for its owner alone. SECURITY KS-01 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { isKeyId, KeyProviderError } from './key-error.ts';

const FILES_MAX = 1000;
const BYTES_MAX = 1024 * 1024;

/** The files with that ending, by the ids that their names are. */
export function readKeyFiles(
  folder: string,
  ending: string,
): readonly { readonly id: string; readonly file: string; readonly content: Buffer }[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .toSorted();
  } catch (cause) {
    throw new KeyProviderError('unavailable', `the folder of keys ${folder} cannot be read (${codeOf(cause)})`, cause);
  }
  if (names.length > FILES_MAX)
    throw new KeyProviderError('refused', `the folder of keys ${folder} has more than ${FILES_MAX}`);
  return names.map((name) => {
    const id = name.slice(0, -ending.length);
    const file = join(folder, name);
    if (!isKeyId(id))
      throw new KeyProviderError('refused', `${file} has no name that a key can have: letters, digits, _ -`);
    return { id, file, content: readPrivateFile(file) };
  });
}

/** Refuses a file that others may read. */
function readPrivateFile(file: string): Buffer {
  try {
    const { mode, size } = statSync(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new KeyProviderError('refused', `the private key ${file} can be read by other users: chmod 600 ${file}`);
    if (size > BYTES_MAX) throw new KeyProviderError('refused', `${file} is too large`);
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof KeyProviderError) throw cause;
    throw new KeyProviderError('unavailable', `${file} cannot be read (${codeOf(cause)})`, cause);
  }
}

/** Never over another file, and never half written. */
export function addPrivateFile(file: string, content: string | Buffer): void {
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    const handle = openSync(aside, 'wx', 0o600);
    try {
      writeSync(handle, typeof content === 'string' ? Buffer.from(content) : content);
      fsyncSync(handle);
      linkSync(aside, file);
    } finally {
      closeSync(handle);
      unlinkSync(aside);
    }
  } catch (cause) {
    throw new KeyProviderError('unavailable', `${file} cannot be made (${codeOf(cause)})`, cause);
  }
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown';
