/** SMART backend services with clients that are not ours: a key of the client's own, no person. SECURITY SA-10 */
import { MedplumClient } from '@medplum/core';
import { expect } from 'chai';
import { Client } from 'fhir-kit-client';
import { type BackendClient, registerBackend } from '../support/backend-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('clients › backend services', () => {
  let server: TestServer;
  let requestToken: BackendClient['requestToken'];
  before(async () => {
    server = await startTestServer();
    ({ requestToken } = await registerBackend(server, 'system/Patient.crs', 'Nightly report'));
  });
  after(() => server.stop());

  it('discovery says that keys are taken', async () => {
    const discovery = await fetch(`${server.fhirBaseUrl}/.well-known/smart-configuration`);
    const { capabilities } = (await discovery.json()) as { capabilities: string[] };
    expect(capabilities).include('client-confidential-asymmetric');
  });

  it('[SA-10] fhir-kit-client writes, finds and reads with such a token, and nothing beyond its scope', async () => {
    const { status, body } = await requestToken('system/Patient.crs');
    expect([status, body['token_type'], body['scope']]).deep.equal([200, 'Bearer', 'system/Patient.crs']);
    expect(body).not.include.keys('refresh_token');
    const client = new Client({ baseUrl: server.fhirBaseUrl, bearerToken: String(body['access_token']) });
    const made = await client.create({
      resourceType: 'Patient',
      body: { resourceType: 'Patient', name: [{ family: 'Backend' }] },
    });
    const { id } = made as unknown as { id: string };
    expect(await client.read({ resourceType: 'Patient', id })).include({ id });
    const found = await client.search({ resourceType: 'Patient', searchParams: { family: 'Backend' } });
    expect(found).include({ resourceType: 'Bundle' });
    for (const refused of [
      () => client.search({ resourceType: 'Observation', searchParams: {} }),
      () => client.delete({ resourceType: 'Patient', id }),
    ]) {
      const status = await refused().then(
        () => 200,
        (error: { response?: { status?: number } }) => error.response?.status,
      );
      expect(status).equal(403);
    }
  });

  it('[SA-10] MedplumClient reads with such a token', async () => {
    const { body } = await requestToken('system/Patient.rs');
    const client = new MedplumClient({ baseUrl: `${server.url}/`, fhirUrlPath: 'fhir/R4', fetch, cacheTime: 0 });
    client.setAccessToken(String(body['access_token']));
    expect(await client.searchResources('Patient', 'family=backend')).to.have.length(1);
    const refused = await client.createResource({ resourceType: 'Patient' }).then(
      () => 'made',
      (error: { outcome?: { issue?: { code?: string }[] } }) => error.outcome?.issue?.[0]?.code,
    );
    expect(refused).equal('forbidden');
  });

  it('[SC-14] asks for more than it is registered for: gets what it may have', async () => {
    const { body } = await requestToken('system/Patient.rs system/Observation.rs');
    expect(body['scope']).equal('system/Patient.rs');
    expect((await requestToken('system/Observation.rs')).body['error']).equal('invalid_scope');
  });
});
