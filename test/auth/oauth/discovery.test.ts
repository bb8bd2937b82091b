import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect } from 'chai';
import { type OAuthServer, read, startOAuthServer } from '../../support/oauth-server.ts';

describe('oauth › discovery', () => {
  let server: OAuthServer;
  let smart: string;
  before(async () => {
    server = await startOAuthServer();
    smart = `${server.fhirBaseUrl}/.well-known/smart-configuration`;
  });
  after(() => server.stop());

  const get = async (url: string, headers: Record<string, string> = {}) => read(await fetch(url, { headers }));

  it('[SD-01] is JSON at both spellings of the base, whatever is accepted, without a token', async () => {
    for (const url of [smart, `${server.url}/FHIR/R4/.well-known/smart-configuration`])
      for (const accept of ['application/fhir+xml', 'text/html', '*/*']) {
        const { status, headers, body } = await get(url, { Accept: accept });
        expect(status).equal(200);
        expect(headers.get('content-type')).match(/^application\/json/);
        expect(headers.get('cache-control')).equal('public, max-age=300');
        expect(body.issuer).equal(server.url);
      }
  });

  it('[SD-02] [SD-03] has the members that apps need, and their endpoints answer', async () => {
    const { body } = await get(smart);
    expect(Object.keys(body)).have.members([
      'issuer',
      'jwks_uri',
      'authorization_endpoint',
      'token_endpoint',
      'registration_endpoint',
      'introspection_endpoint',
      'revocation_endpoint',
      'grant_types_supported',
      'response_types_supported',
      'response_modes_supported',
      'token_endpoint_auth_methods_supported',
      'token_endpoint_auth_signing_alg_values_supported',
      'code_challenge_methods_supported',
      'authorization_response_iss_parameter_supported',
      'scopes_supported',
      'capabilities',
    ]);
    expect(body.code_challenge_methods_supported).deep.equal(['S256']);
    expect(body.token_endpoint_auth_methods_supported).include('private_key_jwt');
    expect(body.token_endpoint_auth_signing_alg_values_supported).include.members(['RS384', 'ES384']);
    for (const value of Object.values(body)) if (Array.isArray(value)) for (const one of value) expect(one).a('string');
    for (const [name, url] of Object.entries(body))
      if (/(_endpoint|_uri)$/.test(name) && name !== 'authorization_endpoint')
        expect((await fetch(String(url))).status, name).not.equal(404);
  });

  it('[SD-04] without pages nothing is listed that needs a person', async () => {
    const bare = await startOAuthServer({}, { hasPages: false });
    try {
      const { body } = await get(`${bare.fhirBaseUrl}/.well-known/smart-configuration`);
      expect(body).not.have.property('authorization_endpoint');
      expect(body.grant_types_supported).deep.equal(['client_credentials']);
      expect(body.scopes_supported).deep.equal(['system/*.rs', 'system/*.read']);
      expect(body.capabilities).deep.equal(['client-confidential-asymmetric', 'permission-v1', 'permission-v2']);
    } finally {
      await bare.stop();
    }
  });

  it('[SD-04] [ST-03] the style for apps is a document of texts, with the colours of our pages', async () => {
    const { body } = await get(`${server.url}/.well-known/smart-style.json`);
    const css = readFileSync(new URL('../../../src/auth/pages/assets/mortar.css', import.meta.url), 'utf8');
    for (const [name, value] of Object.entries(body as Record<string, string>)) {
      expect(name).match(/^(?:color|dim|font_family)_[a-z_]+$/);
      if (name.startsWith('color_')) expect(css, name).include(value);
      if (name.startsWith('dim_')) expect(value).match(/^\d+px$/);
    }
    expect(Object.keys(body)).length(11);
  });

  it('[SD-04] client certificates are listed only where a listener asks for them', async () => {
    expect((await get(smart)).body.token_endpoint_auth_methods_supported).not.include('tls_client_auth');
    const tls = await startOAuthServer({ certificateOf: () => undefined });
    try {
      const { body } = await get(`${tls.fhirBaseUrl}/.well-known/smart-configuration`);
      expect(body.token_endpoint_auth_methods_supported).include('tls_client_auth');
    } finally {
      await tls.stop();
    }
  });

  it('[SD-05] OpenID discovery has its required members, also as RFC 8414 names it', async () => {
    const { body } = await get(`${server.url}/.well-known/openid-configuration`);
    expect(body).include({ issuer: server.url, jwks_uri: `${server.url}/.well-known/jwks.json` });
    for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint'])
      expect(body).have.property(name);
    expect(body.response_types_supported).deep.equal(['code']);
    expect(body.subject_types_supported).deep.equal(['public']);
    expect(body.id_token_signing_alg_values_supported).include('RS256');
    expect((await get(`${server.url}/.well-known/oauth-authorization-server`)).body).deep.equal(body);
  });

  it('[SO-02] the JWKS has public keys, one of them RSA', async () => {
    const { body, headers } = await get(`${server.url}/.well-known/jwks.json`);
    expect(headers.get('cache-control')).include('max-age=300');
    expect(body.keys.map(({ kty }: { kty: string }) => kty)).include('RSA');
    for (const key of body.keys) {
      expect(key).include({ use: 'sig' }).and.include.keys('kid', 'alg');
      for (const secret of ['d', 'p', 'q']) expect(key).not.have.property(secret);
    }
  });

  it('[SD-08] host and scheme are those of the settings, whatever a request says', async () => {
    const { port } = new URL(server.url);
    const text = await new Promise<string>((resolve, reject) => {
      const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' };
      request({ port, host: '127.0.0.1', path: new URL(smart).pathname, headers }, (res) => {
        let body = '';
        res.on('data', (chunk) => {
          body += chunk;
        });
        res.on('end', () => resolve(body));
      })
        .on('error', reject)
        .end();
    });
    expect(text).include(server.url).and.not.include('evil');
  });

  describe('origins', () => {
    const preflight = (path: string, origin: string) =>
      fetch(server.url + path, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
      });
    before(async () => {
      await server.addApp({ redirectUris: ['https://known.example.org/cb'] });
      server.store.clock.pass(5_000);
      server.oauth.isRegisteredOrigin('https://known.example.org'); // asks for a new reading
      await new Promise((resolve) => setTimeout(resolve, 100));
    });

    it('[SD-06] discovery is for any origin, without credentials', async () => {
      for (const url of [smart, `${server.url}/.well-known/jwks.json`]) {
        const { headers } = await get(url, { Origin: 'https://any.example' });
        expect(headers.get('access-control-allow-origin')).equal('*');
        expect(headers.get('access-control-allow-credentials')).equal(null);
      }
    });

    for (const path of ['/oauth2/token', '/oauth2/introspect', '/oauth2/revoke', '/oauth2/register'])
      it(`[SD-06] ${path} is for registered origins, exactly`, async () => {
        const ok = await preflight(path, 'https://known.example.org');
        expect(ok.status).equal(204);
        expect(ok.headers.get('access-control-allow-origin')).equal('https://known.example.org');
        expect(ok.headers.get('vary')).match(/Origin/);
        expect(ok.headers.get('access-control-allow-credentials')).equal(null);
        const others =
          'https://other.example null https://known.example.org.evil.example http://known.example.org https://known.example.org:444 https://xknown.example.org';
        for (const origin of others.split(' ')) {
          const refused = await preflight(path, origin);
          expect(refused.status, origin).equal(403);
          expect(refused.headers.get('access-control-allow-origin'), origin).equal(null);
        }
        const plain = await fetch(server.url + path, { method: 'POST', headers: { Origin: 'https://other.example' } });
        expect(plain.headers.get('access-control-allow-origin')).equal(null);
      });

    it('[SD-06] a client that is disabled takes its origin along within 5 s', async () => {
      const { client } = await server.addApp({ redirectUris: ['https://brief.example.org/cb'] });
      const settle = async (): Promise<boolean> => {
        server.store.clock.pass(5_000);
        server.oauth.isRegisteredOrigin('x');
        await new Promise((resolve) => setTimeout(resolve, 100));
        return server.oauth.isRegisteredOrigin('https://brief.example.org');
      };
      expect(await settle()).equal(true);
      await server.store.clients.setDisabled(client.id, true);
      expect(await settle()).equal(false);
      expect(server.oauth.isRegisteredOrigin('null')).equal(false);
    });
  });
});
