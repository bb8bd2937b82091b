/** Looks for words in all files below a folder, as one who has stolen it would. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Longest match that is found where two pieces of a file meet. */
const OVERLAP = 64;

/** What matches, in lower case, and a file it lies in. `isSkipped`, by path. */
export function grepFolder(
  folder: string,
  pattern: RegExp,
  isSkipped: (path: string) => boolean = () => false,
): Map<string, string> {
  const found = new Map<string, string>();
  // One piece of memory for all of the thousands of files.
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || isSkipped(path)) continue;
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue; // a running Postgres makes and removes files
      throw error;
    }
    try {
      let rest = '';
      for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer)) {
        const text = rest + buffer.toString('latin1', 0, length);
        for (const [match] of text.matchAll(pattern)) found.set(match.toLowerCase(), path);
        rest = text.slice(-OVERLAP);
      }
    } finally {
      closeSync(file);
    }
  }
  return found;
}
