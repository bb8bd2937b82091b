/**
 * The listener for smart cards: TLS with a certificate, no resumption, one request a connection, so that each request
 * proves anew that the card is there. SECURITY NH-11
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../ports/log.ts';
import { unavailable } from '../standards/fhir/outcome.ts';
import { createGuard, type Guard } from './guard.ts';
import { setSecurityHeaders } from './headers.ts';
import type { PeerGateOptions } from './peer-gate.ts';
import { sendOutcome } from './send-outcome.ts';
import { createTlsServer, type TlsSource } from './tls-listener.ts';

export interface CardListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly source: TlsSource;
  readonly peers: Omit<PeerGateOptions, 'log' | 'certificates'>;
  /** By which name browsers reach this machine. */
  readonly hostname: string;
  readonly log: Log;
}

export interface CardListener {
  readonly url: string;
  readonly port: number;
  /** Until then every request gets 503. */
  setHandler(handle: (req: IncomingMessage, res: ServerResponse) => void): void;
  close(): Promise<void>;
}

const LIMITS = { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 1 };
const CONNECTIONS_MAX = 1000;

/** Rejects with the system's error when the port cannot be bound. */
export async function listenForCards(options: CardListenerOptions): Promise<CardListener> {
  const { host, port, source, peers, hostname, log } = options;
  let handler: ((req: IncomingMessage, res: ServerResponse) => void) | undefined;
  let guard: Guard | undefined;
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    setSecurityHeaders(res);
    res.setHeader('Connection', 'close');
    const verdict = guard?.(req, res);
    if (verdict === 'answered') return;
    if (verdict !== undefined) sendOutcome(res, verdict);
    else if (handler === undefined) sendOutcome(res, unavailable('The server is starting'));
    else handler(req, res);
  };
  const server = createTlsServer(LIMITS, source, handle, log, { ...peers, certificates: 'required' }, 'never-resumed');
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error('the listener for cards failed', { error }));
  const { port: bound } = server.address() as AddressInfo; // it listens on a port
  const url = `https://${hostname}:${bound}`;
  guard = createGuard({ port: bound, httpsPort: bound, publicUrl: url });
  return {
    url,
    port: bound,
    setHandler: (next) => {
      handler = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
