import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { html } from '../../../src/auth/pages/html.ts';
import { isOwnPath } from '../../../src/auth/pages/kit.ts';
import { checkboxes, input, page, radios } from '../../../src/auth/pages/layout.ts';
import { totpCode, totpStep } from '../../../src/auth/people/totp.ts';
import { openWorld, PASSWORD, type Page, type World } from '../people/world.ts';

const CSP =
  "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;font-src 'self';connect-src 'self';" +
  "form-action 'self';frame-ancestors 'none';base-uri 'none';object-src 'none';require-trusted-types-for 'script'";

describe('pages', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  const shownCode = (page: Page): string => totpAt(page, world.now());

  describe('signing in', () => {
    it('password, code, and on to where the person wanted to go', async () => {
      const user = await world.add();
      const browser = world.browser();
      const asked = await browser.get('/account/password');
      expect(asked.path).equal('/sign-in?next=%2Faccount%2Fpassword');
      expect(asked.title).equal('Sign in – Mortar');
      const second = await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
      expect(second.h1).equal('Confirm that it is you');
      const wrong = await browser.submit('/sign-in/second-step', { code: '000000' });
      expect(wrong.status).equal(401);
      expect(wrong.title).match(/^Error: /);
      const done = await browser.submit('/sign-in/second-step', { code: user.code() });
      expect(done.path).equal('/account/password');
    });

    it('says what is wrong at the field and in a summary that leads there', async () => {
      const browser = world.browser();
      await browser.get('/sign-in');
      const page = await browser.submit('/sign-in', { email: 'nobody', password: '' });
      expect(page.status).equal(422);
      expect(page.title).equal('Error: Sign in – Mortar');
      expect(page.text).include('<a href="#email">Enter an e-mail address in the right form');
      expect(page.text).include('<a href="#password">Enter your password</a>');
      expect(page.text).match(/<input id="email"[^>]*aria-describedby="email-fault" aria-invalid="true"/);
      expect(page.text, 'what was typed is kept').include('value="nobody"');
    });

    it('after too many wrong codes begins again', async () => {
      const user = await world.add();
      const browser = world.browser();
      await browser.get('/sign-in');
      await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
      let last: Page | undefined;
      for (let i = 0; i < 5; i += 1) last = await browser.submit('/sign-in/second-step', { code: '000000' });
      expect(last?.path).equal('/sign-in?done=over');
      expect(last?.text).include('too many wrong codes');
    });

    it('[IN-39] next leads nowhere but to paths of ours', async () => {
      for (const path of ['/account', '/oauth2/authorize?a=b&c=https%3A%2F%2Fx', '/a/b#c'])
        expect(isOwnPath(path)).equal(true);
      const foreign = [
        'https://evil.example',
        '//evil.example',
        '/\\evil.example',
        '/a\\b',
        'javascript:alert(1)',
        '/\t/evil.example',
        '/%0d%0aX: y\r\n',
        ' /account',
        '',
        `/${'a'.repeat(5000)}`,
      ];
      for (const path of foreign) expect(isOwnPath(path), path).equal(false);
      const user = await world.add();
      for (const path of ['https://evil.example', '//evil.example', '/\\evil.example']) {
        const browser = world.browser();
        expect((await browser.signIn(user, path)).path, path).equal('/account');
        expect((await browser.get(`/sign-in?next=${encodeURIComponent(path)}`)).path).equal('/account');
      }
    });
  });

  it('[LG-09] staff without a second factor can do nothing but make one', async () => {
    const user = await world.add({ mfa: false });
    const browser = world.browser();
    await browser.get('/sign-in');
    const enrol = await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
    expect(enrol.h1).equal('Set up the second step');
    expect(await world.people.sessions.find(browser.request())).equal(undefined);
    expect((await browser.get('/account')).h1).equal('Sign in');
    const page = await browser.get('/sign-in/enrol');
    expect(page.text).match(/<img class="picture" src="data:image\/png;base64,[A-Za-z0-9+/=]+" alt="QR code/);
    const wrong = await browser.submit('/sign-in/enrol', { code: '000000' });
    expect(wrong.title).match(/^Error: /);
    expect(shownCode(wrong), 'the same secret').equal(shownCode(page));
    const codes = await browser.submit('/sign-in/enrol', { code: shownCode(page) });
    expect(codes.h1).equal('Your recovery codes');
    const shown = [...codes.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, code]) => code ?? '');
    expect(shown).length(10);
    const account = await browser.submit('/account/recovery-codes');
    expect(account.text).include('You have 10 recovery codes left');
    expect((await browser.get('/account/recovery-codes')).path, 'shown once').equal('/account');
    expect((await world.people.sessions.find(browser.request()))?.acr).equal('urn:mortar:aal2');

    const other = world.browser();
    await other.get('/sign-in');
    await other.submit('/sign-in', { email: user.email, password: PASSWORD });
    await other.get('/sign-in/recovery');
    const wrongCode = await other.submit('/sign-in/recovery', { code: 'aaaa-aaaa-aaaa-aaaa' });
    expect(wrongCode.status).equal(401);
    const entered = await other.submit('/sign-in/recovery', { code: shown[0] ?? '' });
    expect(entered.text).include('You have 9 recovery codes left');
  });

  it('[LG-06] the secret lies in the database only sealed', async () => {
    const user = await world.add({ mfa: false });
    const browser = world.browser();
    await browser.get('/sign-in');
    const page = await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
    const key = /<code id="key">([A-Z2-7 ]+)</.exec(page.text)?.[1]?.replaceAll(' ', '') ?? '';
    await browser.submit('/sign-in/enrol', { code: shownCode(page) });
    const rows = await world.pools.writes.query({
      text: 'select c::text from auth.challenge c union all select p::text from auth.person p',
      values: [],
    });
    expect(key).length(32);
    expect(rows.flat().join(' ')).not.include(key);
  });

  describe('[LG-12] what needs a fresh proof', () => {
    it('asks for the password again once five minutes have passed', async () => {
      const user = await world.add();
      const browser = world.browser();
      await browser.signIn(user);
      world.advance(5 * 60_000 + 1);
      await browser.get('/account');
      const again = await browser.submit('/account/recovery-codes/renew');
      expect(again.path).equal('/sign-in/again');
      expect((await browser.submit('/sign-in/again', { password: 'wrong-password-here' })).status).equal(401);
      const cookie = browser.cookies.get('mortar');
      await browser.submit('/sign-in/again', { password: PASSWORD });
      expect(browser.cookies.get('mortar'), 'a new id').not.equal(cookie);
      await browser.get('/account');
      const renewed = await browser.submit('/account/recovery-codes/renew');
      expect(renewed.h1).equal('Your recovery codes');
    });
  });

  describe('[LG-11] reset', () => {
    const asked = async (email: string): Promise<string | undefined> => {
      const count = world.notices.length;
      const browser = world.browser();
      await browser.get('/reset');
      const page = await browser.submit('/reset', { email });
      expect(page.path).equal('/reset/sent');
      for (let i = 0; i < 50 && world.notices.length === count; i += 1) await new Promise((r) => setTimeout(r, 10));
      const link = world.notices.slice(count).find(({ kind }) => kind === 'reset')?.link;
      return link === undefined ? undefined : new URL(link).pathname;
    };

    it('the link changes the password once, ends every session, and leaves the second step', async () => {
      const user = await world.add();
      const signedIn = world.browser();
      await signedIn.signIn(user);
      const path = (await asked(user.email)) ?? '';
      const browser = world.browser();
      expect((await browser.get(path)).h1).equal('Choose a new password');
      const weak = await browser.submit(path, { password: 'password1234' });
      expect(weak.text).include('harder to guess');
      const done = await browser.submit(path, { password: 'another horse battery' });
      expect(done.path).equal('/sign-in?done=reset');
      expect(await world.people.sessions.find(signedIn.request())).equal(undefined);
      expect((await browser.get(path)).status, 'once').equal(404);
      await browser.get('/sign-in');
      expect((await browser.submit('/sign-in', { email: user.email, password: PASSWORD })).status).equal(401);
      await browser.get('/sign-in');
      const next = await browser.submit('/sign-in', { email: user.email, password: 'another horse battery' });
      expect(next.h1, 'MFA as before').equal('Confirm that it is you');
      const now = await world.identity.people.find(user.id);
      expect(now?.securityVersion).greaterThan(user.securityVersion);
    });

    it('lasts 30 minutes, ends with the next change, and is kept as a hash', async () => {
      const user = await world.add();
      const late = (await asked(user.email)) ?? '';
      world.advance(30 * 60_000);
      expect((await world.browser().get(late)).status).equal(404);
      const path = (await asked(user.email)) ?? '';
      expect((await world.browser().get(path)).status).equal(200);
      const rows = await world.pools.writes.query({ text: 'select c::text from auth.challenge c', values: [] });
      expect(rows.flat().join(' ')).not.include(path.split('/')[2]);
      await world.identity.people.setPassword(user.id, 'x');
      expect((await world.browser().get(path)).status).equal(404);
    });

    it('an unknown address gets the same answer', async () => {
      expect(await asked('nobody-at-all@example.org')).equal(undefined);
    });
  });

  it('[LG-15] who registers proves the address first; a known address is told, not shown', async () => {
    const registration = {
      email: 'new@example.org',
      password: 'brand new battery',
      nhs_number: '999 000 0018',
      role: 'PATIENT',
    };
    const register = (body: object) => world.post('/booking/v1/auth/register', { ...registration, ...body });
    const told = (kind: string) => world.notices.filter((n) => n.kind === kind && n.to === registration.email);
    const wait = async (kind: string, count: number) => {
      for (let i = 0; i < 100 && told(kind).length < count; i += 1) await new Promise((r) => setTimeout(r, 10));
      expect(told(kind), kind).length(count);
      return new URL(told(kind)[count - 1]?.link ?? world.url).pathname;
    };
    const first = await register({});
    const stale = await wait('verify-email', 1);
    const known = await register({});
    const path = await wait('verify-email', 2);
    expect([first.status, first.text]).deep.equal([known.status, known.text]);
    expect(first.json).deep.equal({ status: 'check_email' });
    expect((await world.browser().get(stale)).status, 'the newer link holds').equal(404);
    const login = () =>
      world.post('/booking/v1/auth/login', { email: registration.email, password: registration.password });
    expect((await login()).status).equal(401);
    const browser = world.browser();
    await browser.get(path);
    expect((await login()).status, 'opening the link is not enough').equal(401);
    const wrong = await browser.submit(path, { password: 'somebody else’s' });
    expect(wrong.text, 'nor is owning the address').include('that you chose when you registered');
    expect((await login()).status).equal(401);
    expect((await browser.submit(path, { password: registration.password })).path).equal('/sign-in?done=verified');
    expect((await login()).status).equal(200);
    expect((await register({})).text, 'a known address').equal(first.text);
    await wait('already-registered', 1);
    const user = await world.identity.people.findByEmail('NEW@example.org');
    expect(user?.patientIds, 'an NHS number gives no record').deep.equal([]);
    expect(user?.roles).deep.equal(['PATIENT']);
    world.advance(60 * 60_000);
    expect((await register({ role: 'ADMIN' })).status).equal(400);
    expect((await register({ nhs_number: '9990000019' })).status).equal(400);
    expect((await register({ password: 'password' })).json.code).equal('weak_password');
    for (const status of [202, 202, 429])
      expect((await register({ email: 'other@example.org' })).status, 'five an hour').equal(status);
    const rows = await world.pools.writes.query({ text: 'select p::text from auth.person p', values: [] });
    expect(rows.flat().join(' '), 'sealed').not.include('9990000018');
  });

  it('[LG-16] the first administrator is made by a link that works once', async () => {
    const fresh = await openWorld();
    try {
      const first = await fresh.people.setupLink();
      const link = (await fresh.people.setupLink()) ?? '';
      const file = join(fresh.dataDir, 'setup-link');
      expect(readFileSync(file, 'utf8')).equal(`${link}\n`);
      if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).equal(0o600);
      const browser = fresh.browser();
      expect((await browser.get(new URL(first ?? '').pathname)).status, 'only the newest').equal(404);
      const path = new URL(link).pathname;
      const page = await browser.get(path);
      expect(page.h1).equal('Make the first administrator');
      const form = { name: 'Ada Kellner', email: 'ada@example.org', password: PASSWORD };
      const weak = await browser.submit(path, { ...form, password: 'ada kellner 1', code: '000000' });
      expect(weak.text).include('does not consist of your name');
      expect((await browser.submit(path, { ...form, code: '000000' })).title).match(/^Error: /);
      const code = totpAt(page, fresh.now());
      const done = await browser.submit(path, { ...form, code });
      expect(done.h1).equal('Your recovery codes');
      const session = await fresh.people.sessions.find(browser.request());
      expect(session?.user.roles).deep.equal(['ADMIN']);
      expect(await fresh.people.setupLink(), 'there is one now').equal(undefined);
      expect(statSync(file, { throwIfNoEntry: false })).equal(undefined);
      expect((await fresh.browser().get(path)).status).equal(404);
      expect(JSON.stringify(fresh.lines) + JSON.stringify(fresh.events)).not.include(path.split('/')[2]);
    } finally {
      await fresh.stop();
    }
  });

  it('[LG-16] a setup link is good for a day', async () => {
    const fresh = await openWorld();
    try {
      const path = new URL((await fresh.people.setupLink()) ?? '').pathname;
      fresh.advance(24 * 60 * 60_000);
      expect((await fresh.browser().get(path)).status).equal(404);
    } finally {
      await fresh.stop();
    }
  });

  it('[LG-16] demo users have passwords of their own, are made once, and never in production', async () => {
    const made = await world.people.loadDemoUsers();
    expect(made.map(({ role }) => role)).include.members(['ADMIN', 'DOCTOR', 'PATIENT', 'PHARMACIST']);
    expect(new Set(made.map(({ password }) => password)).size).equal(made.length);
    expect(await world.people.loadDemoUsers()).deep.equal([]);
    const patient = made.find(({ role }) => role === 'PATIENT');
    const login = await world.post('/api/v2/auth/login', { email: patient?.email, password: patient?.password });
    expect(login.status).equal(200);
    const production = await openWorld({ isProduction: true });
    try {
      expect(await production.people.loadDemoUsers().catch((e: Error) => e.message)).match(/NODE_ENV=production/);
    } finally {
      await production.stop();
    }
  });

  describe('[WB-01] forms', () => {
    it('of a session need its token and our origin', async () => {
      const user = await world.add();
      const browser = world.browser();
      const page = await browser.signIn(user);
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
      const own = { Origin: world.url };
      const attempts: readonly (readonly [fields: Record<string, string>, headers: Record<string, string>])[] = [
        [{}, own],
        [{ csrf: '' }, own],
        [{ csrf: `${csrf}x` }, own],
        [{ csrf }, {}],
        [{ csrf }, { Origin: 'https://evil.example' }],
        [{ csrf }, { Origin: 'null' }],
        [{ csrf }, { 'Sec-Fetch-Site': 'cross-site' }],
        [{ csrf }, { 'Sec-Fetch-Site': 'same-site', Origin: world.url }],
        [{ csrf }, { 'Sec-Fetch-Site': 'none', Origin: world.url }],
      ];
      for (const [fields, headers] of attempts) {
        const refused = await browser.post('/sign-out', fields, headers);
        expect(refused.status, JSON.stringify([fields, headers])).equal(403);
      }
      expect(await world.people.sessions.find(browser.request())).not.equal(undefined);
      const other = world.browser();
      const theirs = await other.signIn(await world.add());
      const foreign = /name="csrf" value="([^"]+)"/.exec(theirs.text)?.[1] ?? '';
      expect((await browser.post('/sign-out', { csrf: foreign }, own)).status, 'of another session').equal(403);
      const out = await browser.post('/sign-out', { csrf }, { 'Sec-Fetch-Site': 'same-origin', Origin: 'null' });
      expect(out.path, 'a browser that is told to send no referrer').equal('/sign-in?done=signed-out');
      expect(await world.people.sessions.find(browser.request())).equal(undefined);
    });

    it('without a session are refused from elsewhere: nobody is signed in by another site', async () => {
      const user = await world.add();
      for (const path of ['/sign-in', '/reset', '/reset/x', '/setup/x', '/verify-email/x']) {
        const { status } = await world
          .browser()
          .post(path, { email: user.email, password: PASSWORD }, { Origin: 'https://evil.example' });
        expect(status, path).equal(403);
      }
    });

    it('as JSON or text do nothing', async () => {
      const user = await world.add();
      const browser = world.browser();
      const page = await browser.signIn(user);
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
      for (const type of ['application/json', 'text/plain']) {
        const { status } = await fetch(`${world.url}/sign-out`, {
          method: 'POST',
          headers: { 'Content-Type': type, Origin: world.url, Cookie: browser.request().headers.cookie ?? '' },
          body: type === 'text/plain' ? `csrf=${csrf}` : JSON.stringify({ csrf }),
        });
        expect(status, type).equal(403);
      }
    });
  });

  it('[WB-02] every page has the strict policy and is kept by nobody', async () => {
    const browser = world.browser();
    for (const path of ['/sign-in', '/reset', '/nothing-here', '/setup/x', '/sign-in?next=/a']) {
      const { headers } = await browser.get(path);
      expect(headers.get('content-security-policy'), path).equal(CSP);
      expect(headers.get('cache-control')).equal('no-store');
      expect(headers.get('referrer-policy')).equal('no-referrer');
      expect(headers.get('x-content-type-options')).equal('nosniff');
      expect(headers.get('cross-origin-opener-policy')).equal('same-origin');
      expect(headers.get('cross-origin-resource-policy')).equal('same-origin');
      expect(headers.get('content-type')).equal('text/html; charset=utf-8');
      expect(headers.get('x-powered-by')).equal(null);
      expect(headers.get('strict-transport-security'), 'not over http').equal(null);
    }
    const api = await world.post('/api/v2/auth/login', {});
    expect(api.headers.get('content-security-policy')).equal("default-src 'none'; frame-ancestors 'none'; sandbox");
  });

  it('[WB-02] no page has a script or a style of its own', async () => {
    const browser = world.browser();
    const account = await browser.signIn(await world.add());
    for (const page of [account, await browser.get('/account/password'), await browser.get('/reset')]) {
      expect(page.text).not.match(/<script(?! src=)|<style| style=| on[a-z]+=|javascript:/);
      for (const [, path] of page.text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) {
        const asset = await fetch(`${world.url}${path}`);
        expect(asset.status).equal(200);
        expect(asset.headers.get('cache-control')).equal('public, max-age=31536000, immutable');
      }
    }
    expect((await fetch(`${world.url}/assets/mortar-0000000000000000.css`)).status).equal(404);
  });

  describe('[WB-04] text is text', () => {
    const payloads = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "' autofocus onfocus=alert(1) x='",
      '</title><svg onload=alert(1)>',
      '`+alert(1)+`',
      '&lt;b&gt;',
      'a\u001bc',
    ];
    const live = /<script>|<img src=x|<svg|\p{Cc}(?<![\t\r\n])/u;

    for (const payload of payloads)
      it(JSON.stringify(payload), async () => {
        const markup = page({
          title: payload,
          errors: [{ field: 'x', text: payload }],
          body: html`<h1>${payload}</h1>
${input({ name: 'x', label: payload, hint: payload, value: payload, errors: [{ field: 'x', text: payload }] })}
${radios({ name: 'r', legend: payload, choices: [{ value: payload, label: payload, hint: payload }] })}
${checkboxes({ name: 'c', legend: payload, choices: [{ value: payload, label: payload }] })}`,
        });
        expect(markup).not.match(live);
        expect(markup).not.include(`value="${payload}"`);
        const user = await world.add({ role: 'PATIENT', name: payload });
        const browser = world.browser();
        const account = await browser.signIn(user);
        expect(account.h1).equal('Your account');
        expect(account.text).not.match(live);
      });
  });

  it('[LG-14] the account page shows sessions and ends them', async () => {
    const user = await world.add();
    const [one, two] = [world.browser(), world.browser()];
    await one.signIn(user);
    await two.signIn(user);
    const account = await one.get('/account');
    expect([...account.text.matchAll(/signed in \d+ May 2026/g)]).length(2);
    expect(account.text).include('(this browser)');
    await one.submit('/account/sessions/end');
    expect(await world.people.sessions.find(two.request())).equal(undefined);
    expect(await world.people.sessions.find(one.request())).not.equal(undefined);
    const three = world.browser();
    const theirs = await three.signIn(await world.add());
    const csrf = /name="csrf" value="([^"]+)"/.exec(theirs.text)?.[1] ?? '';
    const id = (await world.people.sessions.list(user.id))[0]?.id ?? '';
    await three.post('/account/sessions/end', { csrf, id });
    expect(await world.people.sessions.find(one.request()), 'not another person’s').not.equal(undefined);
  });

  it('a changed password ends every other session and gives this one a new id', async () => {
    const user = await world.add();
    const [one, two] = [world.browser(), world.browser()];
    await one.signIn(user);
    await two.signIn(user);
    const old = one.cookies.get('mortar');
    await one.get('/account/password');
    const wrong = await one.submit('/account/password', {
      current: 'wrong-password-here',
      password: 'another horse battery',
    });
    expect(wrong.text).include('Enter your current password');
    const weak = await one.submit('/account/password', { current: PASSWORD, password: 'password1234' });
    expect(weak.text).include('harder to guess');
    const done = await one.submit('/account/password', { current: PASSWORD, password: 'another horse battery' });
    expect(done.path).equal('/account');
    expect(one.cookies.get('mortar')).not.equal(old);
    expect(await world.people.sessions.find(two.request())).equal(undefined);
    expect(world.notices.some(({ kind, to }) => kind === 'password-changed' && to === user.email)).equal(true);
  });
});

/** The code of the secret that the page shows. */
function totpAt({ text }: Page, now: number): string {
  const key = /<code id="key">([A-Z2-7 ]+)</.exec(text)?.[1]?.replaceAll(' ', '') ?? '';
  const bits = [...key].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  return totpCode(secret, totpStep(now));
}
