/** The claims the payer has decided about: what makes a duplicate, and what a reversal finds. Reference section 16 */
import { type Asked, type Part, value } from './wire.ts';

export interface BookedClaim {
  readonly key: string;
  status: 'paid' | 'reversed';
  /** The answer's segments, as they were sent first. */
  answer: readonly Part[];
  readonly authorization: string;
  reversal: string;
}

export interface Book {
  find(key: string): BookedClaim | undefined;
  pay(key: string, answerOf: (authorization: string) => readonly Part[]): BookedClaim;
  all(): readonly BookedClaim[];
  nextNumber(): string;
}

const CLAIMS_MAX = 100_000;

export function createBook(): Book {
  const claims = new Map<string, BookedClaim>();
  let number = 0;
  const nextNumber = (): string => {
    number += 1;
    return String(number).padStart(6, '0');
  };
  return {
    nextNumber,
    find: (key) => claims.get(key),
    all: () => [...claims.values()],
    pay(key, answerOf) {
      if (claims.size >= CLAIMS_MAX) claims.clear();
      const authorization = `AU${nextNumber()}`;
      const claim: BookedClaim = { key, status: 'paid', answer: answerOf(authorization), authorization, reversal: '' };
      claims.set(key, claim);
      return claim;
    },
  };
}

/** BIN, PCN, provider, prescription, fill, day and product: the same of these is the same claim. */
export const keyOf = (asked: Asked, claim: readonly Part[]): string =>
  [
    asked.bin,
    asked.pcn,
    asked.provider,
    asked.date,
    value(claim, '07', 'D2').replace(/^0+/, ''),
    value(claim, '07', 'D3').replace(/^0+(?=.)/, ''),
    value(claim, '07', 'D7'),
  ].join('|');
