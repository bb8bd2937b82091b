/** When a pharmacy is open: a table of cases, over midnight and the days on which clocks change. MISSION M9 */
import { expect } from 'chai';
import { isOpen, startOfDay } from '../../../src/workflow/dispensing/opening-hours.ts';

const SERVICE = {
  availableTime: [
    { daysOfWeek: ['mon', 'tue', 'wed', 'thu', 'fri'], availableStartTime: '09:00:00', availableEndTime: '17:30:00' },
    { daysOfWeek: ['sat'], availableStartTime: '22:00:00', availableEndTime: '02:00:00' },
    { daysOfWeek: ['sun'], allDay: true },
  ],
  notAvailable: [{ description: 'Holiday', during: { start: '2026-12-25', end: '2026-12-26' } }],
};
const LONDON = 'Europe/London';

describe('opening hours', () => {
  for (const [at, open, why] of [
    ['2026-11-23T09:00:00Z', true, 'the first minute of a Monday'],
    ['2026-11-23T08:59:59Z', false, 'just before'],
    ['2026-11-23T17:29:59Z', true, 'the last minute'],
    ['2026-11-23T17:30:00Z', false, 'the end'],
    ['2026-06-22T08:30:00Z', true, 'half past nine in summer'],
    ['2026-06-22T16:45:00Z', false, 'a quarter to six in summer'],
    ['2026-11-21T21:59:00Z', false, 'a Saturday before it opens'],
    ['2026-11-21T23:00:00Z', true, 'a Saturday night'],
    ['2026-11-22T01:59:00Z', true, 'Sunday, by both'],
    ['2026-11-23T00:30:00Z', false, 'the night to Monday'],
    ['2026-12-25T10:00:00Z', false, 'a day that is left out'],
    ['2026-12-28T10:00:00Z', true, 'after it'],
  ] as const)
    it(`${at}: ${why}`, () => {
      expect(isOpen(SERVICE, Date.parse(at), LONDON)).equal(open);
    });

  it('says nothing where nothing is said', () => {
    expect(isOpen({}, 0, LONDON)).equal(undefined);
  });

  for (const [at, start] of [
    ['2026-03-29T12:00:00Z', '2026-03-29T00:00:00.000Z'],
    ['2026-03-30T12:00:00Z', '2026-03-29T23:00:00.000Z'],
    ['2026-10-25T12:00:00Z', '2026-10-24T23:00:00.000Z'],
    ['2026-11-22T00:00:00Z', '2026-11-22T00:00:00.000Z'],
  ] as const)
    it(`the day of ${at} began at ${start} in London`, () => {
      expect(new Date(startOfDay(Date.parse(at), LONDON)).toISOString()).equal(start);
    });
});
