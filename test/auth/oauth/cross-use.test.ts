/** SECURITY ST-12: each kind of word that Mortar gives out works in its own place, and in no other. */
import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import {
  type Answer,
  ASSERTION_TYPE,
  assertionClaims,
  codeForm,
  makeKey,
  type OAuthServer,
  read,
  requestWith,
  signAssertion,
  startOAuthServer,
  type TestApp,
} from '../../support/oauth-server.ts';

const WORDS = [
  'access token',
  'bound access token',
  'refresh token',
  'ID token',
  'code',
  'client secret',
  'client assertion',
  'initial access token',
  'registration token',
  'launch handle',
  'request URI',
  'DPoP proof',
  'token of another server',
  'token for another audience',
] as const;
type Word = (typeof WORDS)[number];

const PLACES = [
  'access token',
  'bound access token',
  'refresh token',
  'code',
  'client secret',
  'client assertion',
  'initial access token',
  'registration token',
  'launch handle',
  'introspection',
] as const;
type Place = (typeof PLACES)[number];

/** What is no secret of ours may be asked about; a word is good where it belongs. */
const RIGHT: readonly (readonly [Word, Place])[] = [
  ['access token', 'access token'],
  ['access token', 'introspection'],
  ['bound access token', 'bound access token'],
  ['bound access token', 'introspection'],
  ['refresh token', 'refresh token'],
  ['refresh token', 'introspection'],
  ['code', 'code'],
  ['client secret', 'client secret'],
  ['client assertion', 'client assertion'],
  ['initial access token', 'initial access token'],
  ['registration token', 'registration token'],
  ['launch handle', 'launch handle'],
];

describe('oauth › one word in the place of another', () => {
  let server: OAuthServer;
  let other: OAuthServer;
  let app: TestApp;
  let service: TestApp;
  let managed: Answer['body'];
  let proofKey: Awaited<ReturnType<typeof makeKey>>;
  before(async () => {
    [server, other] = await Promise.all([startOAuthServer({ isRegistrationOpen: false }), startOAuthServer()]);
    app = await server.addApp({ kind: 'symmetric' });
    service = await server.addApp({ kind: 'asymmetric', scope: 'system/*.rs', redirectUris: [] });
    proofKey = await makeKey('ES256');
    managed = await register(await server.store.clients.addInitialToken('u1', 60_000));
  });
  after(async () => {
    await server.stop();
    await other.stop();
  });

  const register = async (token: string): Promise<Answer['body']> => {
    const metadata = {
      redirect_uris: ['https://app.example.org/cb'],
      scope: 'patient/*.rs',
      token_endpoint_auth_method: 'none',
    };
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
    const body = JSON.stringify(metadata);
    const answer = await read(await fetch(`${server.url}/oauth2/register`, { method: 'POST', headers, body }));
    return answer.status === 201 ? answer.body : undefined;
  };
  const prove = async (htm: string, path: string, token?: string): Promise<string> => {
    const { kid: _none, ...jwk } = proofKey.jwk;
    const claims = {
      htm,
      htu: server.url + path,
      jti: randomUUID(),
      iat: Math.floor(server.store.clock.now() / 1000),
      ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
    };
    const header = { alg: 'ES256', typ: 'dpop+jwt', jwk };
    return new SignJWT(claims).setProtectedHeader(header).sign(proofKey.privateKey);
  };
  let verifier = 'x'.repeat(43);
  const { now } = { now: () => server.store.clock.now() };

  /** A fresh one of each. */
  const make: Record<Word, () => Promise<string>> = {
    'access token': async () => (await server.exchange(app)).body.access_token,
    'bound access token': async () => {
      const made = await server.makeCode(app);
      const form = { ...codeForm(made.code, made.verifier), ...(await app.auth()) };
      return (await server.post('/oauth2/token', form, { DPoP: await prove('POST', '/oauth2/token') })).body
        .access_token;
    },
    'refresh token': async () => (await server.exchange(app)).body.refresh_token,
    'ID token': async () => (await server.exchange(app)).body.id_token,
    code: async () => {
      const made = await server.makeCode(app);
      ({ verifier } = made);
      return made.code;
    },
    'client secret': async () => app.secret,
    'client assertion': async () =>
      signAssertion(service.key!, assertionClaims(service.client.id, `${server.url}/oauth2/token`, now())),
    'initial access token': () => server.store.clients.addInitialToken('u1', 60_000),
    'registration token': async () => managed.registration_access_token,
    'launch handle': () => server.store.grants.createLaunch({ clientId: app.client.id, userId: 'u1' }),
    'request URI': () => server.store.grants.createPushedRequest({ clientId: app.client.id, parameters: {} }, 60_000),
    'DPoP proof': () => prove('GET', '/fhir/R4/Patient/p1'),
    'token of another server': async () => (await other.exchange(await other.addApp())).body.access_token,
    'token for another audience': async () =>
      (await server.exchange(app, { audience: `${other.url}/fhir/R4` })).body.access_token,
  };

  /** Whether the place takes it. */
  const takes: Record<Place, (word: string) => Promise<boolean>> = {
    'access token': async (word) => (await server.call(word)) === 200,
    'bound access token': async (word) => {
      const headers = { authorization: `DPoP ${word}`, dpop: await prove('GET', '/fhir/R4/Patient/p1', word) };
      return server.oauth.authenticate(requestWith(headers), 'c').then(
        () => true,
        () => false,
      );
    },
    'refresh token': async (word) => (await server.refresh(app, word)).status === 200,
    code: async (word) =>
      (await server.post('/oauth2/token', { ...codeForm(word, verifier), ...(await app.auth()) })).status === 200,
    'client secret': async (word) =>
      (await server.post('/oauth2/revoke', { token: 'x', client_id: app.client.id, client_secret: word })).status ===
      200,
    'client assertion': async (word) =>
      (
        await server.post('/oauth2/token', {
          grant_type: 'client_credentials',
          scope: 'system/*.rs',
          client_id: service.client.id,
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: word,
        })
      ).status === 200,
    'initial access token': async (word) => (await register(word)) !== undefined,
    'registration token': async (word) =>
      (await fetch(managed.registration_client_uri, { headers: { Authorization: `Bearer ${word}` } })).status === 200,
    'launch handle': async (word) =>
      (await server.store.grants.useLaunch(word, { clientId: app.client.id, userId: 'u1' })) !== undefined,
    introspection: async (word) =>
      (await server.post('/oauth2/introspect', { token: word, ...(await app.auth()) })).body.active === true,
  };

  for (const word of WORDS)
    it(`[ST-12] ${word}`, async () => {
      for (const place of PLACES) {
        const isRight = RIGHT.some(([one, its]) => one === word && its === place);
        // A bearer's token for another server is told of to the client that it was granted to, with its audience.
        const isOwn = word === 'token for another audience' && place === 'introspection';
        expect(await takes[place](await make[word]()), `as ${place}`).equal(isRight || isOwn);
      }
    });
});
