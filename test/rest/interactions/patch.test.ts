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
    for (const type of ['application/merge-patch+json', 'text/plain'])
      expect((await fhir.request('PATCH', `Patient/${id}`, '[]', { 'content-type': type })).status, type).equal(415);
    for (const type of ['application/fhir+json', 'application/json'])
      expect((await fhir.request('PATCH', `Patient/${id}`, '[]', { 'content-type': type })).status, type).equal(400);
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

  describe('FHIRPath Patch', () => {
    const operation = (type: string, path: string, value?: object): object => ({
      name: 'operation',
      part: [
        { name: 'type', valueCode: type },
        { name: 'path', valueString: path },
        ...(value ? [{ name: 'value', ...value }] : []),
      ],
    });
    const patchOf = (...parameter: readonly object[]) => ({ resourceType: 'Parameters', parameter });
    const inactive = patchOf(operation('replace', 'Patient.active', { valueBoolean: false }));
    const identifier = (value: string) => ({ identifier: [{ system: 'urn:path', value }] });

    it('changes what it finds, as one version; If-Match holds', async () => {
      const id = await made({ name: [{ family: 'Ash' }] });
      const body = patchOf(
        operation('replace', 'Patient.name[0].family', { valueString: 'Beech' }),
        operation('delete', 'Patient.active'),
      );
      expect((await fhir.request('PATCH', `Patient/${id}`, body, { 'if-match': 'W/"2"' })).status).equal(412);
      const reply = await fhir.request('PATCH', `Patient/${id}`, body, { 'if-match': 'W/"1"' });
      expect(reply.status).equal(200);
      const { meta, ...rest } = reply.json<{ meta: { versionId: string } }>();
      expect(rest).eql({ resourceType: 'Patient', id, name: [{ family: 'Beech' }] });
      expect(meta.versionId).equal('2');
    });

    it('as XML', async () => {
      const id = await made();
      const part = (name: string, value: string) => `<part><name value="${name}"/>${value}</part>`;
      const body = `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>${part(
        'type',
        '<valueCode value="add"/>',
      )}${part('path', '<valueString value="Patient"/>')}${part('name', '<valueString value="birthDate"/>')}${part(
        'value',
        '<valueDate value="1970-01-01"/>',
      )}</parameter></Parameters>`;
      const reply = await fhir.request('PATCH', `Patient/${id}`, body, { 'content-type': 'application/fhir+xml' });
      expect(reply.status).equal(200);
      expect(reply.json()).include({ birthDate: '1970-01-01' });
    });

    it('by criteria', async () => {
      const id = await made(identifier('f1'));
      const reply = await fhir.request('PATCH', 'Patient?identifier=urn:path|f1', inactive);
      expect(reply.status).equal(200);
      expect(reply.json()).include({ id, active: false });
      expect((await fhir.request('PATCH', 'Patient?identifier=urn:path|f9', inactive)).status).equal(404);
    });

    for (const type of ['batch', 'transaction'] as const)
      it(`in a ${type}`, async () => {
        const id = await made();
        const entry = { resource: inactive, request: { method: 'PATCH', url: `Patient/${id}` } };
        const reply = await fhir.post('', { resourceType: 'Bundle', type, entry: [entry] });
        expect(bundleOf(reply).entry?.[0]?.response).include({ status: '200 OK', etag: 'W/"2"' });
        expect((await fhir.get(`Patient/${id}`)).json()).include({ active: false });
      });

    for (const [title, body, status] of [
      ['no operation', { resourceType: 'Parameters' }, 400],
      ['another resource', { resourceType: 'Patient' }, 400],
      ['Parameters that are not valid', { resourceType: 'Parameters', parameter: [{ valueCode: 'x' }] }, 422],
      ['a path that finds nothing', patchOf(operation('replace', 'Patient.gender', { valueCode: 'male' })), 422],
      ['a result that is not valid', patchOf(operation('replace', 'Patient.active', { valueString: 'no' })), 422],
      ['another id', patchOf(operation('replace', 'Patient.id', { valueId: 'x' })), 422],
    ] as const)
      it(`${title}: ${status}, nothing changed`, async () => {
        const id = await made();
        const reply = await fhir.request('PATCH', `Patient/${id}`, body);
        expect(reply.status).equal(status);
        expect(outcomeOf(reply).severity).equal('error');
        expect((await fhir.get(`Patient/${id}`)).headers.get('etag')).equal('W/"1"');
      });
  });
});
