/** A push service and a browser that reads its messages. RFC 8030, RFC 8291 */
import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Pushed {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Browser {
  /** As `PushSubscription.toJSON()` has it. */
  readonly subscription: {
    readonly endpoint: string;
    readonly keys: { readonly p256dh: string; readonly auth: string };
  };
  read(pushed: Pushed): { readonly title: string; readonly body: string; readonly link: string };
}

export interface PushService {
  readonly host: string;
  readonly received: readonly Pushed[];
  /** Status of the answer; 201 unless given. */
  answer: (pushed: Pushed) => number;
  browser(name: string): Browser;
  stop(): Promise<void>;
}

/** Throws for what is not for this browser. */
export function decryptPush(body: Buffer, browser: ECDH, auth: Buffer): Buffer {
  const salt = body.subarray(0, 16);
  const length = body.readUInt8(20);
  const sender = body.subarray(21, 21 + length);
  const sealed = body.subarray(21 + length);
  const derive = (secret: Buffer, with_: Buffer, info: Buffer, size: number): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, with_, info, size));
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), browser.getPublicKey(), sender]);
  const secret = derive(browser.computeSecret(sender), auth, info, 32);
  const decipher = createDecipheriv(
    'aes-128-gcm',
    derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16),
    derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12),
  );
  decipher.setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  return plain.subarray(0, plain.lastIndexOf(2));
}

export async function startPushService(): Promise<PushService> {
  const received: Pushed[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const pushed = { path: req.url ?? '', headers: req.headers, body: Buffer.concat(chunks) };
      received.push(pushed);
      res.writeHead(self.answer(pushed)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const self: PushService = {
    host,
    received,
    answer: () => 201,
    browser(name) {
      const key = createECDH('prime256v1');
      key.generateKeys();
      const auth = randomBytes(16);
      return {
        subscription: {
          endpoint: `http://${host}/${name}`,
          keys: { p256dh: key.getPublicKey('base64url'), auth: auth.toString('base64url') },
        },
        read: ({ body }) => JSON.parse(decryptPush(body, key, auth).toString()),
      };
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
