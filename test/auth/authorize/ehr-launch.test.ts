import { expect } from 'chai';
import type { Client } from '../../../src/ports/clients.ts';
import type { Browser } from './browser.ts';
import { type Added, openWorld, type World } from './world.ts';

const LAUNCH_URL = 'https://app.example.org/launch.html';
const SCOPE = 'openid launch patient/Patient.rs patient/Observation.rs';

describe('authorize › launch by the EHR', () => {
  let world: World;
  let client: Client;
  let doctor: Added;
  let browser: Browser;
  let csrf = '';
  before(async () => {
    world = await openWorld({ tenant: 'north' });
    client = await world.addClient({ launchUrl: LAUNCH_URL });
    doctor = await world.addPerson({ role: 'DOCTOR' });
    world.records.visible.set(doctor.id, ['p1', 'p2']);
    world.records.encounters.set('p2', [{ id: 'e1', label: 'Outpatient visit' }]);
    browser = await world.signedIn(doctor);
    csrf = /name="csrf" value="([^"]*)"/.exec((await browser.get('/my-apps')).text)?.[1] ?? '';
  });
  after(() => world?.stop());

  const launch = async (body: object, headers: Record<string, string> = {}) => {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${world.url}/api/v2/launches`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Origin: world.url,
        Cookie: cookie,
        'X-CSRF-Token': csrf,
        ...headers,
      },
      body: JSON.stringify({ app: client.id, ...body }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
    return { status: response.status, body: (await response.json()) as any };
  };
  const errorOf = async (of: Browser, handle: string, app = client, scope = SCOPE) => {
    const { out, h1 } = await of.get(world.ask(app, { scope, launch: handle }).path);
    return out?.searchParams.get('error') ?? h1;
  };

  it('[SL-07] [ST-03] opens the app with iss and launch; the token answer has the whole context', async () => {
    const fhirContext = [
      { reference: 'ImagingStudy/i1' },
      { canonical: 'http://example.org/Questionnaire/q|1', role: 'https://example.org/role' },
      { identifier: { system: 'urn:x', value: '1' }, type: 'ServiceRequest' },
      { reference: 'Patient/p1', role: 'https://example.org/donor' },
    ];
    const { status, body } = await launch({
      patient: 'p2',
      encounter: 'e1',
      intent: 'order-review',
      need_patient_banner: false,
      smart_style_url: 'https://ehr.example.org/style.json',
      fhirContext,
    });
    expect(status).equal(201);
    const url = new URL(body.launch_url);
    expect(url.origin + url.pathname).equal(LAUNCH_URL);
    expect(Object.fromEntries(url.searchParams)).deep.equal({ iss: world.fhirBaseUrl, launch: body.launch });
    const asked = world.ask(client, { scope: SCOPE, launch: body.launch });
    const consent = await browser.get(asked.path);
    expect(consent.h1).equal('Share information with Growth Chart?');
    expect(consent.text).include('Omar Idris').and.include('Outpatient visit');
    const { out } = await browser.submit({}, 'Share');
    const token = await world.exchange(client, asked, out?.searchParams.get('code') ?? '');
    expect(token).deep.include({
      patient: 'p2',
      encounter: 'e1',
      intent: 'order-review',
      need_patient_banner: false,
      smart_style_url: 'https://ehr.example.org/style.json',
      fhirContext,
      tenant: 'north',
      scope: SCOPE,
    });
    const event = world.audit.findLast(({ rule }) => rule === 'launched');
    expect(event).deep.include({ kind: 'consent', patientId: 'p2', detail: { client: client.id } });
    expect(JSON.stringify([world.audit, world.log.lines])).not.include(body.launch);
    expect(await world.store.dump()).not.include(body.launch);
  });

  it('[SL-07] a handle that is unknown, used, expired, another user’s or another client’s: invalid_request', async () => {
    expect(await errorOf(browser, 'made-up')).equal('invalid_request');
    const used = (await launch({ patient: 'p1' })).body.launch;
    await browser.get(world.ask(client, { scope: SCOPE, launch: used }).path);
    expect(await errorOf(browser, used)).equal('invalid_request');
    const expired = (await launch({ patient: 'p1' })).body.launch;
    world.store.clock.pass(300_001);
    expect(await errorOf(browser, expired)).equal('invalid_request');
    const good = (await launch({ patient: 'p1' })).body.launch;
    const other = await world.addPerson({ role: 'DOCTOR' });
    world.records.visible.set(other.id, ['p1']);
    expect(await errorOf(await world.signedIn(other), good)).equal('invalid_request');
    expect(await errorOf(browser, good, await world.addClient({ launchUrl: LAUNCH_URL }))).equal('invalid_request');
    expect(await errorOf(browser, good, client, 'openid patient/Patient.rs'), 'no scope').equal('invalid_request');
    expect(await errorOf(browser, good), 'still good').equal('Share information with Growth Chart?');
  });

  it('[SL-07] a launch survives a reload of the page, and cannot be turned to another patient', async () => {
    const handle = (await launch({ patient: 'p2' })).body.launch;
    const page = await browser.get(world.ask(client, { scope: SCOPE, launch: handle, prompt: 'consent' }).path);
    expect((await browser.get(page.path)).text).include('Omar Idris');
    const own = /name="csrf" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    await browser.post(page.path, new URLSearchParams({ csrf: own, action: 'patient', patient: 'p1' }));
    expect((await browser.get(page.path)).text)
      .include('Omar Idris')
      .and.not.include('Nell Ashworth');
  });

  it('[SL-07] a record that cannot be seen any more: access_denied', async () => {
    const handle = (await launch({ patient: 'p2' })).body.launch;
    world.records.visible.set(doctor.id, ['p1']);
    expect(await errorOf(browser, handle)).equal('access_denied');
    world.records.visible.set(doctor.id, ['p1', 'p2']);
  });

  it('[SL-07] a launch without a patient lets the person choose; the scope launch without a launch is left out', async () => {
    const { launch: handle } = (await launch({})).body;
    expect(await errorOf(browser, handle)).equal('Choose a record');
    const asked = world.ask(client, { scope: 'openid launch' });
    await browser.get(asked.path);
    const { out } = await browser.submit({}, 'Share');
    const token = await world.exchange(client, asked, out?.searchParams.get('code') ?? '');
    expect(token).include({ scope: 'openid', tenant: 'north' });
    expect(token).not.property('patient');
  });

  it('[SL-07] hidden and absent records answer alike; what is asked is checked', async () => {
    const hidden = await launch({ patient: 'p3' });
    expect(hidden).deep.equal(await launch({ patient: 'p9' }));
    expect(hidden.status).equal(404);
    expect((await launch({ patient: 'p1', encounter: 'e1' })).status).equal(404);
    expect((await launch({ encounter: 'e1' })).status).equal(400);
    expect((await launch({ app: 'nobody' })).status).equal(404);
    expect((await launch({ app: (await world.addClient()).id })).status, 'no launch URL').equal(404);
    for (const body of [
      { patient: 'p 1' },
      { patient: 1 },
      { need_patient_banner: 'yes' },
      { smart_style_url: 'http://insecure.example' },
      { colour: 'red' },
      { intent: '' },
    ])
      expect((await launch(body)).status, JSON.stringify(body)).equal(400);
  });

  it('[ST-03] [SD-04] who launches without a style gives ours: it is there, and a capability says so', async () => {
    const { body } = await launch({ patient: 'p2' });
    const asked = world.ask(client, { scope: SCOPE, launch: body.launch, prompt: 'consent' });
    await browser.get(asked.path);
    const { out } = await browser.submit({}, 'Share');
    const token = await world.exchange(client, asked, out?.searchParams.get('code') ?? '');
    expect(token.smart_style_url).equal(`${world.url}/.well-known/smart-style.json`);
    const style = await fetch(token.smart_style_url, { headers: { Origin: 'https://app.example.org' } });
    expect(style.headers.get('content-type')).match(/^application\/json/);
    expect(style.headers.get('access-control-allow-origin')).equal('*');
    expect((await style.json()) as object).include({ color_text: '#212b32', dim_font_size: '19px' });
    const discovery = await fetch(`${world.fhirBaseUrl}/.well-known/smart-configuration`);
    expect(((await discovery.json()) as { capabilities: string[] }).capabilities).include('context-style');
  });

  it('[ST-03] fhirContext that SMART App Launch does not allow is refused', async () => {
    for (const item of [
      {},
      { reference: 'Patient/p1' },
      { reference: 'Encounter/e1', role: 'launch' },
      { reference: 'ImagingStudy/i1', role: '' },
      { reference: 'ImagingStudy/i1', role: 'donor' },
      { reference: 'https://else.example/ImagingStudy/1' },
      { canonical: 'no uri' },
      { identifier: { system: 'urn:x' } },
      { reference: 'ImagingStudy/i1', colour: 'red' },
      { role: 'launch' },
    ])
      expect((await launch({ fhirContext: [item] })).status, JSON.stringify(item)).equal(400);
    for (const fhirContext of [[], 'x', Array.from({ length: 21 }, () => ({ reference: 'Task/1' }))])
      expect((await launch({ fhirContext })).status).equal(400);
  });

  it('[SL-07] only for a person: a session with its own page’s value, or a token that reaches the record', async () => {
    expect((await launch({}, { Cookie: '' })).status).equal(401);
    expect((await launch({}, { 'X-CSRF-Token': 'wrong' })).status).equal(403);
    expect((await launch({}, { 'Sec-Fetch-Site': 'cross-site' })).status).equal(403);
    const { now } = world.store.clock;
    const issue = (scope: string, patientId?: string, user = true) =>
      world.store.grants.createToken({
        grant: {
          clientId: client.id,
          scope,
          audience: world.fhirBaseUrl,
          ...(patientId !== undefined && { patientId }),
          ...(user && {
            user: { id: doctor.id, securityVersion: doctor.securityVersion, authTime: now(), amr: ['pwd', 'otp'] },
          }),
        },
        issuedAt: now(),
        expiresAt: now() + 60_000,
      });
    const bearing = async (token: Promise<string>) =>
      (await launch({ patient: 'p1' }, { Authorization: `Bearer ${await token}`, Cookie: '' })).status;
    expect(await bearing(issue('user/Patient.rs'))).equal(201);
    expect(await bearing(issue('patient/Patient.rs', 'p1'))).equal(201);
    expect(await bearing(issue('patient/Patient.rs', 'p2'))).equal(404);
    expect(await bearing(issue('openid'))).equal(404);
    expect(await bearing(issue('system/*.rs', undefined, false))).equal(403);
    expect(await bearing(Promise.resolve('made-up'))).equal(401);
  });
});
