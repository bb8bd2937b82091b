/** SECURITY ST-10: tokens bound to a key, with `jose` as the client. */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { calculateJwkThumbprint, exportJWK, type JWTPayload, SignJWT } from 'jose';
import { createAuthenticator } from '../../../src/auth/oauth/authenticate.ts';
import { createDpop } from '../../../src/auth/oauth/dpop.ts';
import { createDpopNonces } from '../../../src/auth/oauth/dpop-nonces.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import {
  type Answer,
  codeForm,
  makeKey,
  type OAuthServer,
  read,
  requestWith,
  startOAuthServer,
  type TestApp,
  type TestKey,
} from '../../support/oauth-server.ts';

type Changes = Readonly<Record<string, unknown>>;
const PATH = '/fhir/R4/Patient/p1';

describe('oauth › DPoP', () => {
  let server: OAuthServer;
  let app: TestApp;
  let key: TestKey;
  let other: TestKey;
  before(async () => {
    server = await startOAuthServer();
    app = await server.addApp();
    [key, other] = [await makeKey('ES256'), await makeKey('RS256')];
  });
  after(() => server.stop());

  const seconds = (): number => Math.floor(server.store.clock.now() / 1000);
  const ath = (token: string): string => createHash('sha256').update(token).digest('base64url');
  /** A proof as a client makes it; what is `undefined` is left out. */
  async function sign(by: TestKey, claims: Changes = {}, header: Changes = {}): Promise<string> {
    const { kid: _none, ...jwk } = by.jwk;
    const all = { alg: by.alg, typ: 'dpop+jwt', jwk, ...header };
    const payload = { htm: 'POST', htu: `${server.url}/oauth2/token`, iat: seconds(), jti: randomUUID(), ...claims };
    return new SignJWT(payload as JWTPayload).setProtectedHeader(JSON.parse(JSON.stringify(all))).sign(by.privateKey);
  }
  const proofFor = (token: string, by: TestKey = key, claims: Changes = {}, header: Changes = {}): Promise<string> =>
    sign(by, { htm: 'GET', htu: server.url + PATH, ath: ath(token), ...claims }, header);

  async function exchange(proof: string | undefined, of: TestApp = app, grant = {}): Promise<Answer> {
    const { code, verifier } = await server.makeCode(of, grant);
    const form = { ...codeForm(code, verifier), ...(await of.auth()) };
    return server.post('/oauth2/token', form, proof === undefined ? {} : { DPoP: proof });
  }
  const refresh = async (of: TestApp, token: string, proof?: string): Promise<Answer> => {
    const form = { grant_type: 'refresh_token', refresh_token: token, ...(await of.auth()) };
    return server.post('/oauth2/token', form, proof === undefined ? {} : { DPoP: proof });
  };
  const bound = async (): Promise<string> => (await exchange(await sign(key))).body.access_token;

  type Called = { readonly status: number; readonly headers: Readonly<Record<string, string>> };
  const call = (headers: Record<string, string>, url = PATH): Promise<Called> =>
    server.oauth.authenticate(requestWith(headers, url), 'c').then(
      () => ({ status: 200, headers: {} }),
      (error: unknown) => {
        expect(error).instanceOf(FhirError);
        return error as FhirError;
      },
    );
  const present = async (token: string, proof: string, url?: string): Promise<Called> =>
    call({ authorization: `DPoP ${token}`, dpop: proof }, url);

  describe('at the token endpoint', () => {
    it('[ST-10] [ST-02] a proof makes the token one of its key', async () => {
      const { status, headers, body } = await exchange(await sign(key));
      expect(status).equal(200);
      expect(body.token_type).equal('DPoP');
      expect(headers.get('dpop-nonce'), 'offered').match(/^[A-Za-z0-9_-]{22}$/);
      const told = await server.post('/oauth2/introspect', {
        token: body.access_token,
        ...(await (await server.addApp({ kind: 'symmetric', mayIntrospect: true })).auth()),
      });
      expect(told.body, 'SX-02').deep.include({
        active: true,
        token_type: 'DPoP',
        cnf: { jkt: await calculateJwkThumbprint(key.jwk) },
      });
    });

    it('[ST-10] without a proof the token is a bearer’s', async () => {
      const { body, headers } = await exchange(undefined);
      expect(body.token_type).equal('Bearer');
      expect(headers.has('dpop-nonce')).equal(false);
      expect(await server.call(body.access_token)).equal(200);
    });

    it('[ST-10] a backend service and every algorithm of the list', async () => {
      const service = await server.addApp({ kind: 'asymmetric', scope: 'system/*.rs', redirectUris: [] });
      const { body: discovery } = await read(await fetch(`${server.url}/.well-known/oauth-authorization-server`));
      expect(discovery.dpop_signing_alg_values_supported).include('ES256');
      for (const alg of discovery.dpop_signing_alg_values_supported) {
        const by = await makeKey(alg);
        const form = { grant_type: 'client_credentials', scope: 'system/*.rs', ...(await service.auth()) };
        const { body } = await server.post('/oauth2/token', form, { DPoP: await sign(by) });
        expect(body.token_type, alg).equal('DPoP');
        expect((await present(body.access_token, await proofFor(body.access_token, by))).status, alg).equal(200);
      }
    });

    const wrong: readonly [string, Changes, Changes?][] = [
      ['another method', { htm: 'GET' }],
      ['a method in small letters', { htm: 'post' }],
      ['another path', { htu: 'PLACE/oauth2/tokens' }],
      ['another host', { htu: 'https://other.example/oauth2/token' }],
      ['a URL that is none', { htu: '/oauth2/token' }],
      ['no URL', { htu: undefined }],
      ['no method', { htm: undefined }],
      ['no jti', { jti: undefined }],
      ['an empty jti', { jti: '' }],
      ['a long jti', { jti: 'x'.repeat(256) }],
      ['no iat', { iat: undefined }],
      ['an iat that is a text', { iat: '1' }],
      ['a typ of other tokens', {}, { typ: 'JWT' }],
      ['no typ', {}, { typ: undefined }],
      ['no key', {}, { jwk: undefined }],
      ['a key by a name only', {}, { jwk: undefined, kid: 'x' }],
      ['a symmetric key', {}, { jwk: { kty: 'oct', k: 'AAAA' } }],
    ];
    for (const [what, claims, header] of wrong)
      it(`[ST-10] ${what}: invalid_dpop_proof`, async () => {
        const htu = claims['htu'];
        const right = typeof htu === 'string' ? { ...claims, htu: htu.replace('PLACE', server.url) } : claims;
        const answer = await exchange(await sign(key, right, header));
        expect([answer.status, answer.body.error]).deep.equal([400, 'invalid_dpop_proof']);
        expect(server.audit.at(-1)?.rule).match(/^dpop-/);
      });

    it('[ST-10] a private key in the proof, another key’s signature, none, and an HMAC: invalid_dpop_proof', async () => {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const { kid: _none, ...jwk } = key.jwk;
      const claims = part({ htm: 'POST', htu: `${server.url}/oauth2/token`, iat: seconds(), jti: randomUUID() });
      const hmac = `${part({ typ: 'dpop+jwt', alg: 'HS256', jwk })}.${claims}`;
      const good = await sign(key);
      const proofs = [
        await sign(key, {}, { jwk: { ...(await exportJWK(key.privateKey)) } }),
        await sign(key, {}, { jwk: (await makeKey('ES256')).jwk }),
        `${part({ typ: 'dpop+jwt', alg: 'none', jwk })}.${claims}.`,
        `${hmac}.${createHmac('sha256', JSON.stringify(jwk)).update(hmac).digest('base64url')}`,
        `${good}x`,
        `${good}, ${good}`,
        'x',
        'a.b.c',
        `${good.slice(0, good.indexOf('.'))}.${part([1])}.AAAA`,
        'x'.repeat(5000),
      ];
      for (const proof of proofs) {
        const answer = await exchange(proof);
        expect([answer.status, answer.body.error], proof.slice(0, 60)).deep.equal([400, 'invalid_dpop_proof']);
      }
    });

    it('[ST-10] iat may be 60 s off, no more', async () => {
      for (const [off, status] of [
        [-60, 200],
        [60, 200],
        [-61, 400],
        [61, 400],
      ] as const)
        expect((await exchange(await sign(key, { iat: seconds() + off }))).status, `${off} s`).equal(status);
    });

    it('[ST-10] the URL is compared without query and fragment, and as URLs are written', async () => {
      const { port } = new URL(server.url);
      for (const htu of [
        `${server.url}/oauth2/token?x=1#y`,
        `HTTP://127.0.0.1:${port}/oauth2/token`,
        `${server.url}/fhir/../oauth2/token`,
      ])
        expect((await exchange(await sign(key, { htu }))).status, htu).equal(200);
    });

    it('[ST-10] of 20 uses of one proof at once one is taken', async () => {
      const proof = await sign(key);
      const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(proof)));
      expect(answers.map(({ status }) => status).sort()).deep.equal([200, ...Array(19).fill(400)]);
      server.store.clock.pass(60_000);
      expect((await exchange(proof)).status, 'as long as it is good').equal(400);
      const jti = 'of each key its own';
      expect((await exchange(await sign(key, { jti }))).status).equal(200);
      expect((await exchange(await sign(other, { jti }))).status).equal(200);
    });

    it('[ST-10] a refused proof does not use the code up', async () => {
      const { code, verifier } = await server.makeCode(app);
      const form = { ...codeForm(code, verifier), client_id: app.client.id };
      expect((await server.post('/oauth2/token', form, { DPoP: 'x' })).status).equal(400);
      expect((await server.post('/oauth2/token', form, { DPoP: await sign(key) })).status).equal(200);
    });

    it('[ST-10] a code that is bound to a key is for that key', async () => {
      const cnf = { jkt: await calculateJwkThumbprint(key.jwk) };
      for (const proof of [undefined, await sign(other)]) {
        const answer = await exchange(proof, app, { cnf });
        expect([answer.status, answer.body.error]).deep.equal([400, 'invalid_grant']);
      }
      expect((await exchange(await sign(key), app, { cnf })).status).equal(200);
    });
  });

  describe('refresh', () => {
    it('[ST-09] [ST-10] a public client’s refresh token is of the key that it was got with', async () => {
      const { body } = await exchange(await sign(key));
      for (const proof of [undefined, await sign(other)]) {
        const answer = await refresh(app, body.refresh_token, proof);
        expect([answer.status, answer.body.error]).deep.equal([400, 'invalid_grant']);
      }
      const { status, body: next } = await refresh(app, body.refresh_token, await sign(key));
      expect([status, next.token_type]).deep.equal([200, 'DPoP']);
      expect((await present(next.access_token, await proofFor(next.access_token))).status).equal(200);
      expect((await refresh(app, next.refresh_token)).body.error, 'as its successor').equal('invalid_grant');
      expect((await refresh(app, next.refresh_token, await sign(key))).status).equal(200);
    });

    it('[ST-10] a confidential client proves who it is, and may have a new key', async () => {
      const confidential = await server.addApp({ kind: 'symmetric' });
      const { body } = await exchange(await sign(key), confidential);
      const { status, body: next } = await refresh(confidential, body.refresh_token, await sign(other));
      expect([status, next.token_type]).deep.equal([200, 'DPoP']);
      expect((await present(next.access_token, await proofFor(next.access_token, other))).status).equal(200);
      expect((await present(next.access_token, await proofFor(next.access_token))).status).equal(401);
    });
  });

  describe('at the resource server', () => {
    it('[ST-10] a bound token with a proof of its key, once', async () => {
      const token = await bound();
      const proof = await proofFor(token);
      expect((await present(token, proof)).status).equal(200);
      const again = await present(token, proof);
      expect([again.status, again.headers['WWW-Authenticate']?.includes('error="invalid_dpop_proof"')]).deep.equal([
        401,
        true,
      ]);
      expect((await present(token, await proofFor(token))).status, 'with a new one').equal(200);
      expect((await present(token, await proofFor(token), `${PATH}?_summary=true`)).status, 'query').equal(200);
    });

    it('[ST-10] [ST-11] a bound token is no bearer token, and a bearer’s is no bound one', async () => {
      const token = await bound();
      const plain = await call({ authorization: `Bearer ${token}`, dpop: await proofFor(token) });
      expect([plain.status, plain.headers['WWW-Authenticate']]).deep.equal([
        401,
        'DPoP realm="mortar", error="invalid_token", algs="RS384 ES384 RS512 RS256 ES256"',
      ]);
      expect(await server.call(token)).equal(401);
      const { body } = await exchange(undefined);
      expect((await present(body.access_token, await proofFor(body.access_token))).status).equal(401);
      const info = await fetch(`${server.url}/oauth2/userinfo`, { headers: { Authorization: `Bearer ${token}` } });
      expect(info.status).equal(401);
      const asked = await server.post('/oauth2/introspect', { token }, { Authorization: `Bearer ${token}` });
      expect(asked.status, 'nor at introspection').equal(401);
    });

    it('[ST-10] userinfo and introspection take a bound token with its proof', async () => {
      const token = await bound();
      const about = async (htm: string, path: string) => ({
        Authorization: `DPoP ${token}`,
        DPoP: await sign(key, { htm, htu: server.url + path, ath: ath(token) }),
      });
      const headers = await about('GET', '/oauth2/userinfo');
      expect((await fetch(`${server.url}/oauth2/userinfo`, { headers })).status).equal(200);
      const asked = await server.post('/oauth2/introspect', { token }, await about('POST', '/oauth2/introspect'));
      expect(asked.body.active).equal(true);
    });

    const wrong: readonly [string, (token: string) => Promise<string>][] = [
      ['another key', (token) => proofFor(token, other)],
      ['another method', (token) => proofFor(token, key, { htm: 'POST' })],
      ['another resource', (token) => proofFor(token, key, { htu: `${server.url}/fhir/R4/Patient/p2` })],
      ['another server', (token) => proofFor(token, key, { htu: `https://other.example${PATH}` })],
      ['no ath', (token) => proofFor(token, key, { ath: undefined })],
      ['the ath of another token', (token) => proofFor(token, key, { ath: ath(`${token}x`) })],
      ['a proof for the token endpoint', () => sign(key)],
      ['an old proof', (token) => proofFor(token, key, { iat: seconds() - 61 })],
      ['a typ of other tokens', (token) => proofFor(token, key, {}, { typ: 'JWT' })],
    ];
    for (const [what, make] of wrong)
      it(`[ST-10] ${what}: 401`, async () => {
        const token = await bound();
        const answer = await present(token, await make(token));
        expect([answer.status, answer.headers['WWW-Authenticate']]).deep.include(401);
        expect(answer.headers['WWW-Authenticate']).match(/^DPoP realm="mortar", error="invalid_/);
        expect((await present(token, await proofFor(token))).status, 'and the right one').equal(200);
      });

    it('[ST-10] no proof, and one twice: 401', async () => {
      const token = await bound();
      const proof = await proofFor(token);
      expect((await call({ authorization: `DPoP ${token}` })).status).equal(401);
      expect((await present(token, `${proof}, ${proof}`)).status).equal(401);
    });

    it('[ST-10] a proof that one node has taken another does not take', async () => {
      const { grants, keys, clock } = server.store;
      const node = createAuthenticator({
        grants,
        users: { find: async (id) => server.users.get(id) },
        organizationsBelow: async (ids) => ids,
        fhirBaseUrls: [server.fhirBaseUrl],
        dpop: createDpop({
          publicUrl: server.url,
          grants,
          nonces: createDpopNonces(keys, clock.now),
          needsNonce: false,
          now: clock.now,
        }),
        addressOf: () => undefined,
        now: clock.now,
      });
      const token = await bound();
      const proof = await proofFor(token);
      expect((await present(token, proof)).status).equal(200);
      const req = requestWith({ authorization: `DPoP ${token}`, dpop: proof });
      const error = await node.authenticate(req, 'c').catch((caught: FhirError) => caught);
      expect(error).include({ status: 401 });
    });
  });

  describe('nonce', () => {
    let strict: OAuthServer;
    before(async () => {
      strict = await startOAuthServer({ needsDpopNonce: true });
    });
    after(() => strict.stop());

    it('[ST-10] is offered, and where it is given it must be ours', async () => {
      const { headers } = await exchange(await sign(key));
      const nonce = headers.get('dpop-nonce');
      expect((await exchange(await sign(key, { nonce }))).status).equal(200);
      const made = await exchange(await sign(key, { nonce: 'made-up' }));
      expect([made.status, made.body.error]).deep.equal([400, 'use_dpop_nonce']);
      expect(made.headers.get('dpop-nonce')).equal(nonce);
      server.store.clock.pass(120_000);
      expect((await exchange(await sign(key, { nonce }))).status, 'the one before').equal(200);
      server.store.clock.pass(120_000);
      const late = await exchange(await sign(key, { nonce }));
      expect([late.status, late.body.error]).deep.equal([400, 'use_dpop_nonce']);
      expect((await exchange(await sign(key, { nonce: late.headers.get('dpop-nonce') }))).status).equal(200);
    });

    it('[ST-10] is the same on every node', async () => {
      const { keys, clock } = server.store;
      const one = await createDpopNonces(keys, clock.now).current();
      expect(await createDpopNonces(keys, clock.now).isCurrent(one)).equal(true);
      expect(await createDpopNonces(strict.store.keys, clock.now).isCurrent(one), 'of another server').equal(false);
    });

    it('[ST-10] where it is needed a client is told, at both ends', async () => {
      const client = await strict.addApp();
      const at = (claims: Changes) => ({ iat: Math.floor(strict.store.clock.now() / 1000), ...claims });
      const { code, verifier } = await strict.makeCode(client);
      const form = { ...codeForm(code, verifier), client_id: client.client.id };
      const htu = `${strict.url}/oauth2/token`;
      const first = await strict.post('/oauth2/token', form, { DPoP: await sign(key, at({ htu })) });
      expect([first.status, first.body.error]).deep.equal([400, 'use_dpop_nonce']);
      const nonce = first.headers.get('dpop-nonce');
      const { body } = await strict.post('/oauth2/token', form, { DPoP: await sign(key, at({ htu, nonce })) });
      const token = body.access_token;
      const use = async (claims: Changes) => {
        const dpop = await sign(key, at({ htm: 'GET', htu: strict.url + PATH, ath: ath(token), ...claims }));
        const headers = { authorization: `DPoP ${token}`, dpop };
        return strict.oauth.authenticate(requestWith(headers), 'c').then(
          () => undefined,
          (error: FhirError) => error,
        );
      };
      const refused = await use({});
      expect(refused?.status).equal(401);
      expect(refused?.headers['WWW-Authenticate']).include('error="use_dpop_nonce"');
      expect(await use({ nonce: refused?.headers['DPoP-Nonce'] })).equal(undefined);
    });
  });

  it('proofs that are over are cleared away within minutes', async () => {
    const count = async (): Promise<unknown> =>
      (
        await server.store.pools.writes.query({ text: 'select count(*)::int from auth.dpop_proof', values: [] })
      )[0]?.[0];
    await exchange(await sign(key));
    expect(await count()).above(0);
    await server.oauth.purge();
    expect(await count(), 'not what may still be shown').above(0);
    server.store.clock.pass(4 * 60_000);
    await server.oauth.purge();
    expect(await count()).equal(0);
  });
});
