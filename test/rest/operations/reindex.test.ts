/** `$reindex` over HTTP, and where posted search parameters stand. docs/fhir.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { registerBackend } from '../../support/backend-client.ts';
import { withClient } from '../../support/database.ts';
import {
  bundleOf,
  createFhirClient,
  type FhirClient,
  type Json,
  matchIds,
  type Reply,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const LATER = { prefer: 'respond-async' };
const PATIENCE_MS = 60_000;

describe('$reindex', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    for (const id of ['a', 'b', 'c'])
      await fhir.put(`Patient/${id}`, {
        resourceType: 'Patient',
        id,
        name: [{ family: 'Ash' }],
        birthDate: '1970-01-01',
      });
    await fhir.put('Organization/o', { resourceType: 'Organization', id: 'o', name: 'Northgate' });
  });
  after(() => server.stop());

  /** As if nothing had ever been indexed. */
  const forget = (type: string): Promise<unknown> =>
    withClient(server.database.connection('owner'), async (client) => {
      await client.query(`update fhir.${type} set tok = '{}', pm = 0`);
      await client.query(`delete from fhir.${type}_s`);
      await client.query(`delete from fhir.${type}_n`);
    });
  const found = async (query: string): Promise<string[]> => matchIds(bundleOf(await fhir.get(query))).sort();
  async function finish(asked: Reply): Promise<Json> {
    expect(asked.status, asked.text).equal(202);
    const url = asked.headers.get('content-location') ?? '';
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const reply = await fhir.get(url);
      if (reply.status === 200) return reply.json();
      expect(reply.status, reply.text).equal(202);
      expect(reply.headers.get('x-progress')).match(/waiting|resources, \d+ of \d+ types/);
      if (Date.now() > deadline) throw new Error(`it did not end: ${reply.headers.get('x-progress')}`);
      await sleep(50);
    }
  }

  it('of a resource: it alone is found again, and stays the version that it was', async () => {
    await forget('patient');
    expect(await found('Patient?family=ash')).deep.equal([]);
    expect(await finish(await fhir.post('Patient/b/$reindex', '', LATER))).include({
      types: 1,
      resources: 1,
      request: `${fhir.base}/Patient/b/$reindex`,
    });
    expect(await found('Patient?family=ash')).deep.equal(['b']);
    expect((await fhir.get('Patient/b')).headers.get('etag')).equal('W/"1"');
  });

  it('of a type, and of all', async () => {
    await forget('patient');
    await forget('organization');
    expect(await finish(await fhir.post('Patient/$reindex', '', LATER))).include({ types: 1, resources: 3 });
    expect(await found('Patient?family=ash&birthdate=1970')).deep.equal(['a', 'b', 'c']);
    expect(await found('Organization?name=north')).deep.equal([]);
    const all = await finish(await fhir.post('$reindex', '', LATER));
    expect(all['types']).above(140);
    expect(all['resources']).at.least(4);
    expect(await found('Organization?name=north')).deep.equal(['o']);
  });

  it('is refused without Prefer: respond-async, with parameters, and of what is not there', async () => {
    const plain = await fhir.post('Patient/$reindex', '');
    expect(plain.status).equal(400);
    expect(plain.text).include('send the header Prefer: respond-async');
    expect((await fhir.post('Patient/$reindex?x=1', '', LATER)).status).equal(400);
    expect((await fhir.post('Patient/none/$reindex', '', LATER)).status).equal(404);
    expect((await fhir.get('$reindex-status/none')).status).equal(404);
    expect((await fhir.get('Patient/$reindex')).status).equal(405);
  });

  it('[SC-05] only a program with system/*.cruds may, and it alone hears of it', async () => {
    for (const scope of ['system/*.rs', 'system/Patient.cruds']) {
      const { bearer } = await registerBackend(server, scope);
      const other = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer });
      for (const path of ['$reindex', 'Patient/$reindex', 'Patient/a/$reindex', 'Patient/none/$reindex'])
        expect((await other.post(path, '', LATER)).status, `${scope} ${path}`).equal(403);
    }
    const asked = await fhir.post('Patient/a/$reindex', '', LATER);
    const { bearer } = await registerBackend(server, 'system/*.cruds');
    const other = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer });
    const url = asked.headers.get('content-location') ?? '';
    expect((await other.get(url)).status).equal(404);
    expect((await other.delete(url)).status).equal(404);
    await finish(asked);
  });

  it('[AU-01] its beginning and its end are in the trail', async () => {
    const { entry } = (await fhir.get('AuditEvent?_count=20&_sort=-date')).json<{ entry: { resource: Json }[] }>();
    const told = entry.filter(({ resource }) => JSON.stringify(resource).includes('reindex'));
    expect(told.length).at.least(2);
  });

  it('ended on request: nobody hears of it any more', async () => {
    const url = (await fhir.post('$reindex', '', LATER)).headers.get('content-location') ?? '';
    expect((await fhir.delete(url)).status).equal(202);
    expect((await fhir.get(url)).status).equal(404);
  });

  it('$index-status of a SearchParameter: from waiting to ready; unused when it is retired', async () => {
    const resource = {
      resourceType: 'SearchParameter',
      id: 'sp',
      url: 'http://example.org/sp',
      name: 'sp',
      status: 'active',
      description: 'A test',
      code: 'sp',
      base: ['Patient'],
      type: 'string',
      expression: 'Patient.contact.name',
    };
    expect((await fhir.get('SearchParameter/sp/$index-status')).status).equal(404);
    expect((await fhir.put('SearchParameter/sp', resource)).status).equal(201);
    const state = async (): Promise<Record<string, unknown>> => {
      const reply = await fhir.get('SearchParameter/sp/$index-status');
      expect(reply.status, reply.text).equal(200);
      const { parameter } = reply.json<{ parameter: Record<string, unknown>[] }>();
      return Object.fromEntries(parameter.map(({ name, ...value }) => [name as string, Object.values(value)[0]]));
    };
    const seen = new Set<unknown>();
    for (let turn = 0; turn < 400 && !seen.has('ready'); turn++) {
      seen.add((await state())['state']);
      await sleep(10);
    }
    expect([...seen].every((one) => ['unused', 'waiting', 'indexing', 'ready'].includes(String(one)))).equal(true);
    expect(await state()).include({
      state: 'ready',
      message: 'It is searched by',
      types: 1,
      'types-done': 1,
      'resources-done': 3,
    });
    await fhir.put('SearchParameter/sp', { ...resource, status: 'retired' });
    for (let turn = 0; turn < 400 && (await state())['state'] !== 'unused'; turn++) await sleep(10);
    expect(await state()).deep.equal({
      state: 'unused',
      message: 'Its status is retired: only what is active is searched by',
    });
    const url = 'http://hl7.org/fhir/SearchParameter/individual-birthdate';
    await fhir.put('SearchParameter/sp', { ...resource, url });
    expect(await state()).deep.equal({
      state: 'unused',
      message: 'It has the url of a search parameter of R4, which is searched by without it',
    });
  });
});
