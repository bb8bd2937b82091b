/** The same answer to the same request. SECURITY RX-05, RL-10; draft-ietf-httpapi-idempotency-key-header */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../ports/caller.ts';
import type { KeptAnswers } from '../../ports/kept-answers.ts';
import { badValue, FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { WorkflowAnswer, WorkflowCall } from './route.ts';

export interface Keeping {
  /** The answer that was given already. Throws 422 where another request came with the key. */
  find(): Promise<WorkflowAnswer | undefined>;
  readonly keep: WorkflowCall['keep'];
}

const NOTHING: Keeping = { find: async () => undefined, keep: async () => {} };

/** What is kept of a POST with an `Idempotency-Key`, for whoever asks; nothing without one. */
export function keepingOf(
  answers: Pick<KeptAnswers, 'find'>,
  { method, url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  caller: Caller,
  body: Buffer,
): Keeping {
  const given = headers['idempotency-key'];
  if (given === undefined || method !== 'POST') return NOTHING;
  if (typeof given !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(given))
    throw badValue('Idempotency-Key is a text of 1 to 128 visible characters', 'Idempotency-Key');
  const key = hashOf([
    caller.kind,
    caller.clientId ?? caller.name,
    caller.user?.id ?? '',
    url.split('?')[0] ?? '',
    given,
  ]);
  const request = createHash('sha256').update(body).digest();
  return {
    async find() {
      const kept = await answers.find(key);
      if (!kept) return undefined;
      if (!kept.request.equals(request))
        throw new FhirError(422, [
          issue(
            'business-rule',
            'This Idempotency-Key came with another request before: use a new one for each',
            'Idempotency-Key',
          ),
        ]);
      return { status: kept.status, json: JSON.parse(kept.body), headers: { 'Idempotent-Replayed': 'true' } };
    },
    keep: (tx, { status, json }) => tx.answers.keep({ key, request, status, body: JSON.stringify(json) }),
  };
}

const hashOf = (parts: readonly string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest();
