/** SECURITY FA-08: who is of one household or family, and who draws attention. */
import { expect } from 'chai';
import { isGuarded, marksOf, type Portrait } from '../../src/policy/closeness.ts';

const key = Buffer.alloc(32, 1);
const portrait = (family: string, line: string, postalCode?: string): Portrait => ({
  name: [{ family }],
  address: [{ line: [line], ...(postalCode !== undefined && { postalCode }) }],
});
const nurse = portrait('O’Neill', '7 Elm Road', 'LS6 1AA');

const CASES: readonly (readonly [what: string, patient: Portrait, isClose: boolean])[] = [
  ['the same address', portrait('Khan', '7 Elm Road', 'LS6 1AA'), true],
  ['the same address, written otherwise', portrait('Khan', ' 7, elm road', 'ls61aa'), true],
  ['the same surname at the same postcode', portrait('O’Neill', '19 Elm Road', 'LS6 1AA'), true],
  ['the same surname, written otherwise', portrait("O'NEILL", '19 Elm Road', 'LS6 1AA'), true],
  ['the same surname elsewhere', portrait('O’Neill', '7 Oak Road', 'LS7 9ZZ'), false],
  ['a neighbour of another name', portrait('Khan', '8 Elm Road', 'LS6 1AA'), false],
  ['the same street and number in another town', portrait('Khan', '7 Elm Road', 'YO1 1AA'), false],
  ['the same address without a postcode', portrait('O’Neill', '7 Elm Road'), false],
  ['nothing known', {}, false],
  ['empty words', portrait('', '', ''), false],
];

describe('policy › closeness', () => {
  for (const [what, patient, isClose] of CASES)
    it(`[FA-08] ${what}: ${isClose ? 'close' : 'not close'}`, () => {
      expect(!marksOf([nurse], key).isDisjointFrom(marksOf([patient], key))).to.equal(isClose);
    });

  it('[FA-08] a person is all of their resources together', () => {
    const account: Portrait = { name: [{ text: 'Mary O’Neill' }] };
    const own: Portrait = { address: [{ line: ['7 Elm Road'], postalCode: 'LS6 1AA' }] };
    const child = marksOf([portrait('O’Neill', '19 Elm Road', 'LS6 1AA')], key);
    expect(marksOf([account], key).isDisjointFrom(child)).to.equal(true);
    expect(marksOf([account, own], key).isDisjointFrom(child)).to.equal(false);
  });

  it('[FA-08] marks show neither names nor addresses, and are of their key', () => {
    const marks = [...marksOf([nurse], key)];
    expect(marks).to.have.length(2);
    for (const mark of marks) expect(mark).to.match(/^[\w-]{43}$/);
    expect(marksOf([nurse], Buffer.alloc(32, 2)).isDisjointFrom(new Set(marks))).to.equal(true);
  });

  it('[FA-08] people who draw attention are so by label or by importance', () => {
    const importance = (code: string, url = 'http://hl7.org/fhir/StructureDefinition/patient-importance') => ({
      extension: [{ url, valueCodeableConcept: { coding: [{ code }] } }],
    });
    expect(isGuarded({ meta: { security: [{ code: 'VIP' }] } })).to.equal(true);
    expect(isGuarded({ meta: { security: [{ code: 'N' }, { code: 'CEL' }] } })).to.equal(true);
    expect(isGuarded(importance('VIP'))).to.equal(true);
    for (const other of [
      {},
      { meta: {} },
      { meta: { security: [{}] } },
      importance('FOR'),
      importance('VIP', 'urn:other'),
    ])
      expect(isGuarded(other)).to.equal(false);
  });
});
