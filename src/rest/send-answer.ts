/** Answers of the APIs beside FHIR: JSON, text, bytes, or what is sent as it is made. */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

export interface ApiAnswer {
  /** 200 unless given. */
  readonly status?: number;
  readonly json?: unknown;
  /** Instead of `json`: text or bytes of `mediaType`. */
  readonly content?: string | Buffer;
  /** Instead of `json`: what is sent as it is made. */
  readonly stream?: AsyncIterable<Buffer>;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends it, to a HEAD without its body. Rejects when a stream fails, but not when its reader has left. */
export async function sendAnswer(res: ServerResponse, answer: ApiAnswer): Promise<void> {
  const { status = 200, json, content, stream, mediaType, headers } = answer;
  const body = stream ? undefined : Buffer.from(content ?? (json === undefined ? '' : `${JSON.stringify(json)}\n`));
  res.writeHead(status, {
    'Content-Type': mediaType ?? 'application/json; charset=utf-8',
    ...(body && { 'Content-Length': body.length }),
    'Cache-Control': 'no-store',
    ...headers,
  });
  if (res.req.method === 'HEAD') res.end();
  else if (!stream) res.end(body);
  else
    await pipeline(stream, res).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
}
