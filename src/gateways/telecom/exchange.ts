/**
 * The way to a payer or switch: one connection a transmission, so that an answer can be none but its own; STX and ETX
 * around both. A time-out, a cut or what cannot be read leaves open whether the payer has worked on it.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClaimExchange, ClaimExchangeOutcome } from '../../ports/claim-exchange.ts';
import type { Log } from '../../ports/log.ts';

export interface TelecomExchangeOptions {
  /** `tcp://127.0.0.1:9100`, `tls://switch.example:5001` */
  readonly url: URL;
  /** From the first byte sent to the last of the answer. */
  readonly timeoutMs: number;
  readonly connectMs: number;
  readonly answerBytesMax: number;
  readonly connectionsMax: number;
  readonly log: Pick<Log, 'warn'>;
}

export const EXCHANGE_LIMITS = {
  timeoutMs: 30_000,
  connectMs: 10_000,
  answerBytesMax: 65_536,
  connectionsMax: 50,
} as const;

const STX = 0x02;
const ETX = 0x03;

export function createTelecomExchange(options: TelecomExchangeOptions): ClaimExchange & { readonly stop: () => void } {
  const { timeoutMs, connectMs, answerBytesMax, connectionsMax, log } = options;
  const open = new Set<Socket>();

  function exchange(body: Buffer): Promise<ClaimExchangeOutcome> {
    if (open.size >= connectionsMax)
      return Promise.resolve({ kind: 'not-sent', cause: `${connectionsMax} transmissions are on their way already` });
    return new Promise((done) => {
      const socket = connectTo(options.url);
      open.add(socket);
      let isSent = false;
      let received: Buffer = Buffer.alloc(0);
      const finish = (outcome: ClaimExchangeOutcome): void => {
        clearTimeout(timer);
        open.delete(socket);
        socket.destroy();
        done(outcome);
      };
      const fail = (cause: string): void => finish({ kind: isSent ? 'unknown' : 'not-sent', cause });
      let timer = setTimeout(() => fail('no connection in time'), connectMs);
      socket.once(options.url.protocol === 'tls:' ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        timer = setTimeout(() => fail('no answer in time'), timeoutMs);
        // From here on some of it may have arrived.
        isSent = true;
        socket.write(Buffer.concat([Buffer.of(STX), body, Buffer.of(ETX)]));
      });
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const end = received.indexOf(ETX);
        if (end >= 0) return finish(readAnswer(received.subarray(0, end)));
        if (received.length > answerBytesMax) fail(`the answer has more than ${answerBytesMax} bytes`);
      });
      socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'the connection failed'));
      socket.on('close', () => fail('the connection ended without an answer'));
    });
  }

  return {
    async send(body) {
      const outcome = await exchange(body);
      if (outcome.kind !== 'answered')
        log.warn('a payer did not answer', { outcome: outcome.kind, cause: outcome.cause });
      return outcome;
    },
    stop() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** The certificate of a `tls:` switch is checked by the system's authorities, for its name. */
function connectTo({ protocol, hostname, port }: URL): Socket {
  const host = hostname.replace(/^\[|\]$/g, '');
  return protocol === 'tls:'
    ? connectTls({ host, port: Number(port), servername: host, minVersion: 'TLSv1.2' })
    : connectTcp({ host, port: Number(port) });
}

function readAnswer(received: Buffer): ClaimExchangeOutcome {
  const start = received.indexOf(STX);
  return start < 0
    ? { kind: 'unknown', cause: 'the answer does not begin with STX' }
    : { kind: 'answered', body: received.subarray(start + 1) };
}
