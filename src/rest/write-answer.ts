/** Puts an answer on the wire, whole or as it is made. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Log } from '../ports/log.ts';
import type { FhirAnswer } from './exchange.ts';
import { type RateVerdict, rateLimitHeaders } from './rate-limit.ts';

type Headers = Record<string, string | number>;

/** What is said of the request beside its answer. */
export interface About {
  readonly correlationId: string;
  /** What is left of the caller's rate, where one is kept. */
  readonly rate?: RateVerdict | undefined;
}

/** Nothing where another answer was begun, or the client has left. What is made on the way and fails is logged. */
export function writeAnswer(
  req: IncomingMessage,
  res: ServerResponse,
  { correlationId, rate }: About,
  result: FhirAnswer,
  log: Pick<Log, 'error'>,
): void {
  if (res.headersSent || res.destroyed) return;
  const headers: Headers = {
    ...(rate && rateLimitHeaders(rate)),
    ...result.headers,
    'X-Request-ID': correlationId,
    'Cache-Control': 'no-store, private',
    Vary: 'Accept, Authorization, Origin', // what one caller may see is not for the next (CP-21)
  };
  if (result.stream) {
    writeStream(req, res, headers, result).catch((error: NodeJS.ErrnoException) => {
      // A client that leaves is no fault of ours.
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error('an answer broke off', { correlationId, error });
    });
    return;
  }
  if (result.body === undefined) {
    if (result.status !== 204 && result.status !== 304) headers['Content-Length'] = 0;
    res.writeHead(result.status, headers);
    res.end();
    return;
  }
  // Once to bytes: counting and writing a long text separately would walk it twice.
  const body = Buffer.isBuffer(result.body) ? result.body : Buffer.from(result.body);
  if (result.contentType !== undefined) headers['Content-Type'] = result.contentType;
  headers['Content-Length'] = body.length;
  if (!req.complete) headers['Connection'] = 'close'; // the body was not read to its end
  res.writeHead(result.status, headers);
  res.end(req.method === 'HEAD' ? undefined : body);
}

/** A connection whose body breaks off is broken off too: nobody takes a part for the whole. Rejects with why it did. */
async function writeStream(
  req: IncomingMessage,
  res: ServerResponse,
  headers: Headers,
  { status, contentType, length, stream }: FhirAnswer,
): Promise<void> {
  if (contentType !== undefined) headers['Content-Type'] = contentType;
  if (length !== undefined) headers['Content-Length'] = length;
  res.writeHead(status, headers);
  if (req.method === 'HEAD' || stream === undefined) return void res.end();
  try {
    await pipeline(stream, res);
  } catch (error) {
    res.destroy();
    throw error;
  }
}
