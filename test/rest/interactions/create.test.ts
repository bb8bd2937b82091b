import { expect } from 'chai';
import { createFhirClient, type FhirClient, idOf, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const patient = (more: object = {}) => ({ resourceType: 'Patient', ...more });

describe('create', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  it('answers 201 with Location, ETag, Last-Modified and the stored resource', async () => {
    const reply = await fhir.post('Patient', patient({ active: true, name: [{ family: 'Oak' }] }));
    expect(reply.status).equal(201);
    const made = reply.json<{ id: string; meta: { versionId: string; lastUpdated: string } }>();
    expect(made)
      .include({ resourceType: 'Patient', active: true })
      .deep.include({ name: [{ family: 'Oak' }] });
    expect(made.id).match(UUID);
    expect(made.meta.versionId).equal('1');
    expect(reply.headers.get('location')).equal(`${fhir.base}/Patient/${made.id}/_history/1`);
    expect(reply.headers.get('etag')).equal('W/"1"');
    expect(reply.headers.get('content-type')).equal('application/fhir+json; charset=utf-8');
    const modified = Date.parse(reply.headers.get('last-modified') ?? '');
    expect(modified).equal(Math.floor(Date.parse(made.meta.lastUpdated) / 1000) * 1000);
    expect((await fhir.get(`Patient/${made.id}`)).text).equal(reply.text);
  });

  it('gives an id of its own, versionId and lastUpdated of its own, whatever the client wrote there', async () => {
    const meta = { versionId: '7', lastUpdated: '2001-01-01T00:00:00Z', tag: [{ system: 'urn:t', code: 'kept' }] };
    const made = (await fhir.post('Patient', patient({ id: 'mine', meta }))).json<{ id: string; meta: object }>();
    expect(made.id).not.equal('mine');
    expect(made.meta).include({ versionId: '1' }).deep.include({ tag: meta.tag });
    expect((made.meta as { lastUpdated: string }).lastUpdated).not.contains('2001');
    expect((await fhir.get('Patient/mine')).status).equal(404);
  });

  it('serves id and meta first, then the members in the order they came', async () => {
    const { text } = await fhir.post('Patient', '{"gender":"other","active":false,"resourceType":"Patient"}');
    expect(Object.keys(JSON.parse(text))).eql(['resourceType', 'id', 'meta', 'gender', 'active']);
  });

  describe('Prefer', () => {
    it('return=minimal: headers and no body', async () => {
      const reply = await fhir.post('Patient', patient(), { prefer: 'return=minimal' });
      expect(reply.status).equal(201);
      expect(reply.text).equal('');
      expect(reply.headers.get('content-length')).equal('0');
      expect(reply.headers.get('location')).match(/\/Patient\/[^/]+\/_history\/1$/);
      expect(reply.headers.get('content-type')).equal(null);
    });

    it('return=representation: the resource', async () => {
      expect((await fhir.post('Patient', patient(), { prefer: 'return=representation' })).json()).include({
        resourceType: 'Patient',
      });
    });

    it('return=OperationOutcome: an outcome that says what happened', async () => {
      const reply = await fhir.post('Patient', patient(), { prefer: 'return=OperationOutcome' });
      expect(reply.status).equal(201);
      expect(outcomeOf(reply)).include({ severity: 'information', code: 'informational' });
    });

    it('takes several preferences and leaves out unknown ones', async () => {
      const reply = await fhir.post('Patient', patient(), { prefer: 'respond-async=no, return="minimal"; x=y' });
      expect(reply.text).equal('');
    });
  });

  describe('If-None-Exist', () => {
    const identified = (value: string, more: object = {}) =>
      patient({ identifier: [{ system: 'urn:sys', value }], ...more });

    it('creates when nothing matches', async () => {
      const reply = await fhir.post('Patient', identified('a1'), { 'if-none-exist': 'identifier=urn:sys|a1' });
      expect(reply.status).equal(201);
    });

    it('answers 200 with the one that matches and creates nothing', async () => {
      const first = await fhir.post('Patient', identified('a2'));
      const again = await fhir.post('Patient', identified('a2', { active: true }), {
        'if-none-exist': 'identifier=urn%3Asys%7Ca2',
      });
      expect(again.status).equal(200);
      expect(again.text).equal(first.text);
      expect(again.headers.get('location')).equal(first.headers.get('location'));
      expect(again.headers.get('etag')).equal('W/"1"');
      expect((await fhir.get('Patient?identifier=urn:sys|a2')).json()).include({ total: 1 });
    });

    it('answers 412 when several match', async () => {
      await fhir.post('Patient', identified('a3'));
      await fhir.post('Patient', identified('a3'));
      const reply = await fhir.post('Patient', identified('a3'), { 'if-none-exist': 'identifier=urn:sys|a3' });
      expect(reply.status).equal(412);
      expect(outcomeOf(reply).code).equal('multiple-matches');
    });

    it('creates again after the match was deleted', async () => {
      const id = idOf(await fhir.post('Patient', identified('a4')));
      await fhir.delete(`Patient/${id}`);
      const reply = await fhir.post('Patient', identified('a4'), { 'if-none-exist': 'identifier=urn:sys|a4' });
      expect(reply.status).equal(201);
      expect(idOf(reply)).not.equal(id);
    });

    for (const [query, status] of [
      ['', 412],
      ['_format=json', 412],
      ['nonsense=1', 400],
      ['identifier=', 400],
      ['identifier=a|b|c', 400],
      ['active=true&_sort=nonsense', 400],
    ] as const)
      it(`refuses '${query}' with ${status}`, async () => {
        const reply = await fhir.post('Patient', patient(), { 'if-none-exist': query });
        expect(reply.status).equal(status);
        expect(outcomeOf(reply).diagnostics).not.equal('');
      });

    it('ignores no unknown parameter, even with Prefer: handling=lenient', async () => {
      const headers = { 'if-none-exist': 'identfier=x', prefer: 'handling=lenient' };
      const reply = await fhir.post('Patient', patient(), headers);
      expect(reply.status).equal(400);
      expect(outcomeOf(reply).diagnostics).contains('identifier');
    });
  });

  it('[IN-37] writes no client text into Location', async () => {
    const reply = await fhir.post('Patient', patient({ id: 'a-b.c' }));
    expect(reply.headers.get('location')).not.contains('a-b.c');
  });
});
