import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, matchIds } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const identified = (value: string, more: object = {}) => ({
  resourceType: 'Patient',
  identifier: [{ system: 'urn:race', value }],
  ...more,
});

describe('races', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const counts = (statuses: readonly number[]): Record<number, number> => {
    const found: Record<number, number> = {};
    for (const status of statuses) found[status] = (found[status] ?? 0) + 1;
    return found;
  };

  it('64 racing conditional creates make one resource', async () => {
    const replies = await Promise.all(
      Array.from({ length: 64 }, () =>
        fhir.post('Patient', identified('one'), { 'if-none-exist': 'identifier=urn:race|one' }),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 200: 63, 201: 1 });
    expect(new Set(replies.map(idOf)).size).equal(1);
    expect((await fhir.get('Patient?identifier=urn:race|one&_summary=count')).json()).include({ total: 1 });
    expect((await fhir.get('Patient/_history')).json<{ entry: object[] }>().entry).length(1);
  });

  it('criteria written differently are still the same identifier', async () => {
    const forms = ['identifier=urn:race|two', 'identifier=two', 'identifier=urn:race|two&active:missing=true'];
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        fhir.post('Patient', identified('two'), { 'if-none-exist': forms[i % forms.length] as string }),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 200: 29, 201: 1 });
  });

  it('conditional creates, updates and transactions race for one identity', async () => {
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, i) => {
        if (i % 3 === 0)
          return fhir.post('Patient', identified('three'), { 'if-none-exist': 'identifier=urn:race|three' });
        if (i % 3 === 1) return fhir.put('Patient?identifier=urn:race|three', identified('three', { active: true }));
        return fhir.post('', {
          resourceType: 'Bundle',
          type: 'transaction',
          entry: [
            {
              resource: identified('three'),
              request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=urn:race|three' },
            },
          ],
        });
      }),
    );
    for (const reply of replies) expect(reply.status, reply.text).oneOf([200, 201]);
    expect(matchIds(bundleOf(await fhir.get('Patient?identifier=urn:race|three')))).length(1);
  });

  it('racing updates with If-Match: exactly one wins', async () => {
    const id = idOf(await fhir.post('Patient', { resourceType: 'Patient' }));
    const replies = await Promise.all(
      Array.from({ length: 32 }, (_, i) =>
        fhir.put(
          `Patient/${id}`,
          { resourceType: 'Patient', id, multipleBirthInteger: i + 1 },
          { 'if-match': 'W/"1"' },
        ),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 200: 1, 412: 31 });
    const winner = replies.findIndex((r) => r.status === 200);
    const stored = (await fhir.get(`Patient/${id}`)).json();
    expect(stored)
      .include({ multipleBirthInteger: winner + 1 })
      .nested.include({ 'meta.versionId': '2' });
  });

  it('racing patches, deletes and conditional updates with If-Match: exactly one wins', async () => {
    const id = idOf(await fhir.post('Patient', identified('four', { active: true })));
    const match = { 'if-match': 'W/"1"' };
    const replies = await Promise.all(
      Array.from({ length: 24 }, (_, i) => {
        if (i % 3 === 0) return fhir.patch(`Patient/${id}`, [{ op: 'replace', path: '/active', value: false }], match);
        if (i % 3 === 1) return fhir.delete(`Patient/${id}`, match);
        return fhir.put('Patient?identifier=urn:race|four', identified('four', { gender: 'other' }), match);
      }),
    );
    expect(replies.filter((r) => r.status < 300)).length(1);
    expect(replies.filter((r) => r.status === 412)).length(23);
  });

  it('racing updates without If-Match all succeed, one version each', async () => {
    const id = idOf(await fhir.post('Patient', { resourceType: 'Patient' }));
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        fhir.put(`Patient/${id}`, { resourceType: 'Patient', id, multipleBirthInteger: i + 1 }),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 200: 16 });
    expect(new Set(replies.map((r) => r.headers.get('etag'))).size).equal(16);
    expect((await fhir.get(`Patient/${id}/_history`)).json()).include({ total: 17 });
  });

  it('racing creations under one id of the client: one is created, the others are its next versions', async () => {
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        fhir.put('Patient/contested', { resourceType: 'Patient', id: 'contested', multipleBirthInteger: i + 1 }),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 200: 15, 201: 1 });
    expect((await fhir.get('Patient/contested')).json()).nested.include({ 'meta.versionId': '16' });
  });

  it('deletes and updates that race leave whole versions', async () => {
    const id = idOf(await fhir.post('Patient', identified('five')));
    const replies = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        i % 2 === 0
          ? fhir.delete(`Patient/${id}`)
          : fhir.put(`Patient/${id}`, identified('five', { id, multipleBirthInteger: i })),
      ),
    );
    for (const reply of replies) expect(reply.status).oneOf([200, 201, 204]);
    const history = bundleOf(await fhir.get(`Patient/${id}/_history?_count=100`));
    expect(history.entry?.map((e) => e.response?.etag)).eql(
      Array.from({ length: history.total ?? 0 }, (_, i) => `W/"${(history.total ?? 0) - i}"`),
    );
  });

  it('many creates at once are all there', async () => {
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        fhir.post(i % 3 === 0 ? 'Patient' : 'Organization', {
          resourceType: i % 3 === 0 ? 'Patient' : 'Organization',
          ...(i % 3 === 0 ? { name: [{ family: `Crowd${i}` }] } : { name: `Crowd${i}` }),
        }),
      ),
    );
    expect(counts(replies.map((r) => r.status))).eql({ 201: 300 });
    expect((await fhir.get('Patient?family=crowd&_summary=count')).json()).include({ total: 100 });
    expect((await fhir.get('Organization?name=crowd&_summary=count')).json()).include({ total: 200 });
  });
});
