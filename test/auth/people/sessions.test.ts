import { type IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { createCookies } from '../../../src/auth/people/cookies.ts';
import { createOriginCheck } from '../../../src/auth/people/origin.ts';
import { requireRecentAuth } from '../../../src/auth/people/sessions.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { type Added, type Browser, openWorld, type World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('people › sessions', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  const signedIn = async (role: 'DOCTOR' | 'PATIENT' = 'DOCTOR'): Promise<{ user: Added; browser: Browser }> => {
    const user = await world.add({ role });
    const browser = world.browser();
    await browser.signIn(user);
    return { user, browser };
  };
  const find = (browser: Browser) => world.people.sessions.find(browser.request());

  it('[LG-13] a session says who, when and how strongly', async () => {
    const { user, browser } = await signedIn();
    const session = await find(browser);
    expect(session).deep.include({ authTime: world.now(), amr: ['pwd', 'otp'], acr: 'urn:mortar:aal2' });
    expect(session?.user).deep.equal(await world.identity.people.find(user.id));
    const patient = await signedIn('PATIENT');
    expect(await find(patient.browser)).deep.include({ amr: ['pwd'], acr: 'urn:mortar:aal1' });
  });

  it('[LG-13] the cookie is opaque, 256 bits, and its value is not in the database', async () => {
    const { browser } = await signedIn();
    const value = browser.cookies.get('mortar') ?? '';
    expect(Buffer.from(value, 'base64url')).length(32);
    const rows = await world.pools.writes.query({ text: 'select s::text from auth.session s', values: [] });
    expect(rows.length).greaterThan(0);
    expect(rows.flat().join(' ')).not.include(value);
    const hex = Buffer.from(value, 'base64url').toString('hex');
    expect(rows.flat().join(' ')).not.include(hex);
  });

  it('[LG-13] over TLS it is __Host-mortar: Secure, HttpOnly, SameSite=Lax, Path=/', () => {
    const headers = (isTls: boolean): string[] => {
      const res = new ServerResponse({ method: 'GET', headers: {} } as IncomingMessage);
      createCookies(isTls ? 'https://host' : 'http://host').set(res, 'session', 'a'.repeat(43));
      return [res.getHeader('Set-Cookie')].flat().map(String);
    };
    expect(headers(true)).deep.equal([`__Host-mortar=${'a'.repeat(43)}; Path=/; HttpOnly; SameSite=Lax; Secure`]);
    expect(headers(false)).deep.equal([`mortar=${'a'.repeat(43)}; Path=/; HttpOnly; SameSite=Lax`]);
  });

  it('[LG-13] a cookie that is planted beside ours, or has another form, is none', () => {
    const cookies = createCookies('http://host');
    const read = (cookie: string) => cookies.read({ headers: { cookie } } as IncomingMessage, 'session');
    const [a, b] = ['a'.repeat(43), 'b'.repeat(43)];
    expect(read(`x=1; mortar=${a}; y=2`)).equal(a);
    for (const cookie of ['', `mortar=${a}; mortar=${b}`, `mortar=${a}x`, 'mortar=', `xmortar=${a}`, `mortar="${a}"`])
      expect(read(cookie), cookie).equal(undefined);
    expect(
      createCookies('https://host').read({ headers: { cookie: `mortar=${a}` } } as IncomingMessage, 'session'),
    ).equal(undefined);
  });

  it('[LG-13] signing in gives a new id: one that was planted before is nobody’s', async () => {
    const user = await world.add();
    const browser = world.browser();
    const planted = 'p'.repeat(43);
    browser.cookies.set('mortar', planted);
    await browser.signIn(user);
    expect(browser.cookies.get('mortar')).not.equal(planted);
    const first = browser.cookies.get('mortar') ?? '';
    await browser.get('/account');
    await browser.submit('/sign-out');
    browser.cookies.set('mortar', first);
    expect(await find(browser), 'after signing out').equal(undefined);
    await browser.signIn(user);
    expect(browser.cookies.get('mortar')).not.equal(first);
    browser.cookies.set('mortar', first);
    expect(await find(browser)).equal(undefined);
  });

  for (const [role, idle, absolute] of [
    ['DOCTOR', 15 * MINUTE, 12 * HOUR],
    ['PATIENT', 30 * MINUTE, 24 * HOUR],
  ] as const)
    it(`[LG-13] ${role}: ends after ${idle / MINUTE} idle minutes, and after ${absolute / HOUR} hours at all`, async () => {
      const { browser } = await signedIn(role);
      world.advance(idle - 1);
      expect(await find(browser), 'just in time').not.equal(undefined);
      world.advance(idle);
      expect(await find(browser), 'idle').equal(undefined);
      const second = (await signedIn(role)).browser;
      for (let passed = 0; passed + idle - MINUTE < absolute; passed += idle - MINUTE) {
        expect(await find(second), `in use after ${passed / MINUTE} minutes`).not.equal(undefined);
        world.advance(idle - MINUTE);
      }
      world.advance(absolute % (idle - MINUTE));
      expect(await find(second), 'absolute').equal(undefined);
    });

  it('[LG-13] use at one process keeps it alive at another', async () => {
    const { browser } = await signedIn();
    const other = await world.another();
    try {
      for (let i = 0; i < 3; i += 1) {
        world.advance(14 * MINUTE);
        expect(await find(browser)).not.equal(undefined);
      }
      expect(await other.people.sessions.find(browser.request())).not.equal(undefined);
    } finally {
      await other.stop();
    }
  });

  it('[LG-14] of six sessions the oldest has ended, also when they begin at once', async () => {
    const user = await world.add({ role: 'PATIENT' });
    const browsers: Browser[] = [];
    for (let i = 0; i < 6; i += 1) {
      const browser = world.browser();
      await browser.signIn(user);
      browsers.push(browser);
      world.advance(1000);
    }
    const found = await Promise.all(browsers.map(find));
    expect(found.map((session) => session !== undefined)).deep.equal([false, true, true, true, true, true]);
    await Promise.all(Array.from({ length: 8 }, () => world.browser().signIn(user)));
    expect(await world.people.sessions.list(user.id)).length(5);
  });

  it('[LG-14] disabling a user ends their sessions within five seconds everywhere', async () => {
    const { user, browser } = await signedIn();
    const other = await world.another();
    try {
      const there = () => other.people.sessions.find(browser.request());
      expect(await find(browser)).not.equal(undefined);
      expect(await there()).not.equal(undefined);
      const answer = await world.post(`/api/v2/admin/users/${user.id}/disable`, {});
      expect(answer.status).equal(200);
      expect(await find(browser), 'at once here').equal(undefined);
      world.advance(5000);
      expect(await there(), 'after five seconds there').equal(undefined);
    } finally {
      await other.stop();
    }
  });

  it('[AZ-07] roles that change act within five seconds; a new staff role without MFA ends a patient’s session', async () => {
    const { user, browser } = await signedIn();
    await find(browser);
    await world.identity.people.change(user.id, { roles: ['PHARMACIST'] });
    world.advance(5000);
    expect((await find(browser))?.user.roles).deep.equal(['PHARMACIST']);
    const patient = await signedIn('PATIENT');
    await world.identity.people.change(patient.user.id, { roles: ['PATIENT', 'ADMIN'] });
    world.advance(5000);
    expect(await find(patient.browser)).equal(undefined);
  });

  it('[LG-12] an old proof is refused: 401 step_up_required', () => {
    const now = 1_000_000_000;
    requireRecentAuth({ authTime: now - 5 * MINUTE }, now);
    try {
      requireRecentAuth({ authTime: now - 5 * MINUTE - 1 }, now);
      expect.fail('it was taken');
    } catch (error) {
      expect(error).instanceOf(FhirError);
      const { status, issues } = error as FhirError;
      expect(status).equal(401);
      expect(issues[0]?.details?.coding[0]?.code).equal('step_up_required');
    }
    expect(() => requireRecentAuth({ authTime: now - 1000 }, now, 999)).throw(FhirError);
  });

  it('[WB-01] a form is genuine by its token and by where the browser says it comes from', async () => {
    const { browser } = await signedIn();
    const session = await find(browser);
    if (!session) throw new Error('no session');
    const { isGenuine } = world.people.sessions;
    expect(isGenuine(browser.request(), session, session.csrf)).equal(true);
    expect(isGenuine(browser.request(), session, undefined)).equal(false);
    expect(isGenuine(browser.request(), session, 'x')).equal(false);
    expect(session.csrf, 'not the cookie').not.equal(browser.cookies.get('mortar'));
    const isOwn = createOriginCheck('https://fhir.example.org/mortar');
    const from = (headers: Record<string, string>) => isOwn({ headers } as unknown as IncomingMessage);
    expect(from({ origin: 'https://fhir.example.org' })).equal(true);
    for (const origin of [
      'http://fhir.example.org',
      'https://fhir.example.org.evil.example',
      'https://fhir.example.org:8443',
      'null',
    ])
      expect(from({ origin }), origin).equal(false);
  });

  it('expired rows are cleaned away', async () => {
    await signedIn();
    await world.post('/api/v2/auth/login', { email: 'nobody@example.org', password: 'x' });
    world.advance(100 * 24 * HOUR);
    expect(await world.people.purge()).greaterThan(0);
    for (const table of ['session', 'challenge', 'rate', 'trusted_device']) {
      const rows = await world.pools.writes.query({ text: `select 1 from auth.${table}`, values: [] });
      expect(rows, table).length(0);
    }
    expect(await world.people.purge()).equal(0);
  });

  it('an account whose address nobody confirms goes after a week, so that it does not keep its owner out', async () => {
    const made = await world.add({ role: 'PATIENT', isEmailVerified: false, nhsNumberClaim: Buffer.from('sealed') });
    const invited = await world.add({ isEmailVerified: false });
    world.advance(7 * 24 * HOUR - 1);
    await world.people.purge();
    expect(await world.identity.people.find(made.id)).not.equal(undefined);
    world.advance(1);
    await world.people.purge();
    expect(await world.identity.people.find(made.id)).equal(undefined);
    expect(await world.identity.people.find(invited.id)).not.equal(undefined);
  });
});
