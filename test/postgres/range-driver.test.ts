/** Searches by ranges of numbers over tables of any size: how they are carried out is chosen by what the index has. */
import { expect } from 'chai';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const VALUES = [5, 5.4, 7, 7, 9.99, 10, 100];
const UCUM = 'http://unitsofmeasure.org';

/** Few rows: the index is always used. Many: it is looked at first. None: the same, and nothing is there. */
const SIZES = [1000, 50_000_000];

describe('search › ranges of numbers', function () {
  this.timeout(60_000);
  for (const size of SIZES)
    describe(`of a table of about ${size} rows`, () => {
      let world: PolicyStore;
      before(async () => {
        const rows = (): number => size;
        world = await openPolicyStore({
          frequencies: { rows, tokenRows: rows, refresh: async () => {}, stop() {} },
        });
        for (const [i, value] of VALUES.entries())
          await world.put({
            resourceType: 'Observation',
            id: `o${i}`,
            status: 'final',
            code: { coding: [{ system: 'urn:test', code: i % 2 === 0 ? 'even' : 'odd' }] },
            valueQuantity: { value, system: UCUM, code: 'mg' },
          });
        for (const [i, [low, high]] of [
          [0.1, 0.2],
          [0.5, 0.9],
        ].entries())
          await world.put({
            resourceType: 'RiskAssessment',
            id: `r${i}`,
            status: 'final',
            subject: { reference: 'Patient/p' },
            prediction: [{ probabilityRange: { low: { value: low }, high: { value: high } } }],
          });
        await world.put({
          resourceType: 'RiskAssessment',
          id: 'r2',
          status: 'final',
          subject: { reference: 'Patient/p' },
          prediction: [{ probabilityDecimal: 0.3 }],
        });
      });
      after(() => world.stop());

      const cases: readonly (readonly [string, string])[] = [
        ['Observation?value-quantity=gt7', 'o4 o5 o6'],
        ['Observation?value-quantity=ge7', 'o2 o3 o4 o5 o6'],
        ['Observation?value-quantity=lt7', 'o0 o1'],
        ['Observation?value-quantity=le7', 'o0 o1 o2 o3'],
        ['Observation?value-quantity=sa10', 'o6'],
        ['Observation?value-quantity=eb5.4', 'o0'],
        ['Observation?value-quantity=7', 'o2 o3'],
        ['Observation?value-quantity=ne7', 'o0 o1 o4 o5 o6'],
        ['Observation?value-quantity=gt1000', ''],
        [`Observation?value-quantity=gt9990|${UCUM}|ug`, 'o5 o6'],
        [`Observation?value-quantity=ge0.1|${UCUM}|g`, 'o6'],
        [`Observation?value-quantity=gt1|${UCUM}|kg`, ''],
        ['Observation?value-quantity=gt1,lt5.1&code=even', 'o0 o2 o4 o6'],
        ['Observation?code-value-quantity=urn:test|even$gt7', 'o4 o6'],
        ['Observation?code-value-quantity=even$ge7', 'o2 o4 o6'],
        ['Observation?code-value-quantity=odd$gt10', ''],
        ['RiskAssessment?probability=gt0.15', 'r0 r1 r2'],
        ['RiskAssessment?probability=gt0.6', 'r1'],
        ['RiskAssessment?probability=ge0.3', 'r1 r2'],
        ['RiskAssessment?probability=lt0.15', 'r0'],
        ['RiskAssessment?probability=gt0.95', ''],
      ];
      for (const [query, ids] of cases)
        it(`${query} › ${ids || 'nothing'}`, async () => {
          expect((await world.ids(ROOT, query)).toSorted().join(' ')).equal(ids);
          expect((await world.ids(ROOT, `${query}&_count=1`)).toSorted().join(' '), 'by pages').equal(ids);
        });
    });
});
