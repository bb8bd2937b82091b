/** How the tour reaches a server: HTTP with a token, and MLLP. */
import { connect } from 'node:net';

/** A server that runs on this machine, by its `ports.json`. */
export interface Ports {
  readonly url: string;
  readonly fhir: string;
  readonly mllp: number;
  /** Where the local Spine shows its state, when there is one. */
  readonly spineState?: number;
}
export interface Server extends Ports {
  readonly dataDir: string;
  readonly send: Send;
}

const ANSWER_MS = 10_000;

export interface Reply {
  readonly status: number;
  readonly text: string;
}

export type Send = (
  url: string,
  method: string,
  body?: Buffer | string,
  contentType?: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<Reply>;

/** Sends requests with this token. */
export function createSend(token: string): Send {
  return async (url, method, body, contentType, headers = {}) => {
    const reply = await fetch(url, {
      method,
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: {
        ...headers,
        Authorization: `Bearer ${token}`,
        ...(contentType !== undefined && { 'Content-Type': contentType }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
    return { status: reply.status, text: await reply.text() };
  };
}

/** Sends each message in a frame and reads the frames that come back. */
export function exchange(port: number, messages: readonly Buffer[]): Promise<Buffer[]> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no acknowledgement came')));
    socket.on('error', fail);
    socket.on('connect', () => {
      for (const message of messages)
        socket.write(Buffer.concat([Buffer.from([0x0b]), message, Buffer.from([0x1c, 0x0d])]));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const frames = received.toString('latin1').split('\u001c\r');
      if (frames.length <= messages.length) return;
      socket.end();
      done(frames.slice(0, -1).map((frame) => Buffer.from(frame.slice(1), 'latin1')));
    });
  });
}
