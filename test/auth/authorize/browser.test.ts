import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import type { Client } from '../../../src/ports/clients.ts';
import { findAccessibilityFaults, openPage, startChromium } from '../../support/browser.ts';
import { type Added, openWorld, PASSWORD, type World } from './world.ts';

describe('authorize › in a browser', function () {
  this.timeout(180_000);
  let browser: Browser;
  let world: World;
  let app: Server;
  let redirect = '';
  let client: Client;
  let doctor: Added;
  before(async function () {
    browser = await startChromium(this);
    world = await openWorld();
    // An app that shows what it is sent.
    app = createServer(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      res.end(`${req.method} ${req.url} ${Buffer.concat(chunks)}`);
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', () => resolve()));
    redirect = `http://127.0.0.1:${(app.address() as AddressInfo).port}/cb`;
    client = await world.addClient({ kind: 'symmetric', redirectUris: [redirect] });
    doctor = await world.addPerson({ role: 'DOCTOR' });
    world.records.visible.set(doctor.id, ['p1', 'p2', 'p3']);
    world.records.encounters.set('p2', [{ id: 'e1', label: 'Outpatient visit', period: '3 March 2026' }]);
  });
  after(async () => {
    await browser?.close();
    app?.close();
    await world?.stop();
  });

  const signIn = async (page: Page): Promise<void> => {
    await page.getByLabel('E-mail address').fill(doctor.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Code').fill(doctor.code());
    await page.getByRole('button', { name: 'Continue' }).click();
  };

  it('every page passes axe (WCAG 2.2 AA) and [SL-11] breaks no policy on the way to the app and back', async () => {
    const { page, context, complaints } = await openPage(browser);
    const check = async (title: string): Promise<void> => {
      await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
      expect(await findAccessibilityFaults(page), title).deep.equal([]);
    };
    const scope = 'openid offline_access launch/patient launch/encounter patient/Observation.rs patient/Condition.rs';
    await page.goto(world.url + world.ask(client, { scope }).path);
    await signIn(page);
    await check('Choose a record');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('There is a problem').waitFor();
    await check('Choose a record');
    await page.getByLabel('Find a patient').fill('omar');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByLabel('Omar Idris').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await check('Choose a visit');
    await page.getByLabel('Outpatient visit').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await check('Share information with Growth Chart?');
    for (const box of await page.locator('input[name=scope]').all()) await box.uncheck();
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await page.getByText('There is a problem').waitFor();
    await check('Share information with Growth Chart?');
    await page.getByText('Share only some kinds').first().click();
    await page.getByLabel('Vital signs', { exact: true }).check();
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await page.waitForURL(`${redirect}?code=*`);

    await page.goto(`${world.url}/my-apps`);
    await check('My apps');
    await page.goto(`${world.url}/oauth2/logout`);
    await check('Sign out?');
    await page.getByRole('button', { name: 'Sign out' }).last().click();
    await check('You have signed out');
    await page.goto(`${world.url}/oauth2/authorize?client_id=nobody`);
    await check('The app cannot be connected');
    await page.goto(`${world.url}/oauth2/authorize/over`);
    await check('This request is over');
    await page.goto(world.url + world.ask(client, { response_mode: 'form_post', aud: 'wrong' }).path);
    await check('Return to the app');
    expect(complaints.filter((line) => !line.includes('favicon'))).deep.equal([]);
    await context.close();
  });

  it('without JavaScript: sign-in, choice, consent by keyboard alone, and the answer in a form', async () => {
    const { page, context } = await openPage(browser, { javaScriptEnabled: false });
    const asked = world.ask(client, {
      scope: 'openid patient/Patient.rs',
      response_mode: 'form_post',
      prompt: 'consent',
    });
    await page.goto(world.url + asked.path);
    await signIn(page);
    await page.getByLabel('Nell Byrne').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Share information' }).waitFor();
    await page.locator('#scope').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Return to the app' }).waitFor();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(redirect);
    expect(await page.textContent('body')).match(/^POST \/cb code=[\w-]{43}&state=st4te/);
    await context.close();
  });

  it('[SL-10] with consent given before, sign-in leads to the app by itself, with and without JavaScript', async () => {
    const scope = 'openid';
    await world.store.grants.rememberConsent({ userId: doctor.id, clientId: client.id, scope }, 60_000_000);
    for (const javaScriptEnabled of [true, false]) {
      const { page, context, complaints } = await openPage(browser, { javaScriptEnabled });
      await page.goto(world.url + world.ask(client, { scope }).path);
      await signIn(page);
      await page.waitForURL(`${redirect}?code=*`);
      expect(complaints).deep.equal([]);
      await context.close();
    }
  });
});
