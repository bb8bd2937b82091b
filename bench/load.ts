/** A load generator over plain sockets: little work of its own, so that it measures the server. */
import { connect, type Socket } from 'node:net';

export interface Sample {
  /** Answers a second. */
  readonly rate: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
  /** Answers with a status other than 2xx. */
  readonly failed: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** A whole HTTP request each time it is called. */
  readonly next: () => Buffer;
}

/** Keeps each connection busy with one request at a time. */
export async function runLoad(options: LoadOptions): Promise<Sample> {
  const latencies: number[] = [];
  const state = { failed: 0 };
  const started = performance.now();
  const until = started + options.durationMs;
  await Promise.all(Array.from({ length: options.connections }, () => runConnection(options, until, latencies, state)));
  const elapsed = performance.now() - started;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    rate: (latencies.length / elapsed) * 1000,
    p50: at(0.5),
    p99: at(0.99),
    count: latencies.length,
    failed: state.failed,
  };
}

function runConnection(
  options: LoadOptions,
  until: number,
  latencies: number[],
  state: { failed: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true);
    let sentAt = 0;
    let head: Buffer | undefined;
    let missing = -1; // bytes of the body still to come; -1 = head not complete
    const send = (): void => {
      if (performance.now() >= until) {
        socket.end();
        resolve();
        return;
      }
      sentAt = performance.now();
      socket.write(options.next());
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      let bytes = chunk.length;
      if (missing < 0) {
        const all: Buffer = head ? Buffer.concat([head, chunk]) : chunk;
        const end = all.indexOf('\r\n\r\n');
        if (end < 0) {
          head = all;
          return;
        }
        const text = all.toString('latin1', 0, end);
        if (text.charCodeAt(9) !== 0x32) state.failed++;
        missing = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        bytes = all.length - end - 4;
        head = undefined;
      }
      missing -= bytes;
      if (missing <= 0) {
        missing = -1;
        latencies.push(performance.now() - sentAt);
        send();
      }
    });
  });
}

/** Where requests go. */
export interface Target {
  readonly port: number;
  /** Without one no `Authorization` is sent. */
  readonly token?: string;
}

/** Bytes of a GET. */
export const get = (target: Target, path: string): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\n${headOf(target)}Accept: application/fhir+json\r\n\r\n`);

/** Bytes of a request with a body. */
export function withBody(
  target: Target,
  method: string,
  path: string,
  body: string,
  type = 'application/fhir+json',
): Buffer {
  const length = Buffer.byteLength(body);
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\n${headOf(target)}Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
}

const headOf = ({ port, token }: Target): string =>
  `Host: 127.0.0.1:${port}\r\n${token === undefined ? '' : `Authorization: Bearer ${token}\r\n`}`;
