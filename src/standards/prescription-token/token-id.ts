/**
 * Ids of tokens, `PHB-RX-` and eight digits, from numbers that are given out one after another: a keyed permutation of
 * the 100 million numbers, so that no id comes twice and none can be told from another. SECURITY RX-06
 */
import { createHmac, type KeyObject } from 'node:crypto';

const HALF = 10_000;
export const TOKEN_NUMBER_MAX = HALF * HALF - 1;
const ROUNDS = 4;
const FORM = /^PHB-RX-([0-9]{8})$/;

/** `number` 0 to `TOKEN_NUMBER_MAX`; `key` is any secret, and stays the same as long as ids shall not collide. */
export function tokenIdOf(number: number, key: Buffer | KeyObject): string {
  if (!Number.isInteger(number) || number < 0 || number > TOKEN_NUMBER_MAX)
    throw new RangeError('there are no ids left for tokens');
  let left = Math.floor(number / HALF);
  let right = number % HALF;
  // A Feistel network: each round is undone by the round itself, so the whole is a permutation.
  for (let round = 0; round < ROUNDS; round += 1) {
    const word = createHmac('sha256', key).update(`token-id ${round} ${right}`).digest().readUInt32BE(0);
    [left, right] = [right, (left + (word % HALF)) % HALF];
  }
  return `PHB-RX-${String(left * HALF + right).padStart(8, '0')}`;
}

export const isTokenId = (text: unknown): text is string => typeof text === 'string' && FORM.test(text);
