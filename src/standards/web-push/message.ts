/**
 * A message to a browser: encrypted for it alone (RFC 8291, over the content encoding `aes128gcm` of RFC 8188), and who
 * sends it (VAPID, RFC 8292). Pure: keys, salt and time are handed in.
 */
import { createCipheriv, createECDH, ECDH, hkdfSync, type KeyObject, sign } from 'node:crypto';

export interface PushKeys {
  /** Of the browser: an uncompressed point of P-256, 65 bytes. */
  readonly p256dh: Buffer;
  /** Its secret, 16 bytes. */
  readonly auth: Buffer;
}

export interface PushSecrets {
  /** Private key that is used once, 32 bytes. */
  readonly ephemeral: Buffer;
  /** 16 bytes that are used once. */
  readonly salt: Buffer;
}

const CURVE = 'prime256v1';
const POINT_BYTES = 65;
const AUTH_BYTES = 16;
const RECORD_BYTES = 4096;
/** What a push service takes in all cases (RFC 8291 section 4), less header, delimiter and tag. */
export const PUSH_BYTES_MAX = RECORD_BYTES - 86 - 17;

/** The keys of a subscription, as browsers give them; undefined where they are none. */
export function readPushKeys(p256dh: string, auth: string): PushKeys | undefined {
  const [point, secret] = [p256dh, auth].map((text) =>
    /^[A-Za-z0-9_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0),
  ) as [Buffer, Buffer]; // of two texts
  if (point.length !== POINT_BYTES || point[0] !== 4 || secret.length !== AUTH_BYTES) return undefined;
  try {
    ECDH.convertKey(point, CURVE); // throws where it is not on the curve
    return { p256dh: point, auth: secret };
  } catch {
    return undefined;
  }
}

/** The body of the request. Throws `RangeError` above `PUSH_BYTES_MAX`. RFC 8291 section 3.4, RFC 8188 section 2 */
export function encryptPush(plain: Buffer, { p256dh, auth }: PushKeys, { ephemeral, salt }: PushSecrets): Buffer {
  if (plain.length > PUSH_BYTES_MAX) throw new RangeError(`a push message has at most ${PUSH_BYTES_MAX} bytes`);
  const own = createECDH(CURVE);
  own.setPrivateKey(ephemeral);
  const ownPoint = own.getPublicKey();
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), p256dh, ownPoint]);
  const secret = hkdf(own.computeSecret(p256dh), auth, info, 32);
  const key = hkdf(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
  const nonce = hkdf(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
  const cipher = createCipheriv('aes-128-gcm', key, nonce);
  // The last record ends with 2 (RFC 8188 section 2); this is the only one.
  const sealed = Buffer.concat([cipher.update(plain), cipher.update(Buffer.from([2])), cipher.final()]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(RECORD_BYTES);
  return Buffer.concat([salt, size, Buffer.from([ownPoint.length]), ownPoint, sealed, cipher.getAuthTag()]);
}

export interface Vapid {
  /** ES256; it names us to the push service. */
  readonly key: KeyObject;
  /** Its public point, 65 bytes in base64url: what browsers are given as `applicationServerKey`. */
  readonly publicKey: string;
  /** `mailto:` or `https:`, by which a push service reaches us. */
  readonly contact: string;
}

const LIFETIME_S = 12 * 60 * 60;

/** The header `Authorization` for a push service. RFC 8292 sections 2 and 3 */
export function vapidAuthorization(endpoint: string, { key, publicKey, contact }: Vapid, nowMs: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { aud: new URL(endpoint).origin, exp: Math.floor(nowMs / 1000) + LIFETIME_S, sub: contact };
  const signed = `${part({ typ: 'JWT', alg: 'ES256' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `vapid t=${signed}.${signature.toString('base64url')}, k=${publicKey}`;
}

const hkdf = (secret: Buffer, salt: Buffer, info: Buffer, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, length));
