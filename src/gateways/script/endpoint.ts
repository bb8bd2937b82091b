/** `POST /ncpdp/script`: one SCRIPT message in, Status or Error out in the same exchange (reference section 8.2). */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Partner } from '../../ports/partner.ts';
import { FhirError, textOf } from '../../standards/fhir/outcome.ts';
import {
  ERROR_REJECTED,
  ERROR_SYSTEM,
  ERROR_UNABLE,
  formatAnswer,
  MORTAR_SOFTWARE,
} from '../../standards/script/answer.ts';
import { readScript, SCRIPT_LIMITS } from '../../standards/script/read.ts';
import { readXml } from '../../standards/xml/read.ts';
import { readBody } from '../http-body.ts';

export interface ScriptReception {
  /** Empty where nothing may be answered. */
  readonly answer: Buffer;
  readonly verdict: string;
}

export interface ScriptEndpointOptions {
  /** The partner, where more than the connection says who it is. Throws `FhirError` when who sends may not. */
  readonly admit: (request: IncomingMessage) => Promise<Partner | undefined>;
  /** The shared way in: logs, applies and answers. */
  readonly receive: (
    raw: Buffer,
    peer: { readonly address: string; readonly socket: Socket; readonly partner?: Partner },
  ) => Promise<ScriptReception>;
  readonly log: Log;
  readonly now?: Clock;
  /** For the ids of answers to requests that never reach `receive`. */
  readonly newId?: () => string;
  readonly limits?: { readonly bodyBytesMax?: number; readonly bodyTimeoutMs?: number };
}

const SCRIPT_PATH = '/ncpdp/script';

const CONTENT_TYPES = new Set(['application/xml', 'text/xml', 'application/script+xml']);
const BODY_TIMEOUT_MS = 30_000;

/** Never rejects and never throws: every request gets an answer in XML, or its connection ends. */
export function createScriptEndpoint(
  options: ScriptEndpointOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { admit, receive, log, now = Date.now, newId = randomUUID, limits = {} } = options;
  const { bodyBytesMax = SCRIPT_LIMITS.bytes, bodyTimeoutMs = BODY_TIMEOUT_MS } = limits;

  const send = (response: ServerResponse, status: number, body: Buffer, headers: Record<string, string> = {}): void => {
    if (response.headersSent || response.destroyed) return;
    const type = body.length > 0 ? { 'Content-Type': 'application/xml; charset=utf-8' } : {};
    response.writeHead(status, { ...type, ...headers, 'Content-Length': body.length, 'Cache-Control': 'no-store' });
    response.end(body);
  };
  /** An Error to a request of which nothing was read. `raw`: what there is of it, for its header. */
  const errorBody = (code: string, description: string, raw: Buffer = Buffer.alloc(0)): Buffer =>
    Buffer.from(
      formatAnswer(
        { header: readScript(raw).header, issues: [] },
        { kind: 'Error', code, description },
        { messageId: newId().replaceAll('-', '').slice(0, 35), sentAt: now(), software: MORTAR_SOFTWARE },
      ),
    );

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = refuse(request);
    if (refusal) {
      const { status, description, headers } = refusal;
      request.resume();
      send(response, status, errorBody(ERROR_REJECTED, description), { ...headers, Connection: 'close' });
      return;
    }
    const admitted = await admit(request).then((partner) => ({ partner }), denialOf);
    if ('status' in admitted) {
      const denial = admitted;
      request.resume();
      send(response, denial.status, errorBody(ERROR_REJECTED, denial.description), {
        ...denial.headers,
        Connection: 'close',
      });
      return;
    }
    const body = await readBody(request, bodyBytesMax, bodyTimeoutMs);
    if (body.kind === 'gone') return;
    if (body.kind === 'slow') {
      send(response, 408, errorBody(ERROR_UNABLE, 'The message did not come in time'), { Connection: 'close' });
      return;
    }
    if (body.kind === 'large') {
      const description = `The message is larger than ${bodyBytesMax} bytes`;
      send(response, 413, errorBody(ERROR_UNABLE, description, body.start), { Connection: 'close' });
      return;
    }
    const { answer, verdict } = await receive(body.raw, {
      address: request.socket.remoteAddress ?? '',
      socket: request.socket,
      ...(admitted.partner && { partner: admitted.partner }),
    });
    // Only what is rejected can be no XML at all: nothing else is read a second time.
    const isUsable = verdict !== 'rejected' || readXml(body.raw, SCRIPT_LIMITS).value !== undefined;
    send(response, isUsable ? 200 : 400, answer);
  }

  return (request, response) => {
    handle(request, response).catch((error: unknown) => {
      log.error('a SCRIPT request failed', { error });
      send(response, 500, errorBody(ERROR_SYSTEM, 'Not processed now: send the same message again later'));
    });
  };
}

interface Refusal {
  readonly status: number;
  readonly description: string;
  readonly headers?: Record<string, string>;
}

/** Why somebody may not send; a fault of ours is thrown on. */
function denialOf(error: unknown): Refusal {
  if (!(error instanceof FhirError) || error.status >= 500) throw error;
  return { status: error.status, description: error.issues.map(textOf).join('; '), headers: { ...error.headers } };
}

function refuse(request: IncomingMessage): Refusal | undefined {
  const [path = ''] = (request.url ?? '').split('?');
  if (path.replace(/\/$/, '') !== SCRIPT_PATH)
    return { status: 404, description: `SCRIPT messages are sent to ${SCRIPT_PATH}` };
  if (request.method !== 'POST')
    return { status: 405, description: 'Messages are sent with POST', headers: { Allow: 'POST' } };
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (!CONTENT_TYPES.has(type.trim().toLowerCase()))
    return {
      status: 415,
      description: 'Content-Type must be application/xml',
      headers: { Accept: [...CONTENT_TYPES].join(', ') },
    };
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return {
      status: 415,
      description: 'Content-Encoding must be identity',
      headers: { 'Accept-Encoding': 'identity' },
    };
  return undefined;
}
