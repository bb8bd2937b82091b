/** Signed out at the provider: signed out here. OpenID Connect Back-Channel Logout 1.0 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Claims, OidcPeer } from '../../support/oidc-peer.ts';
import { citizen, doctor, openUpstreamWorld, type Traveller, type UpstreamWorld } from './world.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

describe('upstream › signed out at the provider', function () {
  this.timeout(180_000);
  let world: UpstreamWorld;
  before(async () => {
    world = await openUpstreamWorld();
  });
  after(() => world?.stop());
  beforeEach(() => {
    // The providers have the machine's clock, however long the tests before this one took.
    world.advance(Math.max(0, Date.now() - world.now()));
    for (const peer of [world.cis2, world.nhsLogin]) {
      peer.alg = 'RS256';
      peer.isForged = false;
    }
    world.cis2.person = doctor();
    world.nhsLogin.person = citizen();
    world.events.length = 0;
  });

  const signedIn = async (way: string): Promise<Traveller> => {
    const traveller = world.traveller();
    expect((await traveller.go(`/sign-in/with/${way}`)).url.pathname).equal('/account');
    return traveller;
  };
  const isSignedIn = async (traveller: Traveller): Promise<boolean> => {
    world.advance(5_000); // what a node has read of a session it keeps for so long
    return (await traveller.go('/account')).url.pathname === '/account';
  };
  const tokenOf = (peer: OidcPeer, claims: Claims = {}): string => {
    const now = Math.floor(world.now() / 1000);
    const times = { iat: now, exp: now + 120 };
    const own = { nonce: undefined, auth_time: undefined, jti: randomUUID(), events: { [EVENT]: {} } };
    return peer.makeIdToken({ ...times, ...own, ...claims });
  };
  const tell = async (way: string, token: string): Promise<number> => {
    const reply = await fetch(`${world.url}/sign-in/with/${way}/logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    });
    expect(reply.headers.get('cache-control')).equal('no-store');
    return reply.status;
  };

  it('[NH-04] every session of that person by that provider ends, and nobody else’s', async () => {
    const [here, there, patient] = [await signedIn('cis2'), await signedIn('cis2'), await signedIn('nhs-login')];
    world.cis2.person = doctor({ sub: 'another-doctor' });
    const another = await signedIn('cis2');
    world.cis2.person = doctor();
    expect(await tell('cis2', tokenOf(world.cis2))).equal(200);
    for (const [traveller, stays] of [
      [here, false],
      [there, false],
      [patient, true],
      [another, true],
    ] as const)
      expect(await isSignedIn(traveller)).equal(stays);
    expect(world.events.filter(({ kind }) => kind === 'logout').map(({ rule }) => rule)).eql(['cis2-signed-out']);
    expect(await isSignedIn(await signedIn('cis2')), 'they may come back').equal(true);
  });

  it('a person who has never been here: nothing to end', async () => {
    expect(await tell('cis2', tokenOf(world.cis2, { sub: 'nobody-yet' }))).equal(200);
  });

  for (const [title, make] of [
    ['of another issuer', () => tokenOf(world.cis2, { iss: 'https://evil.example' })],
    ['of the other provider', () => tokenOf(world.nhsLogin, { sub: doctor().sub })],
    ['for another audience', () => tokenOf(world.cis2, { aud: 'somebody' })],
    ['that is over', () => tokenOf(world.cis2, { exp: Math.floor(world.now() / 1000) - 60 })],
    ['of six minutes ago', () => tokenOf(world.cis2, { iat: Math.floor(world.now() / 1000) - 360 })],
    ['without an end', () => tokenOf(world.cis2, { exp: undefined })],
    ['without an id', () => tokenOf(world.cis2, { jti: undefined })],
    ['that names a session and nobody', () => tokenOf(world.cis2, { sub: undefined, sid: 's' })],
    ['with a nonce, as an ID token has', () => tokenOf(world.cis2, { nonce: 'n' })],
    ['without the event', () => tokenOf(world.cis2, { events: undefined })],
    ['with another event', () => tokenOf(world.cis2, { events: { 'https://example.org/other': {} } })],
    ['with an event that is no object', () => tokenOf(world.cis2, { events: { [EVENT]: true } })],
    ['that is an ID token', () => world.cis2.makeIdToken()],
    ['that is none', () => 'x.y.z'],
    ['that is missing', () => ''],
  ] as const)
    it(`[NH-04] a logout token ${title} is refused, and nothing ends`, async () => {
      const traveller = await signedIn('cis2');
      expect(await tell('cis2', make())).equal(400);
      expect(await isSignedIn(traveller)).equal(true);
      expect(world.events.at(-1)).include({ kind: 'logout', outcome: 4 });
    });

  it('[NH-04] a signature by another key, or none, is refused; a token ends sessions once', async () => {
    const traveller = await signedIn('cis2');
    world.cis2.isForged = true;
    expect(await tell('cis2', tokenOf(world.cis2))).equal(400);
    world.cis2.isForged = false;
    world.cis2.alg = 'none';
    expect(await tell('cis2', tokenOf(world.cis2))).equal(400);
    world.cis2.alg = 'RS256';
    expect(await isSignedIn(traveller)).equal(true);
    const token = tokenOf(world.cis2);
    expect(await tell('cis2', token)).equal(200);
    const back = await signedIn('cis2');
    expect(await tell('cis2', token), 'a replay').equal(400);
    expect(await isSignedIn(back)).equal(true);
  });

  it('an unknown provider: 404', async () => {
    expect((await fetch(`${world.url}/sign-in/with/other/logout`, { method: 'POST' })).status).equal(404);
  });
});
