import { expect } from 'chai';
import fc from 'fast-check';
import {
  addDays,
  addMonths,
  type ControlledPrescription,
  emergencyFollowUpBy,
  type Fill,
  findFillFaults,
  findPrescriptionFaults,
  findSeriesFaults,
  findTransferFaults,
  lastDayOf,
  type Schedule,
  scheduleOf,
} from '../../../src/standards/ncpdp/controlled.ts';
import { addExact, compareExact } from '../../../src/standards/ncpdp/exact.ts';

const rules = (faults: readonly { readonly rule: string }[]) => faults.map(({ rule }) => rule);
const ISSUED = '2026-01-31';
const CII: ControlledPrescription = { schedule: 'CII', issuedOn: ISSUED, quantity: '30', refills: 0 };
const CIV: ControlledPrescription = { schedule: 'CIV', issuedOn: ISSUED, quantity: '30', refills: 5 };
const CV: ControlledPrescription = { ...CIV, schedule: 'CV', refills: 11 };
const fill = (number: number, on: string, quantity = '30', reason?: Fill['reason']): Fill => ({
  number,
  on,
  quantity,
  ...(reason && { reason }),
});

describe('rules for controlled substances', () => {
  for (const [code, schedule] of [
    ['C48672', 'CI'],
    ['C48675', 'CII'],
    ['C48676', 'CIII'],
    ['C48677', 'CIV'],
    ['C48679', 'CV'],
    ['C38046', undefined],
    [undefined, undefined],
  ] as const)
    it(`${code}: ${schedule}`, () => expect(scheduleOf(code)).equal(schedule));

  for (const [schedule, refills, expected] of [
    ['CI', 0, ['not-prescribable']],
    ['CII', 0, []],
    ['CII', 1, ['refills']],
    ['CIII', 5, []],
    ['CIII', 6, ['refills']],
    ['CIV', 6, ['refills']],
    ['CV', 11, []],
    ['CIV', undefined, []],
  ] as const)
    it(`${schedule} with ${refills} refills: ${expected.join() || 'lawful'}`, () =>
      expect(rules(findPrescriptionFaults(schedule, refills))).eql(expected));

  for (const [title, prescription, before, next, expected] of [
    ['the first fill', CII, [], fill(0, ISSUED), []],
    ['a refill of CII', CII, [fill(0, ISSUED)], fill(1, '2026-03-01'), ['refills']],
    ['a fill before its issue', CIV, [], fill(0, '2026-01-30'), ['too-early']],
    [
      'before the earliest fill date',
      { ...CII, earliestFillOn: '2026-03-01' },
      [],
      fill(0, '2026-02-28'),
      ['too-early'],
    ],
    ['on the earliest fill date', { ...CII, earliestFillOn: '2026-03-01' }, [], fill(0, '2026-03-01'), []],
    ['CIV after six months', CIV, [fill(0, ISSUED)], fill(1, '2026-07-31'), []],
    ['CIV a day later', CIV, [fill(0, ISSUED)], fill(1, '2026-08-01'), ['expired']],
    ['CV later still', CV, [fill(0, ISSUED)], fill(1, '2026-12-01'), []],
    ['the rest of a CV fill after six months', CV, [fill(0, ISSUED, '10')], fill(0, '2026-08-01', '20'), ['expired']],
    ['a refill before the first fill', CIV, [], fill(1, '2026-02-01'), ['fill-number']],
    ['more than prescribed', CIV, [fill(0, ISSUED, '10.5')], fill(0, '2026-02-01', '19.6'), ['quantity']],
    ['exactly what was prescribed', CIV, [fill(0, ISSUED, '10.5')], fill(0, '2026-02-01', '19.50'), []],
    ['nothing', CIV, [], fill(0, ISSUED, '0'), ['quantity']],
    ['a quantity that is none', CIV, [], fill(0, ISSUED, 'some'), ['quantity']],
    [
      'the rest of CII in 72 hours',
      CII,
      [fill(0, '2026-02-01', '10', 'short-of-stock')],
      fill(0, '2026-02-04', '20'),
      [],
    ],
    [
      'the rest of CII later',
      CII,
      [fill(0, '2026-02-01', '10', 'short-of-stock')],
      fill(0, '2026-02-05', '20'),
      ['partial-time'],
    ],
    [
      'the rest of CII that was asked for',
      CII,
      [fill(0, '2026-02-01', '10', 'requested')],
      fill(0, '2026-03-02', '20'),
      [],
    ],
    [
      'that a day later',
      CII,
      [fill(0, '2026-02-01', '10', 'requested')],
      fill(0, '2026-03-03', '20'),
      ['partial-time'],
    ],
    [
      'of a patient in long-term care',
      { ...CII, isLongTermCare: true },
      [fill(0, '2026-02-01', '10')],
      fill(0, '2026-04-01', '20'),
      [],
    ],
    [
      'that a day later still',
      { ...CII, isLongTermCare: true },
      [fill(0, '2026-02-01', '10')],
      fill(0, '2026-04-02', '20'),
      ['partial-time'],
    ],
  ] as const)
    it(`${title}: ${expected.join() || 'lawful'}`, () =>
      expect(rules(findFillFaults(prescription, before, next))).eql(expected));

  const day = fc.integer({ min: 0, max: 700 }).map((days) => addDays(ISSUED, days));
  const schedule = fc.constantFrom<Schedule>('CII', 'CIII', 'CIV', 'CV');
  it('property: whoever fills lawfully never fills too often, too late or too much', () =>
    fc.assert(
      fc.property(
        schedule,
        fc.nat({ max: 8 }),
        fc.array(
          fc.record({ number: fc.nat({ max: 9 }), on: day, quantity: fc.integer({ min: 0, max: 40 }).map(String) }),
        ),
        (kind, refills, tries) => {
          const prescription = { schedule: kind, issuedOn: ISSUED, quantity: '30', refills };
          const made: Fill[] = [];
          for (const next of tries) if (findFillFaults(prescription, made, next).length === 0) made.push(next);
          const numbers = new Set(made.map(({ number }) => number));
          expect(numbers.size).most((kind === 'CII' ? 0 : kind === 'CV' ? refills : Math.min(refills, 5)) + 1);
          const last = lastDayOf(kind, ISSUED);
          for (const { number, on } of made) {
            const given = made
              .filter((one) => one.number === number)
              .reduce((sum, one) => sum + Number(one.quantity), 0);
            expect(given).within(1, 30);
            if (last !== undefined) expect(on <= last).equal(true);
          }
        },
      ),
    ));
  it('property: a fault says which law', () =>
    fc.assert(
      fc.property(schedule, fc.nat({ max: 20 }), day, (kind, refills, on) => {
        const faults = findFillFaults(
          { schedule: kind, issuedOn: ISSUED, quantity: '1', refills },
          [],
          fill(0, on, '2'),
        );
        expect(faults.length).greaterThan(0);
        for (const { law, what } of faults) expect([law, what].join()).match(/^21 CFR 1306\.\d\d/);
      }),
    ));

  for (const [title, parts, expected] of [
    ['90 days, each dated', [[30], [30, '2026-03-01'], [30, '2026-03-31']], []],
    ['91 days', [[30], [30, '2026-03-01'], [31, '2026-03-31']], ['series-days']],
    ['two without a date', [[30], [30]], ['series-date']],
  ] as const)
    it(`a series of Schedule II: ${title}`, () =>
      expect(
        rules(
          findSeriesFaults(
            parts.map(([daysSupply, earliestFillOn]) => ({
              issuedOn: ISSUED,
              daysSupply,
              ...(earliestFillOn !== undefined && { earliestFillOn }),
            })),
          ),
        ),
      ).eql(expected));

  for (const [title, transfer, expected] of [
    ['CII, electronic, unfilled', { schedule: 'CII', fills: 0, transfers: 0, isElectronic: true }, []],
    ['that again', { schedule: 'CII', fills: 0, transfers: 1, isElectronic: true }, ['transfer']],
    ['CII on paper', { schedule: 'CII', fills: 0, transfers: 0, isElectronic: false }, ['transfer']],
    ['CII that was filled', { schedule: 'CII', fills: 1, transfers: 0, isElectronic: true }, ['transfer']],
    ['CIV refills once', { schedule: 'CIV', fills: 1, transfers: 0, isElectronic: true }, []],
    ['CIV refills twice', { schedule: 'CIV', fills: 1, transfers: 1, isElectronic: true }, ['transfer']],
    ['with one database', { schedule: 'CIV', fills: 1, transfers: 1, isElectronic: true, sharesDatabase: true }, []],
    ['Schedule I', { schedule: 'CI', fills: 0, transfers: 0, isElectronic: true }, ['not-prescribable']],
  ] as const)
    it(`transfer of ${title}: ${expected.join() || 'lawful'}`, () =>
      expect(rules(findTransferFaults(transfer))).eql(expected));

  it('days and months', () => {
    expect([addMonths('2026-08-31', 6), addMonths('2024-02-29', 12), addMonths('2026-01-15', 6)]).eql([
      '2027-02-28',
      '2025-02-28',
      '2026-07-15',
    ]);
    expect([emergencyFollowUpBy('2026-12-28'), addDays('2026-02-28', 1)]).eql(['2027-01-04', '2026-03-01']);
  });

  const cents = fc.integer({ min: -1_000_000, max: 1_000_000 });
  it('property: amounts are added and compared exactly', () =>
    fc.assert(
      fc.property(cents, cents, (a, b) => {
        const text = (n: number): string =>
          `${n < 0 ? '-' : ''}${Math.floor(Math.abs(n) / 100)}.${String(Math.abs(n) % 100).padStart(2, '0')}`;
        expect(compareExact(text(a), text(b))).equal(Math.sign(a - b));
        expect(compareExact(addExact(text(a), text(b)) ?? '', text(a + b))).equal(0);
      }),
    ));
  it('what is no decimal is told', () => {
    expect([addExact('1', 'x'), compareExact('', '1'), addExact('.1', '0.2'), addExact('1.', '-1')]).eql([
      undefined,
      undefined,
      '0.3',
      '0',
    ]);
  });
});
