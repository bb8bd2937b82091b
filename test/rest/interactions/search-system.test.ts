/** Searches over several types. https://hl7.org/fhir/R4/http.html#search */
import { expect } from 'chai';
import { type BundleShape, bundleOf, createFhirClient, type FhirClient, linkOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const TAG = { system: 'http://example.org/tags', code: 'walk' };
const CODE = { coding: [{ system: 'http://example.org', code: 'hb' }] };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const names = ({ entry = [] }: BundleShape): string[] =>
  entry
    .filter(({ search }) => search?.mode === 'match')
    .map(({ resource }) => `${resource?.resourceType}/${resource?.id}`);

describe('search-system', () => {
  let server: TestServer;
  let fhir: FhirClient;
  /** `Type/id` → when it was last changed, ms. */
  const stored = new Map<string, number>();

  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    // Three types and equal ids, several of them in the same instant: a transaction has one time.
    for (let i = 0; i < 4; i++) {
      const subject = { reference: `Patient/s${i}` };
      const common = { id: `s${i}`, meta: { tag: [TAG] } };
      const resources = [
        { resourceType: 'Patient', ...common, gender: 'female' },
        { resourceType: 'Observation', ...common, status: 'final', code: CODE, subject },
        { resourceType: 'Condition', ...common, code: CODE, subject },
        { resourceType: 'Observation', ...common, id: `t${i}`, status: 'final', code: { text: 'other' }, subject },
      ];
      const entry = resources.map((resource) => ({
        resource,
        request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
      }));
      const reply = await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry });
      expect(reply.status, reply.text).equal(200);
      for (const { response } of bundleOf(reply).entry ?? []) {
        const [, type, id] = /([A-Za-z]+)\/([^/]+)\/_history/.exec(response?.location ?? '') ?? [];
        stored.set(`${type}/${id}`, Date.parse(response?.lastModified ?? ''));
      }
    }
    await fhir.put('List/l', {
      resourceType: 'List',
      id: 'l',
      status: 'current',
      mode: 'working',
      entry: [{ item: { reference: 'Patient/s1' } }, { item: { reference: 'Observation/t2' } }],
    });
    expect(stored.size).equal(16);
  });
  after(() => server.stop());

  async function walk(query: string): Promise<string[]> {
    const found: string[] = [];
    for (let url: string | undefined = query; url !== undefined; ) {
      const reply = await fhir.get(url);
      expect(reply.status, `${url}: ${reply.text}`).equal(200);
      const bundle = bundleOf(reply);
      found.push(...names(bundle));
      url = linkOf(bundle, 'next');
    }
    return found;
  }
  const all = (test: (name: string) => boolean): string[] => [...stored.keys()].filter(test).sort();
  const typed = (...types: readonly string[]) => all((name) => types.some((type) => name.startsWith(`${type}/`)));

  const CASES: readonly (readonly [query: string, expected: () => readonly string[]])[] = [
    ['_type=Patient', () => typed('Patient')],
    ['_type=Observation,Patient', () => typed('Observation', 'Patient')],
    ['_type=Observation,Observation', () => typed('Observation')],
    ['_tag=walk', () => all(() => true)],
    ['_tag=http://example.org/tags|walk&_type=Condition,Patient', () => typed('Condition', 'Patient')],
    ['_tag=other', () => []],
    ['_id=s1', () => all((name) => name.endsWith('/s1'))],
    ['_id=s1,t3', () => all((name) => /\/(s1|t3)$/.test(name))],
    ['_type=Patient,Observation&_tag:not=walk', () => []],
    ['_type=Patient,Observation&_tag:missing=false', () => typed('Patient', 'Observation')],
    ['_list=l', () => ['Observation/t2', 'Patient/s1']],
    ['_has:Condition:subject:code=hb', () => typed('Patient')],
    ['_tag=walk&_lastUpdated=lt2020', () => []],
    // Parameters that all of the named types have.
    [
      '_type=Observation,Condition&patient=s2',
      () => all((name) => /s2$|t2$/.test(name) && !name.startsWith('Patient')),
    ],
    [
      '_type=Observation,Condition&code=http://example.org|hb&subject=Patient/s3',
      () => ['Condition/s3', 'Observation/s3'],
    ],
    ['_type=Observation,Condition&subject:Patient._id=s0', () => all((n) => /s0$|t0$/.test(n) && !/^P/.test(n))],
    ['_type=Observation,Patient&_profile=http://example.org/none', () => []],
    ['_type=Observation&_security=http://example.org|x', () => []],
    ['_type=Observation&_source=http://example.org/none', () => []],
  ];
  for (const [query, expected] of CASES)
    it(`?${query}`, async () => {
      for (const more of ['', '&_count=3', '&_sort=_lastUpdated&_count=2', '&_sort=-_id&_count=5'])
        expect((await walk(`?${query}${more}`)).sort(), more).deep.equal([...expected()].sort());
      const reply = await fhir.post('_search', query, FORM);
      expect(names(bundleOf(reply)).sort(), 'by POST').deep.equal([...expected()].sort());
      const counted = bundleOf(await fhir.get(`?${query}&_summary=count`));
      expect(counted.total).equal(expected().length);
      expect(counted.entry ?? []).deep.equal([]);
    });

  it('pages of any size give one order: by time and by id, either way', async () => {
    const timeOf = (name: string): number => stored.get(name) as number;
    for (const sort of ['_lastUpdated', '-_lastUpdated', '_id', '-_id', '_lastUpdated,_id', '']) {
      const whole = await walk(`?_tag=walk&_sort=${sort || '-_lastUpdated'}`);
      expect(new Set(whole).size).equal(16);
      for (const count of [1, 2, 3, 7])
        expect(await walk(`?_tag=walk${sort && `&_sort=${sort}`}&_count=${count}`), `${sort} ${count}`).deep.equal(
          whole,
        );
      const keys = whole.map((name) =>
        sort.includes('_id') && !sort.includes(',') ? name.split('/')[1] : timeOf(name),
      );
      const ordered = [...keys].sort((a, b) => ((a as string) < (b as string) ? -1 : a === b ? 0 : 1));
      expect(keys).deep.equal(sort.startsWith('-') || sort === '' ? ordered.reverse() : ordered);
    }
  });

  it('what matches throughout is met exactly once while others write around it', async () => {
    for (const sort of ['-_lastUpdated', '_lastUpdated', '_id']) {
      const found: string[] = [];
      let url: string | undefined = `?_tag=walk&_sort=${sort}&_count=2`;
      for (let page = 0; url !== undefined; page++) {
        const bundle = bundleOf(await fhir.get(url));
        found.push(...names(bundle));
        url = linkOf(bundle, 'next');
        const id = `w${sort.replace(/\W/, 'm').replace('_', '')}${page}`;
        await fhir.put(`Condition/${id}`, {
          resourceType: 'Condition',
          id,
          meta: { tag: [TAG] },
          code: CODE,
          subject: { reference: 'Patient/s0' },
        });
        if (page % 2 === 1) await fhir.delete(`Condition/${id}`);
      }
      expect(new Set(found).size, 'at most once').equal(found.length);
      expect(found.filter((name) => stored.has(name)).sort(), sort).deep.equal(all(() => true));
    }
    const { entry = [] } = bundleOf(await fhir.get('Condition?_tag=walk&_count=100'));
    for (const { resource } of entry)
      if (!stored.has(`Condition/${resource?.id}`)) await fhir.delete(`Condition/${resource?.id}`);
  });

  it('includes what any of the types refers to, and shows elements of any of them', async () => {
    const included = bundleOf(await fhir.get('?_type=Observation,Condition&_id=s1&_include=Observation:subject'));
    expect(included.entry?.map(({ resource, search }) => `${search?.mode} ${resource?.resourceType}`)).deep.equal([
      'match Condition',
      'match Observation',
      'include Patient',
    ]);
    const back = bundleOf(await fhir.get('?_type=Condition,Patient&_id=s1&_revinclude=Condition:patient'));
    expect(names(back)).deep.equal(['Condition/s1', 'Patient/s1']);
    const every = bundleOf(await fhir.get('?_type=List,Patient&_id=s1&_revinclude=*'));
    expect(every.entry?.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`)).to.have.members([
      ...['Patient/s1', 'Condition/s1', 'Observation/s1', 'Observation/t1', 'List/l'],
    ]);
    const some = bundleOf(await fhir.get('?_type=Observation,Patient&_id=s1&_elements=gender,status'));
    expect(
      some.entry?.map(({ resource }) => Object.keys(resource ?? {}).filter((k) => /gender|subject/.test(k))),
    ).deep.equal([[], ['gender']]);
  });

  it('a link belongs to its query and to this server', async () => {
    const next = linkOf(bundleOf(await fhir.get('?_tag=walk&_count=2')), 'next') as string;
    expect((await fhir.get(next.replace('_tag=walk', '_tag=other'))).status).equal(400);
    const cursor = new URL(next).searchParams.get('_cursor') as string;
    expect((await fhir.get(`?_tag=walk&_count=2&_cursor=${cursor.slice(0, -2)}AA`)).status).equal(400);
  });

  it('answers an offset and a total', async () => {
    const bundle = bundleOf(await fhir.get('?_tag=walk&_sort=_id&_count=3&_offset=2&_total=accurate'));
    const whole = await walk('?_tag=walk&_sort=_id');
    expect(names(bundle)).deep.equal(whole.slice(2, 5));
    expect(bundle.total).equal(16);
  });

  const REFUSED: readonly (readonly [query: string, says: RegExp])[] = [
    ['code=x', /Unknown parameter 'code' for .*several types/],
    ['_type=Patient,Observation&code=x', /Unknown parameter 'code' for Patient/],
    ['_type=Pateint', /'_type': 'Pateint' is not an R4 resource type.*did you mean Patient/],
    ['_type=', /'_type': '' is not/],
    ['_type=Patient&_type=Observation', /'_type' may be given only once/],
    ['_type=AuditEvent', /AuditEvent is searched by itself/],
    ['_type=Patient,Observation&_sort=status', /_lastUpdated and _id only/],
    ['_sort=_id,_id', /each once/],
    ['_elements=nothing', /none of the types has an element/],
    ['_include=Patient:nothing', /nothing/],
    ['_count=1&_count=2', /only once/],
    ['_offset=1001', /limited to 1000/],
    ['_has:Observation:code:code=x', /does not refer/],
    ['_type=Patient&_cursor=AAAA', /was not made for this query/],
  ];
  for (const [query, says] of REFUSED)
    it(`?${query} is refused`, async () => {
      const reply = await fhir.get(`?${query}`);
      expect(reply.status, reply.text).equal(400);
      expect(reply.text).match(says);
    });

  describe('in a compartment', () => {
    const OF_S1 = ['Condition/s1', 'Observation/s1', 'Observation/t1', 'Patient/s1'];
    for (const [query, expected] of [
      ['', OF_S1],
      ['_type=Observation,Condition', OF_S1.slice(0, 3)],
      ['_type=Observation&code=hb', ['Observation/s1']],
      ['_id=s1', ['Condition/s1', 'Observation/s1', 'Patient/s1']],
      ['_id=s2', []],
      ['_tag=walk&_sort=_id', OF_S1],
    ] as const)
      it(`Patient/s1/*?${query}`, async () => {
        for (const more of ['', '&_count=1', '&_count=3'])
          expect((await walk(`Patient/s1/*?${query}${more}`)).sort(), more).deep.equal(expected);
        const reply = bundleOf(await fhir.post('Patient/s1/*/_search', query, FORM));
        expect(names(reply).sort(), 'by POST').deep.equal(expected);
        expect(linkOf(reply, 'self')).contain('/Patient/s1/*');
        expect(bundleOf(await fhir.get(`Patient/s1/*?${query}&_summary=count`)).total).equal(expected.length);
      });
    it('with what refers to it, and as an entry of a batch', async () => {
      const back = bundleOf(await fhir.get('Patient/s1/*?_type=Patient&_revinclude=Condition:patient'));
      expect(back.entry?.map(({ resource }) => resource?.resourceType)).deep.equal(['Patient', 'Condition']);
      const entry = [{ request: { method: 'GET', url: 'Patient/s1/*?_type=Condition' } }];
      const reply = bundleOf(await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry }));
      expect(names(reply.entry?.[0]?.resource as unknown as BundleShape)).deep.equal(['Condition/s1']);
    });
    it('of nobody nothing', async () => expect(await walk('Patient/nobody/*')).deep.equal([]));
    it('a link belongs to its compartment', async () => {
      const next = linkOf(bundleOf(await fhir.get('Patient/s1/*?_count=1')), 'next') as string;
      expect((await fhir.get(next.replace('Patient/s1', 'Patient/s2'))).status).equal(400);
    });
    for (const [path, status, says] of [
      ['Patient/s1/*?_type=Organization', 400, /Organization is not in the compartment of a Patient/],
      ['Patient/s1/*?code=x', 400, /Unknown parameter 'code'/],
      ['Patient/s1/*?_type=AuditEvent', 400, /searched by itself/],
      ['Organization/s1/*', 404, /nothing at this path/],
    ] as const)
      it(`${path} is refused`, async () => {
        const reply = await fhir.get(path);
        expect(reply.status, reply.text).equal(status);
        expect(reply.text).match(says);
      });
  });

  it('lenient handling leaves out what is unknown, and says so', async () => {
    const reply = await fhir.get('?_tag=walk&_type=Patient&nothing=x', { prefer: 'handling=lenient' });
    const bundle = bundleOf(reply);
    expect(names(bundle)).have.length(4);
    expect(bundle.entry?.at(-1)?.search?.mode).equal('outcome');
    expect(linkOf(bundle, 'self')).not.include('nothing');
  });

  it('is answered as an entry of a batch', async () => {
    const entry = [{ request: { method: 'GET', url: '?_type=Patient,Condition&_id=s1' } }];
    const reply = bundleOf(await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry }));
    expect(names(reply.entry?.[0]?.resource as unknown as BundleShape)).deep.equal(['Condition/s1', 'Patient/s1']);
  });
});
