/** MedplumClient against another server than its own: base URL with path `fhir/R4`, no login. https://www.medplum.com/docs/sdk */
import { MedplumClient } from '@medplum/core';
import type { Bundle, Patient } from '@medplum/fhirtypes';
import { expect } from 'chai';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('clients › MedplumClient', () => {
  let server: TestServer;
  let client: MedplumClient;
  before(async () => {
    server = await startTestServer();
    client = new MedplumClient({ baseUrl: `${server.url}/`, fhirUrlPath: 'fhir/R4', fetch, cacheTime: 0 });
    client.setAccessToken(server.token);
  });
  after(() => server.stop());

  const create = (family: string): Promise<Patient & { id: string }> =>
    client.createResource<Patient>({ resourceType: 'Patient', name: [{ family }] });

  it('create, read, update, patch, version, history, delete', async () => {
    const { id, ...rest } = await create('Plum');
    expect(await client.readResource('Patient', id)).deep.include({ id, name: [{ family: 'Plum' }] });
    expect(await client.updateResource<Patient>({ ...rest, id, active: true })).include({ active: true });
    const patched = await client.patchResource('Patient', id, [{ op: 'replace', path: '/active', value: false }]);
    expect(patched).include({ active: false });
    expect(patched.meta?.versionId).equal('3');
    expect(await client.readVersion('Patient', id, '2')).include({ active: true });
    expect((await client.readHistory('Patient', id)).total).equal(3);
    await client.deleteResource('Patient', id);
    const refused = await client.readResource('Patient', id).then(
      () => undefined,
      (error: Error) => error.message,
    );
    expect(refused).a('string');
  });

  it('an update that changes nothing is no new version', async () => {
    const made = await create('Same');
    expect((await client.updateResource(made)).meta?.versionId).equal('1');
  });

  it('search, one match, all pages, conditional create', async () => {
    for (let i = 0; i < 3; i++) await create('Pages');
    expect(await client.searchResources('Patient', 'family=pages')).to.have.length(3);
    expect(await client.searchOne('Patient', { family: 'pages', _sort: '-_lastUpdated' })).include({
      resourceType: 'Patient',
    });
    let seen = 0;
    for await (const page of client.searchResourcePages('Patient', 'family=pages&_count=2')) seen += page.length;
    expect(seen).equal(3);
    const identifier = [{ system: 'urn:plum', value: '1' }];
    const once = await client.createResourceIfNoneExist<Patient>(
      { resourceType: 'Patient', identifier },
      'identifier=urn:plum|1',
    );
    const twice = await client.createResourceIfNoneExist<Patient>(
      { resourceType: 'Patient', identifier },
      'identifier=urn:plum|1',
    );
    expect(twice.id).equal(once.id);
    const upserted = await client.upsertResource<Patient>(
      { resourceType: 'Patient', identifier, active: true },
      'identifier=urn:plum|1',
    );
    expect(upserted).include({ id: once.id, active: true });
  });

  it('transaction and batch', async () => {
    for (const type of ['transaction', 'batch'] as const) {
      const bundle: Bundle = {
        resourceType: 'Bundle',
        type,
        entry: [
          { resource: { resourceType: 'Patient', active: true }, request: { method: 'POST', url: 'Patient' } },
          { request: { method: 'GET', url: 'Patient?family=pages' } },
        ],
      };
      const answer = await client.executeBatch(bundle);
      expect(answer.entry?.map((e) => e.response?.status)).eql(['201 Created', '200 OK']);
    }
  });
});
