import { expect } from 'chai';
import { createFhirApi } from '../../../src/fhir-api.ts';
import type { Frequencies } from '../../../src/postgres/search/frequencies.ts';
import {
  type BundleShape,
  bundleOf,
  createFhirClient,
  type FhirClient,
  type Json,
  linkOf,
  matchIds,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const grams = (value: number): Json => ({ value, unit: 'g', system: 'http://unitsofmeasure.org', code: 'g' });

/** Observation with values that differ from those of its neighbours; each fifth lacks a value, some are equal. */
const observation = (i: number): Json => ({
  resourceType: 'Observation',
  status: i % 3 === 0 ? 'final' : 'preliminary',
  code: { coding: [{ system: 'urn:code', code: `code-${i % 4}` }, { code: 'all' }] },
  ...(i % 5 !== 0 && { effectiveDateTime: `2020-01-${String(1 + (i % 7)).padStart(2, '0')}` }),
  ...(i % 5 !== 1 && { valueQuantity: grams((i * 7) % 11) }),
});

const patient = (names: readonly string[], birthDate?: string): Json => ({
  resourceType: 'Patient',
  ...(names.length > 0 && { name: names.map((family) => ({ family })) }),
  ...(birthDate !== undefined && { birthDate }),
});

const COUNT = 23;
const SORTS = ['', 'date', '-date', 'value-quantity', '-value-quantity', 'code', '-code', '_id', '-_id'].concat([
  '_lastUpdated',
  '-_lastUpdated',
  'status,-date',
  '-value-quantity,date,_id',
]);

describe('search-type › sort and paging', () => {
  let common = false;
  const frequencies: Frequencies = {
    rows: () => (common ? 1e9 : 1),
    tokenRows: () => (common ? 1e9 : 1),
    refresh: async () => {},
    stop: () => {},
  };
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer({ createFhirApi: (parts) => createFhirApi({ ...parts, frequencies }) });
    client = createFhirClient(server);
  });
  after(() => server.stop());
  beforeEach(() => {
    common = false;
  });

  const page = async (url: string): Promise<BundleShape> => {
    const reply = await client.get(url);
    expect(reply.status, reply.text).to.equal(200);
    return bundleOf(reply);
  };
  const put = async (type: string, id: string, resource: Json): Promise<void> => {
    const reply = await client.put(`${type}/${id}`, { ...resource, id });
    expect(reply.status, reply.text).to.be.lessThan(300);
  };

  async function walk(query: string, between: () => Promise<void> = async () => {}): Promise<string[]> {
    const found: string[] = [];
    for (let url: string | undefined = query; url !== undefined; ) {
      const bundle = await page(url);
      found.push(...matchIds(bundle));
      url = linkOf(bundle, 'next');
      await between();
    }
    return found;
  }

  describe('_sort', () => {
    before(async () => {
      await put('Patient', 's1', patient(['Baker', 'Young'], '1990-02'));
      await put('Patient', 's2', patient(['adams'], '1980'));
      await put('Patient', 's3', patient(['Ábel', 'Zoe'], '1990-01-31'));
      await put('Patient', 's4', patient([], '2000-01-01'));
      await put('Patient', 's5', patient(['Carter']));
      const encounter = { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } };
      const stay = (start: string, end: string): Json => ({ location: { display: 'x' }, period: { start, end } });
      // Two periods that begin together: the encounter still comes once.
      const twice = [stay('2020-01-01', '2020-02-01'), stay('2020-01-01', '2020-03-01')];
      await put('Encounter', 't1', { ...encounter, location: twice });
      await put('Encounter', 't2', { ...encounter, location: [stay('2019-01-01', '2021-01-01')] });
      await put('Encounter', 't3', { ...encounter, location: [{ location: { display: 'x' } }] });
      // Present, but without a number to order by.
      const condition = { resourceType: 'Condition', subject: { display: 'x' } };
      await put('Condition', 'a1', { ...condition, onsetAge: { unit: 'years' } });
      await put('Condition', 'a2', {
        ...condition,
        onsetAge: { value: 52, unit: 'years', system: 'http://unitsofmeasure.org', code: 'a' },
      });
    });
    const table: readonly (readonly [query: string, ids: string])[] = [
      ['Patient?_sort=family', 's3 s2 s1 s5 s4'],
      ['Patient?_sort=-family', 's3 s1 s5 s2 s4'],
      ['Patient?_sort=birthdate', 's2 s3 s1 s4 s5'],
      ['Patient?_sort=-birthdate', 's4 s1 s3 s2 s5'],
      ['Patient?_sort=_id', 's1 s2 s3 s4 s5'],
      ['Patient?_sort=-_id', 's5 s4 s3 s2 s1'],
      ['Patient?_sort=_lastUpdated', 's1 s2 s3 s4 s5'],
      ['Patient?_sort=-_lastUpdated', 's5 s4 s3 s2 s1'],
      ['Encounter?_sort=location-period', 't2 t1 t3'],
      ['Encounter?_sort=-location-period', 't1 t2 t3'],
      ['Condition?_sort=onset-age', 'a2 a1'],
      ['Condition?_sort=-onset-age', 'a2 a1'],
    ];
    for (const [query, ids] of table)
      for (const walks of [false, true])
        it(`${query}${walks ? ', walked' : ''}`, async () => {
          common = walks;
          expect((await walk(`${query}&_count=2`)).join(' ')).to.equal(ids);
          expect((await walk(`${query}&_count=50`)).join(' ')).to.equal(ids);
        });
  });

  describe('pages', () => {
    const ids = Array.from({ length: COUNT }, (_, i) => `o${String(i).padStart(2, '0')}`);
    before(() => Promise.all(ids.map((id, i) => put('Observation', id, observation(i)))));
    for (const walks of [false, true])
      for (const sort of SORTS)
        it(`${sort === '' ? 'no _sort' : sort}${walks ? ', walked' : ''}: each match once while others write`, async () => {
          common = walks;
          const query = `Observation?code=all&_count=3${sort === '' ? '' : `&_sort=${sort}`}`;
          const before = await walk(query);
          let turn = 0;
          // Others come, change their place and go; those of `ids` stay as they are.
          const others = async (): Promise<void> => {
            turn += 1;
            const id = `x${turn}`;
            await put('Observation', id, observation(turn * 3));
            await put('Observation', `y${1 + (turn % 3)}`, observation(turn * 5));
            if (turn > 1) await client.delete(`Observation/x${turn - 1}`);
          };
          const found = await walk(query, others);
          expect(found.length, 'no duplicates').to.equal(new Set(found).size);
          const kept = (list: readonly string[]): string[] => list.filter((id) => id.startsWith('o'));
          expect([...kept(found)].sort()).to.deep.equal(ids);
          expect(kept(found)).to.deep.equal(kept(before));
          const left = (await page('Observation?_count=100')).entry?.map((e) => e.resource?.id ?? '') ?? [];
          await Promise.all(left.filter((id) => !id.startsWith('o')).map((id) => client.delete(`Observation/${id}`)));
        });

    it('a page may change its path: every plan goes on where another stopped', async () => {
      for (const sort of ['date', '-date', 'value-quantity', '-value-quantity', '-_lastUpdated']) {
        const query = `Observation?code=all&_sort=${sort}&_count=3`;
        const expected = await walk(query);
        const found = await walk(query, async () => {
          common = !common;
        });
        expect(found, sort).to.deep.equal(expected);
      }
    });

    it('a next link that was altered, or is of another query, is 400', async () => {
      const first = linkOf(await page('Observation?_count=3'), 'next') as string; // 23 do not fit in 3
      const cursor = new URL(first).searchParams.get('_cursor') ?? '';
      const flipped = `${cursor.slice(0, 5)}${cursor[5] === 'A' ? 'B' : 'A'}${cursor.slice(6)}`;
      for (const url of [
        `Observation?_count=3&_cursor=${flipped}`,
        `Observation?_count=3&_cursor=${cursor.slice(0, -2)}`,
        'Observation?_count=3&_cursor=nonsense',
        `Observation?_count=3&code=all&_cursor=${cursor}`,
        `Patient?_count=3&_cursor=${cursor}`,
      ])
        expect((await client.get(url)).status, url).to.equal(400);
    });

    for (const walks of [false, true])
      it(`totals and offsets${walks ? ', walked' : ''}`, async () => {
        common = walks;
        const none = await page('Observation?code=code-1&_count=0');
        expect([none.total, none.entry]).to.deep.equal([6, undefined]);
        const count = await page('Observation?_summary=count');
        expect([count.total, count.entry]).to.deep.equal([COUNT, undefined]);
        expect((await page('Observation?_count=3&_total=accurate')).total).to.equal(COUNT);
        expect((await page('Observation?_count=3&_total=none')).total).to.equal(undefined);
        expect((await page('Observation?_count=3&_total=estimate')).total).to.be.a('number');
        expect((await page('Observation?_count=50')).total).to.equal(COUNT);
        for (const sort of ['_id', 'date', '-value-quantity', '_lastUpdated', '']) {
          const query = `Observation?_count=4${sort === '' ? '' : `&_sort=${sort}`}`;
          const all = await walk(query);
          for (const offset of [2, 17, 20, 22, 23, 30]) {
            const rest = matchIds(await page(`${query}&_offset=${offset}`));
            expect(rest, `${query} ${offset}`).to.deep.equal(all.slice(offset, offset + 4));
          }
          expect(await walk(`${query}&_offset=3`), `${query}, next of an offset`).to.deep.equal(all.slice(3));
        }
        expect((await client.get('Observation?_offset=20000')).status).to.be.within(400, 499);
      });
  });
});
