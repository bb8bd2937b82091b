import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Reply } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

interface Told {
  readonly severity: string;
  readonly code: string;
  readonly diagnostics?: string;
  readonly expression?: readonly string[];
  readonly details?: { readonly coding: readonly { readonly code: string; readonly system: string }[] };
}
const BASE = 'https://mortar.example/fhir/StructureDefinition';
const TEXT = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' };
const good = { resourceType: 'Patient', text: TEXT, name: [{ text: 'Ada' }] };

describe('rest › $validate', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  const issuesOf = (reply: Reply): readonly Told[] => {
    expect(reply.status, reply.text).to.equal(200);
    return reply.json<{ issue: readonly Told[] }>().issue;
  };
  const errors = (issues: readonly Told[]): string[] =>
    issues.filter(({ severity }) => severity === 'error').map(({ diagnostics = '' }) => diagnostics);

  it('a bare resource: what is wrong, where, by which rule, and how to mend it', async () => {
    expect(issuesOf(await fhir.post('Patient/$validate', good)).map((i) => i.severity)).to.eql(['information']);
    const [first, ...others] = issuesOf(
      await fhir.post('Patient/$validate', { ...good, contact: [{ gender: 'male' }] }),
    );
    expect(others).to.eql([]);
    expect(first).to.include({ severity: 'error', code: 'invariant' });
    expect(first?.expression).to.eql(['Patient.contact[0]']);
    expect(first?.details?.coding[0]).to.eql({
      system: 'http://hl7.org/fhir/StructureDefinition/Patient',
      code: 'pat-1',
    });
    expect(first?.diagnostics).to.contain('add name, telecom, address or organization');
  });

  it('warnings are told, and refuse nothing', async () => {
    const bare = { resourceType: 'Patient', active: true };
    expect(issuesOf(await fhir.post('Patient/$validate', bare)).map((i) => i.severity)).to.eql([
      'warning',
      'information',
    ]);
    expect((await fhir.post('Patient', bare)).status).to.equal(201);
  });

  it('Parameters with resource, mode and profile', async () => {
    const parameters = (resource: unknown, ...rest: object[]) => ({
      resourceType: 'Parameters',
      parameter: [{ name: 'resource', resource }, ...rest],
    });
    const profile = { name: 'profile', valueUri: `${BASE}/mortar-patient` };
    expect(errors(issuesOf(await fhir.post('Patient/$validate', parameters(good, profile))))).to.eql([]);
    const nameless = { ...good, name: undefined };
    expect(errors(issuesOf(await fhir.post('Patient/$validate', parameters(nameless, profile))))[0]).to.contain(
      'Patient.name is required by the profile',
    );
    expect(errors(issuesOf(await fhir.post('Patient/$validate', parameters(nameless))))).to.eql([]);
    expect(
      errors(issuesOf(await fhir.post(`Patient/$validate?profile=${BASE}/mortar-patient`, nameless)))[0],
    ).to.contain('is required');
    const update = { name: 'mode', valueCode: 'update' };
    expect(errors(issuesOf(await fhir.post('Patient/$validate', parameters(good, update))))[0]).to.contain(
      'Patient.id is required',
    );
    expect(
      (await fhir.post('Patient/$validate', parameters(good, { name: 'mode', valueCode: 'profile' }))).status,
    ).to.equal(400);
    expect(
      (await fhir.post('Patient/$validate', parameters(good, { name: 'mode', valueCode: 'nonsense' }))).status,
    ).to.equal(400);
    expect((await fhir.post('Patient/$validate', parameters(good, { name: 'other' }))).status).to.equal(400);
    expect((await fhir.post('Patient/$validate', { resourceType: 'Parameters' })).status).to.equal(400);
  });

  it('another type than the path, and what is no resource, are told as issues', async () => {
    expect(errors(issuesOf(await fhir.post('Observation/$validate', good)))[0]).to.contain(
      'where Observation is expected',
    );
    expect(errors(issuesOf(await fhir.post('Patient/$validate', [1])))[0]).to.contain('must be a resource');
    expect((await fhir.post('Patient/$validate', '{')).status).to.equal(400);
  });

  it('a profile that is not known is an error where it is asked for', async () => {
    expect(errors(issuesOf(await fhir.post('Patient/$validate?profile=urn:nobody', good)))[0]).to.contain(
      'not known here',
    );
  });

  it('an instance: as it is stored, what would replace it, and whether it may be deleted', async () => {
    const { id } = (await fhir.post('Patient', good)).json<{ id: string }>();
    const path = `Patient/${id}/$validate`;
    expect(errors(issuesOf(await fhir.get(path)))).to.eql([]);
    expect(errors(issuesOf(await fhir.get(`${path}?mode=profile&profile=${BASE}/mortar-patient`)))).to.eql([]);
    expect(errors(issuesOf(await fhir.post(path, { ...good, id })))).to.eql([]);
    expect(errors(issuesOf(await fhir.post(path, good)))[0]).to.contain('must be the id in the path');
    expect(errors(issuesOf(await fhir.get(`${path}?mode=delete`)))).to.eql([]);
    expect((await fhir.get('Patient/nobody/$validate')).status).to.equal(404);
    expect((await fhir.get(`${path}?mode=create`)).status).to.equal(400);
    expect((await fhir.get(`${path}?nonsense=1`)).status).to.equal(400);
    await fhir.delete(`Patient/${id}`);
    expect((await fhir.get(path)).status).to.equal(410);
  });

  it('nothing is stored', async () => {
    const before = (await fhir.get('Patient?_summary=count')).json<{ total: number }>().total;
    await fhir.post('Patient/$validate', good);
    expect((await fhir.get('Patient?_summary=count')).json<{ total: number }>().total).to.equal(before);
  });

  it('a profile that is posted counts from the next write; changed and deleted ones as well, and in transactions', async () => {
    const url = 'https://example.org/fhir/StructureDefinition/named';
    const definition = (min: number) => ({
      resourceType: 'StructureDefinition',
      url,
      name: 'Named',
      status: 'active',
      kind: 'resource',
      abstract: false,
      type: 'Patient',
      baseDefinition: 'http://hl7.org/fhir/StructureDefinition/Patient',
      derivation: 'constraint',
      differential: { element: [{ id: 'Patient.name', path: 'Patient.name', min }] },
    });
    const nameless = { resourceType: 'Patient', meta: { profile: [url] }, active: true };
    expect((await fhir.post('Patient', nameless)).status).to.equal(201);
    const made = await fhir.post('StructureDefinition', definition(1));
    expect(made.status, made.text).to.equal(201);
    const { id } = made.json<{ id: string }>();
    const refused = await fhir.post('Patient', nameless);
    expect(refused.status).to.equal(422);
    expect(refused.text).to.contain('Patient.name is required by the profile');
    expect((await fhir.put(`StructureDefinition/${id}`, { ...definition(0), id })).status).to.equal(200);
    expect((await fhir.post('Patient', nameless)).status).to.equal(201);
    const entry = [
      { resource: { ...definition(1), id }, request: { method: 'PUT', url: `StructureDefinition/${id}` } },
    ];
    expect((await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry })).status).to.equal(200);
    expect((await fhir.post('Patient', nameless)).status).to.equal(422);
    expect((await fhir.delete(`StructureDefinition/${id}`)).status).to.be.oneOf([200, 204]);
    expect((await fhir.post('Patient', nameless)).status).to.equal(201);
  });

  it('what the audit trail gives out keeps to our profile of it', async () => {
    const { entry } = (await fhir.get('AuditEvent?_count=30')).json<{ entry: readonly { resource: object }[] }>();
    expect(entry.length).to.be.above(5);
    for (const { resource } of entry) {
      const reply = await fhir.post(`AuditEvent/$validate?profile=${BASE}/mortar-auditevent`, resource);
      expect(errors(issuesOf(reply)), JSON.stringify(resource)).to.eql([]);
    }
  });

  it('bindings and invariants refuse writes with 422', async () => {
    const reply = await fhir.post('Patient', { ...good, gender: 'femal' });
    expect(reply.status).to.equal(422);
    expect(reply.text).to.contain("did you mean 'female'?");
  });
});
