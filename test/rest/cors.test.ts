/** SECURITY SD-06: which pages of other origins may read what; SD-08: whom a request may make of us. */
import { expect } from 'chai';
import type { HttpServer } from '../../src/rest/http-server.ts';
import { send, startListener } from '../support/listener.ts';

const APP = 'https://app.example';

describe('rest › CORS', () => {
  let http: HttpServer;
  before(async () => {
    http = await startListener({
      guard: { isRegisteredOrigin: (origin) => origin === APP },
      wellKnown: (req, res) => void res.end(`well-known ${req.url}`),
    });
  });
  after(() => http.close(0));

  const visit = (method: string, path: string, origin: string | undefined, more: Record<string, string> = {}) =>
    send(http.port, path, { method, headers: { ...(origin !== undefined && { Origin: origin }), ...more } });
  const ask = (path: string, origin: string, method = 'POST') =>
    visit('OPTIONS', path, origin, {
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'authorization',
    });

  const PUBLIC = [
    '/.well-known/openid-configuration',
    '/fhir/R4/.well-known/smart-configuration',
    '/FHIR/R4/.well-known/smart-configuration',
    '/fhir/R4/metadata',
    '/fhir/R4/metadata?mode=full',
  ];
  const FOR_APPS = [
    '/oauth2/token',
    '/oauth2/introspect',
    '/oauth2/revoke',
    '/oauth2/register',
    '/fhir/R4',
    '/fhir/R4/Patient?name=x',
    '/fhir/R4/metadatas',
  ];
  const OWN = [
    '/',
    '/livez',
    '/metrics',
    '/oauth2/authorize',
    '/oauth2/tokens',
    '/sign-in',
    '/api/v2/auth/login',
    '/x/oauth2/token',
    '/.well-knownx',
  ];

  for (const path of PUBLIC) {
    it(`[SD-06] ${path}: any origin may read it, without credentials`, async () => {
      for (const origin of ['https://anyone.example', APP]) {
        const { status, headers } = await visit('GET', path, origin);
        expect(status).equal(200);
        expect(headers).include({ 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' });
        expect(headers).not.property('access-control-allow-credentials');
      }
      const { status, headers, text } = await ask(path, 'https://anyone.example', 'GET');
      expect([status, text]).deep.equal([204, '']);
      expect(headers).include({
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, HEAD',
      });
    });

    it(`[SD-06] ${path}: the origin null may not`, async () => {
      for (const answer of [await visit('GET', path, 'null'), await ask(path, 'null', 'GET')]) {
        expect(answer.status).equal(403);
        expect(answer.headers).not.property('access-control-allow-origin');
      }
    });
  }

  for (const path of FOR_APPS) {
    it(`[SD-06] ${path}: a registered origin may read it; it is echoed exactly`, async () => {
      const { status, headers } = await visit('POST', path, APP);
      expect(status).equal(200);
      expect(headers).include({ 'access-control-allow-origin': APP, vary: 'Origin' });
      expect(headers['access-control-expose-headers']).contains('ETag').contains('Location');
      expect(headers).not.property('access-control-allow-credentials');
      const asked = await ask(path, APP);
      expect(asked.status).equal(204);
      expect(asked.headers).include({ 'access-control-allow-origin': APP, 'access-control-max-age': '600' });
      expect(asked.headers['access-control-allow-headers']).contains('Authorization').contains('If-Match');
      expect(asked.headers.vary).contains('Origin');
    });

    for (const origin of [
      'https://other.example',
      'null',
      'http://app.example',
      'https://app.example.evil.example',
      'https://evil-app.example',
      'https://app.example:444',
      'https://app.example/',
      'https://APP.example',
      `${APP}, https://evil.example`,
      `${APP} https://evil.example`,
      '*',
      `https://${'a'.repeat(300)}.example`,
    ])
      it(`[SD-06] ${path}: ${origin.slice(0, 60)} may not`, async () => {
        for (const answer of [await visit('POST', path, origin), await ask(path, origin)]) {
          expect(answer.status).equal(403);
          expect(answer.headers).not.property('access-control-allow-origin');
          expect(answer.headers.vary).equal('Origin');
          expect(answer.text).not.contains('fhir ');
        }
      });
  }

  for (const path of OWN)
    it(`[SD-06] ${path}: no other origin may read it, registered or not`, async () => {
      for (const answer of [await visit('GET', path, APP), await ask(path, APP)]) {
        expect(answer.status).equal(403);
        expect(answer.headers).not.property('access-control-allow-origin');
      }
    });

  it('without Origin, or with our own, nothing is said of origins', async () => {
    for (const origin of [undefined, `http://localhost:${http.port}`]) {
      const { status, headers } = await visit('GET', '/fhir/R4/Patient/1', origin);
      expect(status).equal(200);
      expect(headers).not.property('access-control-allow-origin');
    }
  });

  it('hands /fhir/R4/.well-known/ to its own door', async () => {
    const { text } = await visit('GET', '/fhir/R4/.well-known/smart-configuration', undefined);
    expect(text).equal('well-known /fhir/R4/.well-known/smart-configuration');
    expect((await visit('GET', '/fhir/R4/.well-knownx', undefined)).text).equal('fhir /fhir/R4/.well-knownx');
  });

  it('[SD-08] a forged Host is refused, whatever a proxy is said to have forwarded', async () => {
    for (const forged of [
      { Host: 'evil.example' },
      { Host: `evil.example:${http.port}` },
      { Host: 'evil.example', 'X-Forwarded-Host': `localhost:${http.port}` },
    ]) {
      const answer = await visit('GET', '/fhir/R4/.well-known/smart-configuration', undefined, forged);
      expect(answer.status).equal(421);
      expect(answer.text).not.contains('evil.example');
    }
  });
});
