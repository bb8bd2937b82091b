/** What is remembered of ranges with many entries: only ranges around one that was found are taken to be as large. */
import { expect } from 'chai';
import { createCommonRanges } from '../../../src/postgres/search/common-ranges.ts';

const between = (from: number, to: number, key = 'h v') => ({ key, from, to });

describe('search › common ranges', () => {
  it('a range around one that was noted is common, for ten minutes; others are not known', () => {
    let now = 1_000;
    const ranges = createCommonRanges(() => now);
    ranges.note('Observation', [between(5, Number.POSITIVE_INFINITY)]);
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
      expect(ranges.isCommon(table, asked), JSON.stringify([table, asked])).equal(isCommon);
    now += 10 * 60 * 1000;
    expect(ranges.isCommon('Observation', [between(5, Number.POSITIVE_INFINITY)])).equal(true);
    now += 1;
    expect(ranges.isCommon('Observation', [between(5, Number.POSITIVE_INFINITY)])).equal(false);
  });

  it('every range of several must be around its own', () => {
    const ranges = createCommonRanges(() => 0);
    ranges.note('Observation', [between(1, 2, 'a'), between(5, 6, 'b')]);
    expect(ranges.isCommon('Observation', [between(0, 2, 'a'), between(5, 7, 'b')])).equal(true);
    expect(ranges.isCommon('Observation', [between(0, 2, 'a'), between(5.5, 7, 'b')])).equal(false);
  });

  it('holds a thousand at most: the ones noted longest ago go', () => {
    const ranges = createCommonRanges(() => 0);
    for (let n = 0; n <= 1_000; n++) ranges.note('Observation', [between(0, 1, `k${n}`)]);
    expect(ranges.isCommon('Observation', [between(0, 1, 'k0')])).equal(false);
    expect(ranges.isCommon('Observation', [between(0, 1, 'k1')])).equal(true);
    expect(ranges.isCommon('Observation', [between(0, 1, 'k1000')])).equal(true);
  });
});
