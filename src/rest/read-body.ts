/** Reads a request's body, refusing it while it streams when it is too large. SECURITY: IN-01, IN-23 */
import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { badStructure, type FhirError, tooLarge, unsupportedMediaType } from '../standards/fhir/outcome.ts';

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
  const encoding = req.headers['content-encoding']?.trim().toLowerCase();
  const isPlain = encoding === undefined || encoding === 'identity';
  const decoder = isPlain ? undefined : DECODERS.get(encoding)?.();
  if (!isPlain && decoder === undefined)
    return Promise.reject(
      unsupportedMediaType(
        'This Content-Encoding is not supported: send the body plain, or in one of gzip, deflate, br',
      ),
    );
  const over = (): FhirError =>
    tooLarge(`The body is larger than the ${Math.floor(bytesMax / 1024 / 1024)} MiB allowed here`);
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
    else if (bytes > RATIO_FROM_BYTES && decoder !== undefined && bytes > received * RATIO_MAX)
      stop(tooLarge(`The body inflates more than ${RATIO_MAX} times: send it plain`));
    else chunks.push(chunk);
  };
  const end = (): void => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
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
