import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { exportSPKI, importJWK, type JWTPayload } from 'jose';
import type { Client } from '../../../src/ports/clients.ts';
import {
  ASSERTION_TYPE,
  assertionClaims,
  makeKey,
  type OAuthServer,
  signAssertion,
  startOAuthServer,
  type TestApp,
  type TestKey,
} from '../../support/oauth-server.ts';

type Changes = Readonly<Record<string, unknown>>;
const SYSTEM = { scope: 'system/*.rs', redirectUris: [] };
const basic = (user: string, password: string): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${encodeURIComponent(user)}:${encodeURIComponent(password)}`).toString('base64')}`,
});

describe('oauth › client authentication', () => {
  let server: OAuthServer;
  let service: TestApp;
  before(async () => {
    server = await startOAuthServer();
    service = await server.addApp({ kind: 'asymmetric', ...SYSTEM });
  });
  after(() => server.stop());

  const claims = (more: Changes = {}, of: Client = service.client): JWTPayload =>
    ({
      ...assertionClaims(of.id, `${server.url}/oauth2/token`, server.store.clock.now()),
      ...more,
    }) as JWTPayload; // what is wrong in it is wrong on purpose
  const present = (assertion: string, form: Record<string, string> = {}) =>
    server.post('/oauth2/token', {
      grant_type: 'client_credentials',
      scope: 'system/*.rs',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: assertion,
      ...form,
    });
  const seconds = (): number => Math.floor(server.store.clock.now() / 1000);
  const code = ({ status, body }: { status: number; body: { error?: string } }): string =>
    `${status} ${body.error ?? ''}`;

  it('[SA-10] a backend service gets a token for five minutes, and no refresh token', async () => {
    const answer = await present(await signAssertion(service.key!, claims()));
    expect(answer.status).equal(200);
    expect(answer.body).include({ token_type: 'Bearer', expires_in: 300, scope: 'system/*.rs' });
    expect(answer.body).not.have.property('refresh_token');
    expect(await server.call(answer.body.access_token)).equal(200);
    server.store.clock.pass(300_000);
    expect(await server.call(answer.body.access_token), 'ST-04').equal(401);
  });

  it('[SA-10] a client with a secret gets none', async () => {
    const app = await server.addApp({ kind: 'symmetric', ...SYSTEM });
    const form = { grant_type: 'client_credentials', scope: 'system/*.rs', ...(await app.auth()) };
    expect(code(await server.post('/oauth2/token', form))).equal('400 unauthorized_client');
  });

  for (const scope of [
    'patient/*.rs',
    'user/*.rs',
    'system/*.rs user/Patient.r',
    'openid',
    'system/*.rr',
    'system/Patient.c',
  ])
    it(`[SC-13] [SC-14] ${scope} is an invalid_scope for a service`, async () => {
      expect(code(await present(await signAssertion(service.key!, claims()), { scope }))).equal('400 invalid_scope');
    });
  it('[SA-10] scope is required', async () => {
    expect(code(await present(await signAssertion(service.key!, claims()), { scope: '' }))).equal('400 invalid_scope');
  });
  it('[SC-14] what is not on its list is left out', async () => {
    const answer = await present(await signAssertion(service.key!, claims()), {
      scope: 'system/Patient.rs system/*.cruds',
    });
    expect(answer.body.scope).equal('system/Patient.rs');
  });

  describe('secrets', () => {
    const ways = (app: TestApp) =>
      [
        ['basic', {}, basic(app.client.id, app.secret)],
        ['post', { client_id: app.client.id, client_secret: app.secret }, {}],
      ] as const;

    it('[SA-01] basic, form-decoded, and post', async () => {
      const app = await server.addApp({ kind: 'symmetric' });
      for (const [name, form, headers] of ways(app))
        expect(code(await server.post('/oauth2/revoke', { token: 'x', ...form }, headers)), name).equal('200 ');
      const wrong = await server.post('/oauth2/revoke', { token: 'x' }, basic(app.client.id, 'wrong'));
      expect(code(wrong)).equal('401 invalid_client');
      expect(wrong.headers.get('www-authenticate')).match(/^Basic /);
    });

    it('[SA-01] a client uses the method it is registered with, and one only', async () => {
      const secret = await server.addApp({ kind: 'symmetric' });
      const open = await server.addApp({ kind: 'public' });
      const foreign = await signAssertion(service.key!, claims({ iss: secret.client.id, sub: secret.client.id }));
      const cases: readonly [string, Record<string, string>, Record<string, string>][] = [
        ['no secret', { client_id: secret.client.id }, {}],
        ['a secret of a public one', { client_id: open.client.id, client_secret: 'x' }, {}],
        ['basic of a public one', {}, basic(open.client.id, '')],
        ['a service without assertion', { client_id: service.client.id }, {}],
        ['a secret of a service', { client_id: service.client.id, client_secret: 'x' }, {}],
        ['an assertion of a secret one', { client_assertion_type: ASSERTION_TYPE, client_assertion: foreign }, {}],
        ['nobody', {}, {}],
      ];
      for (const [what, form, headers] of cases)
        expect(code(await server.post('/oauth2/revoke', { token: 'x', ...form }, headers)), what).equal(
          '401 invalid_client',
        );
      const two = { token: 'x', client_id: secret.client.id, client_secret: secret.secret };
      expect(code(await server.post('/oauth2/revoke', two, basic(secret.client.id, secret.secret)))).equal(
        '400 invalid_request',
      );
    });

    it('[SA-01] each kind of client by each method, and each pair of methods at once', async () => {
      const certified = await startOAuthServer({ certificateOf: () => ({ subject: 'CN=app', thumbprint: 't' }) });
      try {
        const kinds = ['public', 'symmetric', 'asymmetric', 'mtls'] as const;
        const key = await makeKey();
        for (const kind of kinds) {
          const { client, secret } = await certified.addApp({
            kind,
            ...(kind === 'asymmetric' && { jwks: { keys: [{ ...key.jwk }] } }),
            ...(kind === 'mtls' && { certificateSubject: 'CN=app' }),
          });
          const good = kind === 'symmetric' ? secret : (await certified.addApp({ kind: 'symmetric' })).secret;
          const sign = () =>
            signAssertion(
              key,
              assertionClaims(client.id, `${certified.url}/oauth2/token`, certified.store.clock.now()),
            );
          type Method = readonly [name: string, its: string, make: () => Promise<[Changes, Record<string, string>]>];
          const methods: readonly Method[] = [
            ['basic', 'symmetric', async () => [{}, basic(client.id, good)]],
            ['post', 'symmetric', async () => [{ client_id: client.id, client_secret: good }, {}]],
            [
              'assertion',
              'asymmetric',
              async () => [{ client_assertion_type: ASSERTION_TYPE, client_assertion: await sign() }, {}],
            ],
          ];
          const send = async (form: Changes, headers: Record<string, string>) =>
            code(await certified.post('/oauth2/revoke', { token: 'x', ...(form as Record<string, string>) }, headers));
          for (const [name, its, make] of methods)
            expect(await send(...(await make())), `${kind} by ${name}`).equal(
              its === kind ? '200 ' : '401 invalid_client',
            );
          // A name alone: by the certificate of the connection, which says nothing of a public client.
          expect(await send({ client_id: client.id }, {}), `${kind} by certificate`).equal(
            kind === 'mtls' || kind === 'public' ? '200 ' : '401 invalid_client',
          );
          for (const [a, , makeA] of methods)
            for (const [b, , makeB] of methods)
              if (a < b) {
                const [[formA, headersA], [formB, headersB]] = [await makeA(), await makeB()];
                expect(
                  await send({ ...formA, ...formB }, { ...headersA, ...headersB }),
                  `${kind} by ${a} and ${b}`,
                ).equal('400 invalid_request');
              }
        }
      } finally {
        await certified.stop();
      }
    });

    it('[SA-09] an unknown client, a disabled one and a wrong secret have the same answer', async () => {
      const app = await server.addApp({ kind: 'symmetric' });
      const off = await server.addApp({ kind: 'symmetric' });
      await server.store.clients.setDisabled(off.client.id, true);
      const bodies = await Promise.all(
        [
          { client_id: 'nobody', client_secret: 'x' },
          { client_id: app.client.id, client_secret: 'x' },
          { client_id: off.client.id, client_secret: off.secret },
        ].map(async (form) => {
          const { status, body } = await server.post('/oauth2/token', { grant_type: 'refresh_token', ...form });
          return JSON.stringify([status, body]);
        }),
      );
      expect(new Set(bodies).size).equal(1);
    });
  });

  describe('private_key_jwt', () => {
    for (const alg of ['RS384', 'ES384', 'RS512', 'RS256', 'ES256'])
      it(`[SA-03] ${alg} is accepted`, async () => {
        const key = await makeKey(alg);
        const app = await server.addApp({ kind: 'asymmetric', ...SYSTEM, jwks: { keys: [{ ...key.jwk }] } });
        const answer = await present(await signAssertion(key, claims({}, app.client)));
        expect(answer.status).equal(200);
        const typed = await signAssertion(key, claims({}, app.client), { typ: 'client-authentication+jwt' });
        expect((await present(typed)).status).equal(200);
      });

    const headers = [
      ['embedded jwk', { jwk: { kty: 'EC' } }],
      ['x5u', { x5u: 'https://example.org' }],
      ['another typ', { typ: 'at+jwt' }],
      ['no kid', { kid: undefined }],
      ['an unknown kid', { kid: 'other' }],
      ['a jku that is not registered', { jku: 'https://example.org/jwks' }],
    ] as const;
    for (const [what, header] of headers)
      it(`[SA-03] [SA-06] ${what} in the header fails`, async () => {
        expect(code(await present(await signAssertion(service.key!, claims(), header)))).equal('401 invalid_client');
      });

    it('[SA-03] none, an HMAC with the public key, and an unknown crit fail', async () => {
      const key = await makeKey('RS384');
      const app = await server.addApp({ kind: 'asymmetric', ...SYSTEM, jwks: { keys: [{ ...key.jwk }] } });
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const body = part(claims({}, app.client));
      const publicPem = await exportSPKI((await importJWK(key.jwk, 'RS384')) as Parameters<typeof exportSPKI>[0]);
      const n = createPublicKey(publicPem).export({ format: 'der', type: 'spki' });
      const forge = (alg: string, secret: string | Buffer): string => {
        const input = `${part({ alg, kid: key.jwk.kid, typ: 'JWT' })}.${body}`;
        return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
          .update(input)
          .digest('base64url')}`;
      };
      const forged = [
        `${part({ alg: 'none', kid: key.jwk.kid })}.${body}.`,
        forge('HS256', publicPem),
        forge('HS384', publicPem),
        forge('HS256', n),
      ];
      for (const assertion of forged) expect(code(await present(assertion))).equal('401 invalid_client');
      const signed = (await signAssertion(key, claims({}, app.client))).split('.');
      const crit = part({ alg: 'RS384', kid: key.jwk.kid, typ: 'JWT', crit: ['x'], x: 1 });
      expect(code(await present([crit, signed[1], signed[2]].join('.')))).equal('401 invalid_client');
    });

    const wrong: readonly [string, () => Changes][] = [
      ['another sub', () => ({ sub: 'x' })],
      ['another iss', () => ({ iss: 'x' })],
      ['no iss', () => ({ iss: undefined })],
      ['another audience', () => ({ aud: 'https://example.org/token' })],
      ['a list of audiences', () => ({ aud: [`${server.url}/oauth2/token`] })],
      ['two audiences', () => ({ aud: [`${server.url}/oauth2/token`, 'https://example.org'] })],
      ['a longer audience', () => ({ aud: `${server.url}/oauth2/token/` })],
      ['no audience', () => ({ aud: undefined })],
      ['no exp', () => ({ exp: undefined })],
      ['an exp of long ago', () => ({ exp: seconds() - 31 })],
      ['an exp too late', () => ({ exp: seconds() + 331 })],
      ['an iat to come', () => ({ iat: seconds() + 31 })],
      ['an nbf to come', () => ({ nbf: seconds() + 31 })],
      ['no jti', () => ({ jti: undefined })],
      ['an empty jti', () => ({ jti: '' })],
      ['a long jti', () => ({ jti: 'x'.repeat(256) })],
      ['a jti that is a number', () => ({ jti: 1 })],
    ];
    for (const [what, change] of wrong)
      it(`[SA-04] ${what} fails`, async () => {
        expect(code(await present(await signAssertion(service.key!, claims(change()))))).equal('401 invalid_client');
      });

    it('[SA-04] 30 s of skew, the issuer as audience, and the same client_id are accepted', async () => {
      for (const change of [
        { exp: seconds() - 29 },
        { exp: seconds() + 330 },
        { iat: seconds() + 29 },
        { aud: server.url },
      ])
        expect((await present(await signAssertion(service.key!, claims(change)))).status).equal(200);
      const same = await signAssertion(service.key!, claims());
      expect((await present(same, { client_id: service.client.id })).status).equal(200);
      const other = await signAssertion(service.key!, claims());
      expect(code(await present(other, { client_id: 'other' }))).equal('401 invalid_client');
    });

    it('[SA-04] only a client flagged as legacy may have a list with one audience', async () => {
      const app = await server.addApp({ kind: 'asymmetric', ...SYSTEM, isLegacyAudience: true });
      const aud = `${server.url}/oauth2/token`;
      expect((await present(await signAssertion(app.key!, claims({ aud: [aud] }, app.client)))).status).equal(200);
      const two = await signAssertion(app.key!, claims({ aud: [aud, 'https://example.org'] }, app.client));
      expect(code(await present(two))).equal('401 invalid_client');
    });

    it('[SA-05] of 20 equal assertions at once one is accepted', async () => {
      const assertion = await signAssertion(service.key!, claims());
      const answers = await Promise.all(Array.from({ length: 20 }, () => present(assertion)));
      expect(answers.map(code).sort()).deep.equal(['200 ', ...Array(19).fill('401 invalid_client')]);
    });

    it('[SA-06] two keys of one kid, a key of another type and one for encryption fail', async () => {
      const [one, two, rsa] = (await Promise.all([makeKey(), makeKey(), makeKey('RS384')])) as [
        TestKey,
        TestKey,
        TestKey,
      ];
      const sets = [
        [one.jwk, { ...two.jwk, kid: one.jwk.kid! }],
        [{ ...rsa.jwk, kid: one.jwk.kid! }],
        [{ ...one.jwk, use: 'enc' }],
        [two.jwk],
      ];
      for (const keys of sets) {
        const app = await server.addApp({
          kind: 'asymmetric',
          ...SYSTEM,
          jwks: { keys: keys.map((key) => ({ ...key })) },
        });
        expect(code(await present(await signAssertion(one, claims({}, app.client))))).equal('401 invalid_client');
      }
    });

    it('[SA-09] a wrong client_assertion_type is an invalid_request', async () => {
      const assertion = await signAssertion(service.key!, claims());
      expect(code(await present(assertion, { client_assertion_type: 'x' }))).equal('400 invalid_request');
      expect(code(await present(assertion, { client_assertion: '' }))).equal('400 invalid_request');
    });

    it('[SA-09] an unknown client and a bad signature have the same answer', async () => {
      const other = await makeKey();
      const bad = await present(await signAssertion({ ...other, jwk: service.key!.jwk }, claims()));
      const unknown = await present(await signAssertion(other, claims({ iss: 'nobody', sub: 'nobody' })));
      expect([bad.status, bad.body]).deep.equal([unknown.status, unknown.body]);
    });
  });

  describe('JWKS URL', () => {
    let peer: Server;
    let peerUrl: string;
    let hits = 0;
    let respond: () => { status?: number; headers?: Record<string, string>; body: string };
    let near: OAuthServer;
    before(async () => {
      peer = createServer((_req, res) => {
        hits += 1;
        const { status = 200, headers = {}, body } = respond();
        res.writeHead(status, headers).end(body);
      });
      await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', () => resolve()));
      const host = `127.0.0.1:${(peer.address() as AddressInfo).port}`;
      peerUrl = `http://${host}/jwks`;
      near = await startOAuthServer({ allowedHosts: new Set([host]) });
    });
    after(async () => {
      peer.closeAllConnections();
      peer.close();
      await near.stop();
    });

    const addRemote = async (key: TestKey, path: string, profile?: 'nhs') => {
      hits = 0;
      respond = () => ({ body: JSON.stringify({ keys: [key.jwk] }) });
      const more = { kind: 'asymmetric', ...SYSTEM, jwksUri: peerUrl + path, ...(profile && { profile }) } as const;
      return near.addApp(more);
    };
    const ask = async (key: TestKey, { client }: TestApp, header = {}) => {
      const assertion = await signAssertion(
        key,
        assertionClaims(client.id, `${near.url}/oauth2/token`, near.store.clock.now()),
        header,
      );
      return near.post('/oauth2/token', {
        grant_type: 'client_credentials',
        scope: 'system/*.rs',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
      });
    };

    it('[SA-07] is fetched once, and again when its time is over', async () => {
      const key = await makeKey();
      const app = await addRemote(key, '/a');
      expect((await ask(key, app, { jku: `${peerUrl}/a` })).status).equal(200);
      expect((await ask(key, app)).status).equal(200);
      expect(hits).equal(1);
      near.store.clock.pass(5 * 60_000);
      await ask(key, app);
      expect(hits, 'five minutes by default').equal(2);
      respond = () => ({ headers: { 'Cache-Control': 'max-age=10' }, body: JSON.stringify({ keys: [key.jwk] }) });
      near.store.clock.pass(5 * 60_000);
      await ask(key, app);
      near.store.clock.pass(10_000);
      await ask(key, app);
      expect(hits, 'never longer than it says').equal(4);
    });

    it('[SA-07] an unknown kid fetches again, once a minute', async () => {
      const [key, next] = [await makeKey(), await makeKey()];
      const app = await addRemote(key, '/b');
      await ask(key, app);
      respond = () => ({ body: JSON.stringify({ keys: [key.jwk, next.jwk] }) });
      expect((await ask(next, app)).status, 'within the minute').equal(401);
      near.store.clock.pass(60_000);
      expect((await ask(next, app)).status).equal(200);
      const third = await makeKey();
      for (let i = 0; i < 5; i += 1) await ask(third, app);
      expect(hits).equal(2);
    });

    it('[SA-07] once a minute for each client: one cannot spend the turn of another with the same URL', async () => {
      const [key, next, third] = [await makeKey(), await makeKey(), await makeKey()];
      const app = await addRemote(key, '/shared');
      const sibling = await addRemote(key, '/shared');
      await ask(key, app);
      await ask(third, sibling);
      expect(hits, 'one for each').equal(2);
      respond = () => ({ body: JSON.stringify({ keys: [key.jwk, next.jwk] }) });
      const patient = await addRemote(key, '/shared');
      respond = () => ({ body: JSON.stringify({ keys: [key.jwk, next.jwk] }) });
      expect((await ask(next, patient)).status, 'a turn of its own').equal(200);
      for (let i = 0; i < 5; i += 1) for (const one of [app, sibling, patient]) await ask(third, one);
      expect(hits, 'since the last registration').equal(1);
    });

    it('[SA-07] the last good set is kept for an hour when the URL is down', async () => {
      const key = await makeKey();
      const app = await addRemote(key, '/c');
      await ask(key, app);
      respond = () => ({ status: 500, body: '' });
      near.store.clock.pass(59 * 60_000);
      expect((await ask(key, app)).status).equal(200);
      near.store.clock.pass(2 * 60_000);
      expect((await ask(key, app)).status).equal(401);
    });

    const broken: readonly [string, () => { status?: number; headers?: Record<string, string>; body: string }][] = [
      ['too long', () => ({ body: `{"keys":[],"x":"${'x'.repeat(64 * 1024)}"}` })],
      ['no JSON', () => ({ body: '<html>' })],
      ['more than 50 keys', () => ({ body: JSON.stringify({ keys: Array(51).fill({ kty: 'RSA' }) }) })],
      ['a redirect', () => ({ status: 302, headers: { Location: 'http://127.0.0.1/' }, body: '' })],
    ];
    for (const [what, answer] of broken)
      it(`[SA-07] an answer that is ${what} is none`, async () => {
        const key = await makeKey();
        const app = await addRemote(key, `/${randomUUID()}`);
        respond = answer;
        expect((await ask(key, app)).status).equal(401);
      });

    it('[SA-07] [IN-40] addresses of this network are not fetched unless they are listed', async () => {
      const key = await makeKey();
      const app = await addRemote(key, '/d');
      const closed = await server.addApp({ kind: 'asymmetric', ...SYSTEM, jwksUri: app.client.jwksUri! });
      const assertion = await signAssertion(key, claims({}, closed.client));
      expect(code(await present(assertion))).equal('401 invalid_client');
      expect(hits).equal(0);
    });

    it('[NH-02] a JWKS that is not reached is a public_key error of the NHS profile', async () => {
      const key = await makeKey('RS512');
      const app = await addRemote(key, '/e', 'nhs');
      respond = () => ({ status: 500, body: '' });
      const answer = await ask(key, app);
      expect([answer.status, answer.body.error]).deep.equal([403, 'public_key error']);
    });
  });

  describe('NHS profile', () => {
    let key: TestKey;
    let nhs: TestApp;
    before(async () => {
      key = await makeKey('RS512');
      nhs = await server.addApp({ kind: 'asymmetric', ...SYSTEM, profile: 'nhs', jwks: { keys: [{ ...key.jwk }] } });
    });
    const ask = async (more: Changes = {}, header = {}, form = {}, by = key) => {
      const assertion = await signAssertion(by, claims(more, nhs.client), header);
      return server.post('/oauth2/token', {
        grant_type: 'client_credentials',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
        ...form,
      });
    };

    it('[NH-01] answers with strings, as that platform does', async () => {
      const { status, body } = await ask();
      expect(status).equal(200);
      expect(body).include({ expires_in: '599', token_type: 'Bearer', issued_at: String(server.store.clock.now()) });
      expect(body).not.have.property('scope');
      expect(await server.call(body.access_token)).equal(200);
      server.store.clock.pass(599_000);
      expect(await server.call(body.access_token), 'ST-04').equal(401);
    });

    const faults: readonly [string, () => Promise<{ status: number; body: Record<string, string> }>, number, RegExp][] =
      [
        [
          'client_assertion_type',
          () => ask({}, {}, { client_assertion_type: 'x' }),
          400,
          /client_assertion_type - must be/,
        ],
        [
          'missing client_assertion',
          () => ask({}, {}, { client_assertion: '', client_id: nhs.client.id }),
          400,
          /^Missing client_assertion$/,
        ],
        ['kid', () => ask({}, { kid: undefined }), 400, /Missing 'kid'/],
        ['typ', () => ask({}, { typ: undefined }), 400, /Invalid 'typ'.*must be 'JWT'/],
        ['alg', async () => ask({}, {}, {}, { ...(await makeKey('ES384')), jwk: key.jwk }), 400, /must be 'RS512'/],
        ['iss', () => ask({ iss: 'x' }), 400, /'iss'\/'sub'/],
        [
          'no iss and no sub',
          () => ask({ iss: undefined, sub: undefined }, {}, { client_id: nhs.client.id }),
          400,
          /'iss'\/'sub'/,
        ],
        ['sub', () => ask({ sub: 'x' }), 400, /'iss'\/'sub'/],
        ['no jti', () => ask({ jti: undefined }), 400, /Missing 'jti'/],
        ['aud', () => ask({ aud: 'x' }), 400, /Missing or invalid 'aud'/],
        ['no exp', () => ask({ exp: undefined }), 400, /Missing 'exp'/],
        ['expired', () => ask({ exp: seconds() - 60 }), 400, /has expired/],
        ['late', () => ask({ exp: seconds() + 600 }), 400, /more than 5 minutes/],
        ['no matching key', () => ask({}, { kid: 'x' }), 401, /no matching public key/],
        [
          'signature',
          async () => ask({}, {}, {}, { ...(await makeKey('RS512')), jwk: key.jwk }),
          401,
          /verification failed/,
        ],
      ];
    for (const [what, run, status, words] of faults)
      it(`[NH-02] ${what}`, async () => {
        const answer = await run();
        expect(answer.status).equal(status);
        expect(answer.body['error_description']).match(words);
        expect(answer.body).have.property('message_id');
      });

    it('[NH-02] a jti that was used', async () => {
      await ask({ jti: 'once' });
      const { status, body } = await ask({ jti: 'once' });
      expect([status, body.error, body.error_description]).deep.equal([
        400,
        'invalid_request',
        "Non-unique 'jti' claim in client_assertion JWT",
      ]);
    });
  });

  describe('TLS certificates', () => {
    it('[SA-01] the subject must be the registered one; without a listener for them nobody has one', async () => {
      let subject = 'CN=app';
      const tls = await startOAuthServer({ certificateOf: () => ({ subject, thumbprint: 't' }) });
      try {
        const app = await tls.addApp({ kind: 'mtls', ...SYSTEM, certificateSubject: 'CN=app' });
        const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: app.client.id };
        expect((await tls.post('/oauth2/token', form)).status).equal(200);
        subject = 'CN=other';
        expect(code(await tls.post('/oauth2/token', form))).equal('401 invalid_client');
      } finally {
        await tls.stop();
      }
      const app = await server.addApp({ kind: 'mtls', ...SYSTEM, certificateSubject: 'CN=app' });
      const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: app.client.id };
      expect(code(await server.post('/oauth2/token', form))).equal('401 invalid_client');
    });
  });
});
