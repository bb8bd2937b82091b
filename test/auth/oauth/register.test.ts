import { expect } from 'chai';
import { redirectFault } from '../../../src/auth/oauth/client-metadata.ts';
import { type Answer, makeKey, type OAuthServer, read, startOAuthServer } from '../../support/oauth-server.ts';

const APP = {
  client_name: 'Growth chart',
  redirect_uris: ['https://growth.example.org/cb'],
  scope: 'openid launch/patient patient/*.rs offline_access',
  token_endpoint_auth_method: 'none',
};

describe('oauth › register', () => {
  let server: OAuthServer;
  before(async () => {
    server = await startOAuthServer();
  });
  after(() => server.stop());

  const send = async (method: string, url: string, body?: unknown, token?: string): Promise<Answer> =>
    read(
      await fetch(url, {
        method,
        headers: {
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
  const register = (body: unknown, token?: string) => send('POST', `${server.url}/oauth2/register`, body, token);

  it('[SR-01] registers an app under an id of ours, unverified', async () => {
    const { status, body, headers } = await register({ ...APP, client_id: 'mine', verified: true, introspect: true });
    expect(status).equal(201);
    expect(headers.get('cache-control')).equal('no-store');
    expect(body).deep.include({ ...APP, registration_client_uri: `${server.url}/oauth2/register/${body.client_id}` });
    expect(body.client_id, 'SR-03').match(/^[0-9a-f-]{36}$/);
    expect(body).not.have.property('client_secret');
    expect(await server.store.clients.find(body.client_id)).include({ isVerified: false, mayIntrospect: false });
    expect(server.audit.at(-1)).include({ kind: 'client', rule: 'registered' });
  });

  it('[SD-04] an app that proves itself by certificate registers only where a listener asks for one', async () => {
    const app = { ...APP, token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=app' };
    expect((await register(app)).body).include({ error: 'invalid_client_metadata' });
    const tls = await startOAuthServer({ certificateOf: () => undefined });
    try {
      expect((await send('POST', `${tls.url}/oauth2/register`, app)).status).equal(201);
    } finally {
      await tls.stop();
    }
  });

  it('[SR-01] an unverified app gets neither offline_access nor scopes of a user to create', async () => {
    const { body } = await register({
      ...APP,
      scope: 'openid offline_access user/*.cruds user/*.write user/*.rs patient/*.cruds',
    });
    const client = (await server.store.clients.find(body.client_id))!;
    const choose = (text: string) => server.oauth.chooseScopes(client, text).map((scope) => scope.text);
    expect(choose('openid offline_access user/*.cruds user/Patient.write user/Patient.rs patient/*.c')).deep.equal([
      'openid',
      'user/Patient.rs',
      'patient/*.c',
    ]);
    const verified = { ...client, isVerified: true };
    expect(server.oauth.chooseScopes(verified, 'offline_access user/*.c').map((scope) => scope.text)).deep.equal([
      'offline_access',
      'user/*.c',
    ]);
  });

  for (const text of [
    '',
    'nonsense',
    'system/*.rs',
    'patient/*.rs system/*.rs',
    'user/Observation.r?colour=1',
    'launch/patient',
  ])
    it(`[SC-02] [SC-13] an app that asks for "${text}" gets invalid_scope`, async () => {
      const { client } = await server.addApp({ scope: 'patient/*.rs system/*.rs' });
      expect(() => server.oauth.chooseScopes(client, text))
        .throw()
        .with.property('code', 'invalid_scope');
    });

  it('[SA-02] a confidential app gets its secret once, and can use it', async () => {
    const { body } = await register({ ...APP, token_endpoint_auth_method: undefined });
    expect(body).include({ token_endpoint_auth_method: 'client_secret_basic', client_secret_expires_at: 0 });
    const form = { token: 'x', client_id: body.client_id, client_secret: body.client_secret };
    expect((await server.post('/oauth2/revoke', form)).status).equal(200);
    const again = await send('GET', body.registration_client_uri, undefined, body.registration_access_token);
    expect(again.body).not.have.property('client_secret');
  });

  it('[SR-03] the bearer of the registration token reads, changes and ends it; nobody else does', async () => {
    const { body: one } = await register(APP);
    const { body: other } = await register(APP);
    const uri = one.registration_client_uri;
    const token = one.registration_access_token;
    expect((await send('GET', uri, undefined, token)).body).include({ client_id: one.client_id });
    for (const wrong of [undefined, 'x', other.registration_access_token, one.client_id]) {
      expect((await send('GET', uri, undefined, wrong)).status).equal(401);
      expect((await send('DELETE', uri, undefined, wrong)).status).equal(401);
    }
    await server.store.clients.change(one.client_id, {
      ...(await server.store.clients.find(one.client_id))!,
      isVerified: true,
    });
    const change = { ...APP, client_id: one.client_id, redirect_uris: ['https://evil.example.org/cb'] };
    expect((await send('PUT', uri, { ...change, client_id: other.client_id }, token)).status).equal(400);
    expect(
      (await send('PUT', uri, { ...change, token_endpoint_auth_method: 'client_secret_post' }, token)).status,
    ).equal(400);
    const changed = await send('PUT', uri, change, token);
    expect(changed.body.redirect_uris).deep.equal(change.redirect_uris);
    expect((await server.store.clients.find(one.client_id))?.isVerified, 'nobody has looked at this').equal(false);
    expect((await send('DELETE', uri, undefined, token)).status).equal(204);
    expect(await server.store.clients.find(one.client_id)).equal(undefined);
    expect((await send('GET', uri, undefined, token)).status).equal(401);
    expect(server.audit.map(({ rule }) => rule)).include.members(['registration-changed', 'registration-ended']);
  });

  it('[SR-01] closed: needs an access token with the right to register', async () => {
    const closed = await startOAuthServer({ isRegistrationOpen: false });
    try {
      const url = `${closed.url}/oauth2/register`;
      expect((await send('POST', url, APP)).status).equal(401);
      expect((await send('POST', url, APP, 'x')).status).equal(401);
      const app = await closed.addApp();
      const { body } = await closed.exchange(app);
      expect((await send('POST', url, APP, body.access_token)).status, 'no right').equal(403);
      closed.users.set('u1', { ...closed.users.get('u1')!, roles: ['ADMIN'] });
      closed.store.clock.pass(5_000);
      expect((await send('POST', url, APP, body.access_token)).status).equal(201);
    } finally {
      await closed.stop();
    }
  });

  it('[SO-01] [SR-02] an app says how its ID tokens are to be signed', async () => {
    const { body } = await register({ ...APP, id_token_signed_response_alg: 'ES256' });
    expect(body.id_token_signed_response_alg).equal('ES256');
    expect((await server.store.clients.find(body.client_id))?.idTokenAlg).equal('ES256');
    expect((await register(APP)).body.id_token_signed_response_alg).equal('RS256');
    for (const alg of ['none', 'HS256', 1])
      expect((await register({ ...APP, id_token_signed_response_alg: alg })).body.error, String(alg)).equal(
        'invalid_client_metadata',
      );
  });

  describe('initial access tokens', () => {
    let closed: OAuthServer;
    let admin: string;
    const make = async (by: string = admin) =>
      send('POST', `${closed.url}/api/v2/admin/registration-tokens`, undefined, by);
    const use = (token: string, body: unknown = APP) => send('POST', `${closed.url}/oauth2/register`, body, token);
    beforeEach(async () => {
      closed.users.set('u1', { ...closed.users.get('u1')!, roles: ['ADMIN'] });
      admin = (await closed.exchange(await closed.addApp({ scope: 'user/*.cruds' }))).body.access_token;
    });
    before(async () => {
      closed = await startOAuthServer({ isRegistrationOpen: false });
    });
    after(() => closed.stop());

    it('[SR-01] an administrator makes one, and it registers one app, unverified', async () => {
      const { status, body } = await make();
      expect([status, body.expires_in]).deep.equal([201, 604_800]);
      const token = body.initial_access_token;
      expect((await use(token, { ...APP, scope: 'nonsense' })).status, 'a mistake does not use it up').equal(400);
      const done = await use(token);
      expect(done.status).equal(201);
      expect(await closed.store.clients.find(done.body.client_id)).include({ isVerified: false });
      expect((await use(token)).status, 'once').equal(401);
      const [added, registered] = closed.audit.filter(({ kind, outcome }) => kind === 'client' && outcome === 0);
      expect([added?.rule, registered?.rule]).deep.equal(['registration-token-added', 'registered']);
      expect(registered?.detail?.['token'], 'the trail joins them').equal(added?.detail?.['token']);
      expect(JSON.stringify(closed.audit) + (await closed.store.dump())).not.include(token);
    });

    it('[SR-01] of ten uses at once one registers', async () => {
      const token = (await make()).body.initial_access_token;
      const answers = await Promise.all(Array.from({ length: 10 }, () => use(token)));
      expect(answers.map(({ status }) => status).sort()).deep.equal([201, ...Array(9).fill(401)]);
    });

    it('[SR-01] it is good for a week, and for nothing else', async () => {
      const token = (await make()).body.initial_access_token;
      expect(await closed.call(token), 'no access token').equal(401);
      expect((await send('GET', `${closed.url}/oauth2/register/x`, undefined, token)).status).equal(401);
      closed.store.clock.pass(7 * 24 * 3_600_000);
      expect((await use(token)).status).equal(401);
    });

    it('[SR-01] [AZ-01] [LG-12] needs the right and a sign-in of the last five minutes', async () => {
      expect((await send('POST', `${closed.url}/api/v2/admin/registration-tokens`)).status).equal(401);
      closed.store.clock.pass(5 * 60_000 + 1);
      const late = await make();
      expect([late.status, late.body.issue[0].details.coding[0].code]).deep.equal([401, 'step_up_required']);
      closed.users.set('u1', { ...closed.users.get('u1')!, roles: ['DOCTOR'] });
      closed.store.clock.pass(5_000);
      expect((await make()).status).equal(403);
      expect(closed.audit.at(-1)).include({ kind: 'client', outcome: 4 });
    });
  });

  const uris = [
    ['https://app.example.org/cb?x=1', false, true],
    ['https://app.example.org:8443/cb', false, true],
    ['http://127.0.0.1/cb', true, true],
    ['http://127.0.0.1:4000/cb', true, true],
    ['http://[::1]/cb', true, true],
    ['http://localhost/cb', true, true],
    ['com.example.app:/cb', true, true],
    ['http://127.0.0.1/cb', false, false],
    ['com.example.app:/cb', false, false],
    ['http://app.example.org/cb', true, false],
    ['http://127.0.0.1.evil.example/cb', true, false],
    ['https://app.example.org/cb#x', true, false],
    ['https://app.example.org/#', true, false],
    ['https://*.example.org/cb', true, false],
    ['https://user@app.example.org/cb', true, false],
    ['https://user:pw@app.example.org/cb', true, false],
    ['/cb', true, false],
    ['', true, false],
    ['javascript:alert(1)', true, false],
    ['data:text/html,x', true, false],
    ['file:///etc/passwd', true, false],
    ['myapp:/cb', true, false],
    ['https://app.example.org/ cb', true, false],
    [`https://app.example.org/${'x'.repeat(2000)}`, true, false],
  ] as const;
  for (const [uri, native, isRight] of uris)
    it(`[SR-02] ${uri.slice(0, 60)} ${native ? 'of a native app ' : ''}is ${isRight ? 'right' : 'refused'}`, () => {
      expect(redirectFault(uri, native) === undefined).equal(isRight);
    });

  it('[SR-02] [SA-08] metadata that is wrong is refused with its error', async () => {
    const key = (await makeKey('ES256')).jwk;
    const keyed = { ...APP, token_endpoint_auth_method: 'private_key_jwt' };
    const cases: readonly [unknown, string][] = [
      [[], 'invalid_client_metadata'],
      ['x', 'invalid_request'],
      [{ ...APP, redirect_uris: undefined }, 'invalid_redirect_uri'],
      [{ ...APP, redirect_uris: 'https://a.example' }, 'invalid_redirect_uri'],
      [{ ...APP, redirect_uris: [1] }, 'invalid_redirect_uri'],
      [{ ...APP, redirect_uris: Array(21).fill('https://a.example/cb') }, 'invalid_redirect_uri'],
      [{ ...APP, redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
      [{ ...APP, client_name: 'x'.repeat(101) }, 'invalid_client_metadata'],
      [{ ...APP, client_name: 'a\nb' }, 'invalid_client_metadata'],
      [{ ...APP, client_name: 'safe\u202Eevil' }, 'invalid_client_metadata'],
      [{ ...APP, client_name: { toString: 1 } }, 'invalid_client_metadata'],
      [{ ...APP, scope: undefined }, 'invalid_client_metadata'],
      [{ ...APP, scope: 'nonsense' }, 'invalid_client_metadata'],
      [{ ...APP, token_endpoint_auth_method: 'client_secret_jwt' }, 'invalid_client_metadata'],
      [{ ...APP, token_endpoint_auth_method: '__proto__' }, 'invalid_client_metadata'],
      [{ ...APP, grant_types: ['implicit'] }, 'invalid_client_metadata'],
      [{ ...APP, grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
      [keyed, 'invalid_client_metadata'],
      [{ ...keyed, jwks: { keys: [key] }, jwks_uri: 'https://a.example/jwks' }, 'invalid_client_metadata'],
      [{ ...keyed, jwks: { keys: [] } }, 'invalid_client_metadata'],
      [{ ...keyed, jwks: { keys: [{ ...key, d: 'x' }] } }, 'invalid_client_metadata'],
      [{ ...keyed, jwks: { keys: [{ ...key, kid: undefined }] } }, 'invalid_client_metadata'],
      [{ ...keyed, jwks: { keys: [{ kty: 'oct', k: 'x', kid: 'x' }] } }, 'invalid_client_metadata'],
      [
        { ...keyed, jwks: { keys: [{ kty: 'RSA', e: 'AQAB', n: 'x'.repeat(171), kid: 'x' }] } },
        'invalid_client_metadata',
      ],
      [{ ...keyed, jwks_uri: 'http://a.example/jwks' }, 'invalid_client_metadata'],
      [{ ...keyed, jwks_uri: 'ftp://a.example/jwks' }, 'invalid_client_metadata'],
    ];
    for (const [body, error] of cases) {
      const answer = await register(body);
      expect([answer.status, answer.body.error], JSON.stringify(body)?.slice(0, 120)).deep.equal([400, error]);
    }
    const right = await register({ ...keyed, jwks: { keys: [key] }, logo_uri: 'http://127.0.0.1/never-fetched' });
    expect(right.status).equal(201);
  });

  describe('administration', () => {
    const ADMIN = '/api/v2/admin/clients';
    let admin: string;
    before(async () => {
      server.users.set('u1', { ...server.users.get('u1')!, roles: ['ADMIN'] });
      admin = (await server.exchange(await server.addApp({ scope: 'user/*.cruds' }))).body.access_token;
    });
    const call = (method: string, path: string, body?: unknown, token: string | undefined = admin) =>
      send(method, server.url + ADMIN + path, body, token);

    it('adds, shows, changes, disables and enables; the secret is seen once', async () => {
      const { status, body } = await call('POST', '', {
        ...APP,
        token_endpoint_auth_method: 'client_secret_basic',
        introspect: true,
        launch_url: 'http://127.0.0.1:9000/launch',
      });
      expect(status).equal(201);
      expect(body).include({ introspect: true, verified: true, disabled: false });
      const path = `/${body.client_id}`;
      expect(await server.store.clients.isSecret(body.client_id, body.client_secret)).equal(true);
      expect((await call('GET', path)).body).not.have.property('client_secret');
      const { body: more } = await call('POST', `${path}/secrets`);
      expect(await server.store.clients.isSecret(body.client_id, more.client_secret)).equal(true);
      const changed = await call('PUT', path, {
        ...APP,
        token_endpoint_auth_method: 'client_secret_post',
        scope: 'openid',
      });
      expect(changed.body).include({ scope: 'openid', introspect: false });
      expect((await call('POST', `${path}/disable`)).status).equal(204);
      expect((await call('GET', path)).body.disabled).equal(true);
      expect((await call('POST', `${path}/enable`)).status).equal(204);
      expect((await call('GET', '')).body.length).above(1);
      expect((await call('GET', '/nobody')).status).equal(404);
      const rules = server.audit.filter(({ kind }) => kind === 'client').map(({ rule }) => rule);
      expect(rules).include.members(['added', 'changed', 'disabled', 'enabled', 'secret-added']);
    });

    it('[AZ-01] needs a token and the right', async () => {
      const routes = [
        ['GET', ''],
        ['POST', ''],
        ['GET', '/x'],
        ['PUT', '/x'],
        ['POST', '/x/disable'],
        ['POST', '/x/enable'],
        ['POST', '/x/secrets'],
      ] as const;
      const user = server.users.get('u1')!;
      for (const [method, path] of routes) {
        const body = method === 'PUT' || path === '' ? APP : undefined;
        const none = await send(method, server.url + ADMIN + path, method === 'GET' ? undefined : body);
        expect(none.status, `${method} ${path}`).equal(401);
        expect(server.audit.at(-1)).include({ kind: 'access-refused', outcome: 4 });
        server.users.set('u1', { ...user, roles: ['DOCTOR'] });
        server.store.clock.pass(5_000);
        const other = await call(method, path, method === 'GET' ? undefined : body);
        expect([other.status, other.body.resourceType], `${method} ${path}`).deep.equal([403, 'OperationOutcome']);
        server.users.set('u1', user);
        server.store.clock.pass(5_000);
      }
    });

    it('[IN-02] who sends is known before the body is read', async () => {
      const huge = { ...APP, client_name: 'x'.repeat(10_000_000) };
      expect((await send('POST', server.url + ADMIN, huge)).status).equal(401);
      const managed = `${server.url}/oauth2/register/x`;
      expect((await send('PUT', managed, huge, 'x')).status).equal(401);
      expect((await call('POST', '', huge)).status).equal(413);
    });

    it('[LG-12] a person who changes clients has signed in within five minutes', async () => {
      server.store.clock.pass(5 * 60_000);
      const answer = await call('POST', '', APP);
      expect(answer.status).equal(401);
      expect(answer.body.issue[0].details.coding[0].code).equal('step_up_required');
      expect(answer.headers.get('www-authenticate')).include('insufficient_user_authentication');
      expect((await call('GET', '')).status, 'looking needs none').equal(200);
    });

    it('clients of our own are not touched', async () => {
      const fresh = (await server.exchange(await server.addApp({ scope: 'user/*.cruds' }))).body.access_token;
      expect((await call('POST', '/operator/disable', undefined, fresh)).status).equal(404);
      expect((await call('PUT', '/operator', APP, fresh)).status).equal(404);
    });

    it('a disabled client’s tokens stop, and do not come back with it', async () => {
      const app = await server.addApp();
      const fresh = (await server.exchange(await server.addApp({ scope: 'user/*.cruds' }))).body.access_token;
      const { body } = await server.exchange(app);
      expect(await server.call(body.access_token)).equal(200);
      await call('POST', `/${app.client.id}/disable`, undefined, fresh);
      expect(await server.call(body.access_token)).equal(401);
      await call('POST', `/${app.client.id}/enable`, undefined, fresh);
      expect(await server.call(body.access_token)).equal(401);
      expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
    });
  });
});
