/** The local payer on TCP: a request between STX and ETX, an answer between STX and ETX, on this machine alone. */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { createAdjudicate } from './adjudicate.ts';
import { type BookedClaim, createBook } from './book.ts';
import { createFaults, type Fault } from './faults.ts';
import { PLANS } from './plans.ts';
import { type Asked, ETX, readAsked, STX, writeAnswer } from './wire.ts';

export interface PayerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly faults?: readonly Fault[];
}

export interface RunningPayer {
  readonly port: number;
  /** Transmissions that came, handled or not: transaction code and BIN. */
  readonly received: readonly string[];
  setFaults(faults: readonly Fault[]): void;
  claims(): readonly BookedClaim[];
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const REQUEST_BYTES_MAX = 65_536;
const CONNECTIONS_MAX = 200;
const IDLE_MS = 60_000;
const RECEIVED_MAX = 10_000;

/** Rejects with the system's error when the port is taken. */
export async function startPayer({ port, faults: first = [] }: PayerOptions): Promise<RunningPayer> {
  const book = createBook();
  const faults = createFaults();
  faults.set(first);
  const adjudicate = createAdjudicate(PLANS, book);
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();

  function later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
  }

  function handle(socket: Socket, text: string): void {
    const asked = readAsked(text);
    if (!asked) return void socket.write(framed(SYNTAX));
    if (received.length < RECEIVED_MAX) received.push(`${asked.code} ${asked.bin}`);
    const fault = faults.take(asked.code, asked.bin);
    if (fault?.mode === 'time-out-before') return;
    if (fault?.mode === 'cut-before') return void socket.destroy();
    respond(socket, asked, writeAnswer(asked, adjudicate(asked)), fault);
  }

  function respond(socket: Socket, asked: Asked, answer: string, fault: Fault | undefined): void {
    switch (fault?.mode) {
      case undefined:
        return void socket.write(framed(answer));
      case 'time-out':
      case 'time-out-before':
        return;
      case 'cut':
      case 'cut-before':
        return void socket.destroy();
      case 'cut-middle':
        return void socket.end(framed(answer).subarray(0, answer.length / 2));
      case 'garbage':
        return void socket.write(framed('\u0000\u0001\u00FFnot a message'));
      case 'other':
        return void socket.write(
          framed(
            writeAnswer(
              { ...asked, provider: '1999999984', code: asked.code },
              { status: 'A', shared: [], claims: [[{ id: '21', fields: [['AN', 'P']] }]] },
            ),
          ),
        );
      case 'late':
        return void later(fault.ms ?? 5_000, () => socket.writable && socket.write(framed(answer)));
      case 'endless':
        return void endless(socket);
    }
  }

  function endless(socket: Socket): void {
    if (!socket.writable) return;
    socket.write(Buffer.alloc(8_192, 'A'));
    later(1, () => endless(socket));
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    let waiting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      for (let end = waiting.indexOf(ETX); end >= 0; end = waiting.indexOf(ETX)) {
        const start = waiting.indexOf(STX);
        if (start >= 0 && start < end) handle(socket, waiting.toString('latin1', start + 1, end));
        waiting = waiting.subarray(end + 1);
      }
      if (waiting.length > REQUEST_BYTES_MAX) socket.destroy();
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, HOST, () => {
      server.off('error', failed);
      done();
    });
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on a port
    received,
    setFaults: faults.set,
    claims: book.all,
    stop: () =>
      new Promise((done) => {
        for (const timer of timers) clearTimeout(timer);
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const framed = (text: string): Buffer => Buffer.concat([Buffer.of(STX), Buffer.from(text, 'latin1'), Buffer.of(ETX)]);

/** To what cannot be read: a header that rejects, with nobody's number in it. */
const SYNTAX = `D0B11R01${' '.repeat(15)}00000000\u001D\u001E\u001CAM21\u001CANR\u001CFA1\u001CFBR8`;
