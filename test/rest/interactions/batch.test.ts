import { expect } from 'chai';
import {
  type BundleEntryShape,
  bundleOf,
  createFhirClient,
  type FhirClient,
  idOf,
  type Json,
  outcomeOf,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('batch', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { BUNDLE_ENTRIES_MAX: '50' } });
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const send = async (
    entry: readonly Json[],
    headers: Record<string, string> = {},
  ): Promise<readonly BundleEntryShape[]> => {
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry }, headers);
    expect(reply.status, reply.text).equal(200);
    expect(bundleOf(reply).type).equal('batch-response');
    return bundleOf(reply).entry ?? [];
  };
  const statuses = (entries: readonly BundleEntryShape[]): number[] =>
    entries.map((e) => Number(e.response?.status.slice(0, 3)));
  const post = (resource: Json, more: Json = {}): Json => ({
    resource,
    request: { method: 'POST', url: resource['resourceType'], ...more },
  });

  it('each entry is answered on its own, in its place', async () => {
    const id = idOf(await fhir.post('Patient', { resourceType: 'Patient', active: true }));
    const entries = await send([
      { request: { method: 'GET', url: `Patient/${id}` } },
      { request: { method: 'GET', url: 'Patient/nowhere' } },
      post({ resourceType: 'Patient', gender: ['x'] }),
      post({ resourceType: 'Patient', gender: 'male' }),
      { request: { method: 'GET', url: 'Nonsense' } },
      { request: { method: 'GET', url: 'Patient?famly=x' } },
      { request: { method: 'GET', url: 'metadata' } },
      { request: { method: 'GET', url: `Patient/${id}/_history` } },
      { request: { method: 'GET', url: `Patient/${id}/_history/1` } },
      { request: { method: 'GET', url: `Patient/${id}/Observation` } },
      { request: { method: 'GET', url: `Patient?_id=${id}` } },
      { request: { method: 'GET', url: `Patient/${id}?_elements=active` } },
    ]);
    expect(statuses(entries)).eql([200, 404, 422, 201, 404, 400, 200, 200, 200, 200, 200, 200]);
    expect(entries[0]?.resource).include({ id });
    expect(entries[1]?.response?.outcome?.issue[0]).include({ code: 'not-found' });
    expect(entries[2]?.response?.outcome).include({ resourceType: 'OperationOutcome' });
    expect(entries[3]?.response).include({ etag: 'W/"1"' });
    expect(entries[3]?.response?.location).contains('/Patient/');
    expect(entries[3]).not.have.property('resource');
    expect(entries[7]?.resource).include({ type: 'history' });
    expect(entries[10]?.resource).include({ type: 'searchset', total: 1 });
  });

  it('conditions: ifMatch, ifNoneMatch, ifNoneExist, criteria', async () => {
    const identified = { resourceType: 'Patient', identifier: [{ system: 'urn:b', value: '1' }] };
    const id = idOf(await fhir.post('Patient', identified));
    const entries = await send([
      { request: { method: 'GET', url: `Patient/${id}`, ifNoneMatch: 'W/"1"' } },
      { resource: { ...identified, id }, request: { method: 'PUT', url: `Patient/${id}`, ifMatch: 'W/"9"' } },
      { resource: { ...identified, id }, request: { method: 'PUT', url: `Patient/${id}`, ifNoneMatch: '*' } },
      post(identified, { ifNoneExist: 'identifier=urn:b|1' }),
      { resource: identified, request: { method: 'PUT', url: 'Patient?identifier=urn:b|1' } },
      { request: { method: 'DELETE', url: 'Patient?identifier=urn:b|2' } },
    ]);
    expect(statuses(entries)).eql([304, 412, 412, 200, 200, 204]);
  });

  it('PATCH as a Binary', async () => {
    const id = idOf(await fhir.post('Patient', { resourceType: 'Patient', active: true }));
    const data = Buffer.from('[{"op":"replace","path":"/active","value":false}]').toString('base64');
    const binary = { resourceType: 'Binary', contentType: 'application/json-patch+json', data };
    const entries = await send([{ resource: binary, request: { method: 'PATCH', url: `Patient/${id}` } }]);
    expect(statuses(entries)).eql([200]);
    expect((await fhir.get(`Patient/${id}`)).json()).include({ active: false });
  });

  for (const [title, resource] of [
    [
      'no JSON',
      { resourceType: 'Binary', contentType: 'application/json-patch+json', data: Buffer.from('[').toString('base64') },
    ],
    ['no data', { resourceType: 'Binary', contentType: 'application/json-patch+json' }],
    ['another content type', { resourceType: 'Binary', contentType: 'text/plain', data: 'W10=' }],
    ['no Binary', { resourceType: 'Patient' }],
  ] as const)
    it(`a PATCH that is ${title} fails alone: 400 or 415`, async () => {
      const entries = await send([
        { resource: resource, request: { method: 'PATCH', url: 'Patient/x' } },
        post({ resourceType: 'Patient' }),
      ]);
      expect(statuses(entries)[0]).oneOf([400, 415]);
      expect(statuses(entries)[1]).equal(201);
    });

  it('Prefer: return=representation shows the resources', async () => {
    const entries = await send([post({ resourceType: 'Patient', active: true })], { prefer: 'return=representation' });
    expect(entries[0]?.resource).include({ active: true });
  });

  it('a bundle is stored, but not carried out inside a batch', async () => {
    const entries = await send([
      { resource: { resourceType: 'Bundle', type: 'batch' }, request: { method: 'POST', url: '/' } },
      { resource: { resourceType: 'Bundle', type: 'collection' }, request: { method: 'POST', url: 'Bundle' } },
    ]);
    expect(statuses(entries)).eql([400, 201]);
  });

  it('[IN-01] one entry more than allowed: 413, nothing is done', async () => {
    const before = (await fhir.get('Organization?_summary=count')).json()['total'];
    const entry = Array.from({ length: 51 }, () => post({ resourceType: 'Organization', name: 'x' }));
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry });
    expect(reply.status).equal(413);
    expect(outcomeOf(reply)).include({ code: 'too-long' });
    expect((await fhir.get('Organization?_summary=count')).json()['total']).equal(before);
    expect(statuses(await send(entry.slice(0, 50)))).eql(new Array(50).fill(201));
  });

  it('an empty batch is carried out', async () => {
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'batch' });
    expect(reply.json()).eql({ resourceType: 'Bundle', type: 'batch-response' });
  });
});
