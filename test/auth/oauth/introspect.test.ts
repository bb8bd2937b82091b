import { expect } from 'chai';
import { type OAuthServer, read, startOAuthServer, type TestApp } from '../../support/oauth-server.ts';

describe('oauth › introspect, revoke, userinfo', () => {
  let server: OAuthServer;
  let app: TestApp;
  let resource: TestApp;
  before(async () => {
    server = await startOAuthServer();
    app = await server.addApp({ kind: 'symmetric' });
    resource = await server.addApp({ kind: 'symmetric', mayIntrospect: true });
  });
  after(() => server.stop());

  const ask = async (token: string, by: TestApp = resource) =>
    server.post('/oauth2/introspect', { token, ...(await by.auth()) });
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

  it('[SX-02] tells of an active token all that was issued with it', async () => {
    const context = { need_patient_banner: false, fhirContext: [{ reference: 'Task/1' }] };
    const { body } = await server.exchange(app, { context, encounterId: 'e1' });
    const { status, body: told, headers } = await ask(body.access_token);
    expect(status).equal(200);
    expect(headers.get('cache-control')).equal('no-store');
    const now = Math.floor(server.store.clock.now() / 1000);
    expect(told).deep.equal({
      active: true,
      scope: body.scope,
      client_id: app.client.id,
      exp: now + 3600,
      iat: now,
      token_type: 'Bearer',
      aud: server.fhirBaseUrl,
      iss: server.url,
      sub: 'u1',
      fhirUser: `${server.fhirBaseUrl}/Practitioner/pr1`,
      patient: 'p1',
      encounter: 'e1',
      ...context,
    });
    const refresh = await ask(body.refresh_token);
    expect(refresh.body).include({ active: true, client_id: app.client.id, patient: 'p1' });
  });

  it('[SX-01] what is unknown, expired, revoked or malformed is inactive, and nothing else is said', async () => {
    const { body } = await server.exchange(app);
    const { body: used } = await server.exchange(app);
    const { body: next } = await server.refresh(app, used.refresh_token);
    await server.post('/oauth2/revoke', { token: next.access_token, ...(await app.auth()) });
    server.store.clock.pass(3_600_000);
    const tokens = ['x', 'ä'.repeat(100), body.access_token, body.id_token, used.refresh_token, next.access_token];
    for (const token of tokens) {
      const answer = await ask(token);
      expect([answer.status, answer.body]).deep.equal([200, { active: false }]);
    }
    const { body: live } = await server.exchange(app);
    const user = server.users.get('u1')!;
    server.users.set('u1', { ...user, isDisabled: true });
    expect((await ask(live.access_token)).body, 'its person is disabled').deep.equal({ active: false });
    server.users.set('u1', user);
  });

  it('[SX-01] asks for a client that has the right, or asks about itself', async () => {
    const { body } = await server.exchange(app);
    const other = await server.addApp({ kind: 'symmetric' });
    const open = await server.addApp();
    expect((await ask(body.access_token, other)).body).deep.equal({ active: false });
    expect((await ask(body.access_token, app)).body.active).equal(true);
    expect((await ask(body.access_token, open)).status, 'a public client').equal(401);
    expect((await server.post('/oauth2/introspect', { token: body.access_token })).status, 'nobody').equal(401);
    const own = await server.post('/oauth2/introspect', { token: body.access_token }, bearer(body.access_token));
    expect(own.body.active).equal(true);
    const { body: foreign } = await server.exchange(other);
    const peek = await server.post('/oauth2/introspect', { token: body.access_token }, bearer(foreign.access_token));
    expect(peek.body).deep.equal({ active: false });
    const { body: entitled } = await server.exchange(resource);
    const right = await server.post('/oauth2/introspect', { token: body.access_token }, bearer(entitled.access_token));
    expect(right.body.active).equal(true);
    const wrong = await server.post('/oauth2/introspect', { token: body.access_token }, bearer('x'));
    expect([wrong.status, wrong.headers.get('www-authenticate')]).deep.equal([
      401,
      'Bearer realm="mortar", error="invalid_token"',
    ]);
    expect((await fetch(`${server.url}/oauth2/introspect?token=x`)).status, 'GET').equal(405);
  });

  it('[SX-03] a client revokes its own tokens; a refresh token takes its access tokens along', async () => {
    server.audit.length = 0;
    const { body } = await server.exchange(app);
    const { body: other } = await server.exchange(app);
    const foreign = await server.addApp({ kind: 'symmetric' });
    const revoke = async (token: string, by: TestApp) =>
      (await server.post('/oauth2/revoke', { token, ...(await by.auth()) })).status;
    expect(await server.call(body.access_token)).equal(200);
    expect(await revoke(body.access_token, foreign)).equal(200);
    expect(await server.call(body.access_token), 'foreign').equal(200);
    expect(await revoke(body.refresh_token, app)).equal(200);
    expect(await server.call(body.access_token)).equal(401);
    expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
    expect(await revoke(other.access_token, app)).equal(200);
    expect(await server.call(other.access_token)).equal(401);
    expect((await server.refresh(app, other.refresh_token)).status, 'its refresh token lives').equal(200);
    expect(await revoke('unknown', app)).equal(200);
    expect(server.audit.filter(({ kind }) => kind === 'token-revoked')).length(2);
    const wrong = await server.post('/oauth2/revoke', { token: 'x', client_id: app.client.id, client_secret: 'x' });
    expect(wrong.status).equal(401);
  });

  it('[SX-03] a revocation acts on another node within 5 s', async () => {
    const { createAuthenticator } = await import('../../../src/auth/oauth/authenticate.ts');
    const { requestWith } = await import('../../support/oauth-server.ts');
    const node = createAuthenticator({
      grants: server.store.grants,
      users: { find: async (id) => server.users.get(id) },
      organizationsBelow: async (ids) => ids,
      fhirBaseUrls: [server.fhirBaseUrl],
      addressOf: () => undefined,
      now: server.store.clock.now,
    });
    const { body } = await server.exchange(app);
    const call = () =>
      node.authenticate(requestWith({ authorization: `Bearer ${body.access_token}` }), 'c').then(
        () => 200,
        (error: { status: number }) => error.status,
      );
    expect(await call()).equal(200);
    await server.post('/oauth2/revoke', { token: body.refresh_token, ...(await app.auth()) });
    server.store.clock.pass(5_000);
    expect(await call()).equal(401);
  });

  it('[SO-04] userinfo has sub and what the scopes allow, for openid only', async () => {
    const get = async (scope: string) => {
      const { body } = await server.exchange(app, { scope });
      const { status, body: claims } = await read(
        await fetch(`${server.url}/oauth2/userinfo`, { headers: bearer(body.access_token) }),
      );
      return { status, body: claims };
    };
    expect(await get('openid')).deep.equal({ status: 200, body: { sub: 'u1' } });
    expect((await get('openid profile fhirUser')).body).deep.equal({
      sub: 'u1',
      name: 'Ann Other',
      fhirUser: `${server.fhirBaseUrl}/Practitioner/pr1`,
    });
    const without = await get('patient/*.rs');
    expect([without.status, without.body.resourceType]).deep.equal([403, 'OperationOutcome']);
    const none = await fetch(`${server.url}/oauth2/userinfo`);
    expect([none.status, none.headers.get('www-authenticate')]).deep.equal([401, 'Bearer realm="mortar"']);
  });
});
