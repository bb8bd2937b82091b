/** Searches by ranges of numbers and by beginnings of strings over tables of any size: how they are carried out is chosen by what the index has. */
import { expect } from 'chai';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

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
        for (const [i, family] of ['Zzyzx', 'Zzyab', 'Abcde', 'Zzä'].entries())
          await world.put({ resourceType: 'Patient', id: `p${i}`, name: [{ family, given: ['Zzyzx'.slice(i)] }] });
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
        ['Patient?family=zzy', 'p0 p1'],
        ['Patient?name=ZZY', 'p0 p1'],
        ['Patient?family=zza', 'p3'],
        ['Patient?family=abc,zzyz', 'p0 p2'],
        ['Patient?name=yzx,abc', 'p2'],
        ['Patient?family=nobody', ''],
        ['RiskAssessment?probability=gt0.15', 'r0 r1 r2'],
        ['RiskAssessment?probability=gt0.6', 'r1'],
        ['RiskAssessment?probability=ge0.3', 'r1 r2'],
        ['RiskAssessment?probability=lt0.15', 'r0'],
        ['RiskAssessment?probability=gt0.95', ''],
      ];
      it('what nothing begins with is looked for in the index of strings, and in nothing else', async () => {
        const request = { ...parseQuery('Patient', 'family=nobody'), explain: true };
        const { explained = [] } = await world.store.search(ROOT, request);
        expect(explained.map(({ indexes }) => indexes)).deep.equal([['patient_s_h_v_rid_idx', 'patient_pkey']]);
      });

      for (const [query, ids] of cases)
        it(`${query} › ${ids || 'nothing'}`, async () => {
          expect((await world.ids(ROOT, query)).toSorted().join(' ')).equal(ids);
          expect((await world.ids(ROOT, `${query}&_count=1`)).toSorted().join(' '), 'by pages').equal(ids);
          const sorted = await world.ids(ROOT, `${query}&_sort=-_lastUpdated&_count=2`);
          expect(sorted.toSorted().join(' '), 'sorted').equal(ids);
        });
    });

  describe('of an index with more entries than are worth reading', () => {
    /** So many that 5,000 entries are read at most. */
    const TABLE = 20_000;
    /** Entries of one resource. */
    const COMPONENTS = 1_700;
    let world: PolicyStore;
    before(async () => {
      const rows = (): number => TABLE;
      world = await openPolicyStore({ frequencies: { rows, tokenRows: rows, refresh: async () => {}, stop() {} } });
      for (let n = 0; n < 4; n++)
        await world.put({
          resourceType: 'Observation',
          id: `m${n}`,
          status: 'final',
          code: { text: 'many' },
          effectiveDateTime: `2020-01-0${4 - n}`,
          component: Array.from({ length: n < 3 ? COMPONENTS : 2 }, (_, i) => ({
            code: { coding: [{ system: 'urn:test', code: 'part' }] },
            valueQuantity: { value: 10 + n * 10_000 + i },
          })),
        });
    });
    after(() => world.stop());

    /** The statements of a search. */
    const statementsOf = async (query: string): Promise<readonly string[]> => {
      const { explained = [] } = await world.store.search(ROOT, { ...parseQuery('Observation', query), explain: true });
      return explained.map(({ sql }) => sql);
    };
    const isCounted = (sql: string): boolean => sql.includes('array_agg');

    it('few are read from the index alone, counted and sorted in one statement', async () => {
      const { explained = [] } = await world.store.search(ROOT, {
        ...parseQuery('Observation', 'component-code-value-quantity=urn:test|part$gt20020'),
        explain: true,
      });
      expect(explained.map(({ sql }) => isCounted(sql))).deep.equal([true]);
      expect(explained[0]?.plan.join('\n')).not.match(/Bitmap/);
      const found = await world.ids(ROOT, 'Observation?component-code-value-quantity=urn:test|part$gt20020');
      expect(found.toSorted()).deep.equal(['m2', 'm3']);
    });

    it('many are walked to, and are not counted again, nor is what holds more', async () => {
      const query = 'component-code-value-quantity=urn:test|part$gt12';
      expect((await statementsOf(query)).map(isCounted)).deep.equal([true, false]);
      expect((await statementsOf(query)).map(isCounted)).deep.equal([false]);
      expect((await statementsOf('component-code-value-quantity=urn:test|part$gt11')).map(isCounted)).deep.equal([
        false,
      ]);
    });

    it('what lies within a range that had few is not counted either', async () => {
      expect((await statementsOf('component-code-value-quantity=urn:test|part$gt20010')).map(isCounted)).deep.equal([
        true,
      ]);
      const [statement = '', ...others] = await statementsOf('component-code-value-quantity=urn:test|part$gt20015');
      expect(others).deep.equal([]);
      expect(statement).match(/^with c as materialized \(select e\.rid .* order by e\.rid desc limit/s);
    });

    it('both ways answer alike, on every page and in every order', async () => {
      const few = 'Observation?component-code-value-quantity=urn:test|part$gt10015';
      const many = 'Observation?component-code-value-quantity=urn:test|part$gt12';
      for (const count of [1, 2, 20]) {
        expect((await world.ids(ROOT, `${few}&_count=${count}`)).toSorted()).deep.equal(['m1', 'm2', 'm3']);
        expect((await world.ids(ROOT, `${many}&_count=${count}`)).toSorted()).deep.equal(['m0', 'm1', 'm2', 'm3']);
        for (const [sort, order] of [
          ['date', ['m3', 'm2', 'm1', 'm0']],
          ['-date', ['m0', 'm1', 'm2', 'm3']],
        ] as const) {
          expect(await world.ids(ROOT, `${many}&_sort=${sort}&_count=${count}`), sort).deep.equal(order);
          const least = order.filter((id) => id !== 'm0');
          expect(await world.ids(ROOT, `${few}&_sort=${sort}&_count=${count}`), sort).deep.equal(least);
        }
      }
    });

    it('an answer that goes on by pages stays whole when few become many meanwhile', async () => {
      const query = 'Observation?component-code-value-quantity=urn:test|part$gt20000&_count=1&_sort=-date';
      const request = parseQuery('Observation', query.slice('Observation?'.length));
      const first = await world.store.search(ROOT, request);
      await world.put({
        resourceType: 'Observation',
        id: 'z',
        status: 'final',
        code: { text: 'later' },
        effectiveDateTime: '2019-01-01',
        component: Array.from({ length: 5_001 }, (_, i) => ({
          code: { coding: [{ system: 'urn:test', code: 'part' }] },
          valueQuantity: { value: 50_000 + i },
        })),
      });
      const found = first.matches.map(({ id }) => id);
      for (let page = first; page.next !== undefined; ) {
        page = await world.store.search(ROOT, { ...request, cursor: page.next });
        found.push(...page.matches.map(({ id }) => id));
      }
      expect(found).deep.equal(['m2', 'm3']);
      expect(await world.ids(ROOT, query), 'a walk of its own').deep.equal(['m2', 'm3', 'z']);
    });
  });
});
