/** Answers with an OperationOutcome. https://hl7.org/fhir/R4/http.html#Status-Codes */
import type { ServerResponse } from 'node:http';
import { FhirError, issue, operationOutcome } from '../standards/fhir/outcome.ts';

export const FHIR_JSON = 'application/fhir+json; charset=utf-8';

/** What is not meant for whoever asks is a fault of the server: 500, which tells nothing. */
export const faultOf = (error: unknown): FhirError =>
  error instanceof FhirError
    ? error
    : new FhirError(500, [issue('exception', 'the server failed; its log says why')], { cause: error });

/** Sends the error as status, headers and OperationOutcome. Does nothing once the answer has begun. */
export function sendOutcome(res: ServerResponse, given: unknown): void {
  if (res.headersSent) {
    res.destroy(); // half an answer must not look like a whole one
    return;
  }
  const error = faultOf(given);
  const body = JSON.stringify(operationOutcome(error.issues));
  res.writeHead(error.status, {
    ...error.headers,
    'Content-Type': FHIR_JSON,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(res.req.method === 'HEAD' ? undefined : body);
}
