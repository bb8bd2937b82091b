import { expect } from 'chai';
import { findNhsNumberStatus, normaliseNhsNumber } from '../../../src/mapping/hl7v2/nhs-number.ts';

describe('hl7v2 › NHS number', () => {
  for (const [text, expected] of [
    ['9990000018', '9990000018'],
    ['999 005 5165', '9990055165'],
    ['999-005-5165', '9990055165'],
    ['9434765919', '9434765919'],
    ['9434765918', undefined],
    ['943476591', undefined],
    ['94347659190', undefined],
    ['943476591X', undefined],
    // The check digit would be 10.
    ['1000000010', undefined],
    ['3333333333', undefined],
    ['0000000000', undefined],
    ['', undefined],
  ] as const)
    it(`${text || 'nothing'} → ${expected}`, () => expect(normaliseNhsNumber(text)).equal(expected));

  for (const [text, expected] of [
    ['NSTS01', '01'],
    ['NSTS08', '08'],
    ['NSTS09', undefined],
    ['NH{status:02}', '02'],
    ['AL', undefined],
    ['', undefined],
  ] as const)
    it(`status of ${text || 'nothing'} is ${expected}`, () => expect(findNhsNumberStatus(text)).equal(expected));
});
