import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { html } from '../../../src/auth/pages/html.ts';
import { button, hiddenField, input, page, radios } from '../../../src/auth/pages/layout.ts';
import { totpCode, totpStep } from '../../../src/auth/people/totp.ts';
import type { Session } from '../../../src/ports/users.ts';
import { findAccessibilityFaults, openPage, startChromium } from '../../support/browser.ts';
import { type Added, openWorld, PASSWORD, type World } from '../people/world.ts';
import { XSS_CORPUS } from './xss-corpus.ts';

describe('pages in a browser', function () {
  this.timeout(180_000);
  let browser: Browser;
  let world: World;
  before(async function () {
    browser = await startChromium(this);
    world = await openWorld({ host: 'localhost' }); // a name, as security keys are bound to one
  });
  after(async () => {
    await browser?.close();
    await world?.stop();
  });

  const signIn = async (page: Page, user: Added): Promise<void> => {
    await page.goto(`${world.url}/sign-in`);
    await page.getByLabel('E-mail address').fill(user.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Code').fill(user.code());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/account');
  };

  /** The code of the key on the page. */
  const shownCode = async (page: Page): Promise<string> => {
    const key = (await page.locator('#key').innerText()).replaceAll(' ', '');
    const bits = [...key]
      .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
      .join('');
    const secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
    return totpCode(secret, totpStep(world.now()));
  };

  it('every page passes axe (WCAG 2.2 AA), with and without faults, and [WB-02] breaks no policy', async () => {
    const user = await world.add();
    const unready = await world.add({ mfa: false });
    const { page, context, complaints } = await openPage(browser);
    const check = async (name: string): Promise<void> => {
      expect(await findAccessibilityFaults(page), `${name} at ${page.url()}`).deep.equal([]);
    };
    for (const path of [
      '/sign-in',
      '/sign-in?done=signed-out',
      '/reset',
      '/reset/sent',
      '/reset/x',
      '/verify-email/x',
      '/nowhere',
    ]) {
      await page.goto(world.url + path);
      await check(path);
    }
    await page.goto(`${world.url}/sign-in`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    expect(await page.title()).match(/^Error: /);
    await check('sign-in with faults');
    await page.getByLabel('E-mail address').fill(unready.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await check('enrolment');
    await page.getByLabel('Code').fill('000000');
    await page.getByRole('button', { name: 'Continue' }).click();
    await check('enrolment with a fault');
    await page.getByLabel('Code').fill(await shownCode(page));
    await page.getByRole('button', { name: 'Continue' }).click();
    await check('recovery codes');
    await page.getByRole('button', { name: 'I have kept my codes' }).click();
    await check('account');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByLabel('E-mail address').fill(user.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await check('second step');
    await page.getByRole('link', { name: 'Use a recovery code' }).click();
    await check('recovery code');
    await page.getByRole('link', { name: 'Use another way' }).click();
    await page.getByLabel('Code').fill(user.code());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.goto(`${world.url}/account/password`);
    await page.getByRole('button', { name: 'Change password' }).click();
    await check('password with faults');
    for (const path of ['/account/security-keys/add', '/sign-in/again']) {
      await page.goto(world.url + path);
      await check(path);
    }
    const link = (await world.people.setupLink()) ?? '';
    await page.goto(link);
    await check('setup');
    expect(complaints).deep.equal([]);
    await context.close();
  });

  it('works without JavaScript, from signing in to signing out', async () => {
    const user = await world.add({ mfa: false });
    const { page, context } = await openPage(browser, { javaScriptEnabled: false });
    await page.goto(`${world.url}/account/password`);
    await page.getByLabel('E-mail address').fill(user.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Code').fill(await shownCode(page));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'I have kept my codes' }).click();
    expect(page.url()).equal(`${world.url}/account/password`);
    await page.getByLabel('Current password').fill(PASSWORD);
    await page.getByLabel('New password').fill('another horse battery');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByText('You have signed out.').waitFor();
    await context.close();
  });

  it('works by keyboard alone, with a focus that can be seen', async () => {
    const user = await world.add({ role: 'PATIENT' });
    const { page, context } = await openPage(browser);
    await page.goto(`${world.url}/sign-in`);
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').innerText()).equal('Skip to main content');
    const colour = await page.evaluate('getComputedStyle(document.activeElement).backgroundColor');
    expect(colour).equal('rgb(255, 235, 59)');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.type(user.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').innerText()).equal('Sign in');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Your account' }).waitFor();
    await context.close();
  });

  it('fits a screen 320 pixels wide', async () => {
    const { page, context } = await openPage(browser, { viewport: { width: 320, height: 600 } });
    for (const path of ['/sign-in', '/reset']) {
      await page.goto(world.url + path);
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow, path).at.most(0);
    }
    await context.close();
  });

  it('[LG-10] a security key is registered, is a second factor, and must verify its user for staff', async () => {
    const user = await world.add();
    const { page, context, complaints } = await openPage(browser);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'usb',
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await signIn(page, user);
    await page.getByRole('link', { name: 'Add a security key' }).click();
    await page.getByLabel('Name for this key').fill('blue key');
    await page.getByRole('button', { name: 'Add this key' }).click();
    await page.getByText('blue key', { exact: true }).waitFor();
    const [key] = await world.identity.people.securityKeys(user.id);
    expect(key).include({ name: 'blue key', deviceType: 'singleDevice', isBackedUp: false });
    const withKey = async (): Promise<void> => {
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.getByLabel('E-mail address').fill(user.email);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: 'Use a security key' }).click();
    };
    await withKey();
    await page.waitForURL('**/account');
    const [used] = await world.identity.people.securityKeys(user.id);
    expect(used?.counter, 'the counter is kept').greaterThan(key?.counter ?? 0);
    expect(world.events.at(-1)).include({ kind: 'login', rule: 'signed-in-security-key' });
    expect(complaints).deep.equal([]);

    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await withKey();
    await page.getByText('The security key did not answer').waitFor();
    await context.close();
  });

  it('[LG-05] [LG-10] a passkey that the browser holds signs in alone, also while the account is locked', async () => {
    const user = await world.add();
    const { page, context, complaints } = await openPage(browser);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await signIn(page, user);
    await page.getByRole('link', { name: 'Add a security key' }).click();
    await page.getByRole('button', { name: 'Add this key' }).click();
    await page.getByText('Security key', { exact: true }).waitFor();
    expect(world.notices.at(-1)).include({ kind: 'security-key-added', to: user.email });
    for (let i = 0; i < 10; i += 1) {
      world.advance(40_000);
      await world.post('/api/v2/auth/login', { email: user.email, password: 'wrong-wrong-wrong' });
    }
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByRole('button', { name: 'Use my passkey' }).click();
    await page.waitForURL('**/account');
    expect(world.events.at(-1)).include({ kind: 'login', rule: 'signed-in-passkey' });
    expect(complaints).deep.equal([]);
    await page.getByRole('button', { name: /^Remove/ }).click();
    await page.getByText('You have none.').waitFor();
    expect(world.notices.at(-1)).include({ kind: 'security-key-removed', to: user.email });
    await context.close();
  });

  it('[LG-10] an answer to another question, or of a key with an old counter, proves nothing', async () => {
    const user = await world.add();
    const { page, context } = await openPage(browser);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'usb',
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await signIn(page, user);
    await page.getByRole('link', { name: 'Add a security key' }).click();
    await page.getByRole('button', { name: 'Add this key' }).click();
    await page.getByText('Security key', { exact: true }).waitFor();
    let stolen = '';
    await page.route('**/sign-in/security-key', async (route) => {
      stolen = new URLSearchParams(route.request().postData() ?? '').get('answer') ?? '';
      await route.continue();
    });
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByLabel('E-mail address').fill(user.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Use a security key' }).click();
    await page.waitForURL('**/account');
    expect(stolen).match(/"signature"/);
    const thief = world.browser();
    await thief.get('/sign-in');
    await thief.submit('/sign-in', { email: user.email, password: PASSWORD });
    const refused = await thief.submit('/sign-in/security-key', { answer: stolen });
    expect(refused.status).equal(401);
    const [key] = await world.identity.people.securityKeys(user.id);
    if (!key) throw new Error('no key');
    expect(await world.identity.people.useSecurityKey(key, key.counter, false), 'a counter that stands still').equal(
      false,
    );
    await context.close();
  });

  it('[LG-13] the cookie cannot be read by a script', async () => {
    const { page, context } = await openPage(browser);
    await signIn(page, await world.add());
    const cookies = await context.cookies();
    for (const { name, httpOnly, sameSite } of cookies)
      expect({ name, httpOnly, sameSite }).deep.equal({ name, httpOnly: true, sameSite: 'Lax' });
    expect(cookies.map(({ name }) => name)).include('mortar');
    expect(await page.evaluate('document.cookie')).equal('');
    await context.close();
  });

  it(`[WB-04] ${XSS_CORPUS.length} texts that try to run stay texts, in every place of a page`, async () => {
    const { page: shown, context, complaints } = await openPage(browser);
    let ran = 0;
    shown.on('dialog', (dialog) => {
      ran += 1;
      void dialog.dismiss();
    });
    const of = async (body: string): Promise<void> => {
      // Without the headers of a page: what holds here needs no second line of defence.
      await shown.route('**/texts', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body }));
      await shown.goto(`${world.url}/texts`);
      await shown.unroute('**/texts');
    };
    await of('<!doctype html><title>x</title><img src=x onerror=alert(1)>');
    await shown.waitForTimeout(200);
    expect(ran, 'this page can tell').equal(1);
    const session = { csrf: 'x', user: { name: XSS_CORPUS.join(' ') } as Session['user'] };
    await of(
      page({
        title: XSS_CORPUS.join(' '),
        session,
        errors: XSS_CORPUS.map((text) => ({ field: text, text })),
        body: html`<h1>${XSS_CORPUS}</h1>${XSS_CORPUS.map(
          (text) => html`${input({ name: text, label: text, hint: text, value: text })}
${radios({ name: text, legend: text, choices: [{ value: text, label: text, hint: text }] })}
<a href="/x" title="${text}">${text}</a>${button(text, { name: text, value: text })}${hiddenField(text, text)}`,
        )}`,
      }),
    );
    await shown.waitForTimeout(500);
    expect(ran).equal(1);
    const foreign = await shown
      .locator('main :is(script, img, svg, iframe, details, video, math, style, meta)')
      .count();
    expect(foreign).equal(0);
    expect(await shown.locator('input[type="text"]').nth(1).inputValue()).equal(XSS_CORPUS[1]);
    expect(complaints.filter((line) => !line.includes('404'))).deep.equal([]);
    await context.close();
  });
});
