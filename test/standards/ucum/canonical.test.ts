/** https://ucum.org/ucum */
import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalUnit } from '../../../src/standards/ucum/canonical.ts';
import { METRIC, METRIC_BASE, OTHER, OTHER_BASE } from '../../../src/standards/ucum/units.ts';
import { testSeed } from '../../support/seed.ts';

/** Quantities that are the same. */
const SAME: readonly (readonly [number, string, number, string])[] = [
  [5.4, 'mg', 5400, 'ug'],
  [0.1, 'g', 100, 'mg'],
  [0.3, 'g', 300, 'mg'],
  [1.1, 'kg', 1100, 'g'],
  [37, 'Cel', 310.15, 'K'],
  [98.6, '[degF]', 37, 'Cel'],
  [-40, '[degF]', -40, 'Cel'],
  [0, 'K', -273.15, 'Cel'],
  [80, '[degRe]', 100, 'Cel'],
  [120, 'mm[Hg]', 15.99864, 'kPa'],
  [1, 'bar', 100, 'kPa'],
  [10, 'cm[H2O]', 980.665, 'Pa'],
  [1, 'L', 1, 'l'],
  [1, 'dL', 100, 'mL'],
  [1, 'cm3', 1, 'mL'],
  [5, 'mmol/L', 0.005, 'mol/L'],
  [5, 'mmol/L', 5, 'mol/m3'],
  [1, 'g/dL', 10, 'g/L'],
  [1, 'g%', 10, 'g/L'],
  [7, '%', 0.07, '1'],
  [4.5, '10*9/L', 4500, '10*6/L'],
  [4.5, '10*3/uL', 4.5, '10^9/L'],
  [1, '/uL', 1e6, '/L'],
  [60, '/min', 1, 'Hz'],
  [1, 'h', 60, 'min'],
  [2, 'wk', 14, 'd'],
  [1, 'a', 12, 'mo'],
  [1, '[in_i]', 2.54, 'cm'],
  [6, '[ft_i]', 182.88, 'cm'],
  [1, '[lb_av]', 453.59237, 'g'],
  [1, '[stone_av]', 6.35029318, 'kg'],
  [1, '[pt_br]', 568.26125, 'mL'],
  [1, 'kcal', 4184, 'J'],
  [1, 'U/L', 1, 'umol/min/L'],
  [1, 'k[IU]/L', 1, '[IU]/mL'],
  [1, '[iU]', 1000, 'm[IU]'],
  [1, 'kg/m2', 0.1, 'g/cm2'],
  [1, 'm/s', 3.6, 'km/h'],
  [90, 'mL/min/{1.73_m2}', 90, 'mL/min/{1.73_m2}'],
  [3, 'mg/mmol{creat}', 3, 'g/mol'],
  [1, 'ug/kg/min', 1, 'ug/(kg.min)'],
  [1, 'mg.kg-1', 1, 'mg/kg'],
  [180, 'deg', 1, '[pi].rad'],
  [1, 'N', 1, 'kg.m.s-2'],
  [1, 'mho', 1, 'S'],
  [2, '4.m', 8, 'm'],
];
const OTHERS: readonly (readonly [string, string])[] = [
  ['mg', 'mL'],
  ['mmol/L', 'meq/L'],
  ['mmol/L', 'mosm/L'],
  ['mmol/L', 'mg/L'],
  ['[IU]', 'U'],
  ['[IU]', "[arb'U]"],
  ['1', 'mol'],
  ['m', 'm2'],
  ['/min', 'min'],
];
const UNKNOWN = [
  ...[
    '',
    'mgg',
    'mmHg',
    'kmin',
    '{tablet}',
    'mg/{tablet}',
    '[pH]',
    'm/',
    '.m',
    'm..s',
    '(m',
    'm)',
    'm{a',
    'm[',
    'mg mL',
  ],
  ...[
    '0',
    '0.m',
    'm0',
    'm999',
    '((((((((((m))))))))))',
    `${'m.'.repeat(100)}m`,
    'Cel/s',
    'mCel',
    'M[degF]',
    'constructor',
  ],
];

describe('ucum › canonical values', () => {
  for (const [a, unit, b, other] of SAME)
    it(`${a} ${unit} is ${b} ${other}`, () => {
      const [first, second] = [canonicalUnit(unit), canonicalUnit(other)];
      if (unit.includes('{1.73')) {
        expect(first, 'a divisor that is an annotation').equal(undefined);
        return;
      }
      expect(first?.dimension).be.a('string').and.equal(second?.dimension);
      expect(first?.of(a)).equal(second?.of(b));
    });
  for (const [unit, other] of OTHERS)
    it(`${unit} is not comparable with ${other}`, () => {
      expect(canonicalUnit(unit)?.dimension).be.a('string').and.not.equal(canonicalUnit(other)?.dimension);
    });
  for (const code of UNKNOWN)
    it(`'${code.slice(0, 40)}' is no unit`, () => expect(canonicalUnit(code)).equal(undefined));

  it('every unit of the tables has base units, and a positive value in them', () => {
    const codes = [...METRIC_BASE, ...OTHER_BASE, ...[...METRIC, ...OTHER].map(([code]) => code)];
    expect(new Set(codes).size, 'each once').equal(codes.length);
    for (const code of codes) expect(canonicalUnit(code)?.of(1), code).above(0);
    for (const code of [...METRIC_BASE, ...METRIC.map(([code]) => code)])
      expect(canonicalUnit(`m${code}`)?.of(1000), `m${code}`).equal(canonicalUnit(code)?.of(1));
  });

  it('infinite ends stay, zero is zero, and order is kept', () => {
    expect(canonicalUnit('mg')?.of(Number.POSITIVE_INFINITY)).equal(Number.POSITIVE_INFINITY);
    expect(canonicalUnit('Cel')?.of(Number.NEGATIVE_INFINITY)).equal(Number.NEGATIVE_INFINITY);
    expect(canonicalUnit('mg')?.of(0)).equal(0);
    expect(canonicalUnit('[degF]')?.of(1)).above(canonicalUnit('[degF]')?.of(0) ?? 0);
  });

  it('decimals shifted by a prefix are the same double, whatever the digits', () => {
    const shifts = [
      ['mg', 'ug', 3],
      ['g', 'ug', 6],
      ['kg', 'mg', 6],
      ['L', 'mL', 3],
      ['mol/L', 'nmol/L', 9],
    ] as const;
    fc.assert(
      fc.property(
        fc.integer({ min: -1e9, max: 1e9 }),
        fc.integer({ min: 0, max: 6 }),
        fc.constantFrom(...shifts),
        (n, places, [big, small, shift]) => {
          const low = canonicalUnit(big)?.of(Number(`${n}e${-places}`));
          expect(canonicalUnit(small)?.of(Number(`${n}e${shift - places}`))).equal(low);
        },
      ),
      { seed: testSeed() },
    );
  });
});
