import { expect } from 'chai';
import fc from 'fast-check';
import {
  bin6Of,
  deaCheckDigit,
  deaFitsName,
  isDeaNumber,
  isIin,
  isNcpdpId,
  isNdc11,
  isNpi,
  isPcn,
  ndc10Of,
  ndc10Shapes,
  ndc11Of,
  npiOf,
  parseDeaNumber,
} from '../../../src/standards/ncpdp/identifiers.ts';

const digits = (length: number) =>
  fc.array(fc.nat({ max: 9 }), { minLength: length, maxLength: length }).map((list) => list.join(''));
const otherDigit = (text: string, at: number, by: number): string =>
  text.slice(0, at) + String((Number(text[at]) + by) % 10) + text.slice(at + 1);

describe('identifiers of NCPDP messages', () => {
  describe('NPI', () => {
    for (const text of ['1234567893', '1629384755', '1043218761', '1987654328'])
      it(`${text} is one`, () => expect(isNpi(text)).equal(true));
    for (const text of ['1234567890', '1234567894', '123456789', '3234567893', '12345678931', '1234567893 ', ''])
      it(`'${text}' is none`, () => expect(isNpi(text)).equal(false));

    const npi = fc.tuple(fc.constantFrom('1', '2'), digits(8)).map(([first, rest]) => npiOf(first + rest));
    it('property: the check digit it is given makes it one', () => fc.assert(fc.property(npi, isNpi)));
    it('property: one digit changed is told', () =>
      fc.assert(
        fc.property(npi, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (text, at, by) => {
          expect(isNpi(otherDigit(text, at, by))).equal(false);
        }),
      ));
    it('property: agrees with Luhn over 80840 and the number', () =>
      fc.assert(
        fc.property(fc.constantFrom('1', '2'), digits(9), (first, rest) => {
          const whole = [...`80840${first}${rest}`].toReversed().map(Number);
          const sum = whole.reduce(
            (total, digit, at) => total + (at % 2 === 0 ? digit : Math.floor((2 * digit) / 10) + ((2 * digit) % 10)),
            0,
          );
          expect(isNpi(first + rest)).equal(sum % 10 === 0);
        }),
      ));
  });

  describe('DEA number', () => {
    for (const text of ['BW1234563', 'MW3004176', 'FS9482100', 'AB1234563-012', 'b91234563'])
      it(`${text} is one`, () => expect(isDeaNumber(text)).equal(true));
    for (const text of ['BW1234560', 'B1234563', 'BWW234563', '1W1234563', 'BW12345631', 'BW1234563-', ''])
      it(`'${text}' is none`, () => expect(isDeaNumber(text)).equal(false));
    for (const [text, registrant] of [
      ['AB1234563', 'prescriber'],
      ['MB1234563', 'prescriber'],
      ['PB1234563', 'not a prescriber'],
      ['RB1234563', 'not a prescriber'],
      ['XB1234563', 'unknown'],
    ] as const)
      it(`${text}: ${registrant}`, () => expect(parseDeaNumber(text)?.registrant).equal(registrant));
    it('keeps the suffix of an institution', () => expect(parseDeaNumber('AB1234563-012')?.suffix).equal('012'));
    for (const [text, names, expected] of [
      ['BW1234563', ['Wells'], true],
      ['BW1234563', ['wells'], true],
      ['BO1234563', ['Özil'], true],
      ['BW1234563', ['Ames'], false],
      ['BW1234563', ['Ames', 'Westside Clinic'], true],
      ['B91234563', ['Ames'], true],
      ['BW1234563', [], false],
    ] as const)
      it(`${text} and ${names.join(', ')}: ${expected}`, () => {
        const number = parseDeaNumber(text);
        expect(number && deaFitsName(number, names)).equal(expected);
      });
    it('property: the right check digit is taken and each other is not', () =>
      fc.assert(
        fc.property(digits(6), fc.integer({ min: 1, max: 9 }), (six, by) => {
          const number = `BW${six}${deaCheckDigit(six)}`;
          expect(isDeaNumber(number)).equal(true);
          expect(isDeaNumber(otherDigit(number, 8, by))).equal(false);
        }),
      ));
  });

  describe('NDC', () => {
    for (const [text, expected] of [
      ['1234-5678-90', '01234567890'],
      ['12345-678-90', '12345067890'],
      ['12345-6789-0', '12345678900'],
      ['12345-6789-01', '12345678901'],
      ['12345678901', '12345678901'],
      ['1234567890', undefined],
      ['1234-567-90', undefined],
      ['123456-789-01', undefined],
      ['12345-6789-012', undefined],
      ['', undefined],
    ] as const)
      it(`${text || 'nothing'}: ${expected}`, () => expect(ndc11Of(text)).equal(expected));
    it('property: 10 → 11 → 10 in the same shape gives the same code', () =>
      fc.assert(
        fc.property(digits(10), fc.constantFrom('4-4-2', '5-3-2', '5-4-1'), (ten, shape) => {
          const [labeler = 0, product = 0] = shape.split('-').map(Number);
          const text = [ten.slice(0, labeler), ten.slice(labeler, labeler + product), ten.slice(labeler + product)];
          const ndc11 = ndc11Of(text.join('-')) ?? '';
          expect(isNdc11(ndc11)).equal(true);
          expect(ndc10Of(ndc11, shape)).equal(text.join('-'));
          expect(ndc10Shapes(ndc11)).contain(shape);
        }),
      ));
    it('no part is cut that is not padded', () => {
      expect(ndc10Of('12345678901', '4-4-2')).equal(undefined);
      expect(ndc10Shapes('12345678912')).eql([]);
      expect(ndc10Shapes('02345078902')).eql(['4-4-2', '5-3-2', '5-4-1']);
    });
  });

  it('BIN/IIN has six or eight digits', () => {
    expect(['004336', '00433612', '4336', '0043361', '00433a', ''].map(isIin)).eql([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(['004336', '00433612', '4336'].map(bin6Of)).eql(['004336', '004336', undefined]);
  });
  it('PCN has up to ten printable characters', () => {
    expect(['ADV', 'a b', '', '12345678901', 'x\n'].map(isPcn)).eql([true, true, false, false, false]);
  });
  it('NCPDP provider id has seven digits', () => {
    expect(['0300123', '300123', '03001234', '030012X'].map(isNcpdpId)).eql([true, false, false, false]);
  });
});
