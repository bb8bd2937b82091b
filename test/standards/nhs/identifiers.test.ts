import { expect } from 'chai';
import { findRegistration, isNhsNumber, isOdsCode, isSdsId } from '../../../src/standards/nhs/identifiers.ts';

describe('identifiers of the NHS', () => {
  for (const [code, expected] of [
    ['A83008', true],
    ['FH1', true],
    ['ABCDEFGHIJ', true],
    ['A8', false],
    ['ABCDEFGHIJK', false],
    ['a83008', false],
    ['A83-08', false],
    ['A83008\n', false],
    ['', false],
    [undefined, false],
    [83008, false],
  ] as const)
    it(`[NH-10] ODS code ${JSON.stringify(code)}: ${expected}`, () => expect(isOdsCode(code)).equal(expected));

  for (const [id, expected] of [
    ['555254240100', true],
    ['000000000000', true],
    ['55525424010', false],
    ['5552542401000', false],
    ['55525424010X', false],
    ['555254240100 ', false],
    [555254240100, false],
    [undefined, false],
  ] as const)
    it(`[NH-10] SDS id ${JSON.stringify(id)}: ${expected}`, () => expect(isSdsId(id)).equal(expected));

  for (const [number, expected] of [
    ['9449304130', true],
    ['9449304131', false],
    ['9990000000', false],
    ['944930413', false],
    ['944 930 4130', false],
    [9449304130, false],
  ] as const)
    it(`[NH-08] NHS number ${JSON.stringify(number)}: ${expected}`, () => expect(isNhsNumber(number)).equal(expected));

  const UK = 'https://fhir.hl7.org.uk/Id/';
  for (const [title, identifier, expected] of [
    ['GMC', { system: `${UK}gmc-number`, value: '6095103' }, true],
    ['GMC with its letter', { system: `${UK}gmc-number`, value: 'C6095103' }, true],
    ['NMC', { system: `${UK}nmc-number`, value: '12A3456B' }, true],
    ['GPhC', { system: `${UK}gphc-number`, value: '2083469' }, true],
    ['HCPC', { system: `${UK}hcpc-number`, value: 'PH123456' }, true],
    ['a malformed number', { system: `${UK}gmc-number`, value: '609' }, false],
    ['no number', { system: `${UK}gmc-number` }, false],
    ['a number of a practice', { system: `${UK}gmp-number`, value: 'G1234567' }, false],
    ['a user id', { system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '555254240100' }, false],
    ['an old one', { system: `${UK}gmc-number`, value: '6095103', use: 'old' }, false],
    ['one that ended', { system: `${UK}gmc-number`, value: '6095103', period: { end: '2026-05-03' } }, false],
    ['one that ends today', { system: `${UK}gmc-number`, value: '6095103', period: { end: '2026-05-04' } }, true],
    ['one that ends this year', { system: `${UK}gmc-number`, value: '6095103', period: { end: '2026' } }, true],
  ] as const)
    it(`[NH-06] professional registration: ${title}: ${expected}`, () =>
      expect(findRegistration([{ value: 'x' }, identifier], '2026-05-04') !== undefined).equal(expected));
});
