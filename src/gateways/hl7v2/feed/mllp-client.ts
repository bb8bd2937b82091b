/**
 * One connection to a partner that takes messages in MLLP frames: opened when there is something to send, kept, and opened
 * again when it has gone. One message at a time is under way. HL7 v2 transport specification, release 1, section 2.
 */
import type { Socket } from 'node:net';
import type { Log } from '../../../ports/log.ts';
import { createMllpFramer, formatFrame, MLLP_LIMITS } from '../../../standards/hl7v2/mllp-frame.ts';

export interface MllpClientOptions {
  /** Begins to connect; `ready` is the event after which bytes may be written: `connect`, or `secureConnect` over TLS. */
  readonly open: () => { readonly socket: Socket; readonly ready: 'connect' | 'secureConnect' };
  readonly connectTimeoutMs: number;
  /** From the last byte of the message to its answer. */
  readonly answerTimeoutMs: number;
  /** After so long without a message the connection is closed. */
  readonly idleTimeoutMs: number;
  readonly log: Log;
}

/** `last`: nothing more is waited for. `more`: it belongs to the message, and another is to come. `other`: passed over. */
export type Weighed = 'last' | 'more' | 'other';

export type SendResult =
  /** All frames that belong to the message; `isWhole` is false when the last one did not come in time. */
  | { readonly kind: 'answered'; readonly frames: readonly Buffer[]; readonly isWhole: boolean }
  /** `isSent`: bytes of the message may have arrived. */
  | { readonly kind: 'failed'; readonly isSent: boolean; readonly cause: string };

export interface MllpClient {
  /** Sends one message and waits for what `weigh` takes for its answer. Never rejects. */
  send(message: Buffer, weigh: (frame: Buffer) => Weighed, signal?: AbortSignal): Promise<SendResult>;
  close(): void;
}

const ANSWER_BYTES_MAX = 1024 * 1024;
const KEEP_ALIVE_MS = 60_000;

/** What is heard on the connection while a message is under way. */
interface Listening {
  frame(bytes: Buffer): void;
  gone(cause: string): void;
}

interface Connection {
  readonly socket: Socket;
  listening: Listening | undefined;
  /** Messages that were answered on it. */
  answered: number;
}

export function createMllpClient(options: MllpClientOptions): MllpClient {
  const { connectTimeoutMs, answerTimeoutMs, idleTimeoutMs, log } = options;
  let connection: Connection | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let idle: NodeJS.Timeout | undefined;
  let closed = false;

  const drop = (): void => {
    clearTimeout(idle);
    connection?.socket.destroy();
    connection = undefined;
  };

  /** Rejects with an error whose code or message tells why. */
  async function connected(signal: AbortSignal | undefined): Promise<Connection> {
    if (connection && !connection.socket.destroyed && connection.socket.writable) return connection;
    drop();
    const { socket, ready } = options.open();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const made: Connection = { socket, listening: undefined, answered: 0 };
    const framer = createMllpFramer({ ...MLLP_LIMITS, frameBytes: ANSWER_BYTES_MAX });
    const gone = (cause: string): void => {
      socket.destroy();
      if (connection === made) connection = undefined;
      made.listening?.gone(cause);
    };
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
      };
      const stop = (): void => fail('the server stops');
      const fail = (cause: string): void => {
        settle();
        socket.destroy();
        reject(new Error(cause));
      };
      const timer = setTimeout(() => fail('the partner does not take connections'), connectTimeoutMs);
      signal?.addEventListener('abort', stop, { once: true });
      socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      socket.once('close', () => fail('the connection was closed before it was there'));
      socket.once(ready, () => {
        settle();
        resolve();
      });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => gone(error.code ?? error.message));
    socket.on('end', () => gone('the partner closed the connection'));
    socket.on('close', () => gone('the connection was closed'));
    socket.on('data', (chunk: Buffer) => {
      for (const event of framer.push(chunk)) {
        if (event.kind === 'frame') made.listening?.frame(event.bytes);
        if (event.kind === 'fault') log.warn('MLLP: a fault in the framing of an answer', { fault: event.fault });
        if (event.kind === 'fault' && event.fault === 'oversize') return gone('an answer was too long');
      }
    });
    connection = made;
    return made;
  }

  function exchange(
    on: Connection,
    message: Buffer,
    weigh: (frame: Buffer) => Weighed,
    signal: AbortSignal | undefined,
  ): Promise<SendResult> {
    return new Promise((resolve) => {
      const frames: Buffer[] = [];
      const finish = (result: SendResult, keep: boolean): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
        on.listening = undefined;
        // An answer that comes too late must not be taken for that of the next message.
        if (!keep) on.socket.destroy();
        resolve(result);
      };
      const failed = (cause: string): void =>
        finish(
          frames.length > 0 ? { kind: 'answered', frames, isWhole: false } : { kind: 'failed', isSent: true, cause },
          false,
        );
      const stop = (): void => failed('the server stops');
      const wait = (): NodeJS.Timeout => setTimeout(() => failed('no answer came in time'), answerTimeoutMs);
      let timer = wait();
      signal?.addEventListener('abort', stop, { once: true });
      on.listening = {
        frame(bytes) {
          const weighed = weigh(bytes);
          if (weighed === 'other') {
            log.warn('MLLP: an answer to no message of ours was passed over', { byteCount: bytes.length });
            return;
          }
          frames.push(bytes);
          if (weighed === 'last') {
            on.answered += 1;
            finish({ kind: 'answered', frames, isWhole: true }, true);
            return;
          }
          clearTimeout(timer);
          timer = wait();
        },
        gone: failed,
      };
      on.socket.write(formatFrame(message));
    });
  }

  async function send(
    message: Buffer,
    weigh: (frame: Buffer) => Weighed,
    signal: AbortSignal | undefined,
  ): Promise<SendResult> {
    clearTimeout(idle);
    for (let isSecond = false; ; isSecond = true) {
      if (closed || signal?.aborted) return { kind: 'failed', isSent: isSecond, cause: 'the server stops' };
      let on: Connection;
      try {
        on = await connected(signal);
      } catch (error) {
        return { kind: 'failed', isSent: isSecond, cause: (error as Error).message };
      }
      const wasKept = on.answered > 0;
      const startedAt = performance.now();
      const result = await exchange(on, message, weigh, signal);
      // A partner may close after each answer, and that may be seen only now: the same message, on another connection.
      const again = wasKept && !isSecond && result.kind === 'failed' && performance.now() - startedAt < answerTimeoutMs;
      if (again) continue;
      idle = setTimeout(drop, idleTimeoutMs);
      idle.unref();
      return result;
    }
  }

  return {
    send(message, weigh, signal) {
      const mine = turn.then(() => send(message, weigh, signal));
      turn = mine;
      return mine;
    },
    close() {
      closed = true;
      drop();
    },
  };
}
