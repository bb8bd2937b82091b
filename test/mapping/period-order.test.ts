import { expect } from 'chai';
import { endsBeforeStart } from '../../src/mapping/period-order.ts';

const CASES: readonly (readonly [start: string, end: string, isReversed: boolean])[] = [
  ['2026-05-01', '2026-05-02', false],
  ['2026-05-01', '2026-05-01', false],
  ['2026-05-02', '2026-05-01', true],
  ['2026-05', '2026-05-01', false],
  ['2026-05-31', '2026-05', false],
  ['2026-06', '2026-05-31', true],
  ['2026', '2025-12-31', true],
  ['2026-05-01T10:00:00+01:00', '2026-05-01T09:30:00Z', false],
  ['2026-05-01T10:00:00Z', '2026-05-01T10:30:00+01:00', true],
  ['2026-05-01T10:00:00Z', '2026-05-01', false],
  ['2026-05-02', '2026-05-01T23:00:00Z', true],
];

describe('mapping › ends of a Period', () => {
  for (const [start, end, isReversed] of CASES)
    it(`${start} to ${end} ${isReversed ? 'ends before it begins' : 'is a Period'}`, () => {
      expect(endsBeforeStart(start, end)).equal(isReversed);
    });
});
