import { expect } from 'chai';
import type { Client } from '../../../src/ports/clients.ts';
import type { Browser } from './browser.ts';
import { type Added, openWorld, type World } from './world.ts';

describe('authorize › what was granted', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world?.stop());

  /** Grants all of it, and returns the tokens. */
  const connect = async (browser: Browser, client: Client) => {
    const asked = world.ask(client, { prompt: 'consent' });
    await browser.get(asked.path);
    const { out } = await browser.submit({}, 'Share');
    return world.exchange(client, asked, out?.searchParams.get('code') ?? '');
  };
  const works = async (token: string): Promise<boolean> => {
    const response = await fetch(`${world.url}/oauth2/userinfo`, { headers: { Authorization: `Bearer ${token}` } });
    return response.status === 200;
  };
  const refreshes = async (client: Client, token: string): Promise<boolean> => {
    const form = { grant_type: 'refresh_token', client_id: client.id, refresh_token: token };
    const response = await fetch(`${world.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams(form) });
    return response.status === 200;
  };

  it('[SX-04] “My apps” shows each app, what it may do, when it was last used; one button ends it', async () => {
    const user = await world.addPerson();
    const browser = await world.signedIn(user);
    expect((await browser.get('/my-apps')).text).include('No app has access through you');
    const chart = await world.addClient();
    const diary = await world.addClient({ name: 'Diary', publisher: 'Somebody' });
    const token = await connect(browser, chart);
    const other = await connect(browser, diary);
    const page = await browser.get('/my-apps');
    for (const words of [
      'Growth Chart',
      'Diary',
      'Made by Somebody',
      'Nell Ashworth',
      'Last used',
      'Know that it is you',
    ])
      expect(page.text).include(words);
    expect(page.text).include('1 May 2026');
    const after = await browser.submit({}, 'End access of Growth Chart');
    expect(after.text).include('The app has no access any more').and.include('Diary').and.not.include('Growth Chart');
    expect(await works(token.access_token)).equal(false);
    expect(await refreshes(chart, token.refresh_token)).equal(false);
    expect(await works(other.access_token)).equal(true);
    expect((await browser.get(world.ask(chart).path)).h1, 'asked anew').equal('Share information with Growth Chart?');
    expect(world.audit.findLast(({ rule }) => rule === 'withdrawn')).deep.include({
      kind: 'consent',
      detail: { client: chart.id },
    });
  });

  it('[SX-04] nobody sees or ends what others granted; forged forms are refused', async () => {
    const client = await world.addClient({ name: 'Private' });
    const browser = await world.signedIn(await world.addPerson());
    const token = await connect(browser, client);
    const stranger = await world.signedIn(await world.addPerson());
    const page = await stranger.get('/my-apps');
    expect(page.text).not.include('Private');
    await connect(stranger, await world.addClient());
    await stranger.get('/my-apps');
    await stranger.submit({ app: client.id }, 'End access of Growth Chart');
    expect(await works(token.access_token)).equal(true);
    const forged = await browser.post('/my-apps', new URLSearchParams({ app: client.id, csrf: 'x' }));
    expect(forged.status).equal(403);
    expect(await works(token.access_token)).equal(true);
    expect((await world.browser().get('/my-apps')).path).equal('/sign-in?next=%2Fmy-apps');
  });

  describe('[SX-04] for administrators', () => {
    let admin: Added;
    const bearer = async (user: Added): Promise<Record<string, string>> => {
      const { now } = world.store.clock;
      const client = await world.addClient();
      const token = await world.store.grants.createToken({
        grant: {
          clientId: client.id,
          scope: 'user/*.cruds',
          audience: world.fhirBaseUrl,
          user: { id: user.id, securityVersion: user.securityVersion, authTime: now(), amr: ['pwd', 'otp'] },
        },
        issuedAt: now(),
        expiresAt: now() + 3_600_000,
      });
      return { Authorization: `Bearer ${token}` };
    };
    const revoke = async (headers: Record<string, string>, body: object) =>
      fetch(`${world.url}/api/v2/admin/grants/revoke`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
    before(async () => {
      admin = await world.addPerson({ role: 'ADMIN' });
    });

    it('grants of a user are listed without any token, and ended by user, by client, or all', async () => {
      const user = await world.addPerson();
      const browser = await world.signedIn(user);
      const [a, b] = [await world.addClient(), await world.addClient()];
      const headers = await bearer(admin);
      const first = await connect(browser, a);
      const listed = await fetch(`${world.url}/api/v2/admin/grants?user=${user.id}`, { headers });
      const text = await listed.text();
      expect(JSON.parse(text).grants).length(1);
      expect(JSON.parse(text).grants[0]).include({ client: a.id, user: user.id, refresh: 'offline' });
      expect(text).not.include(first.access_token).and.not.include(first.refresh_token);

      expect(await (await revoke(headers, { user: user.id })).json()).deep.equal({ revoked: 1 });
      expect(await works(first.access_token)).equal(false);
      expect((await browser.get(world.ask(a).path)).h1, 'consent is forgotten').equal(
        'Share information with Growth Chart?',
      );

      const [one, two] = [await connect(browser, a), await connect(browser, b)];
      expect(await (await revoke(headers, { client: a.id })).json()).deep.equal({ revoked: 1 });
      expect([await works(one.access_token), await works(two.access_token)]).deep.equal([false, true]);
      expect((await revoke(headers, { all: true })).status).equal(200);
      expect(await works(two.access_token)).equal(false);
      expect(
        world.audit.filter(({ kind, rule }) => kind === 'token-revoked' && rule === 'revoked-by-administrator'),
      ).length(3);
    });

    it('nobody else may, and it needs a fresh sign-in and something to end', async () => {
      const doctor = await bearer(await world.addPerson({ role: 'DOCTOR' }));
      expect((await revoke(doctor, { all: true })).status).equal(403);
      expect((await fetch(`${world.url}/api/v2/admin/grants?user=x`, { headers: doctor })).status).equal(403);
      expect((await revoke({}, { all: true })).status).equal(401);
      const headers = await bearer(admin);
      for (const body of [{}, { all: false }, { all: true, user: 'x' }, { everything: true }, { user: '' }])
        expect((await revoke(headers, body)).status, JSON.stringify(body)).equal(400);
      expect((await fetch(`${world.url}/api/v2/admin/grants`, { headers })).status).equal(400);
      world.store.clock.pass(301_000);
      expect((await revoke(headers, { user: 'x' })).status).equal(401);
    });
  });
});

describe('authorize › logout asked for by an app', () => {
  const BACK = 'https://app.example.org/bye';
  let world: World;
  let client: Client;
  before(async () => {
    world = await openWorld();
    client = await world.addClient({ postLogoutUris: [BACK] });
  });
  after(() => world?.stop());

  const connect = async () => {
    const browser = await world.signedIn(await world.addPerson());
    const asked = world.ask(client, { scope: 'openid online_access patient/Patient.rs', prompt: 'consent' });
    await browser.get(asked.path);
    const { out } = await browser.submit({}, 'Share');
    return { browser, tokens: await world.exchange(client, asked, out?.searchParams.get('code') ?? '') };
  };
  const logout = (browser: Browser, parameters: Record<string, string>) =>
    browser.get(`/oauth2/logout?${new URLSearchParams(parameters)}`);
  const isSignedIn = async (browser: Browser): Promise<boolean> => (await browser.get('/my-apps')).h1 === 'My apps';

  it('[SO-05] with an ID token of who is signed in: the session ends, what was granted for it too, and the app gets its state', async () => {
    const { browser, tokens } = await connect();
    world.store.clock.pass(20 * 60_000); // in use, and the ID token may be old
    const page = await logout(browser, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: BACK,
      state: 's&1',
    });
    expect(page.out?.href).equal(`${BACK}?state=s%261`);
    expect(await isSignedIn(browser)).equal(false);
    const refused = await fetch(`${world.url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: client.id,
        refresh_token: tokens.refresh_token,
      }),
    });
    expect(refused.status).equal(400);
    const userinfo = { headers: { Authorization: `Bearer ${tokens.access_token}` } };
    expect((await fetch(`${world.url}/oauth2/userinfo`, userinfo)).status).equal(401);
    expect(world.audit.some(({ kind, rule }) => kind === 'logout' && rule === 'app-signed-out')).equal(true);
  });

  it('[SO-05] [IN-39] an address that is not registered is not followed', async () => {
    for (const uri of ['https://evil.example/', `${BACK}/`, `${BACK}?x`]) {
      const { browser, tokens } = await connect();
      const page = await logout(browser, { id_token_hint: tokens.id_token, post_logout_redirect_uri: uri });
      expect(page.h1).equal('You have signed out');
      expect(page.out).equal(undefined);
      expect(await isSignedIn(browser)).equal(false);
    }
  });

  it('[SO-05] without a hint, with a forged one or somebody else’s, the person is asked first', async () => {
    const { browser } = await connect();
    const other = await connect();
    const forged = `${other.tokens.id_token.split('.').slice(0, 2).join('.')}.AAAA`;
    for (const hint of ['', forged, other.tokens.id_token, 'x']) {
      const page = await logout(browser, { id_token_hint: hint, client_id: client.id, post_logout_redirect_uri: BACK });
      expect(page.h1).equal('Sign out?');
    }
    expect(await isSignedIn(browser)).equal(true);
    const forgery = await browser.post('/oauth2/logout', new URLSearchParams({ csrf: 'wrong' }));
    expect(forgery.status).equal(403);
    expect(await isSignedIn(browser)).equal(true);
    await logout(browser, { client_id: client.id, post_logout_redirect_uri: BACK, state: 's' });
    const done = await browser.submit({}, 'Sign out');
    expect(done.out?.href).equal(`${BACK}?state=s`);
    expect(await isSignedIn(browser)).equal(false);
  });

  it('[SO-05] a hint for one client gives no way back to the address of another', async () => {
    const { browser, tokens } = await connect();
    const other = await world.addClient({ postLogoutUris: ['https://other.example/bye'] });
    const page = await logout(browser, {
      id_token_hint: tokens.id_token,
      client_id: other.id,
      post_logout_redirect_uri: 'https://other.example/bye',
    });
    expect(page.h1).equal('You have signed out');
  });

  it('[SO-05] a form of the app, which comes without our cookie, is led to where the cookie goes along', async () => {
    const { browser, tokens } = await connect();
    const form = { id_token_hint: tokens.id_token, post_logout_redirect_uri: BACK, state: 's' };
    const cookies = [...browser.cookies];
    browser.cookies.clear();
    const first = await fetch(`${world.url}/oauth2/logout`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams(form),
    });
    expect(first.status).equal(303);
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    const page = await browser.get(first.headers.get('location') ?? '');
    expect(page.out?.href).equal(`${BACK}?state=s`);
    expect(await isSignedIn(browser)).equal(false);
  });

  it('nobody is signed in: there is nothing to end', async () => {
    expect((await logout(world.browser(), {})).h1).equal('You have signed out');
    expect((await logout(world.browser(), { client_id: client.id, post_logout_redirect_uri: BACK })).out?.href).equal(
      BACK,
    );
    expect((await world.browser().get('/oauth2/logout?state=a&state=b')).status).equal(400);
  });
});
