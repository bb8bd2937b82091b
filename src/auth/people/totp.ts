/** Time-based one-time codes. RFC 6238, RFC 4226, RFC 4648 section 6. SECURITY LG-06 */
import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from './secrets.ts';

const STEP_MS = 30_000;
const DIGITS = 6;
const SECRET_BYTES = 20;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** 160 random bits. */
export const newTotpSecret = (): Buffer => randomBytes(SECRET_BYTES);

/** The code of a time step. */
export function totpCode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = digest.readUInt8(digest.length - 1) & 0x0f;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

export const totpStep = (now: number): number => Math.floor(now / STEP_MS);

/** The time step whose code this is: now, the one before, or the one after. */
export function findTotpStep(secret: Buffer, code: string, now: number): number | undefined {
  const step = totpStep(now);
  let found: number | undefined;
  // All three are compared, so that the time does not tell which.
  for (const one of [step - 1, step, step + 1]) if (isSame(totpCode(secret, one), code)) found = one;
  return found;
}

/** Six digits, however they were spaced; undefined for anything else. */
export function readTotpCode(text: string): string | undefined {
  const digits = text.replaceAll(/[\s-]/g, '');
  return /^\d{6}$/.test(digits) ? digits : undefined;
}

export function toBase32(bytes: Buffer): string {
  let bits = 0;
  let value = 0;
  let text = '';
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/** What authenticator apps read from the picture. */
export function otpauthUrl(secret: Buffer, account: string, issuer: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${toBase32(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_MS / 1000}`;
}
