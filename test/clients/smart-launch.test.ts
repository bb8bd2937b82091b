/**
 * The SMART JavaScript client in a real browser, in an app of another origin: launched by itself and by the EHR, it
 * reads a patient. https://docs.smarthealthit.org/client-js/
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { totpCode, totpStep } from '../../src/auth/people/totp.ts';
import { openPage, startChromium } from '../support/browser.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const PASSWORD = 'Lantern-Orchard-Quiet-9';
const SCOPE = 'openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs';
const EHR_SCOPE = 'openid fhirUser launch patient/Patient.rs patient/Observation.rs user/Practitioner.r';

interface Shown {
  readonly patient?: { readonly id: string; readonly name: readonly { readonly family: string }[] };
  readonly user?: { readonly resourceType: string; readonly id: string };
  readonly token?: Readonly<Record<string, unknown>>;
  readonly observations?: number;
  readonly error?: string;
}

describe('clients › fhirclient in a browser', function () {
  this.timeout(90_000);
  let browser: Browser;
  let server: TestServer;
  let app: Server;
  let appUrl = '';
  let clientId = '';
  let patientId = '';
  let practitionerId = '';
  let totpSecret = '';

  before(async function () {
    browser = await startChromium(this);
    server = await startTestServer({ env: { PATIENT_MFA: 'optional' } });
    app = createServer((req, res) => serveApp(req.url ?? '/', res));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', () => resolve()));
    appUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
    patientId = await create({ resourceType: 'Patient', name: [{ family: 'Hawthorne', given: ['Ines'] }] });
    const other = await create({ resourceType: 'Patient', name: [{ family: 'Elsewhere' }] });
    practitionerId = await create({ resourceType: 'Practitioner', name: [{ family: 'Fenn' }] });
    await create({
      resourceType: 'Encounter',
      status: 'in-progress',
      class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
      subject: { reference: `Patient/${patientId}` },
      participant: [{ individual: { reference: `Practitioner/${practitionerId}` } }],
      period: { start: '2026-01-05T09:00:00Z' },
    });
    for (const id of [patientId, other])
      await create({
        resourceType: 'Observation',
        status: 'final',
        code: { text: 'Weight' },
        subject: { reference: `Patient/${id}` },
      });
    const registered = await post('/api/v2/admin/clients', {
      client_name: 'Growth Chart',
      token_endpoint_auth_method: 'none',
      redirect_uris: [`${appUrl}/index.html`],
      launch_url: `${appUrl}/launch.html`,
      scope: `${SCOPE} launch user/Practitioner.r`,
    });
    clientId = String(registered['client_id']);
    await post('/api/v2/admin/users', {
      name: 'Ines Hawthorne',
      email: 'ines@example.org',
      password: PASSWORD,
      roles: ['PATIENT'],
      patient_ids: [patientId],
    });
    const doctor = await post('/api/v2/admin/users', {
      name: 'Dr Fenn',
      email: 'fenn@example.org',
      password: PASSWORD,
      roles: ['DOCTOR'],
      practitioner_id: practitionerId,
      mfa: 'totp',
    });
    totpSecret = String(doctor['totpSecret']);
    await waitForOrigin();
  });
  after(async () => {
    await browser?.close();
    app?.close();
    await server?.stop();
  });

  async function post(path: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: {
        'Content-Type': path.startsWith('/fhir') ? 'application/fhir+json' : 'application/json',
        ...server.bearer,
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Readonly<Record<string, unknown>>;
    expect(response.status, JSON.stringify(answer)).oneOf([200, 201]);
    return answer;
  }
  const create = async (
    resource: Readonly<Record<string, unknown>> & { readonly resourceType: string },
  ): Promise<string> => String((await post(`/fhir/R4/${resource.resourceType}`, resource))['id']);

  /** Origins of apps are known within seconds of their registration. */
  async function waitForOrigin(): Promise<void> {
    for (let i = 0; i < 100; i += 1) {
      const { headers } = await fetch(`${server.url}/oauth2/token`, {
        method: 'OPTIONS',
        headers: { Origin: appUrl, 'Access-Control-Request-Method': 'POST' },
      });
      if (headers.get('access-control-allow-origin') === appUrl) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the origin of the app is not allowed');
  }

  /** The app: a page that launches by itself, one that the EHR opens, and one that shows what it could read. */
  function serveApp(url: string, res: import('node:http').ServerResponse): void {
    const [path = ''] = url.split('?');
    const page = (script: string): string =>
      `<!doctype html><title>App</title><body><script src="fhir-client.js"></script><script>${script}</script>`;
    const authorize = (scope: string, iss?: string): string =>
      page(
        `FHIR.oauth2.authorize(${JSON.stringify({ clientId, scope, redirectUri: 'index.html', pkceMode: 'required', ...(iss && { iss }) })})`,
      );
    const pages = new Map<string, string>([
      ['/standalone.html', authorize(SCOPE, `${server.url}/fhir/R4`)],
      ['/launch.html', authorize(EHR_SCOPE)],
      [
        '/index.html',
        page(`(async () => {
          const client = await FHIR.oauth2.ready();
          const patient = await client.patient.read();
          const user = await client.user.read().catch((error) => ({ resourceType: String(error) }));
          const bundle = await client.request('Observation');
          if (client.state.tokenResponse.refresh_token) await client.refresh();
          const again = await client.request('Patient/' + patient.id);
          return { patient: again, user, token: client.state.tokenResponse, observations: bundle.entry.length };
        })().catch((error) => ({ error: String(error.stack) }))
          .then((shown) => { document.body.innerHTML = '<pre></pre>'; document.querySelector('pre').textContent = JSON.stringify(shown); })`),
      ],
      [
        '/post.html',
        `<!doctype html><title>App</title><form method="post" action="${server.url}/oauth2/authorize">${fields(posted())}<button>Connect</button></form>`,
      ],
      [
        '/fhir-client.js',
        readFileSync(createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.js'), 'utf8'),
      ],
    ]);
    const body = pages.get(path);
    res.writeHead(body === undefined ? 404 : 200, {
      'Content-Type': path.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8',
    });
    res.end(body);
  }

  /** A request that the app sends by a form. */
  const posted = (): Readonly<Record<string, string>> => ({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: `${appUrl}/index.html`,
    scope: 'openid patient/Patient.rs',
    state: 'by-form',
    aud: `${server.url}/fhir/R4`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  });
  const fields = (of: Readonly<Record<string, string>>): string =>
    Object.entries(of)
      .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
      .join('');

  const signIn = async (page: Page, email: string): Promise<void> => {
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    if (email !== 'fenn@example.org') return;
    await page.getByLabel('Code').fill(totpCode(fromBase32(totpSecret), totpStep(Date.now())));
    await page.getByRole('button', { name: 'Continue' }).click();
  };
  const shown = async (page: Page): Promise<Shown> =>
    JSON.parse((await page.locator('pre').textContent({ timeout: 20_000 })) ?? '{}') as Shown;

  it('[SL-08] [SL-10] [SL-14] [SD-06] standalone: a patient signs in, shares their record, and the app reads it', async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(`${appUrl}/standalone.html`);
    await signIn(page, 'ines@example.org');
    await page.getByRole('heading', { name: 'Share information with Growth Chart?' }).waitFor();
    expect(await page.textContent('main')).match(/hawthorne/i);
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    const { error, patient, user, token, observations } = await shown(page);
    expect(error).equal(undefined);
    expect(patient).deep.include({ id: patientId });
    expect(patient?.name[0]?.family).equal('Hawthorne');
    expect(user).include({ resourceType: 'Patient', id: patientId });
    expect(token).include({ patient: patientId, scope: SCOPE });
    expect(observations, 'the other patient’s are not there').equal(1);
    expect(complaints.filter((line) => !line.includes('favicon'))).deep.equal([]);

    await page.goto(`${server.url}/my-apps`);
    await page.getByRole('button', { name: 'End access of Growth Chart' }).click();
    await page.getByText('No app has access through you').waitFor();
    const refused = await fetch(`${server.url}/fhir/R4/Patient/${patientId}`, {
      headers: { Authorization: `Bearer ${String(token?.['access_token'])}` },
    });
    expect(refused.status).equal(401);
    await context.close();
  });

  it('[SL-07] [ST-03] launched by the EHR: the app knows the patient that the doctor has open, and who the doctor is', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/sign-in?next=%2Fmy-apps`);
    await signIn(page, 'fenn@example.org');
    await page.getByRole('heading', { name: 'My apps' }).waitFor();
    const csrf = await page.locator('input[name=csrf]').first().getAttribute('value');
    const launched = await context.request.post(`${server.url}/api/v2/launches`, {
      headers: { 'X-CSRF-Token': csrf ?? '', Origin: server.url },
      data: { app: clientId, patient: patientId, intent: 'review' },
    });
    expect(launched.status(), await launched.text()).equal(201);
    const { launch_url: launchUrl } = (await launched.json()) as { readonly launch_url: string };
    expect(launchUrl).match(/^http:\/\/127\.0\.0\.1:\d+\/launch\.html\?iss=.*&launch=/);
    await page.goto(launchUrl);
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    const { error, patient, user, token, observations } = await shown(page);
    expect(error).equal(undefined);
    expect(patient).deep.include({ id: patientId });
    expect(user).include({ resourceType: 'Practitioner', id: practitionerId });
    expect(token).include({ patient: patientId, intent: 'review', need_patient_banner: true, scope: EHR_SCOPE });
    expect(observations).equal(1);
    await context.close();
  });

  it('[SL-01] an app of another origin sends its request by a form, and who is signed in stays so', async () => {
    const { page, context } = await openPage(browser);
    await page.goto(`${server.url}/sign-in?next=%2Fmy-apps`);
    await signIn(page, 'ines@example.org');
    await page.getByRole('heading', { name: 'My apps' }).waitFor();
    await page.goto(`${appUrl}/post.html`);
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByRole('button', { name: 'Do not share' }).click();
    await page.waitForURL(`${appUrl}/index.html?error=access_denied*state=by-form*`);
    await context.close();
  });
});

function fromBase32(text: string): Buffer {
  const bits = [...text.replaceAll(' ', '')]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
