/** The second place of checkpoints: a file of JSON lines, which operators copy to where this machine cannot write. */
import { open, readFile } from 'node:fs/promises';
import type { Signed } from './signed.ts';

const LINE_END = 10;

/** Appends one line and flushes it. */
export async function appendCheckpoint(path: string, { content, signature }: Signed): Promise<void> {
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1, LINE_END);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    // A power cut may have left half a line: the next one does not go on from it.
    await file.appendFile(`${last[0] === LINE_END ? '' : '\n'}${JSON.stringify({ content, signature })}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The lines of the file, oldest first, half ones left out. Empty without the file. */
export async function readCheckpoints(path: string): Promise<readonly Signed[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      const { content, signature } = JSON.parse(line) as Partial<Signed>;
      return typeof content === 'string' && typeof signature === 'string' ? [{ content, signature }] : [];
    } catch {
      return [];
    }
  });
}
