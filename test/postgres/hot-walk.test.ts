/** A common code with dates: the walk over the code's rows begins and ends at the dates, and finds what every other way does. */
import { expect } from 'chai';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

/** Starts and ends; some last for months or years, one has neither. */
const PERIODS: readonly (readonly [start?: string, end?: string])[] = [
  ['2015-06-10T08:00:00Z'],
  ['2015-06-10T09:00:00Z', '2015-06-12T09:00:00Z'],
  ['2015-05-01T00:00:00Z', '2015-06-10T00:00:00Z'],
  ['2010-01-01T00:00:00Z', '2020-01-01T00:00:00Z'],
  ['2014-12-31T23:00:00Z', '2015-01-01T01:00:00Z'],
  ['2015-06-30T23:59:59Z', '2015-08-15T00:00:00Z'],
  ['2019-03-03T00:00:00Z'],
  ['2016-02-01T00:00:00Z', '2019-03-04T00:00:00Z'],
  ['2009-01-01T00:00:00Z'],
  [],
];
const DATES = ['2015', '2015-06', '2015-06-10', '2019-03-03', '2009'];
const PREFIXES = ['', 'ne', 'gt', 'ge', 'lt', 'le', 'sa', 'eb', 'ap'];
const SORTS = ['', '&_sort=date', '&_sort=-date'];

describe('search › a common code with dates', function () {
  this.timeout(60_000);
  let rows = 1;
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore({
      frequencies: { rows: () => rows, tokenRows: () => rows, refresh: async () => {}, stop() {} },
    });
    for (const [i, [start, end]] of PERIODS.entries())
      await world.put({
        resourceType: 'Observation',
        id: `o${i}`,
        status: 'final',
        code: { coding: [{ system: 'urn:test', code: i === 4 ? 'other' : 'common' }] },
        ...(end !== undefined && { effectivePeriod: { start, end } }),
        ...(end === undefined && start !== undefined && { effectiveDateTime: start }),
      });
  });
  after(() => world.stop());

  /** What is found where everything is rare, and where everything is common. */
  const bothOf = async (query: string): Promise<readonly [readonly string[], readonly string[]]> => {
    rows = 1;
    const rare = await world.ids(ROOT, `Observation?${query}&_count=3`);
    rows = 1_000_000_000;
    const common = await world.ids(ROOT, `Observation?${query}&_count=3`);
    return query.includes('_sort') ? [rare, common] : [rare.toSorted(), common.toSorted()];
  };

  for (const prefix of PREFIXES)
    it(`date=${prefix}… finds the same by either way, in order, on every page`, async () => {
      for (const date of DATES)
        for (const sort of SORTS) {
          const [rare, common] = await bothOf(`code=common&date=${prefix}${date}${sort}`);
          expect(common, `${date}${sort}`).deep.equal(rare);
        }
    });

  it('what lasts beyond a date is found, however long before it began', async () => {
    const [rare, common] = await bothOf('code=common&date=ge2019-06-01');
    expect([rare, common]).deep.equal([['o3'], ['o3']]);
  });

  it('two dates bound it on both sides', async () => {
    const [rare, common] = await bothOf('code=common&date=ge2015-06&date=lt2015-07&_sort=-date');
    expect(rare.length).greaterThan(3);
    expect(common).deep.equal(rare);
  });

  it('the index of the code is entered at the date', async () => {
    rows = 1_000_000_000;
    const request = { ...parseQuery('Observation', 'code=common&date=sa2009&date=lt2015-07'), explain: true };
    const { explained = [] } = await world.store.search(ROOT, request);
    expect(explained[0]?.sql).match(
      /h = \$\d+::bigint\s+and v >= \$\d+::float8\s+and v <= \$\d+::float8 order by v desc/,
    );
    expect(explained[0]?.indexes).contains('observation_n_h_v_rid_idx');
  });
});
