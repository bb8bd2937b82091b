/** The doors of identity behind a proxy that serves them below a path, and paths that they do not know. */
import { expect } from 'chai';
import { startTestServer, type TestServer } from './support/server.ts';

const PUBLIC = 'https://fhir.example.org/base';

describe('identity › doors', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ env: { PUBLIC_URL: PUBLIC } });
  });
  after(() => server.stop());
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);

  for (const path of ['/fhir/R4', '/FHIR/R4'])
    it(`[SD-01] the SMART configuration is below ${path}, whatever stands before it in the public URL`, async () => {
      const reply = await get(`${path}/.well-known/smart-configuration`);
      expect(reply.status).equal(200);
      expect(await reply.json())
        .property('token_endpoint')
        .match(new RegExp(`^${PUBLIC}/`));
    });

  for (const path of [
    '/oauth2/nothing',
    '/.well-known/nothing',
    '/fhir/R4/.well-known/nothing',
    '/my-apps/nothing/at/all',
    '/api/v2/admin/nothing',
    '/api/v2/nothing',
    '/booking/nothing',
  ])
    it(`${path} is 404, in no words of a framework`, async () => {
      const reply = await get(path);
      const text = await reply.text();
      expect(reply.status, text).equal(404);
      expect(text).not.contain('Cannot GET');
    });
});
