/**
 * `Idempotency-Key`: a create or a transaction that comes again is answered as the first time, byte for byte, and done
 * once. The answer is committed with what the request wrote, so that no crash lies between the two.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
import { createHash } from 'node:crypto';
import type { KeptAnswer } from '../ports/request-answers.ts';
import type { ResourceStore, StoreTransaction } from '../ports/resource-store.ts';
import { badRequest, conflict, FhirError, issue } from '../standards/fhir/outcome.ts';
import { ownerOf, rightsOf } from './async-desk.ts';
import type { FhirAnswer, FhirRequest } from './exchange.ts';
import type { Handler } from './services.ts';

const HEADER = 'idempotency-key';
/** Any printable ASCII; quotes around it, as structured fields have them, are not of the key. */
const KEY = /^[\x21-\x7e]{1,255}$/;
/** Headers that change what is done or answered. */
const HEARD = ['content-type', 'accept', 'prefer', 'if-none-exist', 'if-match'] as const;

interface Kept {
  readonly rights: string;
  readonly answer: FhirAnswer;
}

/** Refuses the key where several things are done one by one: no answer could be kept with all of them. */
export function refuseKey({ headers }: Pick<FhirRequest, 'headers'>): void {
  if (headers[HEADER] !== undefined)
    throw badRequest(
      'A batch is not done as one, so that its answer cannot be kept: send a transaction, or no Idempotency-Key',
    );
}

/** Throws 422 where the key came with another request before. */
export function checkSameRequest({ hash }: KeptAnswer, asked: Buffer): void {
  if (hash.equals(asked)) return;
  const why = 'This Idempotency-Key came before with another request, whose answer stands: take a new key';
  throw new FhirError(422, [issue('business-rule', why, 'Idempotency-Key')]);
}

/** Says that an answer was given before. */
export const REPLAYED = { 'Idempotency-Replayed': 'true' };

/** The same handler, which takes the key; it writes within one transaction of the store, or by one create. */
export const idempotent =
  (handle: Handler): Handler =>
  async (services, request) => {
    const text = request.headers[HEADER];
    if (text === undefined) return handle(services, request);
    const key = text.trim().replace(/^"(.*)"$/, '$1');
    if (!KEY.test(key))
      throw badRequest('Idempotency-Key must be 1 to 255 printable characters of ASCII, such as a UUID');
    const { caller } = request;
    const [owner, rights] = [ownerOf(caller), rightsOf(caller)];
    const hash = hashOf(request);
    let isAgain = false;
    const result = await services.store.transaction(caller, async (tx): Promise<FhirAnswer> => {
      const before = await tx.requestAnswers.claim({ owner, key }, hash);
      isAgain = before !== undefined;
      if (before) {
        checkSameRequest(before, hash);
        const kept = JSON.parse(before.answer.toString()) as Kept; // as it was kept
        if (kept.rights !== rights)
          throw conflict('This was done before, under other rights than yours are now: look for what it stored');
        return kept.answer;
      }
      const answer = await handle({ ...services, store: within(services.store, tx) }, request);
      const kept = Buffer.from(JSON.stringify({ rights, answer } satisfies Kept));
      await tx.requestAnswers.keep({ owner, key }, { hash, answer: kept });
      return answer;
    });
    if (isAgain) await services.audit.record({ kind: 'operation', operation: 'answered-again', caller, outcome: 0 });
    return isAgain ? { ...result, headers: { ...result.headers, ...REPLAYED } } : result;
  };

function hashOf({ method, segments, query, headers, body }: FhirRequest): Buffer {
  const head = JSON.stringify([method, segments, query, HEARD.map((name) => headers[name] ?? null)]);
  return createHash('sha256').update(head).update('\0').update(body).digest();
}

/** The store inside a transaction that is open already. */
const within = (store: ResourceStore, tx: StoreTransaction): ResourceStore => ({
  ...store,
  async create(_caller, resource, id) {
    const [written] = await tx.write([{ kind: 'create', resource, id }]);
    if (!written) throw new Error('a write has a result');
    return written;
  },
  transaction: (_caller, work) => work(tx),
});
