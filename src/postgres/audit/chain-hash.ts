/**
 * What one link says of a run of entries: `hash = SHA-256(hash before ‖ seq of its last ‖ marks)`, where each entry's
 * mark is the beginning of its MAC. SECURITY AU-08
 */
import { createHash } from 'node:crypto';

/** What the first link goes on from. */
export const GENESIS = Buffer.alloc(32);

/** 128 bits: nobody finds another entry with the same. */
export const MARK_BYTES = 16;

export const markOf = (mac: Buffer): Buffer => mac.subarray(0, MARK_BYTES);

/** `marks`: of all its entries, one after another. */
export function linkHash(before: Buffer, seq: number, marks: Buffer): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return createHash('sha256').update(before).update(number).update(marks).digest();
}
