/** Marks of controlled drugs in electronic prescriptions. eps/REFERENCE section 4.2 */
import { expect } from 'chai';
import type { CatalogueEntry } from '../../../src/workflow/prescribing/catalogue/entry.ts';
import { controlledDrugOf, missingForSchedule } from '../../../src/workflow/prescribing/eps-controlled-drug.ts';
import { catalogueEntry } from '../../support/catalogue.ts';

const entryOf = (ukSchedule: string | undefined): CatalogueEntry =>
  catalogueEntry('Morphine 10mg tablets', ukSchedule === undefined ? {} : { ukSchedule });

describe('prescribing › controlled drugs by EPS', () => {
  for (const [schedule, code, words] of [
    ['2', 'CD2', 'twenty eight'],
    ['3', 'CD3', 'twenty eight'],
    ['4', 'CD4', undefined],
    ['5', 'CD5', undefined],
  ] as const)
    it(`Schedule ${schedule} is ${code}${words ? ', with the quantity in words' : ''}`, () => {
      const [mark] = controlledDrugOf(entryOf(schedule), 28) as readonly {
        readonly url: string;
        readonly extension: readonly { url: string; valueString?: string; valueCoding?: { code: string } }[];
      }[];
      expect(mark?.url).equal('https://fhir.nhs.uk/StructureDefinition/Extension-DM-ControlledDrug');
      const part = (name: string) => mark?.extension.find(({ url }) => url === name);
      expect(part('schedule')?.valueCoding?.code).equal(code);
      expect(part('quantityWords')?.valueString).equal(words);
      expect(missingForSchedule(entryOf(schedule), 28)).deep.equal([]);
    });
  it('what is not controlled is not marked', () => {
    expect(controlledDrugOf(entryOf(undefined), 28)).deep.equal([]);
    expect(controlledDrugOf(undefined, 28)).deep.equal([]);
    expect(missingForSchedule(undefined, 0)).deep.equal([]);
  });
  it('Schedule 1 is never sent', () => expect(missingForSchedule(entryOf('1'), 1)).length(1));
  it('what has no words is not sent, where they are needed', () => {
    expect(missingForSchedule(entryOf('2'), 0.0001)).length(1);
    expect(missingForSchedule(entryOf('4'), 0.0001)).length(0);
  });
});
