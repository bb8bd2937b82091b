import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { findAccessibilityFaults, openPage, startChromium } from '../../support/browser.ts';
import { DESK_ROLE, DOCTOR_ROLE, doctor, openUpstreamWorld, staff, type UpstreamWorld } from './world.ts';

describe('sign-in through a provider in a browser', function () {
  this.timeout(180_000);
  let browser: Browser;
  let world: UpstreamWorld;
  before(async function () {
    browser = await startChromium(this);
    world = await openUpstreamWorld({ host: 'localhost' });
  });
  after(async () => {
    await browser?.close();
    await world?.stop();
  });

  for (const javaScriptEnabled of [true, false])
    it(`[NH-05] from the sign-in page through CIS2 to the choice of a role and on, ${javaScriptEnabled ? 'accessible (WCAG 2.2 AA)' : 'without JavaScript'}`, async () => {
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE]) });
      const { page, context, complaints } = await openPage(browser, { javaScriptEnabled });
      const check = async (): Promise<void> => {
        if (javaScriptEnabled) expect(await findAccessibilityFaults(page), page.url()).deep.equal([]);
      };
      await page.goto(`${world.url}/sign-in?next=/account/identities`);
      await check();
      await page.getByRole('link', { name: 'Sign in with NHS Care Identity' }).click();
      await page.waitForURL('**/sign-in/role');
      await check();
      await page.getByRole('button', { name: 'Continue' }).click();
      expect(await page.title()).match(/^Error: Choose your role/);
      await check();
      await page.getByLabel('Receptionist').check();
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.waitForURL('**/account/identities');
      expect(await page.getByRole('heading', { level: 1 }).innerText()).equal('Connected identities');
      await check();
      expect(complaints).deep.equal([]);
      await context.close();
    });

  it('[NH-09] an identity is connected on a page that asks; refusals are pages', async () => {
    const user = await world.add({ role: 'RECEPTIONIST' });
    world.cis2.person = doctor({ sub: '910000000099' });
    const { page, context, complaints } = await openPage(browser);
    const check = async (): Promise<void> => {
      expect(await findAccessibilityFaults(page), page.url()).deep.equal([]);
    };
    await page.goto(`${world.url}/sign-in?next=/account/identities`);
    await page.getByLabel('E-mail address').fill(user.email);
    await page.getByLabel('Password').fill('correct-horse-battery');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Code').fill(user.code());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/account/identities');
    world.advance(Date.now() - world.now()); // a code moves the clock on; the provider has the machine's
    await page.getByRole('link', { name: 'Connect NHS Care Identity' }).click();
    await page.waitForURL('**/account/identities/connect');
    await check();
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByRole('button', { name: 'Disconnect NHS Care Identity' }).waitFor();
    await check();
    world.cis2.spoil = (claims) => ({ ...claims, acr: 'AAL2_ANY' });
    await page.goto(`${world.url}/sign-in/with/cis2`);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).equal('You need a stronger way to sign in');
    await check();
    expect(complaints).deep.equal([]);
    await context.close();
  });
});
