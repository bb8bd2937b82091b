import { expect } from 'chai';
import { createFhirClient, type FhirClient, outcomeOf } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

describe('routes', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  for (const [path, allow] of [
    ['', 'POST, GET, HEAD, OPTIONS'],
    ['metadata', 'GET, HEAD, OPTIONS'],
    ['_history', 'GET, HEAD, OPTIONS'],
    ['$process-message', 'POST, OPTIONS'],
    ['Patient', 'GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS'],
    ['Patient/_search', 'POST, OPTIONS'],
    ['Patient/_history', 'GET, HEAD, OPTIONS'],
    ['Patient/1', 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS'],
    ['Patient/1/_history', 'GET, HEAD, OPTIONS'],
    ['Patient/1/_history/1', 'GET, HEAD, OPTIONS'],
    ['Patient/1/Observation', 'GET, HEAD, OPTIONS'],
  ] as const) {
    it(`OPTIONS /${path}: 204 with Allow`, async () => {
      const reply = await fhir.request('OPTIONS', path);
      expect(reply.status).equal(204);
      expect(reply.headers.get('allow')).equal(allow);
      expect(reply.text).equal('');
    });

    it(`another method on /${path}: 405 with Allow`, async () => {
      const refused = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter((m) => !allow.includes(m));
      for (const method of refused) {
        const reply = await fhir.request(method, path);
        expect(reply.status, method).equal(405);
        expect(reply.headers.get('allow'), method).equal(allow);
        expect(outcomeOf(reply).diagnostics).contains(method);
      }
    });
  }

  for (const [path, status] of [
    ['Nonsense', 404],
    ['patient', 404],
    ['Patients', 404],
    ['Parameters', 404],
    ['Resource', 404],
    ['constructor', 404],
    ['__proto__', 404],
    ['$nonsense', 404],
    ['Patient/$nonsense', 404],
    ['Patient/1/$everything', 404],
    ['Patient/1/2', 404],
    ['Patient/1/_history/1/2', 404],
    ['Patient/a_b', 400],
    ['Patient/a%20b', 400],
    [`Patient/${'x'.repeat(65)}`, 400],
    ['Patient/ä', 400],
    ['Patient/a%2Fb', 400],
    ['Patient/..%2F..%2Fetc', 400],
    ['Patient/a%00', 400],
    ['Patient/a%5Cb', 400],
    ['Patient/%zz', 400],
    ['Patient/%c3%28', 400],
    ['Patient//1', [400, 404]],
    ['/Patient', [400, 404]],
    ['Patient/1;x=1', 400],
    ["Patient/'", 400],
  ] as const)
    it(`[IN-38] GET /${path.slice(0, 40)}: ${String(status)}`, async () => {
      const reply = await fhir.get(path);
      expect(reply.status).oneOf(typeof status === 'number' ? [status] : [...status]);
      expect(outcomeOf(reply).severity).equal('error');
    });

  it('an id may have 64 characters, dots and hyphens', async () => {
    for (const id of ['x'.repeat(64), '.', '..', '-', 'A.b-9']) {
      const body = { resourceType: 'Basic', id, code: { text: 'x' } };
      const path = `Basic/${id === '.' || id === '..' ? id.replaceAll('.', '%2E') : id}`;
      if (id.startsWith('.')) continue; // fetch resolves dot segments before it sends
      expect((await fhir.put(path, body)).status, id).equal(201);
      expect((await fhir.get(path)).json(), id).include({ id });
    }
  });

  it('gives the request id back, or one of its own', async () => {
    expect((await fhir.get('metadata', { 'x-request-id': 'abc-1' })).headers.get('x-request-id')).equal('abc-1');
    for (const bad of ['a b', 'x'.repeat(65), '<script>'])
      expect((await fhir.get('metadata', { 'x-request-id': bad })).headers.get('x-request-id')).match(
        /^[0-9a-f-]{36}$/,
      );
  });

  it('/FHIR/R4 is the same API', async () => {
    expect((await fhir.get(`${fhir.base.replace('/fhir/', '/FHIR/')}/metadata`)).status).equal(200);
  });
});
