/** Codes on paper for who has lost the other second factors. SECURITY LG-08 */
import { randomBytes } from 'node:crypto';
import { hashOf } from './secrets.ts';

const COUNT = 10;
/** 16 letters of 5 bits: 80 bits. Without letters and digits that look alike. */
const LETTERS = 16;
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz023456789';

/** Ten codes, `xxxx-xxxx-xxxx-xxxx`. */
export const newRecoveryCodes = (): string[] => Array.from({ length: COUNT }, newCode);

function newCode(): string {
  const letters = [...randomBytes(LETTERS)].map((byte) => ALPHABET[byte & 31]).join('');
  return letters.replaceAll(/(.{4})(?=.)/g, '$1-');
}

/** What is kept of a code; undefined for a text that cannot be one. However it was spaced or capitalised. */
export function recoveryHash(text: string): Buffer | undefined {
  const letters = text.toLowerCase().replaceAll(/[\s-]/g, '');
  return /^[a-z0-9]{16}$/.test(letters) ? hashOf(letters) : undefined;
}

export const recoveryHashes = (codes: readonly string[]): Buffer[] =>
  codes.map((code) => {
    const hash = recoveryHash(code);
    if (!hash) throw new Error('a recovery code has another form');
    return hash;
  });
