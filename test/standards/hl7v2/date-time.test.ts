import { expect } from 'chai';
import { formatInstant, isStandardDateTime, parseDateTime } from '../../../src/standards/hl7v2/date-time.ts';

describe('hl7v2 › date and time', () => {
  for (const [text, expected] of [
    ['1984', { year: 1984 }],
    ['198405', { year: 1984, month: 5 }],
    ['20240229', { year: 2024, month: 2, day: 29 }],
    ['1984051709', { year: 1984, month: 5, day: 17, hour: 9 }],
    ['198405170930', { year: 1984, month: 5, day: 17, hour: 9, minute: 30 }],
    [
      '20260302093000.1234+0130',
      { year: 2026, month: 3, day: 2, hour: 9, minute: 30, second: 0, millisecond: 123, offset: 90 },
    ],
    [
      '20260302093000.5-0500',
      { year: 2026, month: 3, day: 2, hour: 9, minute: 30, second: 0, millisecond: 500, offset: -300 },
    ],
    ['202603022400', { year: 2026, month: 3, day: 2, hour: 24, minute: 0 }],
    ['1928-01-01', { year: 1928, month: 1, day: 1 }],
    ['2026-03-02T09:30:00Z', { year: 2026, month: 3, day: 2, hour: 9, minute: 30, second: 0, offset: 0 }],
  ] as const)
    it(text, () => expect(parseDateTime(text)).eql(expected));

  for (const text of [
    '',
    '00000000',
    '20261345',
    '20230229',
    'not-a-date',
    '202603022401',
    '2026030209306',
    '20260302+9900',
    '٢٠٢٦',
  ])
    it(`${text || 'nothing'} is none`, () => expect(parseDateTime(text)).equal(undefined));

  it('knows the standard form', () => {
    expect(isStandardDateTime('20260302')).equal(true);
    expect(isStandardDateTime('2026-03-02')).equal(false);
  });

  it('writes instants in UTC', () => expect(formatInstant(Date.UTC(2026, 2, 2, 9, 5, 7))).equal('20260302090507+0000'));
});
