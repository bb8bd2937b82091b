import { expect } from 'chai';
import fc from 'fast-check';
import { mapSig } from '../../../src/mapping/script/dosage.ts';
import type { Json } from '../../../src/mapping/script/place.ts';
import { sigToScript } from '../../../src/mapping/script/sig-to-script.ts';
import { Source } from '../../../src/mapping/script/source.ts';
import { Target } from '../../../src/mapping/script/target.ts';
import { canonicalText } from '../../../src/standards/script/write.ts';
import { readXml } from '../../../src/standards/xml/read.ts';

const SNOMED = 'http://snomed.info/sct';
const NCIT = 'http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl';
const concept = (code: string, display: string) => ({ coding: [{ system: SNOMED, code, display }], text: display });
const tablets = (value: number) => ({ value, unit: 'Tablet', system: NCIT, code: 'C48542' });
const TAKE = { method: concept('419652001', 'Take'), route: concept('26643006', 'oral route') };
const TWICE = { repeat: { frequency: 2, period: 1, periodUnit: 'd' } };
const dosage = (more: Json = {}): Json => ({
  text: 'Take 1 tablet by mouth twice daily',
  ...TAKE,
  timing: TWICE,
  doseAndRate: [{ doseQuantity: tablets(1) }],
  ...more,
});

function sigOf(...dosages: readonly Json[]): string {
  const drug = new Target('MedicationPrescribed');
  sigToScript(dosages, drug);
  const [sig] = drug.children;
  return sig && typeof sig !== 'string' ? canonicalText(sig) : '';
}
const read = (xml: string) => {
  const { value } = readXml(xml);
  return value ? mapSig(new Source(value)).dosages.map(({ extension: _, ...rest }) => rest) : [];
};

describe('mapping › script › Sig from Dosage', () => {
  it('dose, route, method and times are coded beside the text', () => {
    const xml = sigOf(dosage());
    expect(xml).match(/^<Sig><SigText>Take 1 tablet by mouth twice daily<\/SigText><Instruction><DoseAdministration>/);
    expect(read(xml)).eql([dosage()]);
  });

  for (const [title, more] of [
    ['every 4 to 6 hours', { timing: { repeat: { frequency: 1, period: 4, periodMax: 6, periodUnit: 'h' } } }],
    [
      'for 10 days',
      {
        timing: {
          repeat: {
            ...TWICE.repeat,
            boundsDuration: { value: 10, unit: 'd', system: 'http://unitsofmeasure.org', code: 'd' },
          },
        },
      },
    ],
    ['1 to 2 tablets', { doseAndRate: [{ doseRange: { low: tablets(1), high: tablets(2) } }] }],
    ['a note', { patientInstruction: 'with food' }],
  ] as const)
    it(`${title}: read again it is the same`, () => expect(read(sigOf(dosage(more)))).eql([dosage(more)]));

  it('one dose and then another', () => {
    const two = [
      dosage({ sequence: 1 }),
      { ...dosage({ sequence: 2 }), text: undefined, doseAndRate: [{ doseQuantity: tablets(2) }] },
    ];
    const xml = sigOf(...(JSON.parse(JSON.stringify(two)) as Json[]));
    expect(xml).include('<MultipleInstructionModifier>THEN</MultipleInstructionModifier>');
  });

  for (const [title, more] of [
    ['a maximum', { maxDosePerPeriod: { numerator: tablets(4), denominator: { value: 1, unit: 'd' } } }],
    ['as needed', { asNeededBoolean: true }],
    ['an additional instruction', { additionalInstruction: [{ text: 'with food' }] }],
    [
      'a unit that is no NCIt code',
      { doseAndRate: [{ doseQuantity: { value: 1, unit: 'tablet', code: '1', system: 'http://unitsofmeasure.org' } }] },
    ],
    ['a method without a code', { method: { text: 'Take' } }],
    ['days of the week', { timing: { repeat: { ...TWICE.repeat, dayOfWeek: ['mon'] } } }],
    ['a dose with a comparator', { doseAndRate: [{ doseQuantity: { ...tablets(1), comparator: '<' } }] }],
  ] as const)
    it(`${title} has no place: the text alone is sent`, () =>
      expect(sigOf(dosage(more))).equal('<Sig><SigText>Take 1 tablet by mouth twice daily</SigText></Sig>'));

  it('directions without words are put into words', () => {
    const { text: _, ...rest } = dosage();
    expect(sigOf(rest)).match(/^<Sig><SigText>[^<]*1 Tablet[^<]*<\/SigText>/i);
  });

  it('property: what is coded says what the Dosage says, or is not sent', () => {
    const repeat = fc.record(
      {
        frequency: fc.integer({ min: 1, max: 5 }),
        frequencyMax: fc.integer({ min: 1, max: 6 }),
        period: fc.integer({ min: 1, max: 3 }),
        periodMax: fc.integer({ min: 1, max: 4 }),
        periodUnit: fc.constantFrom('h', 'd', 'wk', 'mo', 'x'),
        count: fc.integer({ min: 1, max: 2 }),
      },
      { requiredKeys: ['frequency', 'period', 'periodUnit'] },
    );
    fc.assert(
      fc.property(repeat, fc.integer({ min: 1, max: 9 }), (one, value) => {
        const sent = dosage({ timing: { repeat: one }, doseAndRate: [{ doseQuantity: tablets(value) }] });
        const xml = sigOf(sent);
        if (xml.includes('<Instruction>')) expect(read(xml)).eql([sent]);
        else expect(read(xml)).eql([{ text: sent['text'] }]);
      }),
    );
  });
});
