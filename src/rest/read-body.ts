/** Reads a request's body, whole or as it comes, refusing it while it streams when it is too large. SECURITY: IN-01, IN-23 */
import type { IncomingMessage } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { badStructure, FhirError, tooLarge, unsupportedMediaType } from '../standards/fhir/outcome.ts';

/** RFC 9110 section 8.4.1 */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);
/** What is inflated further than this is made to be a burden … */
const RATIO_MAX = 100;
/** … once it is more than a body of a few repeated words. */
const RATIO_FROM_BYTES = 1024 * 1024;

/**
 * The whole body, inflated. Throws 413 above `bytesMax`, counted after inflation while it streams, and for what inflates
 * more than a hundredfold; 415 for encodings that are not known or nested; 400 for a broken body.
 */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const decoder = decoderOf(req);
  if (decoder === null) return Promise.reject(unknownEncoding());
  const over = (): FhirError => tooLong(bytesMax);
  if (Number(req.headers['content-length'] ?? 0) > bytesMax) {
    decoder?.destroy();
    return Promise.reject(over());
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let received = 0;
  let bytes = 0;
  const stop = (error: FhirError): void => {
    req.removeAllListeners('data');
    req.pause();
    decoder?.destroy();
    reject(error);
  };
  const take = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > bytesMax) stop(over());
    else if (bytes > RATIO_FROM_BYTES && decoder !== undefined && bytes > received * RATIO_MAX) stop(bomb());
    else chunks.push(chunk);
  };
  const end = (): void => {
    resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    chunks.length = 0; // the request, and who listens to it, outlive them
  };
  if (decoder === undefined) {
    req.on('data', take);
    req.on('end', end);
  } else {
    req.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (!decoder.write(chunk)) {
        req.pause();
        decoder.once('drain', () => req.resume());
      }
    });
    req.on('end', () => decoder.end());
    decoder.on('data', take);
    decoder.on('end', end);
    decoder.on('error', () => stop(badStructure('The body is not what its Content-Encoding says')));
  }
  const broken = (): void => stop(badStructure('The request ended before its body was complete'));
  req.on('error', broken);
  req.on('aborted', broken);
  return promise;
}

/**
 * The body as it comes, inflated, no faster than it is taken. The iteration throws what `readBody` throws; whoever stops
 * it early leaves the rest unread.
 */
export async function* streamBody(req: IncomingMessage, bytesMax: number): AsyncIterable<Buffer> {
  const decoder = decoderOf(req);
  if (decoder === null) throw unknownEncoding();
  if (Number(req.headers['content-length'] ?? 0) > bytesMax) {
    decoder?.destroy();
    throw tooLong(bytesMax);
  }
  let received = 0;
  let bytes = 0;
  let source: Readable = req;
  if (decoder) {
    req.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    const broken = (): void => void decoder.destroy(new Error('the request broke off'));
    req.once('error', broken).once('aborted', broken);
    source = req.pipe(decoder);
  }
  try {
    // A request that is destroyed could not be answered.
    for await (const chunk of source.iterator({ destroyOnReturn: decoder !== undefined }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLong(bytesMax);
      if (decoder && bytes > RATIO_FROM_BYTES && bytes > received * RATIO_MAX) throw bomb();
      yield chunk;
    }
  } catch (error) {
    if (error instanceof FhirError) throw error;
    throw badStructure(
      req.complete
        ? 'The body is not what its Content-Encoding says'
        : 'The request ended before its body was complete, or is not what its Content-Encoding says',
    );
  }
}

/** Undefined for a plain body, null for an encoding that is not known. */
function decoderOf(req: IncomingMessage): Transform | undefined | null {
  const encoding = req.headers['content-encoding']?.trim().toLowerCase();
  if (encoding === undefined || encoding === 'identity') return undefined;
  return DECODERS.get(encoding)?.() ?? null;
}

const unknownEncoding = (): FhirError =>
  unsupportedMediaType('This Content-Encoding is not supported: send the body plain, or in one of gzip, deflate, br');
const tooLong = (bytesMax: number): FhirError =>
  tooLarge(`The body is larger than the ${Math.floor(bytesMax / 1024 / 1024)} MiB allowed here`);
const bomb = (): FhirError => tooLarge(`The body inflates more than ${RATIO_MAX} times: send it plain`);
