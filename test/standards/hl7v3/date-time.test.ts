/** V3 time stamps. */
import { expect } from 'chai';
import { formatDateTime, formatIso, formatIsoDate, parseDateTime } from '../../../src/standards/hl7v3/date-time.ts';

const TIMES: readonly (readonly [text: string, iso: string | undefined])[] = [
  ['2026', '2026-01-01T00:00:00+00:00'],
  ['202611', '2026-11-01T00:00:00+00:00'],
  ['20261116', '2026-11-16T00:00:00+00:00'],
  ['2026111609', '2026-11-16T09:00:00+00:00'],
  ['202611160941', '2026-11-16T09:41:00+00:00'],
  ['20261116094130', '2026-11-16T09:41:30+00:00'],
  ['20261116094130.1234', '2026-11-16T09:41:30+00:00'],
  ['20261116094130+0100', '2026-11-16T08:41:30+00:00'],
  ['20261116094130-0530', '2026-11-16T15:11:30+00:00'],
  ['20240229', '2024-02-29T00:00:00+00:00'],
  ['20230229', undefined],
  ['20261301', undefined],
  ['20261116240000', undefined],
  ['20261116096130', undefined],
  ['2026-11-16', undefined],
  ['202', undefined],
  ['', undefined],
  [' 2026', undefined],
  ['00010101000000+0100', undefined],
];

describe('standards › hl7v3 › date-time', () => {
  for (const [text, iso] of TIMES)
    it(`reads '${text}'`, () => {
      const at = parseDateTime(text);
      expect(at === undefined ? undefined : formatIso(at)).equal(iso);
    });

  it('writes what it reads', () => {
    const at = parseDateTime('20261116094130') ?? 0;
    expect([formatDateTime(at), formatIsoDate(at)]).deep.equal(['20261116094130', '2026-11-16']);
  });
});
