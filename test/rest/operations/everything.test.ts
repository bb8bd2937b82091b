/** https://hl7.org/fhir/R4/patient-operation-everything.html, encounter-operation-everything.html; of practitioners alike */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('$everything', () => {
  let server: TestServer;
  let fhir: FhirClient;
  const subject = { reference: 'Patient/a' };
  const code = { text: 'c' };
  const put = async (resource: { readonly resourceType: string; readonly id: string } & Json): Promise<void> => {
    const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
    expect(reply.status, reply.text).equal(201);
  };
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await put({ resourceType: 'Organization', id: 'o', name: 'O' });
    await put({ resourceType: 'Practitioner', id: 'd' });
    await put({ resourceType: 'Patient', id: 'a', managingOrganization: { reference: 'Organization/o' } });
    await put({ resourceType: 'Patient', id: 'b' });
    const encounter = { status: 'finished', class: { code: 'AMB' } };
    await put({
      resourceType: 'Encounter',
      id: 'e',
      ...encounter,
      subject,
      period: { start: '2020-05-01', end: '2020-05-02' },
    });
    for (const [id, date] of [
      ['2019', '2019-01-01'],
      ['2020', '2020-05-01'],
      ['2021', '2021-01-01'],
    ] as const)
      await put({
        resourceType: 'Observation',
        id,
        status: 'final',
        code,
        subject,
        effectiveDateTime: date,
        ...(id === '2020' && { encounter: { reference: 'Encounter/e' }, performer: [{ reference: 'Practitioner/d' }] }),
      });
    await put({ resourceType: 'Observation', id: 'undated', status: 'final', code, subject });
    await put({ resourceType: 'Observation', id: 'of-b', status: 'final', code, subject: { reference: 'Patient/b' } });
    await put({ resourceType: 'Binary', id: 'scan', contentType: 'text/plain', data: 'eA==' });
    await put({
      resourceType: 'DocumentReference',
      id: 'doc',
      status: 'current',
      subject,
      content: [{ attachment: { url: 'Binary/scan' } }],
    });
  });
  after(() => stopChecked(server));

  /** All pages; how many each had. */
  async function walk(path: string): Promise<{ readonly ids: string[]; readonly sizes: number[] }> {
    const ids: string[] = [];
    const sizes: number[] = [];
    for (let url: string | undefined = path; url !== undefined; ) {
      const reply = await fhir.get(url);
      expect(reply.status, reply.text).equal(200);
      const { entry = [], link = [] } = bundleOf(reply);
      ids.push(...entry.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`));
      sizes.push(entry.filter(({ search }) => search?.mode === 'match').length);
      url = link.find(({ relation }) => relation === 'next')?.url;
    }
    return { ids, sizes };
  }
  const OWN = [
    'Patient/a',
    'Encounter/e',
    'DocumentReference/doc',
    'Observation/2019',
    'Observation/2020',
    'Observation/2021',
    'Observation/undated',
  ];
  const REFERRED = ['Organization/o', 'Practitioner/d', 'Binary/scan'];

  it('of a patient: the record, with what it refers to and what is attached, and nothing of another', async () => {
    const { ids } = await walk('Patient/a/$everything');
    expect(ids).to.have.members([...OWN, ...REFERRED]);
    const posted = await fhir.post('Patient/a/$everything', {
      resourceType: 'Parameters',
      parameter: [{ name: '_type', valueCode: 'Encounter' }],
    });
    expect(bundleOf(posted).entry?.map(({ resource }) => resource?.id)).eql(['e']);
  });

  for (const count of [1, 2, 3, 7])
    it(`in pages of ${count}: each of the record once, none too many`, async () => {
      const { ids, sizes } = await walk(`Patient/a/$everything?_count=${count}`);
      expect(ids.filter((id) => OWN.includes(id)))
        .to.have.members(OWN)
        .and.length(OWN.length);
      expect(new Set(ids)).eql(new Set([...OWN, ...REFERRED]));
      expect(Math.max(...sizes)).at.most(count);
    });

  for (const [query, expected] of [
    ['_type=Observation', ['Observation/2019', 'Observation/2020', 'Observation/2021', 'Observation/undated']],
    ['_type=Patient,Encounter', ['Patient/a', 'Encounter/e']],
    ['_type=Practitioner', ['Practitioner/d']],
    ['_type=Observation&start=2020', ['Observation/2020', 'Observation/2021', 'Observation/undated']],
    ['_type=Observation&end=2020', ['Observation/2019', 'Observation/2020', 'Observation/undated']],
    ['_type=Observation&start=2020&end=2020-12-31', ['Observation/2020', 'Observation/undated']],
    ['_type=Observation&_since=2999-01-01T00:00:00Z', []],
    ['_type=Observation&_since=2000-01-01T00:00:00Z&start=2021', ['Observation/2021', 'Observation/undated']],
  ] as const)
    it(query, async () => {
      expect((await walk(`Patient/a/$everything?${query}`)).ids).to.have.members(expected);
    });

  it('of an encounter: what belongs to it, its patient, and who took part', async () => {
    expect((await walk('Encounter/e/$everything')).ids).to.have.members([
      'Encounter/e',
      'Patient/a',
      'Observation/2020',
      'Practitioner/d',
    ]);
  });

  it('of a practitioner: what they took part in, and whose they are', async () => {
    await put({ resourceType: 'Patient', id: 'of-d', generalPractitioner: [{ reference: 'Practitioner/d' }] });
    expect((await walk('Practitioner/d/$everything')).ids).to.have.members([
      'Practitioner/d',
      'Observation/2020',
      'Patient/of-d',
    ]);
    expect((await walk('Practitioner/d/$everything?_type=Patient')).ids).eql(['Patient/of-d']);
    expect((await fhir.delete('Patient/of-d')).status).equal(204);
  });

  for (const count of [1, 4, 100])
    it(`of all patients, in pages of ${count}`, async () => {
      const { ids } = await walk(`Patient/$everything?_count=${count}`);
      expect(new Set(ids)).eql(new Set([...OWN, ...REFERRED, 'Patient/b', 'Observation/of-b']));
      expect(ids.filter((id) => /Observation|Patient/.test(id))).length(7);
    });

  for (const [path, status] of [
    ['Patient/nowhere/$everything', 404],
    ['Practitioner/nowhere/$everything', 404],
    ['Patient/a/$everything?_type=Patiant', 400],
    ['Patient/a/$everything?start=yesterday', 400],
    ['Patient/a/$everything?_count=0', 400],
    ['Patient/a/$everything?_sort=x', 400],
    ['Patient/a/$everything?_cursor=abc', 400],
    [`Patient/a/$everything?_cursor=${Buffer.from('[1,"x",null,null]').toString('base64url')}`, 400],
    ['Observation/2020/$everything', 404],
  ] as const)
    it(`${path}: ${status}`, async () => {
      expect((await fhir.get(path)).status).equal(status);
    });
});
