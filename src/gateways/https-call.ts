/** One HTTPS call with a client certificate, which tells whether anything can have reached the other side. */
import { Agent, request } from 'node:https';
import type { SecureContextOptions, TLSSocket } from 'node:tls';

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal | undefined;
}

export type CallResult =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: ReadonlyMap<string, string>;
      readonly body: Buffer;
    }
  /** `isSent`: the request may have arrived. */
  | { readonly kind: 'failed'; readonly isSent: boolean; readonly cause: string };

export interface HttpsCaller {
  call(call: Call): Promise<CallResult>;
  close(): void;
}

export interface HttpsCallerOptions {
  /** `https://host:port`, without a path. */
  readonly baseUrl: URL;
  /** Client certificate, key and authorities; another object when they have changed. */
  readonly tls: () => SecureContextOptions;
  readonly timeoutMs: number;
}

const CONNECTIONS_MAX = 20;
const ANSWER_BYTES_MAX = 10 * 1024 * 1024;
const SOCKET_IDLE_MS = 4000;

export function createHttpsCaller({ baseUrl, tls, timeoutMs }: HttpsCallerOptions): HttpsCaller {
  if (baseUrl.protocol !== 'https:') throw new Error('only https is called with a certificate');
  let material = tls();
  let agent = makeAgent(material);
  const retired = new Set<Agent>();
  const currentAgent = (): Agent => {
    const next = tls();
    if (next === material) return agent;
    retire(agent);
    material = next;
    agent = makeAgent(material);
    return agent;
  };
  /** Nothing new begins with the old certificate; what is under way on it goes on, as nobody could tell what came of it. */
  function retire(old: Agent): void {
    for (const sockets of Object.values(old.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    retired.add(old);
    const timer = setTimeout(() => {
      old.destroy();
      retired.delete(old);
    }, timeoutMs);
    timer.unref();
  }
  return {
    call: (call) => perform(call, baseUrl, currentAgent(), timeoutMs),
    close() {
      for (const one of [agent, ...retired]) one.destroy();
    },
  };
}

const makeAgent = (material: SecureContextOptions): Agent =>
  new Agent({
    ...material,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    keepAlive: true,
    maxSockets: CONNECTIONS_MAX,
    timeout: SOCKET_IDLE_MS,
  });

function perform(call: Call, baseUrl: URL, agent: Agent, timeoutMs: number): Promise<CallResult> {
  return new Promise((done) => {
    let isSent = false;
    let timer: NodeJS.Timeout | undefined;
    const finish = (result: CallResult): void => {
      clearTimeout(timer);
      done(result);
    };
    const fail = (error: NodeJS.ErrnoException): void =>
      finish({ kind: 'failed', isSent: isSent && !isHandshake(error), cause: error.code ?? error.message });
    const req = request(
      {
        protocol: 'https:',
        hostname: baseUrl.hostname.replace(/^\[|\]$/g, ''),
        port: baseUrl.port === '' ? 443 : Number(baseUrl.port),
        method: call.method,
        path: call.path,
        headers: { ...call.headers, ...(call.body && { 'Content-Length': String(call.body.length) }) },
        agent,
        ...(call.signal && { signal: call.signal }),
      },
      (res) => {
        const chunks: Buffer[] = [];
        let length = 0;
        res.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > ANSWER_BYTES_MAX) req.destroy(named('EANSWERTOOLONG'));
          else chunks.push(chunk);
        });
        res.on('aborted', () => fail(named('ECONNRESET')));
        res.on('error', fail);
        res.on('end', () => {
          if (!res.complete) return fail(named('ECONNRESET'));
          const headers = new Map(Object.entries(res.headers).map(([name, value]) => [name, String(value)]));
          finish({ kind: 'response', status: res.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
        });
      },
    );
    req.on('socket', (socket) => {
      const tlsSocket = socket as TLSSocket; // the agent makes no other
      if (req.reusedSocket || !tlsSocket.connecting) isSent = true;
      else
        tlsSocket.once('secureConnect', () => {
          isSent = true;
        });
    });
    req.on('error', fail);
    timer = setTimeout(() => req.destroy(named('ETIMEDOUT')), timeoutMs);
    req.end(call.body);
  });
}

const named = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

/** Under TLS 1.3 a client learns that its certificate is refused after its own handshake; then nothing was read. */
const isHandshake = ({ code = '' }: NodeJS.ErrnoException): boolean => /^ERR_SSL_.*ALERT/.test(code);
