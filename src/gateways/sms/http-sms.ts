/**
 * Text messages through a provider's HTTP interface: one POST of JSON a message, as docs/notifications.md describes it. What
 * the provider answers is read as a status alone.
 */
import type { Post, SendText, TextMessage } from '../../ports/notices.ts';

export interface HttpSmsOptions {
  readonly url: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  /** Who the message is from: up to eleven letters and digits, or a number. */
  readonly sender?: string;
  readonly post: Post;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const NUMBER = /^\+[1-9]\d{6,14}$/;
const TEXT_CHARS_MAX = 612; // four parts
/** What the provider says of this message for good; 401 and 403 are about us, and may be mended. RFC 9110 section 15.5 */
const OF_MESSAGE = new Set([400, 404, 410, 413, 422]);

export function createHttpSms({ url, token, sender, post, timeoutMs = TIMEOUT_MS }: HttpSmsOptions): SendText {
  return async (message) => {
    if (!isPlain(message)) return 'refused';
    const bytes = Buffer.from(
      JSON.stringify({
        id: message.id,
        to: message.to,
        ...(sender !== undefined && { from: sender }),
        text: message.text,
      }),
    );
    const status = await post({
      url,
      bytes,
      timeoutMs,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': String(bytes.length),
        'Idempotency-Key': message.id,
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
    });
    if (status >= 200 && status < 300) return 'sent';
    // 409: it came before under this key.
    if (status === 409) return 'sent';
    if (OF_MESSAGE.has(status)) return 'refused';
    throw new Error(`the SMS provider did not take a message (${status})`);
  };
}

const isPlain = ({ id, to, text }: TextMessage): boolean =>
  NUMBER.test(to) && /^[\w-]{1,100}$/.test(id) && text.length <= TEXT_CHARS_MAX && !/[\p{Cc}]/u.test(text);
