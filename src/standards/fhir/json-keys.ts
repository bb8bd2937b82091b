/** The keys of the objects that are open during the strict pass over a JSON text: no duplicates, no prototype keys. */
import { costly } from './json-broken.ts';
import { jsonFault, keyInWords } from './json-fault.ts';

/** Up to so many keys of an object are compared one by one; beyond, a Set takes over. */
const KEYS_COMPARED_MAX = 32;

/** Reused by every pass: a pass is synchronous and never nests. One row per open container. */
export interface Frames {
  readonly depth: number;
  readonly isArray: Uint8Array;
  readonly index: Int32Array;
  /** The key being read. */
  readonly keyFrom: Int32Array;
  readonly keyTo: Int32Array;
  readonly keyCount: Int32Array;
  /** The keys met, 32 for each container: a signature, and where they are. */
  readonly signature: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Decoded keys of an object that has many, or one with an escape. */
  readonly sets: (Set<string> | undefined)[];
}

export const createFrames = (depth: number): Frames => ({
  depth,
  isArray: new Uint8Array(depth + 1),
  index: new Int32Array(depth + 1),
  keyFrom: new Int32Array(depth + 1),
  keyTo: new Int32Array(depth + 1),
  keyCount: new Int32Array(depth + 1),
  signature: new Int32Array((depth + 1) * KEYS_COMPARED_MAX),
  from: new Int32Array((depth + 1) * KEYS_COMPARED_MAX),
  to: new Int32Array((depth + 1) * KEYS_COMPARED_MAX),
  sets: new Array<Set<string> | undefined>(depth + 1).fill(undefined),
});

/** Refuses a key that its object already has, and keys that would reach an object's prototype. */
export function checkKey(
  bytes: Buffer,
  from: number,
  to: number,
  escaped: boolean,
  depth: number,
  frames: Frames,
  keysMax: number,
): void {
  const count = frames.keyCount[depth]!;
  if (count >= keysMax) throw costly(bytes, from - 1, `There is an object of more than ${keysMax} keys`, 'send fewer');
  frames.keyCount[depth] = count + 1;
  const set = escaped || count >= KEYS_COMPARED_MAX ? setOf(bytes, depth, count, frames) : frames.sets[depth];
  if (set !== undefined) {
    const key = decodeKey(bytes, from, to);
    if (isPrototypeKey(key)) throw prototypeKey(bytes, from - 1);
    if (set.has(key)) throw duplicateKey(bytes, from - 1, key);
    set.add(key);
    return;
  }
  const length = to - from;
  const first = bytes[from]!;
  if (
    (length === 9 ? first === 0x5f || first === 0x70 : length === 11 && first === 0x63) &&
    isPrototypeKey(decodeKey(bytes, from, to))
  )
    throw prototypeKey(bytes, from - 1);
  const base = depth * KEYS_COMPARED_MAX;
  const signature = (length & 0xff) | (first << 8) | (bytes[to - 1]! << 16) | (bytes[from + (length >> 1)]! << 24);
  for (let k = base; k < base + count; k++)
    if (frames.signature[k] === signature && sameBytes(bytes, frames.from[k]!, frames.to[k]!, from, to))
      throw duplicateKey(bytes, from - 1, decodeKey(bytes, from, to));
  frames.signature[base + count] = signature;
  frames.from[base + count] = from;
  frames.to[base + count] = to;
}

/** From here on this object goes by decoded keys: an escape can hide that two are equal, and many are slow to compare. */
function setOf(bytes: Buffer, depth: number, count: number, frames: Frames): Set<string> {
  let set = frames.sets[depth];
  if (set === undefined) {
    set = new Set();
    const base = depth * KEYS_COMPARED_MAX;
    for (let k = base; k < base + count; k++) set.add(decodeKey(bytes, frames.from[k]!, frames.to[k]!));
    frames.sets[depth] = set;
  }
  return set;
}

/** The key between two quotes, its escapes undone. */
export function decodeKey(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text; // a JSON string by the pass so far
}

function sameBytes(bytes: Buffer, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (let i = a, j = b; i < aEnd; i++, j++) if (bytes[i] !== bytes[j]) return false;
  return true;
}

const isPrototypeKey = (key: string): boolean => key === '__proto__' || key === 'constructor' || key === 'prototype';

const prototypeKey = (bytes: Buffer, at: number): Error =>
  jsonFault(
    bytes,
    at,
    'There is a key that no FHIR element has and that is refused everywhere (__proto__, constructor, prototype)',
    {
      code: 'invalid',
      mend: 'remove it',
    },
  );

const duplicateKey = (bytes: Buffer, at: number, key: string): Error =>
  jsonFault(bytes, at, `An object has ${keyInWords(key)} twice`, { key, mend: 'keep one of them' });
