/** The door for messages: HTTPS with client certificates, nobody without one. eps/REFERENCE sections 12.2 to 12.6. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { EnvelopeError, formatFault, REPLY_TYPE, readEnvelope } from './envelope.ts';
import type { Fault, Faults } from './faults.ts';
import type { Handled } from './journal.ts';
import type { Spine } from './spine.ts';
import { itemDetails, itemSummary } from './tracker.ts';

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Whose client certificates are believed. */
  readonly ca: string;
}

export interface MutualTlsServer {
  readonly port: number;
  readonly counters: { readonly requests: number; readonly refusedHandshakes: number };
  stop(): Promise<void>;
}

export interface MutualTlsOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
  readonly spine: Spine;
  readonly faults: Faults;
}

const BODY_BYTES_MAX = 5 * 1024 * 1024;
const REQUEST_MS = 60_000;
const POLL = '/_poll/';

export async function createMutualTlsServer(options: MutualTlsOptions): Promise<MutualTlsServer> {
  const { host, port, tls } = options;
  const counters = { requests: 0, refusedHandshakes: 0 };
  const server = createServer(
    {
      ...tls,
      minVersion: 'TLSv1.2',
      requestCert: true,
      rejectUnauthorized: true,
      requestTimeout: REQUEST_MS,
      maxHeaderSize: 16 * 1024,
    },
    (req, res) => {
      counters.requests += 1;
      answer(options, req, res).catch(() => {
        // Nothing may be said that is not on disk: what fails here is said by silence.
        res.destroy();
      });
    },
  );
  server.on('tlsClientError', () => {
    counters.refusedHandshakes += 1;
  });
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    counters,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** Rejects with the system's error when the port is taken. */
export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done();
    });
  });
}

async function answer(options: MutualTlsOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { spine } = options;
  const url = new URL(req.url ?? '/', 'https://spine.invalid');
  const route = `${req.method} ${url.pathname}`;
  if (route === 'GET /healthcheck') return void sendJson(res, 200, { status: 'pass' });
  if (route === 'POST /Prescription') return takeMessage(options, req, res);
  if (req.method === 'GET' && url.pathname.startsWith(POLL))
    return void sendPolled(spine, spine.answered(url.pathname.slice(POLL.length)), res);
  if (route === 'GET /mm/nhs111itemsummary')
    return void sendTracked(req, res, () => itemSummary(spine, url.searchParams));
  if (route === 'GET /mm/nhs111itemdetails')
    return void sendTracked(req, res, () => itemDetails(spine, url.searchParams));
  return void sendJson(res, 404, { error: 'there is nothing here' });
}

function sendTracked(req: IncomingMessage, res: ServerResponse, read: () => unknown): void {
  if (req.headers['spine-from-asid'] === undefined)
    return void sendJson(res, 400, { error: 'Spine-From-Asid is missing' });
  sendJson(res, 200, read());
}

async function takeMessage(
  { spine, faults }: MutualTlsOptions,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const body = await readBody(req);
  if (body === undefined) return void send(res, 413, 'text/xml', formatFault('the message is too long'));
  const { headers } = req;
  let envelope: ReturnType<typeof readEnvelope>;
  try {
    envelope = readEnvelope(headers['content-type'] ?? '', String(headers['soapaction'] ?? ''), body);
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return void send(res, 400, 'text/xml', formatFault(error.message));
  }
  const fault = faults.take(envelope.action);
  if (fault !== undefined && (await failBefore(fault, res))) return;
  let handled = await spine.handle(envelope);
  if (fault?.mode === 'duplicated') handled = await spine.handle(envelope);
  if (fault !== undefined && failAfter(fault, handled, res)) return;
  sendPolled(spine, handled, res);
}

/** Whether that was all. */
async function failBefore({ mode, ms = 0 }: Fault, res: ServerResponse): Promise<boolean> {
  if (mode === 'slow') await new Promise((done) => setTimeout(done, ms));
  else if (mode === 'dropped') res.destroy();
  else if (mode === 'busy') send(res, 503, 'text/plain', 'busy', { 'Retry-After': '1' });
  else if (mode === 'error') send(res, 500, 'text/plain', 'error');
  else return false;
  return mode !== 'slow';
}

function failAfter({ mode }: Fault, { answer: text }: Handled, res: ServerResponse): boolean {
  if (mode === 'dropped-after') res.destroy();
  else if (mode === 'error-after') send(res, 500, 'text/plain', 'error');
  else if (mode === 'malformed') send(res, 200, REPLY_TYPE, text.slice(0, Math.floor(text.length * 0.7)));
  else if (mode === 'empty') send(res, 200, REPLY_TYPE, '');
  else return false;
  return true;
}

/** The answer, or where it will be. */
function sendPolled(spine: Spine, handled: Handled | undefined, res: ServerResponse): void {
  if (handled === undefined) return void sendJson(res, 404, { error: 'no such message' });
  if (spine.now() >= handled.readyAt) return void send(res, 200, REPLY_TYPE, handled.answer);
  send(res, 202, 'text/plain', '', { 'Content-Location': `${POLL}${handled.ebxmlId}` });
}

/** The body as text; undefined when it is too long. */
async function readBody(req: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  return length > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString('utf8');
}

const sendJson = (res: ServerResponse, status: number, value: unknown): void =>
  send(res, status, 'application/json', JSON.stringify(value));

function send(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text), ...headers });
  res.end(text);
}
