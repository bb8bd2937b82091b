/** The HTTP listener: limits, guard, then the FHIR handler or the shell. SECURITY: section G, IN-37. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../ports/log.ts';
import { FhirError, issue, operationOutcome } from '../standards/fhir/outcome.ts';
import type { Guard } from './guard.ts';
import type { Metrics } from './metrics.ts';
import { FHIR_JSON, sendOutcome } from './send-outcome.ts';

/** Answers one request, all of it: it must not throw. */
export type RequestHandler = (req: IncomingMessage, res: ServerResponse) => void;

export interface Handlers {
  readonly guard: Guard;
  /** Paths below `/fhir/R4`. */
  readonly fhir: RequestHandler;
  /** Other doors, by the first segment of their paths. */
  readonly doors?: ReadonlyMap<string, RequestHandler>;
  readonly shell: RequestHandler;
}

export interface HttpServer {
  readonly port: number;
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
  readonly metrics: Metrics;
  readonly log: Log;
}

const FHIR_PATH = /^\/(?:fhir|FHIR)\/R4(?:$|[/?])/;
const CONNECTIONS_MAX = 10_000;

/** Binds the port. Rejects with the system's error (`EADDRINUSE`, `EACCES` …). */
export async function listen({ host, port, metrics, log }: HttpServerOptions): Promise<HttpServer> {
  let handlers: Handlers | undefined;
  let draining = false;
  let underWay = 0;
  const server = createServer(
    {
      maxHeaderSize: 32 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
      requireHostHeader: false, // the guard answers with an OperationOutcome
    },
    (req, res) => {
      const startedAt = performance.now();
      underWay += 1;
      res.on('close', () => {
        underWay -= 1;
        metrics.observeResponse(res, startedAt);
      });
      if (draining) res.setHeader('Connection', 'close');
      if (handlers === undefined) return sendOutcome(res, starting());
      try {
        const refusal = handlers.guard(req);
        if (refusal !== undefined) sendOutcome(res, refusal);
        else if (FHIR_PATH.test(req.url ?? '')) handlers.fhir(req, res);
        else (handlers.doors?.get(firstSegment(req.url)) ?? handlers.shell)(req, res);
      } catch (error) {
        // One request must not end the process (RL-42).
        log.error('a request failed', { error });
        sendOutcome(res, new FhirError(500, [issue('exception', 'the server failed; its log says why')]));
      }
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.maxHeadersCount = 0; // Node would leave out what is above a limit and say nothing: the guard refuses instead
  server.on('clientError', answerBrokenRequest);
  await bind(server, host, port);
  server.on('error', (error) => log.error('the HTTP listener failed', { error }));
  return {
    port: (server.address() as AddressInfo).port, // bound to a TCP port above
    setHandlers: (next) => {
      handlers = next;
    },
    startDraining: () => {
      draining = true;
    },
    close: async (timeoutMs) => {
      draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const deadline = performance.now() + timeoutMs;
      while (underWay > 0 && performance.now() < deadline) {
        server.closeIdleConnections();
        await sleep(20);
      }
      const brokenOff = underWay;
      server.closeAllConnections();
      await closed;
      return brokenOff;
    },
  };
}

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
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
