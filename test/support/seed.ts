import { randomInt } from 'node:crypto';

/** Any number; it names the run that everybody repeats. */
const EVERYBODYS = 20_261_121;

/**
 * Where the random cases of this run begin: the same in every run, so that a change is not blamed for what was there
 * before it; new cases each time with TEST_SIZE=long; those of one run again with TEST_SEED.
 */
export function testSeed(): number {
  const told = process.env['TEST_SEED'];
  if (told !== undefined) return Number(told);
  return process.env['TEST_SIZE'] === 'long' ? randomInt(2 ** 31) : EVERYBODYS;
}
