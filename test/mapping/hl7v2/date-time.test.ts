import { expect } from 'chai';
import { formatDateTime } from '../../../src/mapping/hl7v2/date-time.ts';
import { type DateTime, parseDateTime } from '../../../src/standards/hl7v2/date-time.ts';

const format = (text: string, offset?: number, zone = 'Europe/London') =>
  formatDateTime(parseDateTime(text) as DateTime, offset, zone);

describe('hl7v2 › dates as FHIR', () => {
  for (const [text, expected] of [
    ['1984', '1984'],
    ['198405', '1984-05'],
    ['19840517', '1984-05-17'],
    ['1984051709', '1984-05-17T09:00:00+01:00'],
    ['198405170930', '1984-05-17T09:30:00+01:00'],
    ['20260302093000.1234+0000', '2026-03-02T09:30:00.123Z'],
    ['20260302093000.5', '2026-03-02T09:30:00.500Z'],
    ['202603022400', '2026-03-03T00:00:00Z'],
    ['202612312400', '2027-01-01T00:00:00Z'],
    ['20260302093000-0530', '2026-03-02T09:30:00-05:30'],
    ['1928-01-01', '1928-01-01'],
  ] as const)
    it(`${text} → ${expected}`, () => expect(format(text)).eql({ text: expected }));

  it('a time that the spring leaves out gets the later offset, and is told', () =>
    expect(format('20260329013000')).eql({ text: '2026-03-29T01:30:00+01:00', fault: 'gap' }));
  it('a time that comes twice in autumn is the earlier instant, and is told', () =>
    expect(format('20261025013000')).eql({ text: '2026-10-25T01:30:00+01:00', fault: 'overlap' }));
  it('the hours around the change are as they are', () => {
    expect(format('20260329003000').text).equal('2026-03-29T00:30:00Z');
    expect(format('20260329023000').text).equal('2026-03-29T02:30:00+01:00');
    expect(format('20261025003000').text).equal('2026-10-25T00:30:00+01:00');
    expect(format('20261025023000').text).equal('2026-10-25T02:30:00Z');
  });
  it('the offset of MSH-7 goes before the zone, its own before both', () => {
    expect(format('20260329013000', 0).text).equal('2026-03-29T01:30:00Z');
    expect(format('20260329013000-0500', 0).text).equal('2026-03-29T01:30:00-05:00');
  });
  it('other zones, and one that does not exist', () => {
    expect(format('20260701120000', undefined, 'America/New_York').text).equal('2026-07-01T12:00:00-04:00');
    expect(format('20260701120000', undefined, 'Asia/Kolkata').text).equal('2026-07-01T12:00:00+05:30');
    expect(format('20260701120000', undefined, 'Nowhere/Land').text).equal('2026-07-01T12:00:00Z');
  });
});
