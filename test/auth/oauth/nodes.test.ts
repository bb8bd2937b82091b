/** Two processes on one database: what one does holds on the other, at once or within five seconds. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import {
  ASSERTION_TYPE,
  assertionClaims,
  codeForm,
  type OAuthServer,
  signAssertion,
  startOAuthServer,
  type TestApp,
} from '../../support/oauth-server.ts';

describe('oauth › two nodes', () => {
  let one: OAuthServer;
  let two: OAuthServer;
  let app: TestApp;
  before(async () => {
    one = await startOAuthServer();
    two = await startOAuthServer({}, { beside: one });
    app = await one.addApp({ kind: 'symmetric' });
  });
  after(async () => {
    await two.stop();
    await one.stop();
  });
  const nodes = () => [one, two];
  /** Over HTTP, as a client sees it. */
  const use = async (node: OAuthServer, token: string): Promise<number> =>
    (await fetch(`${node.url}/oauth2/userinfo`, { headers: { Authorization: `Bearer ${token}` } })).status;
  const pass = (ms: number): void => one.store.clock.pass(ms);

  it('a token of one is one of the other', async () => {
    const { body } = await one.exchange(app);
    for (const node of nodes()) expect(await use(node, body.access_token)).equal(200);
    expect((await two.refresh(app, body.refresh_token)).status).equal(200);
  });

  it('[SX-03] what is revoked on one is over there at once, and on the other within 5 s', async () => {
    const { body } = await one.exchange(app);
    const { body: refreshed } = await two.refresh(app, body.refresh_token);
    for (const node of nodes())
      for (const { access_token } of [body, refreshed]) expect(await use(node, access_token)).equal(200);
    await one.post('/oauth2/revoke', { token: refreshed.refresh_token, ...(await app.auth()) });
    for (const { access_token } of [body, refreshed]) expect(await use(one, access_token), 'here').equal(401);
    pass(5_000);
    for (const { access_token } of [body, refreshed]) expect(await use(two, access_token), 'there').equal(401);
    for (const node of nodes())
      expect((await node.refresh(app, refreshed.refresh_token)).body.error).equal('invalid_grant');
  });

  it('[SX-03] an access token alone, and one that its node had never seen', async () => {
    const { body } = await one.exchange(app);
    const { body: other } = await one.exchange(app);
    expect(await use(two, body.access_token)).equal(200);
    for (const { access_token } of [body, other])
      await one.post('/oauth2/revoke', { token: access_token, ...(await app.auth()) });
    expect(await use(two, other.access_token), 'nothing is remembered of it').equal(401);
    pass(5_000);
    expect(await use(two, body.access_token)).equal(401);
    const asked = await two.post('/oauth2/introspect', { token: body.access_token, ...(await app.auth()) });
    expect(asked.body).deep.equal({ active: false });
  });

  it('[AZ-07] a client or a person that is disabled on one', async () => {
    const other = await one.addApp();
    const { body } = await one.exchange(other);
    expect(await use(two, body.access_token)).equal(200);
    await one.store.clients.setDisabled(other.client.id, true);
    pass(5_000);
    expect(await use(two, body.access_token)).equal(401);
  });

  it('[SL-12] [SL-13] of two uses of a code, one on each, at most one gets tokens, and they end', async () => {
    const { code, verifier } = await one.makeCode(app);
    const form = { ...codeForm(code, verifier), ...(await app.auth()) };
    const answers = await Promise.all(nodes().map((node) => node.post('/oauth2/token', form)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won.length).at.most(1);
    pass(5_000);
    for (const { body } of won) for (const node of nodes()) expect(await use(node, body.access_token)).equal(401);
  });

  it('[ST-06] of refreshes on both at once by a public client at most one succeeds, and the family is dead', async () => {
    const open = await one.addApp();
    const { body } = await one.exchange(open);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? one : two).refresh(open, body.refresh_token)),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won.length).at.most(1);
    for (const answer of won)
      for (const node of nodes())
        expect((await node.refresh(open, answer.body.refresh_token)).body.error).equal('invalid_grant');
  });

  it('[SA-05] of one assertion shown to both, one is taken', async () => {
    const service = await one.addApp({ kind: 'asymmetric', scope: 'system/*.rs', redirectUris: [] });
    const claims = assertionClaims(service.client.id, `${one.publicUrl}/oauth2/token`, one.store.clock.now());
    const form = {
      grant_type: 'client_credentials',
      scope: 'system/*.rs',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await signAssertion(service.key!, { ...claims, jti: randomUUID() }),
    };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? one : two).post('/oauth2/token', form)),
    );
    expect(answers.map(({ status }) => status).sort()).deep.equal([200, ...Array(9).fill(401)]);
  });

  it('[SO-03] keys that are rotated at once on one sign on the other within 5 s', async () => {
    const isGood = async (node: OAuthServer, token: string): Promise<boolean> =>
      jwtVerify(token, createRemoteJWKSet(new URL(`${node.url}/.well-known/jwks.json`)), {
        currentDate: new Date(one.store.clock.now()),
      }).then(
        () => true,
        () => false,
      );
    const { body: before } = await two.exchange(app);
    expect(await isGood(two, before.id_token)).equal(true);
    await one.store.keys.rotateAtOnce();
    expect(await isGood(one, before.id_token)).equal(false);
    pass(5_000);
    expect(await isGood(two, before.id_token)).equal(false);
    const { body: after } = await two.exchange(app);
    for (const node of nodes()) expect(await isGood(node, after.id_token)).equal(true);
  });
});
