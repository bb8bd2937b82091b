/** `POST /hl7v2`: one message or batch in, its acknowledgements out in the same exchange. docs/hl7v2.md "Over HTTPS" */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../../ports/log.ts';
import { FhirError, textOf } from '../../standards/fhir/outcome.ts';
import { readBody } from '../http-body.ts';
import { answerFrame, refuse, refuseOversize } from './answer-frame.ts';

export interface V2EndpointOptions {
  /** Throws `FhirError` when who sends may not: before anything of the message is read. */
  readonly admit: (request: IncomingMessage) => Promise<void>;
  /** The way in: what one message is answered with, in order. */
  readonly receive: (
    raw: Buffer,
    peer: { readonly address: string; readonly socket: Socket },
  ) => Promise<readonly Buffer[]>;
  readonly bodyBytesMax: number;
  readonly bodyTimeoutMs?: number;
  readonly log: Log;
}

const HL7V2_PATH = '/hl7v2';

const CONTENT_TYPES = ['application/hl7-v2', 'x-application/hl7-v2+er7', 'application/hl7-v2+er7', 'text/plain'];
const BODY_TIMEOUT_MS = 30_000;

/** Never rejects and never throws: every request gets an answer, or its connection ends. */
export function createV2Endpoint(
  options: V2EndpointOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { admit, receive, bodyBytesMax, bodyTimeoutMs = BODY_TIMEOUT_MS, log } = options;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = refusalOf(request) ?? (await admit(request).then(() => undefined, denialOf));
    if (refusal) {
      request.resume();
      return send(response, refusal.status, refuse(refusal.description), { ...refusal.headers, Connection: 'close' });
    }
    const body = await readBody(request, bodyBytesMax, bodyTimeoutMs);
    if (body.kind === 'gone') return;
    if (body.kind === 'slow')
      return send(response, 408, refuse('The message did not come in time'), { Connection: 'close' });
    if (body.kind === 'large') {
      const answer = refuseOversize(body.start) ?? refuse(`The message is longer than ${bodyBytesMax} bytes`);
      return send(response, 413, answer, { Connection: 'close' });
    }
    const peer = { address: request.socket.remoteAddress ?? '', socket: request.socket };
    // One answer an exchange: of two the last, which says what became of the message.
    const answers = await answerFrame(body.raw, (raw) => receive(raw, peer), log);
    send(response, 200, answers.at(-1) ?? Buffer.alloc(0));
  }

  return (request, response) => {
    handle(request, response).catch((error: unknown) => {
      log.error('an HL7 v2 request failed', { error });
      send(response, 500, refuse('Not processed now: send the same message again later'));
    });
  };
}

function send(response: ServerResponse, status: number, body: Buffer, headers: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return;
  const type = body.length > 0 ? { 'Content-Type': 'application/hl7-v2' } : {};
  response.writeHead(status, {
    ...type,
    ...headers,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
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

function refusalOf(request: IncomingMessage): Refusal | undefined {
  const [path = ''] = (request.url ?? '').split('?');
  if (path.replace(/\/$/, '') !== HL7V2_PATH)
    return { status: 404, description: `HL7 v2 messages are sent to ${HL7V2_PATH}` };
  if (request.method !== 'POST')
    return { status: 405, description: 'Messages are sent with POST', headers: { Allow: 'POST' } };
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (!CONTENT_TYPES.includes(type.trim().toLowerCase()))
    return {
      status: 415,
      description: 'Content-Type must be application/hl7-v2',
      headers: { Accept: CONTENT_TYPES.join(', ') },
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
