/** Which medicine of the catalogue an item is, however it is written: what is not found is not checked. MISSION M9 */
import { expect } from 'chai';
import { serviceCaller } from '../../../src/policy/service-caller.ts';
import type { SearchRequest } from '../../../src/standards/fhir/search/request.ts';
import { createCatalogue } from '../../../src/workflow/prescribing/catalogue/catalogue.ts';
import { toMedicationKnowledge } from '../../../src/workflow/prescribing/catalogue/entry.ts';
import { readMedicines } from '../../../src/workflow/prescribing/catalogue/file.ts';
import { readItems } from '../../../src/workflow/prescribing/items.ts';

const { entries, faults } = readMedicines(
  `name,form,strength,substances
Prednisolone 25mg tablets,tablets,25mg,prednisolone
Prednisolone 5mg tablets,tablets,5mg,prednisolone
Amoxicillin 250mg capsules,capsules,250mg,amoxicillin
Amoxicillin 500mg capsules,capsules,500 mg,amoxicillin
Amoxicillin 125mg/5ml oral suspension,oral suspension,125mg/5ml,amoxicillin
Morphine 10mg tablets,tablets,10mg,morphine
Morphine 10mg injection,injection,10mg,morphine
Levothyroxine 25micrograms tablets,tablets,25micrograms,levothyroxine
Adalimumab,injection,,adalimumab
Co-codamol 8mg/500mg tablets,tablets,8mg/500mg,codeine;paracetamol`,
  [],
);

const resources = entries.map((entry) => toMedicationKnowledge(entry));
const catalogue = await createCatalogue({
  store: {
    search: async () => ({
      matches: resources.map((resource) => ({
        type: 'MedicationKnowledge',
        id: resource['id'] as string,
        versionId: 1,
        lastUpdated: 0,
        operation: 'create' as const,
        content: JSON.stringify(resource),
      })),
      included: [],
      issues: [],
    }),
  },
  changes: {
    head: async () => ({ xid: '1', rid: '1', versionId: 1, at: '0' }),
    after: async (from) => ({ versions: [], from, to: from, isFull: false }),
  },
  searchOf: () => ({}) as SearchRequest, // the store above asks nothing of it
  caller: serviceCaller('prescribing'),
  now: () => 0,
})();

describe('prescribing › items', () => {
  it('the catalogue of this test has no fault', () => {
    expect(faults).eql([]);
    expect(catalogue.size).equal(entries.length);
  });

  for (const [name, strength, found] of [
    ['Prednisolone 5mg tablets', undefined, 'Prednisolone 5mg tablets'],
    ['prednisolone 5 mg tab', undefined, 'Prednisolone 5mg tablets'],
    ['prednisolone 25mg', undefined, 'Prednisolone 25mg tablets'],
    ['Prednisolone', '5mg', 'Prednisolone 5mg tablets'],
    ['Prednisolone', undefined, 'Prednisolone 25mg tablets'],
    ['prednisolone 1mg', undefined, undefined],
    ['prednisolone 2.5mg', undefined, undefined],
    ['amoxicillin 500mg caps', undefined, 'Amoxicillin 500mg capsules'],
    ['amoxicillin 125mg/5ml', undefined, 'Amoxicillin 125mg/5ml oral suspension'],
    ['amoxicillin 50mg', undefined, undefined],
    ['Morphine', '10mg', 'Morphine 10mg tablets'],
    ['Morphine injection', '10mg', 'Morphine 10mg injection'],
    ['levothyroxine 25 micrograms', undefined, 'Levothyroxine 25micrograms tablets'],
    ['levothyroxine 25mg', undefined, undefined],
    ['Adalimumab 40mg', undefined, 'Adalimumab'],
    ['adalimumab pre-filled pen', '40mg', 'Adalimumab'],
    ['grandmother’s drops 5mg', undefined, undefined],
  ] as const)
    it(`${name}${strength === undefined ? '' : `, ${strength}`}: ${found ?? 'none of the catalogue'}`, () => {
      const item = { medication_name: name, ...(strength !== undefined && { strength }), quantity: '28' };
      const [read] = readItems([item], catalogue);
      expect(read?.entry?.name).equal(found);
    });
});
