import { expect } from 'chai';
import { createFhirApi } from '../../../src/fhir-api.ts';
import type { Frequencies } from '../../../src/postgres/search/frequencies.ts';
import { bundleOf, createFhirClient, type FhirClient, linkOf, matchIds } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { cases } from './cases.ts';
import { loadDataSet } from './data-set.ts';

interface Numbers {
  /** Estimated size of each table. */
  readonly rows: number;
  /** Estimated rows of any token. */
  readonly tokenRows: number;
}

/** Beliefs that lead a search one way or another; what is true of the data does not change. */
const PATHS: Readonly<Record<string, Numbers>> = {
  'tokens drive': { rows: 1e6, tokenRows: 1 },
  'strings and numbers drive': { rows: 1, tokenRows: 30 },
  'everything is rare': { rows: 1, tokenRows: 1 },
  // Chains are tried row by row, and what is common is walked.
  'everything is common': { rows: 1e9, tokenRows: 1e9 },
  // Comparisons with NaN are false: no driver is ever selective, and chains are looked up first.
  'always walk': { rows: Number.NaN, tokenRows: 1 },
};

const SORTS = ['', '_sort=_lastUpdated', '_sort=-_lastUpdated', '_sort=_id', '_sort=date', '_sort=-date,_id'];
const BASE = 'BASE';

describe('search-type › access paths', () => {
  let numbers: Numbers = { rows: 1, tokenRows: 1 };
  const frequencies: Frequencies = {
    rows: () => numbers.rows,
    tokenRows: () => numbers.tokenRows,
    refresh: async () => {},
    stop: () => {},
  };
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer({ createFhirApi: (parts) => createFhirApi({ ...parts, frequencies }) });
    client = createFhirClient(server);
    await loadDataSet(client);
  });
  after(() => server.stop());

  /** All matches over pages of two, in order. */
  async function walk(query: string): Promise<string[]> {
    const found: string[] = [];
    for (let url: string | undefined = query; url !== undefined; ) {
      const reply = await client.get(url);
      expect(reply.status, `${url}: ${reply.text}`).to.equal(200);
      const bundle = bundleOf(reply);
      found.push(...matchIds(bundle));
      url = linkOf(bundle, 'next');
    }
    return found;
  }

  for (const [path, belief] of Object.entries(PATHS))
    describe(path, () => {
      for (const [group, table] of Object.entries(cases(BASE)))
        it(group, async () => {
          numbers = belief;
          const wrong: string[] = [];
          await Promise.all(
            table.map(async ([query, ids]) => {
              const separator = query.includes('?') ? '&' : '?';
              const found = await walk(`${query.replace(BASE, client.base)}${separator}_count=2`);
              const expected = ids.split(' ').filter((id) => id !== '');
              if (found.sort().join(' ') !== expected.sort().join(' ')) wrong.push(`${query}: ${found.join(' ')}`);
            }),
          );
          expect(wrong).to.deep.equal([]);
        });
    });

  it('every path gives one order', async () => {
    const queries = [
      ...SORTS.flatMap((sort) => [`Observation?${sort}`, `Observation?code=29463-7&${sort}`, `Encounter?${sort}`]),
      ...[
        'family',
        '-family',
        'birthdate',
        '-birthdate',
        'gender',
        'given',
        '-given',
        'death-date',
        'organization',
      ].map((key) => `Patient?_sort=${key}`),
      ...['probability', '-probability'].map((key) => `RiskAssessment?_sort=${key}`),
      ...['value-quantity', '-value-quantity', 'code', '-code'].map((key) => `Observation?_sort=${key}`),
      ...['recorded-date', '-recorded-date', 'abatement-date', '-abatement-date', 'onset-date'].map(
        (key) => `Condition?code=flu,cold&_sort=${key}`,
      ),
      ...['date', '-date', 'authoredon', '-authoredon'].map((key) => `MedicationRequest?status=active&_sort=${key}`),
    ].filter((query) => query.includes('_sort'));
    const orders = await Promise.all(
      queries.map(async (query) => {
        const found = new Map<string, string[]>();
        return { query, found };
      }),
    );
    for (const [path, belief] of Object.entries(PATHS)) {
      numbers = belief;
      await Promise.all(
        orders.map(async ({ query, found }) => {
          const order = (await walk(`${query}&_count=2`)).join(' ');
          found.set(order, [...(found.get(order) ?? []), path]);
        }),
      );
    }
    expect(orders.filter(({ found }) => found.size > 1).map(({ query, found }) => [query, ...found])).to.deep.equal([]);
  });
});
