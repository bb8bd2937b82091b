import { expect } from 'chai';
import { createScriptDialect } from '../../../src/gateways/script/dialect.ts';
import { mapToScript } from '../../../src/mapping/script/map-message.ts';
import { heapInUse } from '../../support/heap.ts';
import { mutate, scriptFixture, scriptFixtureNames } from './samples.ts';

/** In CI 50,000 in all; so many in one test, so that each says which part of them it was. */
const ALL = { quick: 1_000, ci: 50_000, long: 1_000_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 1_000;
const PARTS = 10;
const AT = Date.UTC(2026, 3, 20);
/** Every so many go all the way: to FHIR, to an answer, and back. */
const WHOLE_EVERY = 10;
const GROWTH_MAX = 64 * 1024 * 1024;

describe('standards › script › mutated messages', function () {
  this.timeout(600_000);
  const dialect = createScriptDialect();
  const names = scriptFixtureNames();
  const answer = (raw: Buffer, isWhole: boolean): void => {
    const read = dialect.read(raw);
    expect(read.message !== undefined || read.issues.length > 0).equal(true);
    if (!isWhole || !read.message) return;
    const refusal = dialect.accepts(read.message);
    const translated = refusal ?? dialect.translate(read.message, { receivedAt: AT, timeZone: 'UTC' });
    const verdict = refusal ?? { kind: 'applied', issues: translated.issues };
    dialect.answer(read, verdict, AT, () => '0198c5f2-7b1e-7c3a-9d7e-1a2b3c4d5e6f');
    if ('value' in translated && translated.value) mapToScript(translated.value, {});
  };
  for (let part = 0; part < PARTS; part += 1)
    it(`${ALL / PARTS} of them, part ${part + 1}: no crash, and memory stays`, () => {
      const before = heapInUse();
      for (let i = 0; i < ALL / PARTS; i += 1) {
        const seed = part * (ALL / PARTS) + i;
        const name = names[seed % names.length] ?? '';
        try {
          answer(mutate(scriptFixture(name), seed, 1 + (seed % 4)), seed % WHOLE_EVERY === 0);
        } catch (error) {
          throw new Error(`seed ${seed} of ${name}`, { cause: error });
        }
      }
      expect(heapInUse() - before).lessThan(GROWTH_MAX);
    });
});
