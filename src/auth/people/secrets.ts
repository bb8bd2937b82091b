/** Random values that are handed out, their hashes that are kept, and comparisons that tell nothing by their time. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** What is kept of a random value: it has too many bits to be guessed from this. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether two texts are the same; the time depends on neither. */
export const isSame = (a: string, b: string): boolean => timingSafeEqual(hashOf(a), hashOf(b));

/** A value that only who knows the secret can make, and from which the secret cannot be told. */
export const derive = (secret: string, use: string): string =>
  createHmac('sha256', secret).update(use).digest('base64url');
