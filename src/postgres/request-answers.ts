/** Answers to requests with an `Idempotency-Key`, sealed, in `mortar.request_answer`. */
import { createHash } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { AnswerKey, RequestAnswerPurge, RequestAnswers } from '../ports/request-answers.ts';
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
    const [before, sealed] = row as [Buffer, Buffer | null]; // an upsert gives its row back
    return sealed === null ? undefined : { hash: before, answer: cipher.open(sealed, context(key)) };
  },

  async keep(key, answer) {
    await send({
      name: 'request-answer-keep',
      text: 'update mortar.request_answer set answer = $3 where owner = $1 and key = $2',
      values: [key.owner, keyHash(key), cipher.seal(answer, context(key))],
    });
  },
});

export const createRequestAnswerPurge = ({ writes }: { readonly writes: Pipeline }): RequestAnswerPurge => ({
  purge: (before, limit) =>
    translated(async () => {
      const rows = await writes.query({
        name: 'request-answer-purge',
        text: `delete from mortar.request_answer where (owner, key) in (
  select owner, key from mortar.request_answer where kept_at < $1 order by kept_at limit $2 for update skip locked)
returning 1`,
        values: [new Date(before), limit],
      });
      return rows.length;
    }),
});
