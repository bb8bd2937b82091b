/**
 * Signatures of webhooks: HMAC-SHA256 over id, time and body, so that neither can be altered and an old message is known as
 * such. Standard Webhooks 1.0.0, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Header fields of a signed webhook. */
export interface SignedFields {
  /** The same however often it is sent. */
  readonly 'webhook-id': string;
  /** Seconds UTC. */
  readonly 'webhook-timestamp': string;
  /** `v1,` and base64; several with spaces between, while a secret is replaced. */
  readonly 'webhook-signature': string;
}

/** Why a webhook is not taken. */
export type WebhookFault = 'missing' | 'altered' | 'old';

/** To either side, as the specification advises. SECURITY IN-43 */
export const TOLERANCE_MS = 5 * 60_000;
const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;
const [KEY_BYTES_MIN, KEY_BYTES_MAX] = [24, 64];
/** A dot would divide another message alike. */
const ID = /^[A-Za-z0-9_:-]{1,200}$/;
const SIGNATURES_MAX = 5;

/** The key of `whsec_…`, 24 to 64 bytes; undefined where it is none. */
export function readWebhookSecret(text: string): Buffer | undefined {
  const [, encoded] = SECRET.exec(text) ?? [];
  if (encoded === undefined) return undefined;
  const key = Buffer.from(encoded, 'base64');
  const isWhole = key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isWhole && key.length >= KEY_BYTES_MIN && key.length <= KEY_BYTES_MAX ? key : undefined;
}

/** `id` is of letters, digits, `_`, `:` and `-`; `at`: ms UTC. */
export function signWebhook(key: Buffer, id: string, at: number, body: string | Buffer): SignedFields {
  if (!ID.test(id)) throw new Error('the id of a webhook has no dots');
  const timestamp = String(Math.floor(at / 1000));
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${digest(key, id, timestamp, body).toString('base64')}`,
  };
}

/** Undefined where the message is whole and of now. `now`: ms UTC. */
export function checkWebhook(
  key: Buffer,
  fields: Readonly<Partial<Record<string, unknown>>>,
  body: Buffer,
  now: number,
): WebhookFault | undefined {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => fields[name],
  );
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return 'missing';
  if (!ID.test(id) || !/^[0-9]{1,12}$/.test(timestamp)) return 'missing';
  const own = digest(key, id, timestamp, body);
  let isSame = false;
  for (const one of signatures.split(' ').slice(0, SIGNATURES_MAX)) {
    const given = one.startsWith('v1,') ? Buffer.from(one.slice(3), 'base64') : Buffer.alloc(0);
    if (given.length === own.length && timingSafeEqual(given, own)) isSame = true;
  }
  if (!isSame) return 'altered';
  return Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS ? 'old' : undefined;
}

const digest = (key: Buffer, id: string, timestamp: string, body: string | Buffer): Buffer =>
  createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
