/**
 * A stored text whose protected leaves are empty strings; what belongs there lies encrypted in one last member:
 * `…,"~":"v1.<data key>.<nonce, ciphertext, tag>"}`. The tag covers all the rest of the text as well, so that nothing in
 * it can be moved or changed. A leaf is its JSON text: a number comes back as the number it was. SECURITY KS-04, KS-05
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { NONCE_BYTES, nextNonce } from './nonces.ts';
import type { ProtectedElements } from './protected-elements.ts';
import { walkLeaves } from './walk-leaves.ts';

/** A data key; `id` is 16 hex digits. */
export interface DataKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** A sealed text cannot be opened where it lies: it was moved or changed, or its key is gone. */
export class SealedValueError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'SealedValueError';
  }
}

const TAG_BYTES = 16;
/** What stands in the place of a leaf. */
const EMPTY = '""';
/** Where it begins: in no other text, as a quote in a string has a backslash before it. */
export const MARK = ',"~":"v1.';
const KEY_ID_LENGTH = 16;
const TAIL = /^,"~":"v1\.[0-9a-f]{16}\.[A-Za-z0-9_-]{38,}"\}$/;

/** Whether sealing would encrypt anything: one encryption a text. */
export function needsSealing(text: string, type: string, elements: ProtectedElements): boolean {
  return tailOf(text) >= 0 || (mayHold(text, type, elements) && takeLeaves(text, type, elements).places.length > 0);
}

/** Whether a stored text is sealed exactly where sealing its plaintext would do it. */
export function isSealedAsWanted(stored: string, plain: string, type: string, elements: ProtectedElements): boolean {
  const tail = tailOf(stored);
  if (!needsSealing(plain, type, elements)) return tail < 0;
  return tail >= 0 && `${stored.slice(0, tail)}}` === takeLeaves(plain, type, elements).skeleton;
}

/** The text with its protected leaves encrypted. One that looks sealed is sealed once more, so that nobody can write one. */
export function sealText(
  text: string,
  type: string,
  id: string,
  elements: ProtectedElements,
  { id: keyId, key }: DataKey,
): string {
  if (!needsSealing(text, type, elements)) return text;
  const { skeleton, places, leaves } = takeLeaves(text, type, elements);
  const nonce = nextNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context(type, id, keyId, skeleton));
  const body = cipher.update(`${places.join(' ')}\n${leaves}`, 'utf8');
  const bytes = Buffer.concat([nonce, body, cipher.final(), cipher.getAuthTag()]);
  return `${skeleton.slice(0, -1)}${MARK}${keyId}.${bytes.toString('base64url')}"}`;
}

/** Id of the data key that a stored text was sealed with: one, or none. */
export function keyIdsOf(text: string): readonly string[] {
  const tail = tailOf(text);
  return tail < 0 ? [] : [text.slice(tail + MARK.length, tail + MARK.length + KEY_ID_LENGTH)];
}

/** The text with its leaves in their places. Throws `SealedValueError`. */
export function openText(
  text: string,
  type: string,
  id: string,
  keyOf: (keyId: string) => KeyObject | undefined,
): string {
  const tail = tailOf(text);
  if (tail < 0) return text;
  const from = tail + MARK.length + KEY_ID_LENGTH;
  const keyId = text.slice(tail + MARK.length, from);
  const key = keyOf(keyId);
  if (!key) throw new SealedValueError(`the data key ${keyId} of ${type}/${id} is gone`);
  const skeleton = `${text.slice(0, tail)}}`;
  const bytes = Buffer.from(text.slice(from + 1, -2), 'base64url');
  const body = bytes.length - TAG_BYTES;
  let opened: string;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(context(type, id, keyId, skeleton))
      .setAuthTag(bytes.subarray(body));
    opened = cipher.update(bytes.subarray(NONCE_BYTES, body), undefined, 'utf8') + cipher.final('utf8');
  } catch (cause) {
    throw new SealedValueError(`the sealed values of ${type}/${id} do not belong to the text that they lie in`, cause);
  }
  return putLeaves(skeleton, opened);
}

interface TakenLeaves {
  /** The text with empty strings in the places of protected leaves. */
  readonly skeleton: string;
  /** For each leaf, where it stands in the skeleton and how long it is. */
  readonly places: readonly number[];
  /** The leaves, one after another. */
  readonly leaves: string;
}

function takeLeaves(text: string, type: string, elements: ProtectedElements): TakenLeaves {
  let skeleton = '';
  let leaves = '';
  let done = 0;
  const places: number[] = [];
  walkLeaves(
    text,
    type,
    ({ start, end, isProtected }) => {
      if (!isProtected) return;
      skeleton += text.slice(done, start);
      places.push(skeleton.length, end - start);
      skeleton += EMPTY;
      leaves += text.slice(start, end);
      done = end;
    },
    elements,
  );
  return { skeleton: skeleton + text.slice(done), places, leaves };
}

/** `opened` is ours: its tag was right. */
function putLeaves(skeleton: string, opened: string): string {
  let at = opened.indexOf('\n') + 1;
  if (at === 1) return skeleton;
  const places = opened.slice(0, at - 1).split(' ');
  let text = '';
  let done = 0;
  for (let i = 0; i < places.length; i += 2) {
    const [place, length] = [Number(places[i]), Number(places[i + 1])];
    text += skeleton.slice(done, place) + opened.slice(at, at + length);
    done = place + EMPTY.length;
    at += length;
  }
  return text + skeleton.slice(done);
}

/** Where the last member begins that makes a text a sealed one; -1 when it is not. */
function tailOf(text: string): number {
  const at = text.lastIndexOf(MARK);
  return at >= 0 && TAIL.test(text.slice(at)) ? at : -1;
}

/** What the tag binds the values to. Not the table: a version moves unchanged into history. */
const context = (type: string, id: string, keyId: string, skeleton: string): Buffer =>
  Buffer.from(`${type}\u0001${id}\u0001${keyId}\u0001${skeleton}`);

/** Whether a look at the leaves is worth it: most texts of types without protected elements hold none. */
function mayHold(text: string, type: string, elements: ProtectedElements): boolean {
  if (elements.has(type)) return true;
  return elements.size > 0 && text.indexOf('"resourceType"') !== text.lastIndexOf('"resourceType"');
}
