import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('patch', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const made = async (more: object = {}): Promise<string> =>
    idOf(await fhir.post('Patient', { resourceType: 'Patient', active: true, ...more }));

  it('changes what it names and nothing else', async () => {
    const id = await made({ name: [{ family: 'Ash' }], birthDate: '1970-01-01' });
    const reply = await fhir.patch(`Patient/${id}`, [
      { op: 'test', path: '/active', value: true },
      { op: 'replace', path: '/name/0/family', value: 'Beech' },
      { op: 'add', path: '/name/-', value: { text: 'B' } },
      { op: 'remove', path: '/active' },
    ]);
    expect(reply.status).equal(200);
    expect(reply.headers.get('etag')).equal('W/"2"');
    const { meta: _meta, ...rest } = reply.json();
    expect(rest).eql({
      resourceType: 'Patient',
      id,
      name: [{ family: 'Beech' }, { text: 'B' }],
      birthDate: '1970-01-01',
    });
    expect(matchIds(bundleOf(await fhir.get('Patient?family=ash')))).eql([]);
    expect(matchIds(bundleOf(await fhir.get('Patient?family=beech')))).eql([id]);
  });

  it('a patch that changes nothing makes no version', async () => {
    const id = await made();
    const reply = await fhir.patch(`Patient/${id}`, [{ op: 'replace', path: '/active', value: true }]);
    expect(reply.status).equal(200);
    expect(reply.headers.get('etag')).equal('W/"1"');
  });

  it('id, versionId and lastUpdated stay the server’s', async () => {
    const id = await made();
    const reply = await fhir.patch(`Patient/${id}`, [
      { op: 'replace', path: '/meta/versionId', value: '77' },
      { op: 'add', path: '/gender', value: 'male' },
    ]);
    expect(reply.json()).nested.include({ 'meta.versionId': '2', id });
  });

  for (const [title, operations, status] of [
    ['a test that fails', [{ op: 'test', path: '/active', value: false }], 422],
    ['a path that is not there', [{ op: 'remove', path: '/gender' }], 422],
    ['a result that is not valid', [{ op: 'add', path: '/gender', value: 7 }], 422],
    ['a result with an unknown element', [{ op: 'add', path: '/colour', value: 'red' }], 422],
    ['another id', [{ op: 'replace', path: '/id', value: 'other' }], 422],
    ['another type', [{ op: 'replace', path: '/resourceType', value: 'Person' }], 422],
    ['an unknown op', [{ op: 'merge', path: '/active', value: 1 }], 400],
    ['an operation without path', [{ op: 'remove' }], 400],
    ['[IN-10] __proto__ in a path', [{ op: 'add', path: '/__proto__/polluted', value: true }], [400, 422]],
    [
      '[IN-10] constructor.prototype in a path',
      [{ op: 'add', path: '/constructor/prototype/x', value: 1 }],
      [400, 422],
    ],
  ] as const)
    it(`${title}: ${String(status)}, nothing changed`, async () => {
      const id = await made();
      const reply = await fhir.patch(`Patient/${id}`, operations);
      expect(reply.status).oneOf(typeof status === 'number' ? [status] : [...status]);
      expect(outcomeOf(reply).severity).equal('error');
      expect((await fhir.get(`Patient/${id}`)).headers.get('etag')).equal('W/"1"');
      expect(({} as Record<string, unknown>)['polluted']).equal(undefined);
    });

  it('400 when the body is no array, 415 for another content type', async () => {
    const id = await made();
    const json = { 'content-type': 'application/json-patch+json' };
    expect((await fhir.request('PATCH', `Patient/${id}`, { op: 'remove', path: '/active' }, json)).status).equal(400);
    expect((await fhir.request('PATCH', `Patient/${id}`, '', json)).status).equal(400);
    for (const type of ['application/fhir+json', 'application/json', 'application/merge-patch+json', 'text/plain'])
      expect((await fhir.request('PATCH', `Patient/${id}`, '[]', { 'content-type': type })).status, type).equal(415);
  });

  it('404 for what never was, 410 for what was deleted', async () => {
    const operations = [{ op: 'remove', path: '/active' }];
    expect((await fhir.patch('Patient/nowhere', operations)).status).equal(404);
    const id = await made();
    await fhir.delete(`Patient/${id}`);
    expect((await fhir.patch(`Patient/${id}`, operations)).status).equal(410);
  });

  it('If-Match', async () => {
    const id = await made();
    const operations = [{ op: 'remove', path: '/active' }];
    expect((await fhir.patch(`Patient/${id}`, operations, { 'if-match': 'W/"2"' })).status).equal(412);
    expect((await fhir.patch(`Patient/${id}`, operations, { 'if-match': 'W/"1"' })).status).equal(200);
  });

  it('patches that race are applied one after the other', async () => {
    const id = await made({ name: [{ text: 'zero' }] });
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        fhir.patch(`Patient/${id}`, [{ op: 'add', path: '/name/-', value: { text: `n${i}` } }]),
      ),
    );
    expect(new Set(replies.map((r) => r.status))).eql(new Set([200]));
    const { name } = (await fhir.get(`Patient/${id}`)).json<{ name: { text: string }[] }>();
    expect(name.map((n) => n.text).sort()).eql(['zero', ...Array.from({ length: 12 }, (_, i) => `n${i}`)].sort());
  });

  it('conditional patch: one match, none, several', async () => {
    const identifier = (value: string) => ({ identifier: [{ system: 'urn:sys', value }] });
    const operations = [{ op: 'replace', path: '/active', value: false }];
    const id = await made(identifier('p1'));
    const one = await fhir.patch('Patient?identifier=urn:sys|p1', operations);
    expect(one.status).equal(200);
    expect(one.json()).include({ id, active: false });
    expect((await fhir.patch('Patient?identifier=urn:sys|p9', operations)).status).equal(404);
    await made(identifier('p2'));
    await made(identifier('p2'));
    expect((await fhir.patch('Patient?identifier=urn:sys|p2', operations)).status).equal(412);
    expect((await fhir.patch('Patient', operations)).status).equal(412);
    expect((await fhir.patch('Patient?identifier=urn:sys|p1', operations, { 'if-match': 'W/"1"' })).status).equal(412);
  });
});
