/** Searches in bundles that have more pages: each walk goes on after the answer. https://hl7.org/fhir/R4/http.html#paging */
import { expect } from 'chai';
import { withOwn } from '../../../src/postgres/search/snapshot.ts';
import { type BundleEntryShape, createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

interface Page {
  readonly link?: readonly { readonly relation: string; readonly url: string }[];
  readonly entry?: readonly BundleEntryShape[];
}

describe('bundles › paging', function () {
  this.timeout(120_000);
  let server: TestServer;
  let fhir: FhirClient;
  let n = 0;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    for (let i = 0; i < 8; i++) await put(person(`p${i}`, i));
  });
  after(() => server.stop());
  beforeEach(() => {
    n += 1;
  });

  const person = (id: string, i: number, more: Json = {}): Json => ({
    resourceType: 'Patient',
    id,
    birthDate: `${1950 + i}-01-01`,
    gender: i % 2 === 0 ? 'male' : 'female',
    name: [{ family: `F${i}` }],
    ...more,
  });
  async function put(resource: Json): Promise<void> {
    const reply = await fhir.put(`${String(resource['resourceType'])}/${String(resource['id'])}`, resource);
    expect(reply.status, reply.text).oneOf([200, 201]);
  }
  const idsOf = ({ entry = [] }: Page): string[] => entry.map(({ resource }) => String(resource?.['id']));
  const nextOf = ({ link = [] }: Page): string | undefined =>
    link.find(({ relation }) => relation === 'next')?.url.slice(server.fhirBaseUrl.length);

  async function send(type: string, entry: readonly Json[]): Promise<readonly Page[]> {
    const reply = await fhir.post('', { resourceType: 'Bundle', type, entry });
    expect(reply.status, reply.text).equal(200);
    return reply.json<Page>().entry?.map(({ resource }) => resource as Page) ?? [];
  }
  async function walk(first: Page, between: () => Promise<void>): Promise<string[]> {
    const found = idsOf(first);
    for (let next = nextOf(first); next !== undefined; ) {
      await between();
      const reply = await fetch(`${server.fhirBaseUrl}${next}`, { headers: server.bearer });
      expect(reply.status).equal(200);
      const page = (await reply.json()) as Page;
      found.push(...idsOf(page));
      next = nextOf(page);
    }
    return found;
  }

  const SEARCHES = [
    'Patient?_sort=family&_count=2',
    'Patient?_sort=-family&_count=3',
    'Patient?_sort=birthdate&_count=2',
    'Patient?_sort=gender,-birthdate&_count=2',
    'Patient?_sort=-_lastUpdated&_count=2',
    'Patient?_sort=_id&_count=2',
    'Patient?gender=male&_sort=family&_count=2',
    'Patient?_count=2',
    '?_type=Patient&_count=2',
  ];
  for (const type of ['transaction', 'batch'])
    for (const search of SEARCHES)
      it(`${type}: GET ${search} has a next link, by which each is met once`, async () => {
        const [made, changed] = [`made${n}`, 'p2'];
        const writes: readonly Json[] = [
          person(made, 3, { gender: 'male' }),
          person(changed, 2, { active: n % 2 === 0 }),
        ];
        const put_ = (resource: Json): Json => ({
          request: { method: 'PUT', url: `Patient/${String(resource['id'])}` },
          resource,
        });
        // Entries of a batch know nothing of one another.
        const before = type === 'batch' ? await send('batch', writes.map(put_)) : [];
        const entry = [...(type === 'batch' ? [] : writes.map(put_)), { request: { method: 'GET', url: search } }];
        const pages = await send(type, entry);
        expect(before.length).equal(type === 'batch' ? 2 : 0);
        const first = pages.at(-1) as Page;
        expect(nextOf(first), 'there are more').not.equal(undefined);
        let others = 0;
        const found = await walk(first, async () => {
          others += 1;
          if (others > 2) return;
          await put(person(`other${n}-${others}`, 3 + others));
        });
        expect(new Set(found).size).equal(found.length);
        const all = await fetch(
          `${server.fhirBaseUrl}/Patient?_count=500${search.includes('gender=male') ? '&gender=male' : ''}`,
          {
            headers: server.bearer,
          },
        );
        const there = idsOf((await all.json()) as Page).filter((id) => !id.startsWith(`other${n}-`));
        expect(found.filter((id) => !id.startsWith(`other${n}-`)).sort()).deep.equal(there.sort());
        expect(found).include(made).and.include(changed);
      });

  it('what others write while the transaction is under way is met once at most', async () => {
    const writes = Array.from({ length: 20 }, (_, i) => person(`race${i}`, i));
    const [pages] = await Promise.all([
      send('transaction', [
        ...writes.map((resource) => ({
          request: { method: 'PUT', url: `Patient/${String(resource['id'])}` },
          resource,
        })),
        { request: { method: 'GET', url: 'Patient?_sort=birthdate&_count=5' } },
      ]),
      ...Array.from({ length: 10 }, (_, i) => put(person(`beside${i}`, i))),
    ]);
    const found = await walk(pages.at(-1) as Page, async () => {});
    expect(new Set(found).size).equal(found.length);
    expect(found).include.members(writes.map(({ id }) => id as string));
  });
});

describe('search › snapshot of a transaction', () => {
  // As of https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
  for (const [snapshot, own, expected] of [
    ['10:20:10,14', null, '10:20:10,14'],
    ['10:20:10,14', '12', '10:20:10,14'],
    ['10:20:10,14', '20', '10:21:10,14'],
    ['10:20:10,14', '22', '10:23:10,14,20,21'],
    ['20:20:', '20', '20:21:'],
    ['20:20:', '22', '20:23:20,21'],
    ['15:20:', '20', '15:21:'],
  ] as const)
    it(`${snapshot} of ${own}: ${expected}`, () => {
      expect(withOwn(`${snapshot} ${own ?? ''}`)).equal(expected);
    });
});
