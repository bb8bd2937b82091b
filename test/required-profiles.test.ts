/** Profiles that an operator asks of every resource of a type. docs/validation.md "Profiles" */
import { expect } from 'chai';
import { ConfigError, readConfig } from '../src/config.ts';
import { requiredOf } from '../src/profiles.ts';
import { testDefinitions } from './support/definitions.ts';
import { createFhirClient, type FhirClient, type Json } from './support/fhir-client.ts';
import { startTestServer, type TestServer } from './support/server.ts';

const PATIENT = 'https://mortar.example/fhir/StructureDefinition/mortar-patient';
const NOWHERE = 'https://example.org/fhir/StructureDefinition/nowhere';

describe('required profiles', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { REQUIRED_PROFILES: `Patient=${PATIENT}, Basic=${NOWHERE}` } });
    client = createFhirClient(server);
  });
  after(() => server.stop());

  const nameless: Json = { resourceType: 'Patient', gender: 'female' };
  const named: Json = { ...nameless, name: [{ family: 'TESTPATIENT' }] };
  const told = (reply: { json(): Json }): readonly string[] =>
    (reply.json()['issue'] as Json[]).map(({ diagnostics }) => String(diagnostics));
  const transaction = (resource: Json): Json => ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [{ resource, request: { method: 'POST', url: 'Patient' } }],
  });

  it('refuse what does not keep to them, though it claims nothing', async () => {
    const refused = await client.post('Patient', nameless);
    expect(refused.status, refused.text).equal(422);
    expect(told(refused)).eql(['Patient.name is required by the profile']);
    const made = await client.post('Patient', named);
    expect(made.status, made.text).equal(201);
    const id = String(made.json()['id']);
    expect((await client.put(`Patient/${id}`, { ...nameless, id })).status).equal(422);
    expect((await client.get(`Patient/${id}`)).json()['name']).eql(named['name']);
  });

  it('hold in transactions, and are told of once where they are claimed as well', async () => {
    const refused = await client.post('', transaction({ ...nameless, meta: { profile: [PATIENT] } }));
    expect(refused.status, refused.text).equal(422);
    expect(told(refused).length).equal(1);
    expect((await client.post('', transaction(named))).status).equal(200);
  });

  it('are named by $validate', async () => {
    const said = await client.post('Patient/$validate', nameless);
    expect(told(said)).include('Patient.name is required by the profile');
  });

  it('refuse everything of a type whose profile is not known', async () => {
    const refused = await client.post('Basic', { resourceType: 'Basic', code: { text: 'x' } });
    expect(refused.status, refused.text).equal(422);
    expect(told(refused)[0]).contain(NOWHERE);
  });

  it('do not touch other types', async () => {
    expect((await client.post('Organization', { resourceType: 'Organization', name: 'x' })).status).equal(201);
  });

  for (const text of ['Patient', 'Patient=', 'patient=https://x.example', 'Patient=relative', 'Patient=https://a b'])
    it(`the setting refuses ${JSON.stringify(text)}`, () => {
      expect(() => readConfig({ REQUIRED_PROFILES: text }))
        .to.throw(ConfigError)
        .with.property('message')
        .contains('REQUIRED_PROFILES');
    });

  it('the setting refuses a type that R4 does not store', () => {
    expect(() => requiredOf(new Map([['Pateint', [PATIENT]]]), testDefinitions())).to.throw(ConfigError, 'Pateint');
  });
});
