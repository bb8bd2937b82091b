import { expect } from 'chai';
import fc from 'fast-check';
import { decodeValue, encodeValue, isDate, parseFormat } from '../../../src/standards/telecom/formats.ts';
import { formatOverpunch, formatUnits, parseOverpunch, parseUnits } from '../../../src/standards/telecom/money.ts';

const MONEY = parseFormat('s9(6)v99');

describe('telecom › formats', () => {
  for (const [wire, text] of [
    ['65000{', '6500.00'],
    ['0065000{', '6500.00'],
    ['69999I', '6999.99'],
    ['125}', '-12.50'],
    ['12N', '-1.25'],
    ['{', '0.00'],
    ['}', '0.00'],
    ['5', '0.05'],
    ['J', '-0.01'],
  ] as const)
    it(`s9(6)v99: ${wire} is ${text}`, () => expect(decodeValue(MONEY, wire)).equal(text));

  for (const wire of ['', 'Z', '65000Z', '6500.00', '{5', '1-', ' 5{', '５{'])
    it(`s9(6)v99: "${wire}" is no amount`, () => expect(decodeValue(MONEY, wire)).equal(undefined));

  it('9(7)v999: with and without leading zeros', () => {
    const quantity = parseFormat('9(7)v999');
    expect(decodeValue(quantity, '0000030000')).equal('30.000');
    expect(decodeValue(quantity, '2500')).equal('2.500');
    expect(encodeValue(quantity, '2.5')).equal('0000002500');
    expect(encodeValue(quantity, '-1')).equal(undefined);
    expect(encodeValue(quantity, '0.0001')).equal(undefined);
  });

  it('overpunch and back: every amount, never through a binary float', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -99_999_999n, max: 99_999_999n }), (cents) => {
        const wire = formatOverpunch(cents);
        expect(parseOverpunch(wire)).equal(cents);
        expect(wire.at(-1)).match(/[{}A-R]/);
        expect(parseUnits(formatUnits(cents, 2), 2)).equal(cents);
        const text = formatUnits(cents, 2);
        expect(decodeValue(MONEY, encodeValue(MONEY, text) ?? '')).equal(text);
      }),
    );
  });

  it('no amount beyond its width, and no digit is rounded away', () => {
    expect(encodeValue(MONEY, '999999.99')).equal('9999999I');
    expect(encodeValue(MONEY, '1000000.00')).equal(undefined);
    expect(encodeValue(MONEY, '1.005')).equal(undefined);
    expect(encodeValue(MONEY, '1.500')).equal('15{');
    for (const text of ['1e3', '.5', '5.', 'NaN', '', '--1']) expect(encodeValue(MONEY, text)).equal(undefined);
  });

  it('date: the calendar with its leap years', () => {
    for (const good of ['20240229', '20000229', '19991231']) expect(isDate(good)).equal(true);
    for (const bad of ['20230229', '19000229', '20260431', '20261301', '2026011', '00000000', '2026-1-1'])
      expect(isDate(bad)).equal(false);
  });
});
