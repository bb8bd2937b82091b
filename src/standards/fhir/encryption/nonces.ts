/** Nonces of AES-GCM. NIST SP 800-38D 8.2.2 */
import { randomFillSync } from 'node:crypto';

export const NONCE_BYTES = 12;

const pool = Buffer.alloc(NONCE_BYTES * 256);
let at = pool.length;

/** A random nonce of `NONCE_BYTES`. They are drawn many at a time: a system call each would cost as much as the encryption. */
export function nextNonce(): Buffer {
  if (at === pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  at += NONCE_BYTES;
  return Buffer.from(pool.subarray(at - NONCE_BYTES, at)); // a copy: the pool is filled anew
}
