/** What is remembered of ranges that were counted: around one with many entries there are many, within one with few there are few. */
import { expect } from 'chai';
import { createCommonRanges } from '../../../src/postgres/search/common-ranges.ts';

const between = (from: number, to: number, key = 'h v') => ({ key, from, to });

describe('search › common ranges', () => {
  it('a range around one that was noted is common, for ten minutes; others are not known', () => {
    let now = 1_000;
    const ranges = createCommonRanges(() => now);
    ranges.note('Observation', [between(5, Number.POSITIVE_INFINITY)], 'many');
    const cases: readonly (readonly [string, readonly ReturnType<typeof between>[], boolean])[] = [
      ['Observation', [between(5, Number.POSITIVE_INFINITY)], true],
      ['Observation', [between(4, Number.POSITIVE_INFINITY)], true],
      ['Observation', [between(6, Number.POSITIVE_INFINITY)], false],
      ['Observation', [between(4, 1_000_000)], false],
      ['Observation', [between(4, Number.POSITIVE_INFINITY, 'other v')], false],
      ['Observation', [between(4, Number.POSITIVE_INFINITY), between(0, 9, 'h w')], false],
      ['RiskAssessment', [between(4, Number.POSITIVE_INFINITY)], false],
    ];
    for (const [table, asked, isCommon] of cases)
      expect(ranges.countOf(table, asked), JSON.stringify([table, asked])).equal(isCommon ? 'many' : undefined);
    now += 10 * 60 * 1000;
    expect(ranges.countOf('Observation', [between(5, Number.POSITIVE_INFINITY)])).equal('many');
    now += 1;
    expect(ranges.countOf('Observation', [between(5, Number.POSITIVE_INFINITY)])).equal(undefined);
  });

  it('every range of several must be around its own', () => {
    const ranges = createCommonRanges(() => 0);
    ranges.note('Observation', [between(1, 2, 'a'), between(5, 6, 'b')], 'many');
    expect(ranges.countOf('Observation', [between(0, 2, 'a'), between(5, 7, 'b')])).equal('many');
    expect(ranges.countOf('Observation', [between(0, 2, 'a'), between(5.5, 7, 'b')])).equal(undefined);
  });

  it('a range within one that was found to be small is small, unless it is around one that is large', () => {
    let now = 1_000;
    const ranges = createCommonRanges(() => now);
    ranges.note('Observation', [between(5, 9), between(1, 2, 'w')], 'few');
    const cases: readonly (readonly [readonly ReturnType<typeof between>[], 'few' | 'many' | undefined])[] = [
      [[between(5, 9), between(1, 2, 'w')], 'few'],
      [[between(6, 8), between(1, 1, 'w')], 'few'],
      [[between(4, 9), between(1, 2, 'w')], undefined],
      [[between(6, 9.1), between(1, 2, 'w')], undefined],
      [[between(6, 9), between(0, 2, 'w')], undefined],
      [[between(6, 8)], undefined],
    ];
    for (const [asked, count] of cases)
      expect(ranges.countOf('Observation', asked), JSON.stringify(asked)).equal(count);
    ranges.note('Observation', [between(6, 8), between(1, 2, 'w')], 'many');
    expect(ranges.countOf('Observation', [between(5, 9), between(1, 2, 'w')])).equal('many');
    expect(ranges.countOf('Observation', [between(7, 8), between(1, 2, 'w')])).equal('few');
    now += 10 * 60 * 1000 + 1;
    expect(ranges.countOf('Observation', [between(7, 8), between(1, 2, 'w')])).equal(undefined);
  });

  it('texts are compared as they are ordered', () => {
    const ranges = createCommonRanges(() => 0);
    const of = (text: string) => ({ key: 'h', from: text, to: `${text}\u{10FFFF}` });
    ranges.note('Patient', [of('smi')], 'few');
    expect(['smith', 'smi', 'sm', 'smj'].map((text) => ranges.countOf('Patient', [of(text)]))).deep.equal([
      'few',
      'few',
      undefined,
      undefined,
    ]);
  });

  it('holds a thousand at most: the ones noted longest ago go', () => {
    const ranges = createCommonRanges(() => 0);
    for (let n = 0; n <= 1_000; n++) ranges.note('Observation', [between(0, 1, `k${n}`)], 'many');
    expect(ranges.countOf('Observation', [between(0, 1, 'k0')])).equal(undefined);
    expect(ranges.countOf('Observation', [between(0, 1, 'k1')])).equal('many');
    expect(ranges.countOf('Observation', [between(0, 1, 'k1000')])).equal('many');
  });
});
