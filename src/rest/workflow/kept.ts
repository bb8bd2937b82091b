/** The same answer to the same request. SECURITY RX-05, RL-10; draft-ietf-httpapi-idempotency-key-header */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../ports/caller.ts';
import type { KeptAnswers } from '../../ports/request-answers.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import { ownerOf } from '../async-desk.ts';
import { checkSameRequest, REPLAYED } from '../idempotency.ts';
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
  const [path = '', query = ''] = url.split('?', 2);
  const key = { owner: ownerOf(caller), key: `${method} ${path} ${given}` };
  const hash = createHash('sha256').update(`${query}\0`).update(body).digest();
  return {
    async find() {
      const kept = await answers.find(key);
      if (!kept) return undefined;
      checkSameRequest(kept, hash);
      const told = JSON.parse(kept.answer.toString()) as Pick<WorkflowAnswer, 'status' | 'json'>; // as it was kept
      return { ...told, headers: REPLAYED };
    },
    keep: (tx, { status, json }) =>
      tx.requestAnswers.keep(key, { hash, answer: Buffer.from(JSON.stringify({ status, json })) }),
  };
}
