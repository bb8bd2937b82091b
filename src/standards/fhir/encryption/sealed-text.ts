/**
 * Protected leaves as strings of one form inside the stored text: `v1.<data key>.<nonce, ciphertext, tag>`. What is
 * encrypted is the leaf's JSON text, so that a number comes back as the number it was. SECURITY KS-04, KS-05
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import type { ProtectedElements } from './protected-elements.ts';
import { type VisitedLeaf, walkLeaves } from './walk-leaves.ts';

/** A data key; `id` is 16 hex digits. */
export interface DataKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** A sealed value cannot be opened where it lies: it was moved or changed, or its key is gone. */
export class SealedValueError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'SealedValueError';
  }
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MARK = '"v1.';
const HEAD_LENGTH = MARK.length + 16 + 1;
const SEALED = /^"v1\.[0-9a-f]{16}\.[A-Za-z0-9_-]{38,}"$/;
const KEY_IDS = /"v1\.([0-9a-f]{16})\./g;

export interface SealedText {
  readonly text: string;
  /** Encryptions it took, all with the one key. */
  readonly count: number;
}

/** How many leaves sealing would encrypt. */
export function countLeaves(text: string, type: string, elements: ProtectedElements): number {
  if (!mayHold(text, type, elements)) return 0;
  let count = 0;
  const counted = (leaf: VisitedLeaf): void => {
    if (isSealedHere(text, leaf)) count++;
  };
  walkLeaves(text, type, counted, elements);
  return count;
}

/** Whether a stored text has sealed values exactly where sealing its plaintext would put them. */
export function isSealedAsWanted(stored: string, plain: string, type: string, elements: ProtectedElements): boolean {
  const places = (text: string, wanted: ProtectedElements): string => {
    const found: string[] = [];
    walkLeaves(
      text,
      type,
      (leaf) => {
        if (isSealedHere(text, leaf)) found.push(leaf.path());
      },
      wanted,
    );
    return found.join(' ');
  };
  return places(stored, new Map()) === places(plain, elements);
}

/** The text with its protected leaves encrypted, and every leaf that looks like one, so that none is taken for one. */
export function sealText(
  text: string,
  type: string,
  id: string,
  elements: ProtectedElements,
  { id: keyId, key }: DataKey,
): SealedText {
  let sealed = '';
  let done = 0;
  let count = 0;
  walkLeaves(
    text,
    type,
    (leaf) => {
      if (!isSealedHere(text, leaf)) return;
      const nonce = nextNonce();
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context(type, id, leaf.path(), keyId));
      const body = cipher.update(text.slice(leaf.start, leaf.end), 'utf8');
      const bytes = Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]);
      sealed += `${text.slice(done, leaf.start)}${MARK}${keyId}.${bytes.toString('base64url')}"`;
      done = leaf.end;
      count++;
    },
    elements,
  );
  return { text: count === 0 ? text : sealed + text.slice(done), count };
}

/** Ids of the data keys that a stored text may have been sealed with. */
export function keyIdsOf(text: string): readonly string[] {
  if (!text.includes(MARK)) return [];
  return [...new Set(Array.from(text.matchAll(KEY_IDS), ([, id]) => id as string))]; // the group always matches
}

/** The text with plaintext in the place of sealed leaves. Throws `SealedValueError`. */
export function openText(
  text: string,
  type: string,
  id: string,
  keyOf: (keyId: string) => KeyObject | undefined,
): string {
  let opened = '';
  let done = 0;
  walkLeaves(text, type, (leaf) => {
    const { start, end } = leaf;
    if (!isSealedForm(text, start, end)) return;
    const keyId = text.slice(start + MARK.length, start + HEAD_LENGTH - 1);
    const key = keyOf(keyId);
    if (!key) throw new SealedValueError(`the data key ${keyId} of ${type}/${id} is gone`);
    const bytes = Buffer.from(text.slice(start + HEAD_LENGTH, end - 1), 'base64url');
    opened += text.slice(done, start) + openLeaf(bytes, key, type, id, leaf.path(), keyId);
    done = end;
  });
  return done === 0 ? text : opened + text.slice(done);
}

function openLeaf(bytes: Buffer, key: KeyObject, type: string, id: string, path: string, keyId: string): string {
  const body = bytes.length - TAG_BYTES;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(context(type, id, path, keyId))
      .setAuthTag(bytes.subarray(body));
    return cipher.update(bytes.subarray(NONCE_BYTES, body), undefined, 'utf8') + cipher.final('utf8');
  } catch (cause) {
    throw new SealedValueError(`a sealed value of ${type}/${id} does not belong where it lies`, cause);
  }
}

/** What the tag binds the value to. Not the table: a version moves unchanged into history. */
const context = (type: string, id: string, path: string, keyId: string): Buffer =>
  Buffer.from(`${type}\u0001${id}\u0001${path}\u0001${keyId}`);

const isSealedHere = (text: string, leaf: { start: number; end: number; isProtected: boolean }): boolean =>
  leaf.isProtected || isSealedForm(text, leaf.start, leaf.end);

const isSealedForm = (text: string, start: number, end: number): boolean =>
  end - start > HEAD_LENGTH && text.startsWith(MARK, start) && SEALED.test(text.slice(start, end));

/** Whether a look at the leaves is worth it: most texts of types without protected elements hold none. */
function mayHold(text: string, type: string, elements: ProtectedElements): boolean {
  if (elements.has(type) || text.includes(MARK)) return true;
  return elements.size > 0 && text.indexOf('"resourceType"') !== text.lastIndexOf('"resourceType"');
}

const pool = Buffer.alloc(NONCE_BYTES * 256);
let poolAt = pool.length;

/** Random nonces, drawn many at a time: a system call each would cost as much as the encryption. */
function nextNonce(): Buffer {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += NONCE_BYTES;
  return Buffer.from(pool.subarray(poolAt - NONCE_BYTES, poolAt)); // a copy: the pool is filled anew
}
