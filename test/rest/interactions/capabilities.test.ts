import { expect } from 'chai';
import { createFhirClient, type FhirClient } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('capabilities', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  it('says what this server is', async () => {
    const reply = await fhir.get('metadata');
    expect(reply.status).equal(200);
    const statement = reply.json();
    expect(statement).include({
      resourceType: 'CapabilityStatement',
      status: 'active',
      kind: 'instance',
      fhirVersion: '4.0.1',
      url: `${fhir.base}/metadata`,
    });
    expect(statement).nested.include({ 'implementation.url': fhir.base });
    expect(Date.parse(String(statement['date']))).within(Date.now() - 60_000, Date.now());
  });

  it('is itself a valid resource', async () => {
    const { id: _id, ...statement } = (await fhir.get('metadata')).json();
    expect((await fhir.post('CapabilityStatement', statement)).status).equal(201);
  });

  it('stays the same from request to request, and takes mode=full, _pretty, HEAD', async () => {
    const first = await fhir.get('metadata');
    expect((await fhir.get('metadata?mode=full')).text).equal(first.text);
    expect((await fhir.get('metadata?_pretty=true')).text).contains('\n');
    expect((await fhir.request('HEAD', 'metadata')).text).equal('');
  });

  it('refuses other modes and formats', async () => {
    expect((await fhir.get('metadata?mode=terminology')).status).equal(400);
    expect((await fhir.get('metadata?_format=ttl')).status).equal(406);
    expect((await fhir.get('metadata', { accept: 'text/turtle' })).status).equal(406);
  });
});
