import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('update', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const made = async (more: object = {}): Promise<string> =>
    idOf(await fhir.post('Patient', { resourceType: 'Patient', ...more }));
  const put = (id: string, more: object = {}, headers: Record<string, string> = {}) =>
    fhir.put(`Patient/${id}`, { resourceType: 'Patient', id, ...more }, headers);

  it('answers 200 with the next version', async () => {
    const id = await made({ active: true });
    const reply = await put(id, { active: false });
    expect(reply.status).equal(200);
    expect(reply.json()).include({ id, active: false }).nested.include({ 'meta.versionId': '2' });
    expect(reply.headers.get('etag')).equal('W/"2"');
    expect(reply.headers.get('location')).equal(`${fhir.base}/Patient/${id}/_history/2`);
    expect((await fhir.get(`Patient/${id}`)).text).equal(reply.text);
  });

  it('replaces: what is left out is gone, from the search as well', async () => {
    const id = await made({ name: [{ family: 'Formerly' }], gender: 'male', birthDate: '1999-01-01' });
    await put(id, { name: [{ family: 'Nowadays' }] });
    expect((await fhir.get(`Patient/${id}`)).json()).not.have.any.keys('gender', 'birthDate');
    expect(matchIds(bundleOf(await fhir.get('Patient?family=formerly')))).eql([]);
    expect(matchIds(bundleOf(await fhir.get('Patient?birthdate=1999-01-01')))).eql([]);
    expect(matchIds(bundleOf(await fhir.get('Patient?family=nowadays')))).eql([id]);
  });

  it('the same content again makes no version', async () => {
    const id = await made({ active: true, multipleBirthInteger: 2 });
    const again = await put(id, { active: true, multipleBirthInteger: 2 });
    expect(again.status).equal(200);
    expect(again.headers.get('etag')).equal('W/"1"');
    const stored = (await fhir.get(`Patient/${id}`)).json();
    expect((await fhir.put(`Patient/${id}`, stored)).headers.get('etag')).equal('W/"1"');
  });

  it('creates under the id of the client: 201', async () => {
    const reply = await put('client-chosen.1', { active: true });
    expect(reply.status).equal(201);
    expect(reply.json()).include({ id: 'client-chosen.1' });
    expect(reply.headers.get('location')).equal(`${fhir.base}/Patient/client-chosen.1/_history/1`);
    expect((await put('client-chosen.1', { active: false })).status).equal(200);
  });

  it('brings a deleted resource back: 201, versions go on', async () => {
    const id = await made({ name: [{ family: 'Lazarus' }] });
    await fhir.delete(`Patient/${id}`);
    const reply = await put(id, { name: [{ family: 'Lazarus' }] });
    expect(reply.status).equal(201);
    expect(reply.headers.get('etag')).equal('W/"3"');
    expect(matchIds(bundleOf(await fhir.get('Patient?family=lazarus')))).eql([id]);
  });

  describe('If-Match', () => {
    it('the current version: 200', async () => {
      const id = await made();
      expect((await put(id, { active: true }, { 'if-match': 'W/"1"' })).status).equal(200);
      expect((await put(id, { active: false }, { 'if-match': '"2"' })).status).equal(200);
    });

    for (const tag of ['W/"2"', 'W/"0"', '"7"'])
      it(`${tag} when 1 is current: 412, nothing changed`, async () => {
        const id = await made({ active: true });
        const reply = await put(id, { active: false }, { 'if-match': tag });
        expect(reply.status).equal(412);
        expect(outcomeOf(reply)).include({ code: 'conflict' });
        expect((await fhir.get(`Patient/${id}`)).json()).include({ active: true });
      });

    it('412 when there is nothing, or nothing any more', async () => {
      expect((await put('not-there', {}, { 'if-match': 'W/"1"' })).status).equal(412);
      const id = await made();
      await fhir.delete(`Patient/${id}`);
      expect((await put(id, {}, { 'if-match': 'W/"2"' })).status).equal(412);
    });

    it('400 when it is no ETag', async () => {
      const id = await made();
      const reply = await put(id, { active: true }, { 'if-match': 'latest' });
      expect(reply.status).equal(400);
      expect(outcomeOf(reply).diagnostics).contains('ETag');
    });
  });

  describe('If-None-Match', () => {
    it('*: 201 where there is none or none any more; 412 where there is one, also for equal content', async () => {
      const anew = { 'if-none-match': '*' };
      const reply = await put('only-once', { active: true }, anew);
      expect(reply.status).equal(201);
      for (const active of [true, false]) {
        const again = await put('only-once', { active }, anew);
        expect(again.status).equal(412);
        expect(outcomeOf(again).diagnostics).contains('Patient/only-once has version 1');
      }
      expect((await fhir.get('Patient/only-once')).json()).include({ active: true });
      await fhir.delete('Patient/only-once');
      expect((await put('only-once', { active: false }, anew)).status).equal(201);
    });

    it('of ten at once, one', async () => {
      const replies = await Promise.all(
        Array.from({ length: 10 }, (_, i) => put('race', { multipleBirthInteger: i + 1 }, { 'if-none-match': '*' })),
      );
      expect(replies.map(({ status }) => status).sort()).eql([201, ...Array(9).fill(412)]);
      const made = replies.find(({ status }) => status === 201);
      expect((await fhir.get('Patient/race')).json()).eql(made?.json());
    });

    it('a version: 412 while it is current', async () => {
      const id = await made();
      expect((await put(id, { active: true }, { 'if-none-match': 'W/"3", W/"1"' })).status).equal(412);
      expect((await put(id, { active: true }, { 'if-none-match': 'W/"2"' })).status).equal(200);
    });
  });

  it('400 when the body has no id, or another one', async () => {
    const id = await made();
    const without = await fhir.put(`Patient/${id}`, { resourceType: 'Patient' });
    expect(without.status).equal(400);
    expect(outcomeOf(without).expression).eql(['Patient.id']);
    const other = await fhir.put(`Patient/${id}`, { resourceType: 'Patient', id: 'x' });
    expect(other.status).equal(400);
    expect(outcomeOf(other).diagnostics).contains(id);
  });

  it('400 when the body is of another type', async () => {
    expect((await fhir.put('Patient/x', { resourceType: 'Observation', id: 'x' })).status).equal(400);
  });

  it('Prefer: return=minimal has no body', async () => {
    const reply = await put(await made(), { active: true }, { prefer: 'return=minimal' });
    expect(reply.status).equal(200);
    expect(reply.text).equal('');
    expect(reply.headers.get('etag')).equal('W/"2"');
  });

  describe('conditional update', () => {
    const identified = (value: string, more: object = {}) => ({
      resourceType: 'Patient',
      identifier: [{ system: 'urn:sys', value }],
      ...more,
    });
    const criteria = (value: string): string => `Patient?identifier=urn:sys|${value}`;

    it('no match: creates with an id of the server', async () => {
      const reply = await fhir.put(criteria('c1'), identified('c1'));
      expect(reply.status).equal(201);
      expect(reply.headers.get('etag')).equal('W/"1"');
    });

    it('no match, with an id in the body: creates under it', async () => {
      const reply = await fhir.put(criteria('c2'), identified('c2', { id: 'my-c2' }));
      expect(reply.status).equal(201);
      expect(idOf(reply)).equal('my-c2');
    });

    it('one match: updates it', async () => {
      const id = await made(identified('c3'));
      const reply = await fhir.put(criteria('c3'), identified('c3', { active: true }));
      expect(reply.status).equal(200);
      expect(reply.json()).include({ id, active: true });
      expect(reply.headers.get('etag')).equal('W/"2"');
      expect((await fhir.put(criteria('c3'), identified('c3', { id, active: false }))).status).equal(200);
    });

    it('one match, but another id in the body: 400', async () => {
      await made(identified('c4'));
      expect((await fhir.put(criteria('c4'), identified('c4', { id: 'other' }))).status).equal(400);
    });

    it('several matches: 412', async () => {
      await made(identified('c5'));
      await made(identified('c5'));
      const reply = await fhir.put(criteria('c5'), identified('c5'));
      expect(reply.status).equal(412);
      expect(outcomeOf(reply).code).equal('multiple-matches');
    });

    it('If-Match is of the match', async () => {
      await made(identified('c6'));
      const change = identified('c6', { active: true });
      expect((await fhir.put(criteria('c6'), change, { 'if-match': 'W/"9"' })).status).equal(412);
      expect((await fhir.put(criteria('c6'), change, { 'if-match': 'W/"1"' })).status).equal(200);
    });

    it('If-None-Match is of the match', async () => {
      await made(identified('c9'));
      const change = identified('c9', { active: true });
      expect((await fhir.put(criteria('c9'), change, { 'if-none-match': '*' })).status).equal(412);
      expect((await fhir.put(criteria('c10'), identified('c10'), { 'if-none-match': '*' })).status).equal(201);
    });

    it('If-Match when nothing matches: 412, nothing created', async () => {
      const reply = await fhir.put(criteria('c8'), identified('c8'), { 'if-match': 'W/"1"' });
      expect(reply.status).equal(412);
      expect((await fhir.get(criteria('c8'))).json()).include({ total: 0 });
    });

    it('by other parameters than identifier', async () => {
      const id = await made({ birthDate: '1901-02-03' });
      const reply = await fhir.put('Patient?birthdate=1901-02-03', {
        resourceType: 'Patient',
        birthDate: '1901-02-03',
        active: true,
      });
      expect(reply.json()).include({ id, active: true });
    });

    it('without criteria: 412', async () => {
      expect((await fhir.put('Patient', identified('c7'))).status).equal(412);
      expect((await fhir.put('Patient?_format=json', identified('c7'))).status).equal(412);
    });
  });
});
