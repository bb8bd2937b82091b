import { expect } from 'chai';
import { mapSig } from '../../../src/mapping/script/dosage.ts';
import { Source } from '../../../src/mapping/script/source.ts';
import { readXml } from '../../../src/standards/xml/read.ts';

const coded = (name: string, text: string, code = 'x', qualifier = 'SNOMED'): string =>
  `<${name}><Text>${text}</Text><Qualifier>${qualifier}</Qualifier><Code>${code}</Code></${name}>`;
const timing = (inner: string): string => `<TimingAndDuration>${inner}</TimingAndDuration>`;
const times = (name: string, value: string, unit: string, most = ''): string =>
  timing(
    `<${name}><${name}NumericValue>${value}</${name}NumericValue>${most && `<Variable${name}Modifier>TO</Variable${name}Modifier><${name}NumericValue>${most}</${name}NumericValue>`}${coded(`${name}Units`, unit)}</${name}>`,
  );
const event = (text: string): string =>
  timing(`<AdministrationTiming>${coded('AdministrationTimingEvent', text)}</AdministrationTiming>`);
const days = timing(
  `<Duration><DurationNumericValue>10</DurationNumericValue>${coded('DurationText', 'days')}</Duration>`,
);
const dose = (inner: string): string => `<DoseAdministration><Dosage>${inner}</Dosage></DoseAdministration>`;
const quantity = (value: string): string =>
  `<DoseQuantity>${value}</DoseQuantity>${coded('DoseUnitOfMeasure', 'Tablet', 'C48542', 'DoseUnitOfMeasure')}`;
const tablets = (value: number) => ({
  value,
  unit: 'Tablet',
  system: 'http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl',
  code: 'C48542',
});
const ucum = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit });

/** Dosages without the text and the Sig as sent, which all have. */
function mapped(parts: string) {
  const xml = `<Sig><SigText>As said</SigText>${parts}</Sig>`;
  const sig = readXml(xml).value;
  if (!sig) throw new Error('the Sig is XML');
  const { dosages, unmapped } = mapSig(new Source(sig));
  expect(dosages[0]).include({ text: 'As said' });
  return { dosages: dosages.map(({ text: _, extension: __, ...rest }) => rest), unmapped };
}
const instruction = (inner: string): string => `<Instruction>${inner}</Instruction>`;

describe('mapping › script › dosage', () => {
  for (const [title, parts, expected] of [
    [
      'twice a day',
      times('Frequency', '2', 'day'),
      { timing: { repeat: { frequency: 2, period: 1, periodUnit: 'd' } } },
    ],
    [
      '2 to 3 times a week',
      times('Frequency', '2', 'weeks', '3'),
      { timing: { repeat: { frequency: 2, period: 1, periodUnit: 'wk', frequencyMax: 3 } } },
    ],
    [
      'every 4 to 6 hours',
      times('Interval', '4', 'hour', '6'),
      { timing: { repeat: { frequency: 1, period: 4, periodUnit: 'h', periodMax: 6 } } },
    ],
    [
      'twice a day for 10 days',
      times('Frequency', '2', 'day') + days,
      { timing: { repeat: { frequency: 2, period: 1, periodUnit: 'd', boundsDuration: ucum(10, 'd') } } },
    ],
    [
      'in the morning and at bedtime',
      `${event('in the morning')}<MultipleTimingModifier>AND</MultipleTimingModifier>${event('bedtime')}`,
      { timing: { repeat: { when: ['MORN', 'HS'] } } },
    ],
    ['1 tablet', dose(quantity('1')), { doseAndRate: [{ doseQuantity: tablets(1) }] }],
    [
      '1 to 2 tablets',
      dose(`${quantity('1')}<DoseRangeModifier>TO</DoseRangeModifier>${quantity('2')}`),
      { doseAndRate: [{ doseRange: { low: tablets(1), high: tablets(2) } }] },
    ],
    [
      '5 tablets an hour',
      timing(
        `<RateOfAdministration><RateOfAdministration>5</RateOfAdministration>${coded('RateUnitOfMeasure', 'Tablet', 'C48542', 'DoseUnitOfMeasure')}${coded('TimePeriodBasis', 'hour')}</RateOfAdministration>`,
      ),
      { doseAndRate: [{ rateRatio: { numerator: tablets(5), denominator: ucum(1, 'h') } }] },
    ],
  ] as const)
    it(title, () => expect(mapped(instruction(parts))).deep.equal({ dosages: [expected], unmapped: [] }));

  it('AND has the same sequence, THEN the next', () => {
    const one = instruction(times('Frequency', '1', 'day'));
    const modifier = (text: string): string => `<MultipleInstructionModifier>${text}</MultipleInstructionModifier>`;
    const { dosages } = mapped(`${one}${modifier('AND')}${one}${modifier('THEN')}${one}`);
    expect(dosages.map(({ sequence }) => sequence)).deep.equal([1, 1, 2]);
  });

  it('a reason and a maximum are said of all instructions', () => {
    const { dosages, unmapped } = mapped(
      `${instruction(dose(quantity('1')))}<IndicationForUse>${coded('IndicationPrecursor', 'as needed for')}${coded('IndicationText', 'pain', '22253000')}</IndicationForUse><MaximumDoseRestriction><MaximumDoseRestrictionNumericValue>4</MaximumDoseRestrictionNumericValue>${coded('MaximumDoseRestrictionForm', 'Tablet', 'C48542', 'DoseUnitOfMeasure')}<MaximumDoseRestrictionDurationValue>1</MaximumDoseRestrictionDurationValue>${coded('MaximumDoseRestrictionDurationUnit', 'day')}</MaximumDoseRestriction>`,
    );
    expect(unmapped).deep.equal([]);
    expect(dosages[0]).deep.include({
      asNeededCodeableConcept: {
        coding: [{ system: 'http://snomed.info/sct', code: '22253000', display: 'pain' }],
        text: 'pain',
      },
      maxDosePerPeriod: { numerator: tablets(4), denominator: ucum(1, 'd') },
    });
  });

  for (const [title, parts, told] of [
    [
      'either of two instructions',
      `${instruction(dose(quantity('1')))}<MultipleInstructionModifier>OR</MultipleInstructionModifier>${instruction(dose(quantity('2')))}`,
      'MultipleInstructionModifier',
    ],
    [
      'either of two times',
      instruction(`${event('morning')}<MultipleTimingModifier>OR</MultipleTimingModifier>${event('evening')}`),
      'TimingAndDuration',
    ],
    [
      'two frequencies',
      instruction(times('Frequency', '2', 'day') + times('Frequency', '3', 'week')),
      'TimingAndDuration',
    ],
    ['a unit nobody knows', instruction(times('Frequency', '2', 'fortnight')), 'Frequency'],
    ['half a time', instruction(times('Frequency', '0.5', 'day')), 'Frequency'],
    ['a dose by weight', instruction('<DoseAdministration><DoseCalculation/></DoseAdministration>'), 'DoseCalculation'],
    [
      'the maker’s instructions',
      instruction('<AdministrationIndicator>MANUFACTURERSINSTRUCTIONS</AdministrationIndicator>'),
      'AdministrationIndicator',
    ],
  ] as const)
    it(`${title} is left to the text, and told`, () => {
      const { dosages, unmapped } = mapped(parts);
      expect(unmapped).deep.equal([told]);
      expect(dosages).deep.equal([{}]);
    });
});
