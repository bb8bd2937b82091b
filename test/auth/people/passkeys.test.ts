/** A lock keeps guessers out and nobody else; a second factor that is lost. */
import { expect } from 'chai';
import { createSoftKey, type SoftKey } from '../../support/passkey.ts';
import { ADMINISTRATOR, type Added, type Browser, openWorld, PASSWORD, type World } from './world.ts';

const HOUR = 3_600_000;

describe('people › passkeys', () => {
  let world: World;
  let user: Added;
  let key: SoftKey;
  before(async () => {
    world = await openWorld({ host: 'localhost' });
  });
  after(() => world.stop());
  beforeEach(async () => {
    world.advance(HOUR);
    user = await world.add();
    key = createSoftKey(world.url);
    await world.identity.people.addSecurityKey(user.id, key.registered);
  });

  const lock = async (email: string): Promise<void> => {
    for (let i = 0; i < 10; i += 1) {
      world.advance(40_000);
      await world.post('/api/v2/auth/login', { email, password: 'wrong-wrong-wrong' });
    }
  };
  /** Opens the step; the challenge that the page hands to the browser. */
  async function ask(browser: Browser): Promise<string> {
    await browser.get('/sign-in?next=%2Faccount%2Fpassword');
    const page = await browser.submit('/sign-in/passkey');
    expect(page.h1, page.text).equal('Sign in with a passkey');
    const options = JSON.parse((/data-options="([^"]*)"/.exec(page.text)?.[1] ?? '').replaceAll('&quot;', '"'));
    expect(options).include({ userVerification: 'required', rpId: 'localhost' });
    expect(options.allowCredentials ?? [], 'nothing is told of anybody').eql([]);
    return options.challenge;
  }
  const answer = (browser: Browser, text: string) => browser.submit('/sign-in/passkey/answer', { answer: text });
  const isSignedIn = async (browser: Browser): Promise<boolean> =>
    (await world.people.sessions.find(browser.request())) !== undefined;

  it('[LG-05] [LG-10] a locked account is open to the person with a passkey, in a browser that nobody knows', async () => {
    await lock(user.email);
    const locked = await world.post('/api/v2/auth/login', { email: user.email, password: PASSWORD });
    expect(locked.json.code).equal('invalid_credentials');
    const browser = world.browser();
    const page = await answer(browser, key.answer({ challenge: await ask(browser), userId: user.id }));
    expect(page.path).equal('/account/password');
    const session = await world.people.sessions.find(browser.request());
    expect(session).deep.include({ amr: ['hwk', 'mfa'], acr: 'urn:mortar:aal2' });
    expect(world.events.map(({ rule }) => rule)).include('signed-in-passkey');
    const still = await world.post('/api/v2/auth/login', { email: user.email, password: PASSWORD });
    expect(still.json.code, 'the guesser is kept out still').equal('invalid_credentials');
  });

  it('[LG-05] and to the person in their own browser, with the password', async () => {
    const browser = world.browser();
    await browser.signIn(user);
    await browser.submit('/sign-out');
    await lock(user.email);
    await browser.signIn(user);
    expect(await isSignedIn(browser)).equal(true);
    const other = world.browser();
    await other.get('/sign-in');
    expect((await other.submit('/sign-in', { email: user.email, password: PASSWORD })).status).equal(401);
  });

  it('[LG-10] an answer is good once, for its own question, from a key of that person that verified its user', async () => {
    const other = createSoftKey(world.url);
    const stranger = await world.add();
    const wrong: readonly ((challenge: string) => string)[] = [
      (challenge) => key.answer({ challenge, userId: user.id, isVerified: false }),
      (challenge) => other.answer({ challenge, userId: user.id }),
      (challenge) => key.answer({ challenge, userId: stranger.id }),
      (challenge) => key.answer({ challenge, userId: 'nobody\0' }),
      () => key.answer({ challenge: Buffer.alloc(32).toString('base64url'), userId: user.id }),
      (challenge) => createSoftKey('https://evil.example').answer({ challenge, userId: user.id }),
      () => 'null',
      () => '{}',
      () => '{"id":1,"response":{"userHandle":"x"}}',
      () => '',
    ];
    for (const [i, make] of wrong.entries()) {
      const browser = world.browser();
      const page = await answer(browser, make(await ask(browser)));
      expect(page.path, `${i}`).equal('/sign-in?next=%2Faccount%2Fpassword&done=passkey');
      expect(page.text).include('That passkey did not sign you in');
      expect(await isSignedIn(browser), `${i}`).equal(false);
    }
    const browser = world.browser();
    const challenge = await ask(browser);
    const right = key.answer({ challenge, userId: user.id });
    const step = browser.cookies.get('mortar-step') ?? '';
    await answer(browser, right);
    expect(await isSignedIn(browser)).equal(true);
    const again = world.browser();
    await ask(again);
    again.cookies.set('mortar-step', step);
    await again.post('/sign-in/passkey/answer', { answer: right });
    expect(await isSignedIn(again), 'a replay').equal(false);
  });

  it('[LG-10] the question is over after five minutes; a disabled person does not get in', async () => {
    const late = world.browser();
    const challenge = await ask(late);
    world.advance(5 * 60_000);
    await answer(late, key.answer({ challenge, userId: user.id }));
    expect(await isSignedIn(late)).equal(false);
    await world.identity.people.setDisabled(user.id, true);
    const browser = world.browser();
    await answer(browser, key.answer({ challenge: await ask(browser), userId: user.id }));
    expect(await isSignedIn(browser)).equal(false);
    expect(world.events.at(-1)).deep.include({ outcome: 4, rule: 'disabled', detail: { account: user.id } });
  });

  it('[WB-01] the step is not begun or answered from elsewhere', async () => {
    const browser = world.browser();
    const begun = await browser.post('/sign-in/passkey', {}, { Origin: 'https://evil.example' });
    expect(begun.status).equal(403);
    const challenge = await ask(browser);
    const fields = { answer: key.answer({ challenge, userId: user.id }) };
    expect((await browser.post('/sign-in/passkey/answer', { ...fields, csrf: 'wrong' })).status).equal(403);
    expect(await isSignedIn(browser)).equal(false);
  });
});

describe('people › a second factor that is lost', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());
  beforeEach(() => world.setCaller(ADMINISTRATOR));

  const remove = async (id: string) => {
    const reply = await fetch(`${world.url}/api/v2/admin/users/${id}/second-factor`, { method: 'DELETE' });
    return { status: reply.status, json: (await reply.json()) as Record<string, unknown> };
  };
  const person = (admin: Added, authTime: number) => ({
    ...ADMINISTRATOR,
    kind: 'user' as const,
    otherScopes: [],
    user: { ...admin, practitionerRoleIds: [], authTime, amr: ['pwd', 'otp'] },
  });

  for (const role of ['DOCTOR', 'PATIENT'] as const)
    it(`[LG-09] [LG-11] ${role}: an administrator removes it, the person is told, and the next sign-in makes another`, async () => {
      const user = await world.add({ role, mfa: true });
      const browser = world.browser();
      await browser.signIn(user);
      const { status, json } = await remove(user.id);
      expect(status).equal(200);
      expect(json).include({ mfa_enabled: false, recovery_codes_left: 0 });
      expect(await world.people.sessions.find(browser.request()), 'every session has ended').equal(undefined);
      expect(world.notices.at(-1)).deep.equal({ kind: 'second-factor-removed', to: user.email, name: user.name });
      expect(world.events.at(-1)).deep.include({ kind: 'mfa', rule: 'factor-removed', detail: { account: user.id } });
      const login = await world.post('/api/v2/auth/login', { email: user.email, password: PASSWORD });
      expect(login.json.code, 'also where patients need none').equal('mfa_enrolment_required');
      await browser.get('/sign-in');
      const page = await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
      expect(page.path).equal('/sign-in/enrol');
      expect((await browser.get('/account')).path).match(/^\/sign-in/);
    });

  it('[LG-10] a new security key is a new second factor as well', async () => {
    const user = await world.add({ role: 'PATIENT', mfa: true });
    await remove(user.id);
    await world.identity.people.addSecurityKey(user.id, createSoftKey(world.url).registered);
    expect(await world.identity.people.findPerson(user.id)).not.have.property('mustEnrol');
  });

  it('[LG-12] a person needs the right and a fresh proof, and not for themselves; there must be one', async () => {
    const user = await world.add();
    const admin = await world.add({ role: 'ADMIN' });
    world.setCaller(person(admin, world.now() - 6 * 60_000));
    expect((await remove(user.id)).json).include({ code: 'step_up_required' });
    world.setCaller(person(admin, world.now()));
    expect((await remove(admin.id)).status).equal(403);
    world.setCaller(person(await world.add(), world.now()));
    expect((await remove(user.id)).status).equal(403);
    world.setCaller(person(admin, world.now()));
    expect((await remove(user.id)).status).equal(200);
    expect((await remove(user.id)).json).include({ status: 409, code: 'no_second_factor' });
  });
});
