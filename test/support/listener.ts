/** The listeners alone, without a database, and requests that may set every header. */
import { type IncomingMessage, request as requestPlain, type ServerResponse } from 'node:http';
import { request as requestTls } from 'node:https';
import { createGuard, type GuardOptions } from '../../src/rest/guard.ts';
import { type Handlers, type HttpServer, listen } from '../../src/rest/http-server.ts';
import { createMetrics } from '../../src/rest/metrics.ts';
import type { PeerGateOptions } from '../../src/rest/peer-gate.ts';
import type { TlsSource } from '../../src/rest/tls-listener.ts';
import { silentLog } from './log.ts';

export interface ListenerOptions extends Partial<Omit<Handlers, 'guard'>> {
  readonly guard?: Partial<GuardOptions>;
  readonly tls?: TlsSource;
  readonly peers?: Omit<PeerGateOptions, 'log'>;
}

/** Starts it on free ports; each door answers its name and the path. */
export async function startListener({ guard, tls, peers, ...handlers }: ListenerOptions = {}): Promise<HttpServer> {
  const metrics = createMetrics();
  const host = '127.0.0.1';
  const http = await listen({
    host,
    port: 0,
    tls: tls && { host, port: 0, source: tls, ...(peers && { peers }) },
    metrics,
    log: silentLog,
  });
  const say = (name: string) => (req: IncomingMessage, res: ServerResponse) => void res.end(`${name} ${req.url}`);
  http.setHandlers({
    guard: createGuard({
      port: http.port,
      httpsPort: http.httpsPort,
      publicUrl: `http://127.0.0.1:${http.port}`,
      ...guard,
    }),
    fhir: say('fhir'),
    shell: say('shell'),
    ...handlers,
  });
  const close = async (timeoutMs: number): Promise<number> => {
    metrics.stop();
    return http.close(timeoutMs);
  };
  return { ...http, close };
}

export interface Sent {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface SendOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Speaks TLS when it is given. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

/** One request on a connection of its own. */
export function send(port: number, path: string, { method = 'GET', headers = {}, body, tls }: SendOptions = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const request = tls === undefined ? requestPlain : requestTls;
  request({ host: '127.0.0.1', port, path, method, headers, agent: false, ...tls }, async (res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString('utf8') });
  })
    .on('error', reject)
    .end(body);
  return promise;
}
