import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { type OAuthServer, read, startOAuthServer, type TestApp } from '../../support/oauth-server.ts';

describe('oauth › emergency rotation of keys', () => {
  let server: OAuthServer;
  let app: TestApp;
  before(async () => {
    server = await startOAuthServer();
    server.users.set('u1', { ...server.users.get('u1')!, roles: ['ADMIN'] });
    app = await server.addApp({ scope: 'openid user/*.cruds' });
  });
  after(() => server.stop());

  const grant = { scope: 'openid user/*.cruds' };
  const rotate = async (token?: string) =>
    read(
      await fetch(`${server.url}/api/v2/admin/keys/rotate`, {
        method: 'POST',
        headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      }),
    );
  const isGood = (idToken: string): Promise<boolean> =>
    jwtVerify(idToken, createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`)), {
      currentDate: new Date(server.store.clock.now()),
    }).then(
      () => true,
      () => false,
    );

  it('[SO-03] [LG-12] at once: the old keys are gone, new ones sign, and it is in the trail', async () => {
    const { body: before } = await server.exchange(app, grant);
    expect(await isGood(before.id_token)).equal(true);
    const old = (await server.store.keys.published()).map(({ kid }) => kid);
    const { status, body, headers } = await rotate(before.access_token);
    expect(status).equal(200);
    expect(headers.get('cache-control')).equal('no-store');
    expect(body.keys.map(({ alg }: { alg: string }) => alg)).have.members(['RS256', 'ES256']);
    for (const { kid } of body.keys) expect(old).not.include(kid);
    expect(JSON.stringify(body), 'names only').not.match(/"[dnxy]":/);
    expect(server.audit.at(-1)).include({ kind: 'key', rule: 'rotated-at-once', outcome: 0 });
    expect(await isGood(before.id_token), 'what they signed').equal(false);
    const { body: after } = await server.exchange(app, grant);
    expect(await isGood(after.id_token)).equal(true);
    expect(await server.call(before.access_token), 'access tokens are not signed').equal(200);
  });

  it('[SO-03] [AZ-01] [LG-12] needs the right admin:keys and a sign-in of the last five minutes', async () => {
    const before = await server.store.keys.published();
    expect((await rotate()).status).equal(401);
    expect((await rotate('x')).status).equal(401);
    const { body } = await server.exchange(app, grant);
    server.store.clock.pass(5 * 60_000 + 1);
    const late = await rotate(body.access_token);
    expect([late.status, late.body.issue[0].details.coding[0].code]).deep.equal([401, 'step_up_required']);
    server.users.set('u1', { ...server.users.get('u1')!, roles: ['DOCTOR'] });
    const { body: fresh } = await server.exchange(app, grant);
    expect((await rotate(fresh.access_token)).status).equal(403);
    expect(server.audit.at(-1)).include({ kind: 'key', outcome: 4 });
    expect(await server.store.keys.published()).deep.equal(before);
  });
});
