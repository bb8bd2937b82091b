/** The body of a request that brings one message: bounded in size and time. */
import type { IncomingMessage } from 'node:http';

export type Body =
  | { readonly kind: 'whole'; readonly raw: Buffer }
  /** `start`: as much as is allowed of it. */
  | { readonly kind: 'large'; readonly start: Buffer }
  | { readonly kind: 'slow' }
  | { readonly kind: 'gone' };

export function readBody(request: IncomingMessage, bytesMax: number, timeoutMs: number): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (body: Body): void => {
      clearTimeout(timer);
      request.off('data', take);
      if (body.kind !== 'whole') request.resume();
      resolve(body);
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) finish({ kind: 'large', start: Buffer.concat(chunks).subarray(0, bytesMax) });
    };
    const timer = setTimeout(() => finish({ kind: 'slow' }), timeoutMs);
    request.on('data', take);
    request.once('end', () => finish({ kind: 'whole', raw: Buffer.concat(chunks) }));
    request.once('error', () => finish({ kind: 'gone' }));
    request.once('close', () => finish({ kind: 'gone' }));
  });
}
