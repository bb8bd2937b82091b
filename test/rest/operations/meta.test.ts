/** https://hl7.org/fhir/R4/resource-operation-meta.html, -meta-add, -meta-delete */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, idOf, type Reply } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

interface Meta {
  readonly profile?: readonly string[];
  readonly tag?: readonly object[];
  readonly security?: readonly object[];
}
const tag = (code: string) => ({ system: 'urn:tags', code });
const given = (valueMeta: Meta) => ({ resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta }] });
const metaIn = (reply: Reply): Meta | undefined =>
  reply.json<{ parameter?: { name: string; valueMeta: Meta }[] }>().parameter?.find(({ name }) => name === 'return')
    ?.valueMeta;

describe('$meta', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const made = async (type: string, meta?: Meta): Promise<string> =>
    idOf(
      await fhir.post(type, {
        resourceType: type,
        ...(type === 'Basic' && { code: { text: 'b' } }),
        ...(meta && { meta }),
      }),
    );

  it('of a resource, by GET and POST; of one without there is none', async () => {
    const id = await made('Patient', { tag: [tag('one')] });
    for (const reply of [await fhir.get(`Patient/${id}/$meta`), await fhir.post(`Patient/${id}/$meta`, '')]) {
      expect(reply.status).equal(200);
      expect(metaIn(reply)).eql({ tag: [tag('one')] });
      expect(reply.headers.get('etag')).equal('W/"1"');
    }
    expect(metaIn(await fhir.get(`Patient/${await made('Patient')}/$meta`))).equal(undefined);
    expect((await fhir.get('Patient/nowhere/$meta')).status).equal(404);
  });

  it('of a type and of the base: what the resources have between them', async () => {
    await made('Basic', { tag: [tag('a'), tag('b')], profile: ['http://example.org/p'] });
    await made('Basic', { tag: [tag('b'), tag('c')], security: [{ system: 'urn:s', code: 'x' }] });
    const meta = metaIn(await fhir.get('Basic/$meta'));
    expect(meta?.tag).to.have.deep.members([tag('a'), tag('b'), tag('c')]);
    expect(meta?.profile).eql(['http://example.org/p']);
    expect(meta?.security).eql([{ system: 'urn:s', code: 'x' }]);
    const all = metaIn(await fhir.get('$meta'));
    expect(all?.tag).to.deep.include.members([tag('a'), tag('one')]);
    expect(metaIn(await fhir.get('Schedule/$meta'))).equal(undefined);
  });

  it('$meta-add: what is there stays, what is new comes, the rest of the resource is as it was', async () => {
    const id = await made('Patient', { tag: [tag('one')] });
    const reply = await fhir.post(
      `Patient/${id}/$meta-add`,
      given({ tag: [tag('one'), tag('two')], profile: ['http://example.org/q'] }),
    );
    expect(reply.status).equal(200);
    expect(metaIn(reply)).eql({ profile: ['http://example.org/q'], tag: [tag('one'), tag('two')] });
    const stored = (await fhir.get(`Patient/${id}`)).json<{ meta: Meta & { versionId: string } }>();
    expect(stored.meta.versionId).equal('2');
    expect(stored.meta.tag).eql([tag('one'), tag('two')]);
    expect(metaIn(await fhir.post(`Patient/${id}/$meta-add`, given({ tag: [tag('two')] })))?.tag).length(2);
    expect((await fhir.get(`Patient/${id}`)).headers.get('etag'), 'nothing new').equal('W/"2"');
    const search = (await fhir.get('Patient?_tag=urn:tags|two')).json<{ entry: { resource: { id: string } }[] }>();
    expect(search.entry.map(({ resource }) => resource.id)).eql([id]);
  });

  it('$meta-delete: what is named goes, what is not there is no fault', async () => {
    const id = await made('Patient', { tag: [tag('one'), tag('two')], security: [{ system: 'urn:s', code: 'x' }] });
    const reply = await fhir.post(`Patient/${id}/$meta-delete`, given({ tag: [tag('one'), tag('nine')] }));
    expect(metaIn(reply)).eql({ security: [{ system: 'urn:s', code: 'x' }], tag: [tag('two')] });
    const none = await fhir.post(
      `Patient/${id}/$meta-delete`,
      given({ tag: [tag('two')], security: [{ system: 'urn:s', code: 'x' }] }),
    );
    expect(metaIn(none)).equal(undefined);
  });

  it('If-Match holds; of racing ones none is lost', async () => {
    const id = await made('Patient');
    const first = { 'if-match': 'W/"1"' };
    expect((await fhir.post(`Patient/${id}/$meta-add`, given({ tag: [tag('m')] }), first)).status).equal(200);
    expect((await fhir.post(`Patient/${id}/$meta-add`, given({ tag: [tag('n')] }), first)).status).equal(412);
    const codes = Array.from({ length: 8 }, (_, i) => `r${i}`);
    await Promise.all(codes.map((code) => fhir.post(`Patient/${id}/$meta-add`, given({ tag: [tag(code)] }))));
    expect(metaIn(await fhir.get(`Patient/${id}/$meta`))?.tag).to.have.deep.members([tag('m'), ...codes.map(tag)]);
  });

  for (const [title, body, status] of [
    ['no meta', { resourceType: 'Parameters' }, 400],
    ['an empty meta', given({ tag: [] }), 422],
    [
      'two',
      {
        resourceType: 'Parameters',
        parameter: [...given({ tag: [tag('a')] }).parameter, ...given({ tag: [tag('b')] }).parameter],
      },
      400,
    ],
    ['another parameter', { resourceType: 'Parameters', parameter: [{ name: 'x', valueString: 'y' }] }, 400],
    ['another resource', { resourceType: 'Patient' }, 400],
  ] as const)
    it(`$meta-add with ${title}: ${status}`, async () => {
      const id = await made('Patient');
      expect((await fhir.post(`Patient/${id}/$meta-add`, body)).status).equal(status);
      expect((await fhir.get(`Patient/${id}`)).headers.get('etag')).equal('W/"1"');
    });
});
