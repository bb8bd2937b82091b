/** A Binary as what it holds. https://hl7.org/fhir/R4/binary.html#rest SECURITY IN-36 */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json, outcomeOf } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const PNG = Buffer.from('89504e470d0a1a0a00ff00fe', 'hex');

describe('Binary content', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await fhir.put('Patient/p', { resourceType: 'Patient', id: 'p' });
  });
  after(() => stopChecked(server));

  const bytesOf = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${fhir.base}/${path}`, { headers: { ...server.bearer, ...headers } });
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };

  it('bytes in, bytes out, of any type, with its security context', async () => {
    const made = await fhir.post('Binary', PNG, {
      'content-type': 'image/png',
      'x-security-context': `${fhir.base}/Patient/p`,
      accept: 'application/fhir+json',
    });
    expect(made.status, made.text).equal(201);
    const { id } = made.json();
    expect(made.json()).deep.include({
      resourceType: 'Binary',
      contentType: 'image/png',
      data: PNG.toString('base64'),
      securityContext: { reference: 'Patient/p' },
    });
    for (const accept of ['*/*', 'image/png', 'image/*', 'image/png, application/fhir+json;q=0.5']) {
      const reply = await bytesOf(`Binary/${id}`, { accept });
      expect([reply.status, reply.bytes.equals(PNG)], accept).deep.equal([200, true]);
      expect(reply.headers.get('content-type')).equal('image/png');
      expect(reply.headers.get('x-security-context')).equal('Patient/p');
      expect(reply.headers.get('etag')).equal('W/"1"');
    }
    expect((await bytesOf(`Binary/${id}/_history/1`)).bytes.equals(PNG)).equal(true);
    expect((await bytesOf(`Binary/${id}`, { 'if-none-match': 'W/"1"' })).status).equal(304);
  });

  it('the resource where a FHIR format is asked for, in either format', async () => {
    await fhir.put('Binary/r', PNG, { 'content-type': 'image/png', accept: 'application/fhir+json' });
    for (const [query, accept, format] of [
      ['', 'application/fhir+json', 'json'],
      ['', 'application/fhir+json, */*', 'json'],
      ['', 'application/fhir+xml, image/png;q=0.1', 'xml'],
      ['?_format=json', '*/*', 'json'],
      ['?_format=xml', 'image/png', 'xml'],
    ] as const) {
      const reply = await fhir.get(`Binary/r${query}`, { accept });
      expect(reply.headers.get('content-type'), accept).equal(`application/fhir+${format}; charset=utf-8`);
      expect(reply.text).contains(PNG.toString('base64'));
    }
    const none = await fhir.get('Binary/r', { accept: 'text/plain' });
    expect([none.status, outcomeOf(none).code]).deep.equal([406, 'not-supported']);
    const bundle = await fhir.get('Binary?_id=r', { accept: '*/*' });
    expect(bundle.json()).property('resourceType', 'Bundle');
    const batch = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: 'Binary/r' } }] };
    const reply = await fhir.post('', batch);
    expect(reply.json<{ entry: { resource: Json }[] }>().entry[0]?.resource).property('resourceType', 'Binary');
  });

  it('[IN-36] content is served as data: nosniff, sandboxed, an attachment unless it is a picture or PDF', async () => {
    for (const [type, disposition] of [
      ['text/html', 'attachment'],
      ['image/svg+xml', 'attachment'],
      ['application/javascript', 'attachment'],
      ['text/plain; charset=utf-8', 'attachment'],
      ['image/png', null],
      ['image/jpeg', null],
      ['application/pdf', null],
    ] as const) {
      const made = await fhir.put('Binary/h', '<script>alert(1)</script>', {
        'content-type': type,
        accept: 'application/fhir+json',
      });
      expect([200, 201], made.text).include(made.status);
      const { headers, bytes } = await bytesOf('Binary/h');
      expect(bytes.toString()).equal('<script>alert(1)</script>');
      expect(headers.get('content-type')).equal(type);
      expect(headers.get('content-disposition'), type).equal(disposition);
      expect(headers.get('x-content-type-options')).equal('nosniff');
      expect(headers.get('content-security-policy')).contains('sandbox').and.contains("default-src 'none'");
    }
    // A type that is none in a header: it was stored as a resource.
    await fhir.put('Binary/odd', {
      resourceType: 'Binary',
      id: 'odd',
      contentType: 'text/html;\u0020"x',
      data: 'YQ==',
    });
    expect((await bytesOf('Binary/odd')).headers.get('content-type')).equal('application/octet-stream');
  });

  it('what is refused: no type, no content, a context that is no reference', async () => {
    for (const [headers, body, status] of [
      [{ 'content-type': 'nonsense' }, 'x', 415],
      [{ 'content-type': 'image/png' }, '', 400],
      [{ 'content-type': 'image/png', 'x-security-context': 'a b' }, 'x', 400],
      [{ 'content-type': 'image/png', 'x-security-context': 'Nonsense/1' }, 'x', 422],
    ] as const)
      expect((await fhir.post('Binary', body, headers)).status, JSON.stringify(headers)).equal(status);
    expect((await fhir.post('Patient', PNG, { 'content-type': 'image/png' })).status).equal(415);
  });
});
