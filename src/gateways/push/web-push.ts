/** Messages to browsers through the push service that each of them names. RFC 8030; encryption and VAPID are in standards/web-push */
import { createECDH, createHash, randomBytes } from 'node:crypto';
import type { Post, SendPush } from '../../ports/notices.ts';
import { encryptPush, readPushKeys, type Vapid, vapidAuthorization } from '../../standards/web-push/message.ts';

export interface WebPushOptions {
  readonly vapid: Vapid;
  readonly post: Post;
  readonly now: () => number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
/** For how long the push service keeps what it cannot bring. */
const TTL_S = 24 * 60 * 60;
const TOPIC_CHARS = 32;
const GONE = new Set([404, 410]);

export function createWebPush({ vapid, post, now, timeoutMs = TIMEOUT_MS }: WebPushOptions): SendPush {
  return async ({ id, to, title, body, link }) => {
    const keys = readPushKeys(to.p256dh, to.auth);
    if (!keys) return 'gone';
    const once = createECDH('prime256v1');
    once.generateKeys();
    const plain = Buffer.from(JSON.stringify({ id, title, body, link }));
    // A key of 31 bytes is written with its zero.
    const ephemeral = Buffer.concat([Buffer.alloc(32), once.getPrivateKey()]).subarray(-32);
    const bytes = encryptPush(plain, keys, { ephemeral, salt: randomBytes(16) });
    const status = await post({
      url: to.endpoint,
      bytes,
      timeoutMs,
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Encoding': 'aes128gcm',
        'Content-Length': String(bytes.length),
        Authorization: vapidAuthorization(to.endpoint, vapid, now()),
        TTL: String(TTL_S),
        Urgency: 'normal',
        // One that comes twice takes the place of the first (RFC 8030 section 5.4).
        Topic: createHash('sha256').update(id).digest('base64url').slice(0, TOPIC_CHARS),
      },
    });
    if (status >= 200 && status < 300) return 'sent';
    if (GONE.has(status)) return 'gone';
    if (status === 413 || status === 400) return 'refused';
    throw new Error(`the push service did not take a message (${status})`);
  };
}
