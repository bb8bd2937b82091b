/** The work behind `Prefer: respond-async`: one request by the route table, as it would have been done at once. */
import type { AsyncStep, AsyncValue, AsyncWorker } from '../ports/async-requests.ts';
import type { Caller } from '../ports/caller.ts';
import type { Clock } from '../ports/clock.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import type { FhirAnswer, FhirRequest } from './exchange.ts';

/** What a job is given: the request as it came, with the caller as they were then. */
interface Payload {
  readonly caller: Caller;
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: string;
  readonly headers: FhirRequest['headers'];
  /** base64 */
  readonly body: string;
}

/** After so long rights may have changed: an access token lives no longer. */
const WAIT_MAX_MS = 60 * 60 * 1000;
const KEPT_MS = 60 * 60 * 1000;
const PIECE_BYTES = 1024 * 1024;
const CHANGES_NOTHING = new Set(['GET', 'HEAD']);

export const interactionPayload = ({ caller, method, segments, query, headers, body }: FhirRequest): AsyncValue => {
  const { accept: _accept, authorization: _token, cookie: _cookie, prefer, ...others } = headers;
  const rest = (prefer ?? '').replace(/respond-async/g, '').replace(/^[\s,;]+|[\s,;]+$/g, '');
  const payload: Payload = {
    caller,
    method,
    segments,
    query,
    headers: { ...others, ...(rest !== '' && { prefer: rest }), accept: 'application/fhir+json' },
    body: body.toString('base64'),
  };
  return { ...payload };
};

export function createInteractionWorker(
  dispatch: (request: FhirRequest) => Promise<FhirAnswer>,
  now: Clock,
): AsyncWorker {
  return {
    kind: 'interaction',
    keptMs: KEPT_MS,
    async step({ payload, askedAt, isInterrupted }): Promise<AsyncStep> {
      const { body, ...request } = payload as unknown as Payload; // as interactionPayload made it
      const isSearch = CHANGES_NOTHING.has(request.method) || request.segments.at(-1) === '_search';
      if (isInterrupted && !isSearch && request.headers['idempotency-key'] === undefined)
        throw new FhirError(409, [
          issue(
            'conflict',
            'The server stopped while it did this, and does not do it twice: a transaction was done whole or not at all, of a batch any part; look at what is stored',
          ),
        ]);
      if (now() - askedAt > WAIT_MAX_MS)
        throw new FhirError(408, [
          issue('timeout', 'The request waited for too long and was not begun: send it again'),
        ]);
      const answer = await dispatch({ ...request, body: Buffer.from(body, 'base64') });
      const bytes = Buffer.from(answer.body ?? '');
      const pieces = Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) => ({
        file: 'answer',
        bytes: bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
        count: 1,
      }));
      return { pieces, result: { status: answer.status } };
    },
  };
}
