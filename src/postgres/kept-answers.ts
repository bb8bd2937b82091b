/** Answers under an `Idempotency-Key`, written in the transaction whose outcome they tell. SECURITY RX-05, RL-10 */
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { AnswersTransaction, KeptAnswer, KeptAnswers } from '../ports/kept-answers.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

const contextOf = (key: Buffer): string => `answer ${key.toString('hex')}`;

export const createAnswersTransaction = (
  cipher: Cipher,
  send: (statement: Statement) => Promise<readonly Row[]>,
  now: Clock,
): AnswersTransaction => ({
  keep: async ({ key, request, status, body }) => {
    await send({
      name: 'answer-keep',
      text: 'insert into mortar.kept_answer (key, request, status, body, at) values ($1, $2, $3, $4, $5)',
      values: [key, request, status, cipher.seal(Buffer.from(body), contextOf(key)), new Date(now())],
    });
  },
});

export const createKeptAnswers = ({ writes }: { readonly writes: Pipeline }, cipher: Cipher): KeptAnswers => ({
  find: (key) =>
    translated(async () => {
      const [row] = await writes.query({
        name: 'answer-find',
        text: 'select request, status, body from mortar.kept_answer where key = $1',
        values: [key],
      });
      return row && toAnswer(key, row, cipher);
    }),

  purge: (before, limit) =>
    translated(async () => {
      const rows = await writes.query({
        name: 'answer-purge',
        // kept_answer_at
        text: `delete from mortar.kept_answer where key in (
  select key from mortar.kept_answer where at < $1 order by at limit $2 for update skip locked)
returning 1`,
        values: [new Date(before), limit],
      });
      return rows.length;
    }),
});

const toAnswer = (key: Buffer, [request, status, body]: Row, cipher: Cipher): KeptAnswer => ({
  key,
  request: request as Buffer,
  status: status as number,
  body: cipher.open(body as Buffer, contextOf(key)).toString(),
});
