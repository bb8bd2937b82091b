/** The catalogue: its file, the MedicationKnowledge it becomes, and how it is searched. MISSION M9 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { createValidation } from '../../../src/standards/fhir/validation/validator.ts';
import { parseCsv } from '../../../src/workflow/prescribing/catalogue/csv.ts';
import {
  type CatalogueEntry,
  catalogueId,
  isControlled,
  isHighValue,
  type Money,
  readMedicationKnowledge,
  toMedicationKnowledge,
} from '../../../src/workflow/prescribing/catalogue/entry.ts';
import { isSctId, readInteractions, readMedicines } from '../../../src/workflow/prescribing/catalogue/file.ts';
import { createWordIndex } from '../../../src/workflow/prescribing/catalogue/word-index.ts';
import { testDefinitions } from '../../support/definitions.ts';

const file = (name: string): string => readFileSync(`fixtures/catalogue/${name}.csv`, 'utf8');
const pairs = readInteractions(file('interactions'));
const starter = readMedicines(file('medicines'), pairs.entries);

describe('catalogue', () => {
  describe('the starter', () => {
    it('has no fault, and well over a hundred medicines and many pairs', () => {
      expect(pairs.faults).deep.equal([]);
      expect(starter.faults).deep.equal([]);
      expect(starter.entries.length).greaterThan(300);
      expect(pairs.entries.length).greaterThan(60);
    });

    it('every medicine becomes a valid MedicationKnowledge, and is read back as it was', () => {
      const { validate } = createValidation(testDefinitions());
      for (const entry of starter.entries) {
        const resource = toMedicationKnowledge(entry);
        expect(validate(resource), entry.name).deep.equal([]);
        expect(readMedicationKnowledge(resource), entry.name).deep.equal(entry);
      }
    });

    it('pairs stand on both sides', () => {
      const of = (name: string): CatalogueEntry => starter.entries.find((one) => one.name === name) as CatalogueEntry;
      expect(of('Warfarin 1mg tablets').interactions.map((one) => one.with)).include('class:nsaids');
      expect(of('Ibuprofen 400mg tablets').interactions.map((one) => one.with)).include('warfarin');
    });
  });

  const FAULTS: readonly (readonly [what: string, csv: string, fault: string])[] = [
    ['no name', 'name,form\n,tablets', 'line 2, name: is missing'],
    [
      'the same name twice, spelt otherwise',
      'name,form\nAspirin 75mg,t\n ASPIRIN  75mg,t',
      'line 3, name: stands on line 2 already',
    ],
    ['an unknown column', 'name,colour\nAspirin,white', 'line 1, colour: is no column'],
    ['a field too many', 'name,form\nAspirin,tablets,white', 'line 2, : has 3 fields, not 2'],
    ['a dm+d code with a wrong check digit', 'name,dmd\nAspirin,319775005', 'line 2, dmd: is a SNOMED CT identifier'],
    ['an RxNorm code of letters', 'name,rxnorm\nAspirin,ab12', 'line 2, rxnorm: is an RxNorm identifier'],
    ['an NDC of 9 digits', 'name,ndc\nAspirin,123456789', 'line 2, ndc: is an NDC'],
    ['a BNF code too short', 'name,bnf\nAspirin,0209', 'line 2, bnf: is a BNF code'],
    ['UK schedule 6', 'name,uk_schedule\nAspirin,6', 'line 2, uk_schedule: is 1 to 5'],
    ['US schedule 1', 'name,us_schedule\nAspirin,1', 'line 2, us_schedule: is 2 to 5'],
    ['a quantity of nothing', 'name,max_quantity\nAspirin,0', 'line 2, max_quantity: is a number above 0'],
    ['an age in words', 'name,min_age\nAspirin,adult', 'line 2, min_age: is whole years'],
    ['a risk of our own', 'name,risk_level\nAspirin,huge', 'line 2, risk_level: is Low'],
    ['a cost in words', 'name,cost,currency\nAspirin,cheap,GBP', 'line 2, cost: is an amount such as 12.50'],
    ['a cost with a comma', 'name,cost,currency\nAspirin,"12,50",EUR', 'line 2, cost: is an amount'],
    ['a cost below nothing', 'name,cost,currency\nAspirin,-1,EUR', 'line 2, cost: is an amount'],
    ['a currency in small letters', 'name,cost,currency\nAspirin,1,gbp', 'line 2, currency: is a currency of three'],
    ['a currency of two letters', 'name,cost,currency\nAspirin,1,GB', 'line 2, currency: is a currency of three'],
    [
      'a cost without a currency',
      'name,cost,currency\nAspirin,12.50,',
      'line 2, currency: is missing: there is a cost',
    ],
    ['a currency without a cost', 'name,currency\nAspirin,GBP', 'line 2, cost: is missing: there is a currency'],
    ['perhaps active', 'name,is_active\nAspirin,maybe', 'line 2, is_active: is true or false'],
  ];
  for (const [what, csv, fault] of FAULTS)
    it(`a file with ${what} is refused, with the line`, () => {
      const { faults } = readMedicines(csv, []);
      expect(faults.map(({ line, column, text }) => `line ${line}, ${column}: ${text}`)[0]).include(fault);
    });

  it('reads quotes, their doubles, and lines within them', () => {
    expect(parseCsv('\ufeffa,b\r\n"x, ""y""\nz",2\r\n\r\n3,\n')).deep.equal([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: ['x, "y"\nz', '2'] },
      { line: 5, fields: ['3', ''] },
    ]);
    expect(() => parseCsv('a,"b')).throw('line 1');
  });

  it('SNOMED CT identifiers: the published examples, and each with a digit changed', () => {
    for (const good of ['322236009', '319775004', '73211009', '138875005']) {
      expect(isSctId(good), good).equal(true);
      for (let i = 1; i < good.length; i++) {
        const wrong = good.slice(0, i) + ((Number(good[i]) + 1) % 10) + good.slice(i + 1);
        expect(isSctId(wrong), wrong).equal(false);
      }
    }
    for (const bad of ['', '12345', '0322236009', 'x22236009']) expect(isSctId(bad), bad).equal(false);
  });

  const CONTROLLED: readonly (readonly [string, boolean])[] = [
    ['Morphine 10mg tablets', true],
    ['Tramadol 50mg capsules', true],
    ['Diazepam 5mg tablets', false],
    ['Amoxicillin 500mg capsules', false],
  ];
  for (const [name, expected] of CONTROLLED)
    it(`${name}: ${expected ? '' : 'not '}of Schedule 2 or 3`, () => {
      expect(isControlled(starter.entries.find((one) => one.name === name) as CatalogueEntry)).equal(expected);
    });

  it('a cost is kept as MedicationKnowledge says it, and read back', () => {
    const { entries, faults } = readMedicines('name,cost,currency\nAdalimumab 40mg,352.1400,GBP\nAspirin 75mg,,', []);
    expect(faults).eql([]);
    const [dear, cheap] = entries as [CatalogueEntry, CatalogueEntry];
    const resource = toMedicationKnowledge(dear);
    const { validate } = createValidation(testDefinitions());
    expect(validate(resource)).eql([]);
    expect(resource['cost']).eql([{ type: { text: 'Pack or course' }, cost: { value: 352.14, currency: 'GBP' } }]);
    expect(readMedicationKnowledge(resource)).eql(dear);
    expect(toMedicationKnowledge(cheap)).not.have.property('cost');
  });

  const gbp = (amount: number): Money => ({ amount, currency: 'GBP' });
  const eur = (amount: number): Money => ({ amount, currency: 'EUR' });
  const VALUES: readonly (readonly [string, readonly Money[] | undefined, Money | undefined, boolean])[] = [
    ['what costs so much', [gbp(100)], gbp(100), true],
    ['what costs a hundredth of a penny less', [gbp(99.9999)], gbp(100), false],
    ['what costs more in another currency', [eur(5000)], gbp(100), false],
    ['what has several costs, one of them so high', [gbp(10), eur(5), gbp(100)], gbp(100), true],
    ['what has no known cost', undefined, gbp(100), false],
    ['anything, where no amount is set', [gbp(1_000_000)], undefined, false],
  ];
  for (const [what, costs, from, expected] of VALUES)
    it(`${what} is ${expected ? '' : 'not '}of high value`, () => {
      const [entry] = readMedicines('name\nAdalimumab 40mg', []).entries as [CatalogueEntry];
      expect(isHighValue({ ...entry, ...(costs && { costs }) }, from)).equal(expected);
    });

  describe('search', () => {
    const index = createWordIndex(starter.entries);
    const names = (query: string, limit = 5): string[] => index.find(query, limit).map(({ name }) => name);

    it('finds by the beginnings of words, in any order and case', () => {
      expect(names('amox', 2)).deep.equal(['Amoxicillin 125mg/5ml oral solution', 'Amoxicillin 250mg capsules']);
      expect(names('CAPS amox')).deep.equal(['Amoxicillin 250mg capsules', 'Amoxicillin 500mg capsules']);
      expect(names('lumefantrine')).deep.equal(['Artemether and lumefantrine 20mg/120mg tablets']);
      expect(names('moxicillin')).deep.equal([]);
      expect(names('  ')).deep.equal([]);
    });

    it('inactive ones are not found', () => {
      const [one] = starter.entries;
      expect(createWordIndex([{ ...(one as CatalogueEntry), isActive: false }]).find('amox', 5)).deep.equal([]);
    });

    it('the id is the same however the name is spelt', () => {
      expect(catalogueId('Aspirin  75mg tablets')).equal(catalogueId(' aspirin 75MG Tablets'));
    });
  });
});
