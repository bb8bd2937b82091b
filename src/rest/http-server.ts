/**
 * The listeners, plain and over TLS, with one handler: headers, guard, limits by address, then the FHIR handler, a door
 * or the shell. SECURITY: section G, IN-37, PK-01.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import type { Log } from '../ports/log.ts';
import { FhirError, issue, operationOutcome } from '../standards/fhir/outcome.ts';
import type { LimitDoor } from './door-limits.ts';
import type { Guard } from './guard.ts';
import { securityHeaderLines, setSecurityHeaders } from './headers.ts';
import type { Metrics } from './metrics.ts';
import type { PeerGateOptions } from './peer-gate.ts';
import { FHIR_JSON, sendOutcome } from './send-outcome.ts';
import { createTlsServer, type TlsSource } from './tls-listener.ts';

/** Answers one request, all of it: it must not throw. */
export type RequestHandler = (req: IncomingMessage, res: ServerResponse) => void;

export interface Handlers {
  readonly guard: Guard;
  /** Limits of doors that know no caller yet. */
  readonly limit?: LimitDoor;
  /** Paths below `/fhir/R4`. */
  readonly fhir: RequestHandler;
  /** Paths below `/fhir/R4/.well-known`, before `fhir`. */
  readonly wellKnown?: RequestHandler;
  /** Other doors, by the first segment of their paths. */
  readonly doors?: ReadonlyMap<string, RequestHandler>;
  readonly shell: RequestHandler;
  /** Takes over a connection whose client asks for another protocol; without it such a client is answered as any other. */
  readonly upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface HttpServer {
  readonly port: number;
  /** Undefined without TLS. */
  readonly httpsPort: number | undefined;
  /** Changes who answers; until the first call every request gets 503. */
  setHandlers(handlers: Handlers): void;
  /** From now on each answer closes its connection, so that clients go elsewhere. */
  startDraining(): void;
  /** Stops accepting, lets requests under way end within the time, then breaks them off. Returns how many were. */
  close(timeoutMs: number): Promise<number>;
}

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?:
    | {
        readonly host: string;
        readonly port: number;
        readonly source: TlsSource;
        /** Judges client certificates. */
        readonly peers?: Omit<PeerGateOptions, 'log'>;
      }
    | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
}

const FHIR_PATH = /^\/(?:fhir|FHIR)\/R4(?:$|[/?])/;
const WELL_KNOWN_PATH = /^\/(?:fhir|FHIR)\/R4\/\.well-known\//;
/** Of each listener. */
const CONNECTIONS_MAX = 10_000;

/** Other protocols than this are not for us: such a request is answered as any other. */
const isWebsocket = (req: IncomingMessage): boolean => req.headers.upgrade?.toLowerCase() === 'websocket';

const LIMITS = {
  shouldUpgradeCallback: isWebsocket,
  maxHeaderSize: 32 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  requireHostHeader: false, // the guard answers with an OperationOutcome
} as const;

/** Binds the ports. Rejects with the system's error (`EADDRINUSE`, `EACCES` …), which names the port. */
export async function listen({ host, port, tls, metrics, log }: HttpServerOptions): Promise<HttpServer> {
  let handlers: Handlers | undefined;
  let draining = false;
  let underWay = 0;

  function handle(req: IncomingMessage, res: ServerResponse): void {
    const startedAt = performance.now();
    underWay += 1;
    res.on('close', () => {
      underWay -= 1;
      metrics.observeResponse(res, startedAt);
    });
    setSecurityHeaders(res);
    if (draining) res.setHeader('Connection', 'close');
    try {
      if (handlers === undefined) sendOutcome(res, starting());
      else admit(handlers, req, res);
    } catch (error) {
      fail(res, error);
    }
  }

  /** One request must not end the process (RL-42). */
  function fail(res: ServerResponse, error: unknown): void {
    log.error('a request failed', { error });
    sendOutcome(res, error);
  }

  function admit(to: Handlers, req: IncomingMessage, res: ServerResponse): void {
    const verdict = to.guard(req, res);
    if (verdict === 'answered') return;
    const limited = verdict === undefined ? to.limit?.(req) : undefined;
    if (verdict !== undefined) sendOutcome(res, verdict);
    else if (limited === undefined) dispatch(to, req, res);
    else
      limited
        .then((refusal) => (refusal === undefined ? dispatch(to, req, res) : sendOutcome(res, closing(refusal))))
        .catch((error: unknown) => fail(res, error));
  }

  const plain = createServer(LIMITS, handle);
  const secure = tls && createTlsServer(LIMITS, tls.source, handle, log, tls.peers);
  const servers: Server[] = secure === undefined ? [plain] : [plain, secure];
  for (const server of servers) prepare(server);
  for (const server of servers)
    server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (handlers?.upgrade && !draining) handlers.upgrade(req, socket, head);
      else socket.destroy();
    });
  try {
    await bind(plain, host, port);
    if (secure && tls) await bind(secure, tls.host, tls.port);
  } catch (error) {
    await Promise.all(servers.map(closeListener));
    throw error;
  }
  for (const server of servers) server.on('error', (error) => log.error('a listener failed', { error }));
  return {
    port: portOf(plain),
    httpsPort: secure && portOf(secure),
    setHandlers: (next) => {
      handlers = next;
    },
    startDraining: () => {
      draining = true;
    },
    close: async (timeoutMs) => {
      draining = true;
      const closed = Promise.all(servers.map(closeListener));
      const deadline = performance.now() + timeoutMs;
      while (underWay > 0 && performance.now() < deadline) {
        for (const server of servers) server.closeIdleConnections();
        await sleep(20);
      }
      const brokenOff = underWay;
      for (const server of servers) server.closeAllConnections();
      await closed;
      return brokenOff;
    },
  };
}

function dispatch({ fhir, wellKnown, doors, shell }: Handlers, req: IncomingMessage, res: ServerResponse): void {
  const url = req.url ?? '';
  if (!FHIR_PATH.test(url)) (doors?.get(firstSegment(url)) ?? shell)(req, res);
  else if (wellKnown !== undefined && WELL_KNOWN_PATH.test(url)) wellKnown(req, res);
  else fhir(req, res);
}

/** The body of a refused request is not read, so the connection cannot go on. */
const closing = ({ status, issues, headers }: FhirError): FhirError =>
  new FhirError(status, issues, { headers: { ...headers, Connection: 'close' } });

function prepare(server: Server): void {
  server.maxConnections = CONNECTIONS_MAX;
  server.maxHeadersCount = 0; // Node would leave out what is above a limit and say nothing: the guard refuses instead
  server.on('clientError', answerBrokenRequest);
}

/** The port of a listener that is bound to TCP. */
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const closeListener = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

const firstSegment = (url = ''): string => /^\/([^/?]*)/.exec(url)?.[1] ?? '';

function bind(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host, port, backlog: 1024 }, () => {
    server.removeListener('error', reject);
    resolve();
  });
  return promise;
}

const starting = (): FhirError =>
  new FhirError(503, [issue('transient', 'the server is starting')], { headers: { 'Retry-After': '2' } });

/** What Node's parser refuses before there is a request (RFC 9112): conflicting lengths, bare line feeds, too long … */
const BROKEN = new Map<string, readonly [number, string, string]>([
  ['HPE_HEADER_OVERFLOW', [431, 'Request Header Fields Too Large', 'the request headers are longer than 32 KiB']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'Content Too Large', 'the chunk extensions are too long']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'Request Timeout', 'the request did not arrive in time']],
]);

function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, reason, diagnostics] = BROKEN.get(error.code ?? '') ?? [
    400,
    'Bad Request',
    'this is not valid HTTP/1.1',
  ];
  const body = JSON.stringify(operationOutcome([issue('invalid', diagnostics)]));
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: ${FHIR_JSON}\r\n` +
      securityHeaderLines(socket instanceof TLSSocket) +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
