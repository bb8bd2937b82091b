/** Reads a request's body, refusing it while it streams when it is too large. SECURITY: IN-01, IN-23 */
import type { IncomingMessage } from 'node:http';
import { FhirError, issue, tooLarge, unsupportedMediaType } from '../standards/fhir/outcome.ts';

/** The whole body. Throws 413 above `bytesMax`, 415 for an encoded one, 400 when the client breaks off. */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return Promise.reject(unsupportedMediaType('Encoded bodies are not supported: send it without Content-Encoding'));
  const over = (): FhirError =>
    tooLarge(`The body is larger than the ${Math.floor(bytesMax / 1024 / 1024)} MiB allowed here`);
  if (Number(req.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(over());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        req.removeAllListeners('data');
        req.pause();
        reject(over());
      } else chunks.push(chunk);
    });
    req.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    req.on('error', () =>
      reject(new FhirError(400, [issue('structure', 'The request ended before its body was complete')])),
    );
    req.on('aborted', () =>
      reject(new FhirError(400, [issue('structure', 'The request ended before its body was complete')])),
    );
  });
}
