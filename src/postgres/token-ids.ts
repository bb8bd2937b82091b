/** Ids of prescription tokens, each given out once in the whole fleet. SECURITY RX-06 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { tokenIdOf } from '../standards/prescription-token/token-id.ts';
import { translated } from './database-error.ts';
import type { Pipeline } from './pools.ts';

/** Numbers taken in one go; those that a process has not used when it ends are lost, of a hundred million. */
const BLOCK = 32;
/** With fewer left the next are taken, so that nobody waits for them. */
const LEFT_MIN = 16;

export function createTokenIds({ writes }: { readonly writes: Pipeline }): () => Promise<string> {
  let key: Promise<KeyObject> | undefined;
  const numbers: number[] = [];
  let taking: Promise<void> | undefined;

  async function readKey(): Promise<KeyObject> {
    const [row] = await writes.query({
      text: "select value from mortar.meta where name = 'token-key'",
      values: [],
    });
    if (!row) throw new Error('the database has no token-key: a migration is incomplete');
    return createSecretKey(Buffer.from(String(row[0]), 'hex'));
  }

  async function take(): Promise<void> {
    const rows = await writes.query({
      name: 'token-numbers',
      text: "select nextval('mortar.prescription_number')::int from generate_series(1, $1::int)",
      values: [BLOCK],
    });
    numbers.push(...rows.map(([number]) => number as number));
  }

  function begin(): Promise<void> {
    taking ??= take().finally(() => {
      taking = undefined;
    });
    return taking;
  }

  return () =>
    translated(async () => {
      key ??= readKey();
      key.catch(() => {
        key = undefined; // the next one asks again
      });
      const secret = await key;
      for (;;) {
        const number = numbers.shift();
        if (number === undefined) await begin();
        else {
          if (numbers.length < LEFT_MIN) begin().catch(() => undefined); // whoever waits for one hears of it
          return tokenIdOf(number, secret);
        }
      }
    });
}
