/**
 * The list of erasures beside the database, `erasures.jsonl` below DATA_DIR: whoever restores an older database has them
 * done again before a door opens. A line names a patient by a keyed hash; the key lies sealed in the database and, sealed,
 * at the head of the list. SECURITY DP-04
 */
import { createHmac, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Cipher } from '../../ports/cipher.ts';
import type { Pipeline } from '../pools.ts';
import { StartError } from '../start-error.ts';

export interface ErasedLine {
  readonly id: string;
  /** Keyed hash of `Patient/id`, in hex. */
  readonly patient: string;
  /** ms UTC; what was stored afterwards is somebody new. */
  readonly at: number;
  readonly basis: string;
}

export interface ErasureList {
  hashOf(patientId: string): Buffer;
  lines(): readonly ErasedLine[];
  /** The erasures of which a patient is the one. */
  linesOf(patientId: string): readonly ErasedLine[];
  /** Returns when it is on the disk. */
  append(line: ErasedLine): void;
}

const META = 'erasure-key';
const hash = (key: Buffer, patientId: string): Buffer =>
  createHmac('sha256', key).update(`Patient/${patientId}`).digest();

/** Opens the list, and makes the key at the first start: that of the list where the database has none. */
export async function openErasureList(options: {
  readonly path: string;
  readonly writes: Pipeline;
  readonly cipher: Cipher;
}): Promise<ErasureList> {
  const { path, writes, cipher } = options;
  const read = readList(path, cipher);
  await writes.query({
    text: 'insert into mortar.meta (name, value) values ($1, $2) on conflict do nothing',
    values: [META, read.sealedKey ?? cipher.seal(randomBytes(32), META).toString('base64')],
  });
  const [row] = await writes.query({ text: 'select value from mortar.meta where name = $1', values: [META] });
  const sealedKey = row?.[0] as string; // it was just inserted, or was there
  const key = cipher.open(Buffer.from(sealedKey, 'base64'), META);
  let head = read.sealedKey;
  const lines = [...read.lines];
  return {
    hashOf: (patientId) => hash(key, patientId),
    lines: () => lines.map(({ line }) => line),
    linesOf(patientId) {
      const hashes = new Map(
        [...new Set(lines.map((each) => each.key))].map((of) => [of, hash(of, patientId).toString('hex')]),
      );
      return lines.flatMap((each) => (hashes.get(each.key) === each.line.patient ? [each.line] : []));
    },
    append(line) {
      const isNewKey = head === undefined || !cipher.open(Buffer.from(head, 'base64'), META).equals(key);
      appendLines(path, [...(isNewKey ? [JSON.stringify({ key: sealedKey })] : []), JSON.stringify(line)]);
      head = sealedKey;
      lines.push({ line, key });
    },
  };
}

interface ReadList {
  readonly sealedKey: string | undefined;
  readonly lines: readonly { readonly line: ErasedLine; readonly key: Buffer }[];
}

/** A line that a crash left half written is the last one, and what it stood for is not done. */
function readList(path: string, cipher: Cipher): ReadList {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { sealedKey: undefined, lines: [] };
    throw new StartError('folder', `the list of erasures ${path} cannot be read`, cause);
  }
  const texts = text.split('\n').filter((line) => line !== '');
  const isTorn = !text.endsWith('\n');
  let sealedKey: string | undefined;
  let key: Buffer | undefined;
  const lines: { line: ErasedLine; key: Buffer }[] = [];
  texts.forEach((each, i) => {
    if (isTorn && i === texts.length - 1) return;
    try {
      const value = JSON.parse(each) as Partial<ErasedLine> & { key?: string };
      if (typeof value.key === 'string') {
        sealedKey = value.key;
        key = cipher.open(Buffer.from(value.key, 'base64'), META);
      } else if (key && typeof value.patient === 'string' && typeof value.at === 'number')
        lines.push({ line: value as ErasedLine, key });
      else throw new Error('not a line of the list');
    } catch (cause) {
      // Going on without it could bring an erased record back.
      throw new StartError(
        'unsuitable',
        `line ${i + 1} of the list of erasures ${path} cannot be read: restore the file and the message key that fits it`,
        cause,
      );
    }
  });
  return { sealedKey, lines };
}

function appendLines(path: string, lines: readonly string[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'a+', 0o600);
  try {
    // What a crash left of a line goes: what it stood for was not done.
    const bytes = readFileSync(file);
    ftruncateSync(file, bytes.lastIndexOf(0x0a) + 1);
    writeSync(file, `${lines.join('\n')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
