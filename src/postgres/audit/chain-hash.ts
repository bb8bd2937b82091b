/** What one link says: `hash_n = SHA-256(hash_{n-1} ‖ seq ‖ entry ‖ its MAC)`. SECURITY AU-08 */
import { createHash } from 'node:crypto';

/** What the first link goes on from. */
export const GENESIS = Buffer.alloc(32);

/** `canonical`: the entry's bytes as its MAC covers them. */
export function linkHash(before: Buffer, seq: number, canonical: Buffer, mac: Buffer): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return createHash('sha256').update(before).update(number).update(canonical).update(mac).digest();
}
