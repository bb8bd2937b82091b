/** Answers to requests with an `Idempotency-Key`, sealed, in `mortar.request_answer`. SECURITY RX-05, RL-10 */
import { createHash } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { AnswerKey, KeptAnswer, KeptAnswers, RequestAnswers } from '../ports/request-answers.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

/** Of a client's own making: it may name somebody. */
const keyHash = ({ key }: AnswerKey): Buffer => createHash('sha256').update(key).digest();
const context = (key: AnswerKey): string => `kept answer ${key.owner} ${keyHash(key).toString('hex')}`;

export const createRequestAnswers = (
  send: (statement: Statement) => Promise<readonly Row[]>,
  cipher: Cipher,
  now: Clock,
): RequestAnswers => ({
  async claim(key, hash) {
    const [row] = await send({
      name: 'request-answer-claim',
      // Of two with one key the second waits, and reads what the first has kept, or takes its place where it was undone.
      text: `insert into mortar.request_answer (owner, key, hash, kept_at) values ($1, $2, $3, $4)
on conflict (owner, key) do update set owner = excluded.owner
returning hash, answer`,
      values: [key.owner, keyHash(key), hash, new Date(now())],
    });
    return row && toAnswer(key, row, cipher); // an upsert gives its row back
  },

  async keep(key, { hash, answer }) {
    const rows = await send({
      name: 'request-answer-keep',
      text: `insert into mortar.request_answer (owner, key, hash, answer, kept_at) values ($1, $2, $3, $4, $5)
on conflict (owner, key) do update set answer = excluded.answer where request_answer.answer is null
returning 1`,
      values: [key.owner, keyHash(key), hash, cipher.seal(answer, context(key)), new Date(now())],
    });
    if (rows.length === 0) throw conflict('Another request with this Idempotency-Key was done just now');
  },
});

export const createKeptAnswers = ({ writes }: { readonly writes: Pipeline }, cipher: Cipher): KeptAnswers => ({
  find: (key) =>
    translated(async () => {
      const [row] = await writes.query({
        name: 'request-answer-find',
        text: 'select hash, answer from mortar.request_answer where owner = $1 and key = $2',
        values: [key.owner, keyHash(key)],
      });
      return row && toAnswer(key, row, cipher);
    }),

  purge: (before, limit) =>
    translated(async () => {
      const rows = await writes.query({
        name: 'request-answer-purge',
        // request_answer_at
        text: `delete from mortar.request_answer where (owner, key) in (
  select owner, key from mortar.request_answer where kept_at < $1 order by kept_at limit $2 for update skip locked)
returning 1`,
        values: [new Date(before), limit],
      });
      return rows.length;
    }),
});

function toAnswer(key: AnswerKey, row: Row, cipher: Cipher): KeptAnswer | undefined {
  const [hash, sealed] = row as [Buffer, Buffer | null];
  return sealed === null ? undefined : { hash, answer: cipher.open(sealed, context(key)) };
}
