import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('delete', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const made = async (more: object = {}): Promise<string> =>
    idOf(await fhir.post('Patient', { resourceType: 'Patient', ...more }));

  it('answers 204 without a body; then read is 410 and no search finds it', async () => {
    const id = await made({ name: [{ family: 'Willow' }], birthDate: '1922-02-02', gender: 'female' });
    const reply = await fhir.delete(`Patient/${id}`);
    expect(reply.status).equal(204);
    expect(reply.text).equal('');
    expect(reply.headers.get('etag')).equal('W/"2"');
    expect((await fhir.get(`Patient/${id}`)).status).equal(410);
    for (const query of ['family=willow', 'birthdate=1922-02-02', `_id=${id}`, 'gender=female', '_sort=birthdate', ''])
      expect(matchIds(bundleOf(await fhir.get(`Patient?${query}`))), query).not.contains(id);
  });

  it('again, or of what never was: 204 as well', async () => {
    const id = await made();
    await fhir.delete(`Patient/${id}`);
    const again = await fhir.delete(`Patient/${id}`);
    expect(again.status).equal(204);
    expect(again.headers.get('etag')).equal('W/"2"');
    expect((await fhir.delete('Patient/never-was')).status).equal(204);
    expect((await fhir.get('Patient/never-was')).status).equal(404);
  });

  it('If-Match', async () => {
    const id = await made();
    expect((await fhir.delete(`Patient/${id}`, { 'if-match': 'W/"2"' })).status).equal(412);
    expect((await fhir.get(`Patient/${id}`)).status).equal(200);
    expect((await fhir.delete(`Patient/${id}`, { 'if-match': 'W/"1"' })).status).equal(204);
    expect((await fhir.delete(`Patient/${id}`, { 'if-match': 'W/"2"' })).status).equal(412);
  });

  it('conditional: one match, none, several, no criteria', async () => {
    const identifier = (value: string) => ({ identifier: [{ system: 'urn:sys', value }] });
    const id = await made(identifier('d1'));
    expect((await fhir.delete('Patient?identifier=urn:sys|d1')).status).equal(204);
    expect((await fhir.get(`Patient/${id}`)).status).equal(410);
    expect((await fhir.delete('Patient?identifier=urn:sys|d1')).status).equal(204);
    const [a, b] = [await made(identifier('d2')), await made(identifier('d2'))];
    const several = await fhir.delete('Patient?identifier=urn:sys|d2');
    expect(several.status).equal(412);
    expect(outcomeOf(several).code).equal('multiple-matches');
    for (const each of [a, b]) expect((await fhir.get(`Patient/${each}`)).status).equal(200);
    expect((await fhir.delete('Patient')).status).equal(412);
    expect((await fhir.delete('Patient?identfier=urn:sys|d2')).status).equal(400);
  });

  describe('of several, where CONDITIONAL_DELETE=multiple', () => {
    let several: TestServer;
    let client: FhirClient;
    before(async () => {
      several = await startTestServer({ env: { CONDITIONAL_DELETE: 'multiple', CONDITIONAL_DELETE_MAX: '3' } });
      client = createFhirClient(several);
    });
    after(() => stopChecked(several));

    const made = async (value: string, count: number): Promise<string[]> => {
      const identifier = [{ system: 'urn:several', value }];
      const replies = await Promise.all(
        Array.from({ length: count }, () => client.post('Patient', { resourceType: 'Patient', identifier })),
      );
      return replies.map(idOf);
    };
    const statuses = async (ids: readonly string[]): Promise<number[]> =>
      Promise.all(ids.map(async (id) => (await client.get(`Patient/${id}`)).status));

    it('all that match are deleted, and how many is told', async () => {
      const ids = await made('a', 3);
      const reply = await client.delete('Patient?identifier=urn:several|a');
      expect(reply.status).equal(200);
      expect(reply.json<{ issue: { diagnostics: string }[] }>().issue[0]?.diagnostics).equal(
        '3 Patient resources were deleted',
      );
      expect(await statuses(ids)).eql([410, 410, 410]);
      expect((await client.delete('Patient?identifier=urn:several|a')).status).equal(204);
    });

    it('more than the bound: 412, and none is deleted; in a transaction one only', async () => {
      const ids = await made('b', 4);
      expect((await client.delete('Patient?identifier=urn:several|b')).status).equal(412);
      const entry = [{ request: { method: 'DELETE', url: 'Patient?identifier=urn:several|b' } }];
      expect((await client.post('', { resourceType: 'Bundle', type: 'transaction', entry })).status).equal(412);
      expect((await client.delete('Patient')).status, 'no criteria').equal(412);
      expect(await statuses(ids)).eql([200, 200, 200, 200]);
    });

    it('/metadata says so', async () => {
      const { rest } = (await client.get('metadata')).json<{ rest: { resource: { conditionalDelete: string }[] }[] }>();
      expect(new Set(rest[0]?.resource.map((one) => one.conditionalDelete))).eql(new Set(['multiple']));
    });
  });
});
