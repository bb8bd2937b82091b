/**
 * A TCP server that takes messages in MLLP frames and answers each in order. HL7 v2 transport specification; HL7 v2.5.1
 * section 2.9.2 (original mode: one application acknowledgement a message, on the same connection). docs/hl7v2.md
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../ports/log.ts';
import { createMllpFramer, formatFrame, MLLP_LIMITS, type MllpFault } from '../../standards/hl7v2/mllp-frame.ts';
import { answerFrame, refuseOversize } from './answer-frame.ts';

export interface MllpListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The way in: one message in; its answers out, in order, one a frame. */
  readonly receive: (raw: Buffer, peer: MllpPeer) => Promise<readonly Buffer[]>;
  /** Over TLS: makes the server that hands on connections whose certificates are believed. Plain TCP unless given. */
  readonly createServer?: (serve: (socket: Socket) => void) => Server;
  readonly log: Log;
  readonly connectionsMax?: number;
  readonly frameBytesMax?: number;
  readonly connectionsPerAddressMax?: number;
  /** How long a frame that has begun may wait for its next byte. */
  readonly frameTimeoutMs?: number;
  /** How long a frame may take from its first byte to its last, however its bytes drip in. */
  readonly wholeFrameTimeoutMs?: number;
  /** After so long without a message a connection is closed; 0: never. */
  readonly idleTimeoutMs?: number;
  /** How long an answer may wait for a client that does not read. */
  readonly writeTimeoutMs?: number;
}

/** Who sends. */
export interface MllpPeer {
  readonly address: string;
  readonly socket: Socket;
}

/** Since the start; one line of a page on how the feeds do. */
export interface MllpCounters {
  connections: number;
  refusedConnections: number;
  messages: number;
  faults: number;
}

export interface MllpListener {
  readonly port: number;
  readonly counters: Readonly<MllpCounters>;
  /** Takes no more; messages under way are answered, for so long at most. */
  stop(timeoutMs: number): Promise<void>;
}

const DEFAULTS = {
  connectionsMax: 16,
  connectionsPerAddressMax: Number.POSITIVE_INFINITY,
  frameBytesMax: MLLP_LIMITS.frameBytes,
  frameTimeoutMs: 30_000,
  wholeFrameTimeoutMs: 60_000,
  idleTimeoutMs: 0,
  writeTimeoutMs: 30_000,
};
/** Half open: a client that has sent all may still wait for its answer. */
const SOCKETS = { keepAlive: true, noDelay: true, allowHalfOpen: true };
const KEEP_ALIVE_MS = 60_000;

interface Connection {
  /** Lets the message under way end, then closes. */
  finish(): void;
  readonly socket: Socket;
}

/** Resolves when it listens; rejects with the system's error when the port is taken. */
export async function createMllpListener(options: MllpListenerOptions): Promise<MllpListener> {
  const settings = { ...DEFAULTS, ...options };
  const { log } = settings;
  const counters: MllpCounters = { connections: 0, refusedConnections: 0, messages: 0, faults: 0 };
  const open = new Set<Connection>();
  const addresses = new Map<string, number>();
  const create =
    options.createServer ??
    ((accept: (socket: Socket) => void) => createServer({ ...SOCKETS, keepAliveInitialDelay: KEEP_ALIVE_MS }, accept));
  const server = create((socket) => {
    const address = socket.remoteAddress ?? '';
    const ofAddress = (addresses.get(address) ?? 0) + 1;
    if (ofAddress > settings.connectionsPerAddressMax) {
      counters.refusedConnections++;
      log.warn('MLLP: a connection was refused: too many of its address are open', { peer: address });
      socket.destroy();
      return;
    }
    addresses.set(address, ofAddress);
    socket.once('close', () => {
      const left = (addresses.get(address) ?? 1) - 1;
      if (left > 0) addresses.set(address, left);
      else addresses.delete(address);
    });
    counters.connections++;
    const connection = serve(socket, settings, counters);
    open.add(connection);
    socket.once('close', () => open.delete(connection));
  });
  server.maxConnections = settings.connectionsMax;
  server.on('drop', (peer) => {
    counters.refusedConnections++;
    log.warn('MLLP: a connection was refused: too many are open', { peer: peer?.remoteAddress });
  });
  const port = await listen(server, settings);
  server.on('error', (error) => log.error('MLLP: the listener failed', { error }));
  return {
    port,
    counters,
    stop: (timeoutMs) => stopServer(server, open, timeoutMs),
  };
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function stopServer(server: Server, open: ReadonlySet<Connection>, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const connection of open) connection.finish();
  const timer = setTimeout(() => {
    for (const { socket } of open) socket.destroy();
  }, timeoutMs);
  await closed;
  clearTimeout(timer);
}

type Settings = Required<Omit<MllpListenerOptions, 'createServer'>>;

/** Faults without a good frame between them, after which a connection is closed; and how many are told. */
const FAULTS_MAX = 100;
const FAULTS_TOLD_MAX = 5;

/**
 * One connection. Frames of a read are worked one after another; meanwhile the socket is paused, so that what waits
 * is never more than one read.
 */
function serve(socket: Socket, settings: Settings, counters: MllpCounters): Connection {
  const { log, receive, frameTimeoutMs, wholeFrameTimeoutMs, idleTimeoutMs, writeTimeoutMs } = settings;
  const peer: MllpPeer = { address: socket.remoteAddress ?? '', socket };
  const framer = createMllpFramer({ ...MLLP_LIMITS, frameBytes: settings.frameBytesMax });
  let busy = false;
  let faultsInRow = 0;
  let finishing = false;
  let clock: NodeJS.Timeout | undefined;
  /** When the open frame must be whole. */
  let wholeBy: number | undefined;

  const stopClock = (): void => {
    clearTimeout(clock);
    clock = undefined;
  };
  const startClock = (): void => {
    stopClock();
    if (framer.openBytes === undefined) {
      wholeBy = undefined;
      if (idleTimeoutMs > 0) clock = setTimeout(endSoon, idleTimeoutMs);
      return;
    }
    wholeBy ??= performance.now() + wholeFrameTimeoutMs;
    clock = setTimeout(onFrameTimeout, Math.max(0, Math.min(frameTimeoutMs, wholeBy - performance.now())));
  };
  const onFrameTimeout = (): void => {
    socket.pause();
    run(framer.end(), endSoon);
  };
  const report = (fault: MllpFault, byteCount: number): void => {
    counters.faults++;
    faultsInRow++;
    if (faultsInRow <= FAULTS_TOLD_MAX)
      log.warn('MLLP: a fault in the framing', { peer: peer.address, fault, byteCount });
    if (faultsInRow < FAULTS_MAX) return;
    log.warn('MLLP: the connection brings no frames and is closed', { peer: peer.address, faults: faultsInRow });
    socket.destroy();
  };
  const endSoon = (): void => {
    if (!socket.destroyed) socket.end();
    // A peer that keeps its side open is not waited for.
    const timer = setTimeout(() => socket.destroy(), 1000);
    socket.once('close', () => clearTimeout(timer));
  };

  const send = async (answer: Buffer): Promise<void> => {
    if (socket.destroyed || socket.write(formatFrame(answer))) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        log.warn('MLLP: a client does not read its answers: the connection is closed', { peer: peer.address });
        socket.destroy();
      }, writeTimeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        socket.off('drain', settle);
        socket.off('close', settle);
        resolve();
      };
      socket.once('drain', settle);
      socket.once('close', settle);
    });
  };

  /** In order; after the beginning of the end only the first one, which was under way. */
  const work = async (events: ReturnType<typeof framer.push>): Promise<void> => {
    for (const event of events) {
      if (socket.destroyed || finishing) return;
      if (event.kind === 'fault') {
        report(event.fault, event.byteCount);
        if (event.fault !== 'oversize') continue;
        const refusal = refuseOversize(event.head ?? Buffer.alloc(0));
        if (refusal !== undefined) await send(refusal);
        finishing = true;
        return;
      }
      counters.messages++;
      faultsInRow = 0;
      busy = true;
      for (const answer of await answerFrame(event.bytes, (raw) => receive(raw, peer), log)) await send(answer);
      busy = false;
    }
  };

  const run = (events: ReturnType<typeof framer.push>, after: () => void): void => {
    work(events).then(after, (error: unknown) => {
      log.error('MLLP: a connection is broken off by a fault of ours', { peer: peer.address, error });
      socket.destroy();
    });
  };

  socket.on('data', (chunk: Buffer) => {
    stopClock();
    const events = framer.push(chunk);
    if (events.length > 0) wholeBy = undefined;
    if (events.length === 0) {
      startClock();
      return;
    }
    socket.pause();
    run(events, () => {
      if (finishing) endSoon();
      else if (!socket.destroyed) {
        startClock();
        socket.resume();
      }
    });
  });
  socket.on('end', () => {
    stopClock();
    run(framer.end(), endSoon);
  });
  socket.on('error', (error) => log.info('MLLP: a connection failed', { peer: peer.address, error }));
  socket.on('close', stopClock);
  startClock();

  return {
    socket,
    finish() {
      finishing = true;
      stopClock();
      if (!busy) endSoon();
    },
  };
}
