import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Client } from '../../../src/ports/clients.ts';
import type { Browser, Page } from './browser.ts';
import { type Added, type Asked, openWorld, PASSWORD, SCOPE, type World } from './world.ts';

const CONSENT = 'Share information with Growth Chart?';

describe('authorize › the person', () => {
  let world: World;
  let client: Client;
  let patient: Added;
  before(async () => {
    world = await openWorld();
    client = await world.addClient();
    patient = await world.addPerson();
  });
  after(() => world?.stop());

  const answerOf = ({ out }: Page): Record<string, string> => Object.fromEntries(out?.searchParams ?? []);
  const tokensOf = (asked: Asked, page: Page, of = client) => world.exchange(of, asked, answerOf(page)['code'] ?? '');
  const doctor = async (...patientIds: string[]) => {
    const user = await world.addPerson({ role: 'DOCTOR' });
    world.records.visible.set(user.id, patientIds);
    return user;
  };

  it('[SL-08] [SL-12] [SL-15] a patient with one record signs in, consents, and the app gets tokens for that record', async () => {
    const browser = world.browser();
    const asked = world.ask(client, { nonce: 'n-1' });
    const first = await browser.get(asked.path);
    expect(first.path).match(/^\/sign-in\?next=%2Foauth2%2Fauthorize%2F[\w-]{43}%2Fsigned-in$/);
    const consent = await browser.submit({ email: patient.email, password: PASSWORD });
    expect(consent.h1).equal(CONSENT);
    expect(consent.path).match(/^\/oauth2\/authorize\/[\w-]{43}$/);
    const done = await browser.submit({}, 'Share');
    expect(done.status).equal(303);
    expect(done.out?.href).match(/^https:\/\/app\.example\.org\/cb\?code=/);
    expect(answerOf(done)).include({ state: 'st4te & more', iss: world.url });
    const token = await tokensOf(asked, done);
    expect(token).include({ patient: 'p1', token_type: 'Bearer', need_patient_banner: true });
    expect(token.scope).equal(SCOPE);
    expect(token).property('refresh_token');
    const claims = JSON.parse(Buffer.from(token.id_token.split('.')[1], 'base64url').toString());
    expect(claims).include({ nonce: 'n-1', sub: patient.id });
    expect(await tokensOf(asked, done)).include({ error: 'invalid_grant' });
  });

  it('[ST-10] a code that was asked for with a key is for the holder of the key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const browser = await world.signedIn(patient);
    const codeFor = async (jkt: string) => {
      const asked = world.ask(client, { dpop_jkt: jkt, prompt: 'consent' });
      await browser.get(asked.path);
      return { asked, code: answerOf(await browser.submit({}, 'Share'))['code'] ?? '' };
    };
    const proof = () =>
      new SignJWT({ htm: 'POST', htu: `${world.url}/oauth2/token`, jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt(Math.floor(world.store.clock.now() / 1000))
        .sign(privateKey);
    const own = await codeFor(await calculateJwkThumbprint(jwk));
    expect(await world.exchange(client, own.asked, own.code)).include({ error: 'invalid_grant' });
    expect(await world.exchange(client, own.asked, own.code, { DPoP: await proof() })).include({ token_type: 'DPoP' });
    const foreign = await codeFor('x'.repeat(43));
    expect(await world.exchange(client, foreign.asked, foreign.code, { DPoP: await proof() })).include({
      error: 'invalid_grant',
    });
    const wrong = await browser.get(world.ask(client, { dpop_jkt: 'x' }).path);
    expect(answerOf(wrong)).include({ error: 'invalid_request' });
  });

  it('[SL-09] staff reach the consent only with their second factor', async () => {
    const user = await doctor('p1', 'p2');
    const browser = world.browser();
    await browser.get(world.ask(client).path);
    const step = await browser.submit({ email: user.email, password: PASSWORD });
    expect(step.path).match(/^\/sign-in\/second-step/);
    const picker = await browser.submit({ code: user.code() });
    expect(picker.h1).equal('Choose a record');
  });

  it('[SL-09] prompt=none asks nobody: login_required, interaction_required, consent_required, or a code', async () => {
    const app = await world.addClient();
    const silent = { prompt: 'none' };
    expect(answerOf(await world.browser().get(world.ask(app, silent).path))).include({ error: 'login_required' });
    const browser = await world.signedIn(patient);
    expect(answerOf(await browser.get(world.ask(app, silent).path))).include({ error: 'consent_required' });
    await browser.get(world.ask(app).path);
    await browser.submit({}, 'Share');
    expect(answerOf(await browser.get(world.ask(app, silent).path))).property('code');
    const again = world.ask(app, { ...silent, max_age: '60' });
    world.store.clock.pass(61_000);
    expect(answerOf(await browser.get(again.path))).include({ error: 'login_required' });
    const staff = await world.signedIn(await doctor('p1', 'p2'));
    expect(answerOf(await staff.get(world.ask(app, silent).path))).include({ error: 'interaction_required' });
  });

  for (const [what, more] of [
    ['prompt=login', { prompt: 'login' }],
    ['prompt=select_account', { prompt: 'select_account' }],
    ['a max_age that has passed', { max_age: '60' }],
    ['max_age=0', { max_age: '0' }],
  ] as const)
    it(`[SL-09] ${what}: the person proves again who they are, after the request`, async () => {
      const browser = await world.signedIn(patient);
      world.store.clock.pass(61_000);
      const again = await browser.get(world.ask(client, more).path);
      expect(again.h1).equal('Enter your password again');
      const id = again.trail[1] ?? '';
      expect((await browser.get(id)).h1).equal('Enter your password again');
      await browser.submit({ password: PASSWORD });
      expect(browser.page().path).equal(id);
      expect(browser.page().h1).oneOf([CONSENT, '']);
    });

  it('[SL-09] max_age that has not passed asks nothing; acr_values asks for what the person has', async () => {
    const app = await world.addClient();
    const browser = await world.signedIn(patient);
    expect((await browser.get(world.ask(app, { max_age: '3600', acr_values: 'urn:mortar:aal1' }).path)).h1).equal(
      CONSENT,
    );
    const strong = await browser.get(world.ask(app, { acr_values: 'urn:mortar:aal2' }).path);
    expect(answerOf(strong)).include({ error: 'unmet_authentication_requirements' });
    const staff = await world.signedIn(await doctor('p1'));
    expect((await staff.get(world.ask(app, { acr_values: 'urn:other urn:mortar:aal2' }).path)).h1).equal(
      'Choose a record',
    );
  });

  it('[SL-09] id_token_hint: only for whom it is about; what is no ID token of ours is refused', async () => {
    const app = await world.addClient();
    const browser = await world.signedIn(patient);
    const asked = world.ask(app);
    await browser.get(asked.path);
    const { id_token: hint } = await tokensOf(asked, await browser.submit({}, 'Share'), app);
    const silent = { prompt: 'none', id_token_hint: hint };
    expect(answerOf(await browser.get(world.ask(app, silent).path))).property('code');
    const other = await world.signedIn(await world.addPerson());
    expect(answerOf(await other.get(world.ask(app, silent).path))).include({ error: 'login_required' });
    for (const wrong of ['x', `${hint}x`, hint.replace(/^[^.]*/, 'eyJhbGciOiJub25lIn0')])
      expect(answerOf(await browser.get(world.ask(app, { id_token_hint: wrong }).path))).include({
        error: 'invalid_request',
      });
  });

  it('[SL-08] staff choose among the records they may see; no address ever names a patient', async () => {
    const user = await doctor('p1', 'p2', 'p3');
    const browser = await world.signedIn(user);
    const asked = world.ask(client, { scope: 'openid patient/Observation.rs' });
    const trail: string[] = [];
    const keep = (page: Page): Page => {
      trail.push(...page.trail);
      return page;
    };
    const picker = keep(await browser.get(asked.path));
    expect(picker.h1).equal('Choose a record');
    for (const name of ['Nell Ashworth', 'Omar Idris', 'Nell Byrne']) expect(picker.text).include(name);
    const found = keep(await browser.submit({ search: 'nell' }, 'Search'));
    expect(found.text).include('Nell Byrne').and.not.include('Omar Idris');
    expect(found.text).include('Born 1 May 1980, NHS number 999 000 0018');
    expect(keep(await browser.submit({}, 'Continue')).text).include('Choose whose record it is');
    expect(browser.page().status).equal(422);
    const consent = keep(await browser.submit({ patient: 'p3' }, 'Continue'));
    expect(consent.h1).equal(CONSENT);
    expect(consent.text).include('Nell Byrne');
    const done = keep(await browser.submit({}, 'Share'));
    expect(await tokensOf(asked, done)).include({ patient: 'p3' });
    // Random ids and codes may have any letters in them.
    for (const path of trail) expect(path.replaceAll(/[\w-]{20,}/g, 'ID')).not.match(/p3|nell|byrne|1980|999000/i);
  });

  it('[SL-08] a record that the person may not see cannot be chosen, nor one that is not there', async () => {
    const browser = await world.signedIn(await doctor('p1'));
    for (const id of ['p2', 'nobody', '']) {
      await browser.get(world.ask(client).path);
      const page = await browser.submit({ patient: id }, 'Continue');
      expect(page.status).equal(422);
      expect(page.h1).equal('Choose a record');
    }
  });

  it('[SL-08] a carer of two people chooses; one without any record can only refuse', async () => {
    const carer = await world.signedIn(await world.addPerson({ patientIds: ['p1', 'p2'] }));
    const picker = await carer.get(world.ask(client).path);
    expect(picker.h1).equal('Choose a record');
    expect(picker.text).not.include('Find a patient').and.not.include('Nell Byrne');
    const none = await world.signedIn(await world.addPerson({ patientIds: [] }));
    expect((await none.get(world.ask(client).path)).text).include('There is no record that you may use here');
    expect(answerOf(await none.submit({}, 'Cancel'))).include({ error: 'access_denied' });
  });

  it('[SL-08] launch/encounter: one of the patient’s visits, none, or no question where there is none', async () => {
    world.records.encounters.set('p2', [
      { id: 'e1', label: 'Outpatient visit', period: '3 March 2026' },
      { id: 'e2', label: 'Admission' },
    ]);
    const scope = 'openid launch/patient launch/encounter patient/Observation.rs';
    const app = await world.addClient();
    const browser = await world.signedIn(await doctor('p1', 'p2'));
    const visit = async (patientId: string, encounter: string | undefined) => {
      const asked = world.ask(app, { scope, prompt: 'consent' });
      await browser.get(asked.path);
      await browser.submit({ patient: patientId }, 'Continue');
      if (encounter !== undefined) {
        expect(browser.page().h1).equal('Choose a visit');
        expect((await browser.submit({ encounter: 'id e9' }, 'Continue')).status).equal(422);
        await browser.submit({ encounter }, 'Continue');
      }
      expect(browser.page().h1).equal(CONSENT);
      return tokensOf(asked, await browser.submit({}, 'Share'), app);
    };
    expect(await visit('p2', 'id e1')).include({ patient: 'p2', encounter: 'e1', scope });
    const without = await visit('p2', 'none');
    expect(without).not.property('encounter');
    expect(without.scope).not.include('launch/encounter');
    expect(await visit('p1', undefined))
      .include({ patient: 'p1' })
      .and.not.property('encounter');
  });

  it('[SL-10] the page says who asks, whether it was verified, and each scope in words with a box of its own', async () => {
    const browser = await world.signedIn(patient);
    const scope =
      'openid fhirUser offline_access patient/*.rs patient/Condition.cu patient/Observation.rs?category=http://x|laboratory';
    const verified = await world.addClient({ scope: `${scope} patient/*.cruds` });
    const page = await browser.get(world.ask(verified, { scope }).path);
    for (const words of [
      'Verified app.',
      'Example Health Ltd',
      'Nell Ashworth',
      'Know that it is you',
      'Keep its access when you are not there',
      'not used for 100 days, after 365 days in any case',
      'See everything in this patient’s record',
      'Everything there is now, and anything added later',
      'Add and change conditions and diagnoses in this patient’s record',
      'Only those with category laboratory',
      'app.example.org',
    ])
      expect(page.text).include(words);
    expect([...page.text.matchAll(/<input id="scope[^>]*checked/g)]).length(6);
    const other = await world.addClient({ isVerified: false, name: 'Shady <b>App</b>' });
    const warned = await browser.get(world.ask(other).path);
    expect(warned.text).include('Not verified.').and.include('Shady &lt;b&gt;App&lt;/b&gt;').and.not.include('<b>App');
  });

  it('[SL-10] [SC-12] what is unticked is not in the token; without any patient scope there is no patient', async () => {
    const browser = await world.signedIn(patient);
    const asked = world.ask(client, { prompt: 'consent' });
    await browser.get(asked.path);
    // openid, launch/patient, patient/Patient.rs
    const token = await tokensOf(asked, await browser.submit({ scope: ['0', '3', '4'] }, 'Share'));
    expect(token.scope).equal('openid launch/patient patient/Patient.rs');
    expect(token).not.property('refresh_token');
    const plain = world.ask(client, { prompt: 'consent' });
    await browser.get(plain.path);
    const without = await tokensOf(plain, await browser.submit({ scope: ['0', '1'] }, 'Share'));
    expect(without.scope).equal('openid fhirUser');
    expect(without).not.any.keys('patient', 'need_patient_banner');
  });

  it('[SL-10] nothing ticked is no consent; refusing tells the app access_denied, once', async () => {
    const browser = await world.signedIn(patient);
    await browser.get(world.ask(client, { prompt: 'consent' }).path);
    const empty = await browser.submit({ scope: [] }, 'Share');
    expect(empty.status).equal(422);
    expect(empty.text).include('Choose at least one thing to share');
    const { path } = browser.page();
    const denied = await browser.submit({}, 'Do not share');
    expect(answerOf(denied)).include({ error: 'access_denied', state: 'st4te & more', iss: world.url });
    expect((await browser.get(path)).h1).equal('This request is over');
    expect(world.audit.some(({ kind, rule }) => kind === 'consent' && rule === 'denied')).equal(true);
  });

  it('[SL-10] nothing that was not asked for can be ticked', async () => {
    const browser = await world.signedIn(patient);
    const asked = world.ask(client, { prompt: 'consent', scope: 'openid patient/Patient.rs' });
    await browser.get(asked.path);
    const fields = { scope: ['0', '7', 'patient/*.cruds'], only: ['0.laboratory', '1.laboratory'] };
    expect(await tokensOf(asked, await browser.submit(fields, 'Share'))).include({ scope: 'openid' });
  });

  it('[SC-11] a plain scope can be narrowed to categories, and the token says so', async () => {
    const browser = await world.signedIn(patient);
    const scope = 'patient/Observation.rs patient/Condition.rs patient/Observation.rs?category=x';
    const asked = world.ask(client, { prompt: 'consent', scope });
    const page = await browser.get(asked.path);
    expect([...page.text.matchAll(/<summary>/g)], 'not for the one that is narrow already').length(2);
    const fields = {
      scope: ['0', '1'],
      only: ['0.laboratory', '0.vital-signs', '1.problem-list-item', '2.laboratory'],
    };
    const token = await tokensOf(asked, await browser.submit(fields, 'Share'));
    const category = 'http://terminology.hl7.org/CodeSystem';
    expect(token.scope.split(' ')).deep.equal([
      `patient/Observation.rs?category=${category}/observation-category|laboratory`,
      `patient/Observation.rs?category=${category}/observation-category|vital-signs`,
      `patient/Condition.rs?category=${category}/condition-category|problem-list-item`,
    ]);
  });

  it('[SC-14] what the client is not registered for is not offered', async () => {
    const small = await world.addClient({ scope: 'openid patient/Patient.r' });
    const browser = await world.signedIn(patient);
    const asked = world.ask(small, { scope: 'openid patient/Patient.rs patient/Patient.r patient/Observation.rs' });
    await browser.get(asked.path);
    expect(await tokensOf(asked, await browser.submit({}, 'Share'), small)).include({
      scope: 'openid patient/Patient.r',
    });
    const none = await browser.get(world.ask(small, { scope: 'patient/Observation.rs' }).path);
    expect(answerOf(none)).include({ error: 'invalid_scope' });
  });

  it('[SL-10] consent is remembered for the same client, the same patient, the same scopes or fewer', async () => {
    const app = await world.addClient();
    const user = await doctor('p1', 'p2');
    const browser = await world.signedIn(user);
    const scope = 'openid patient/Patient.rs patient/Observation.rs';
    const visit = async (more: Record<string, string>, patientId = 'p1', of = app): Promise<Page> => {
      await browser.get(world.ask(of, { scope, ...more }).path);
      return browser.submit({ patient: patientId }, 'Continue');
    };
    expect((await visit({})).h1).equal(CONSENT);
    await browser.submit({}, 'Share');
    expect(answerOf(await visit({}))).property('code');
    expect(answerOf(await visit({ scope: 'patient/Observation.r' }))).property('code');
    expect((await visit({ scope: `${scope} patient/Condition.rs` })).h1, 'more scopes').equal(CONSENT);
    expect((await visit({}, 'p2')).h1, 'another patient').equal(CONSENT);
    expect((await visit({ prompt: 'consent' })).h1, 'asked to ask').equal(CONSENT);
    expect((await visit({}, 'p1', await world.addClient())).h1, 'another client').equal(CONSENT);
    const audited = world.audit.filter(
      ({ rule, detail }) => rule === 'granted-as-before' && detail?.['client'] === app.id,
    );
    expect(audited).length(2);
  });

  it('[SL-10] a native app is asked for each time: anything on the device may claim its address', async () => {
    const native = await world.addClient({ redirectUris: ['http://127.0.0.1/cb'] });
    const browser = await world.signedIn(patient);
    for (let i = 0; i < 2; i += 1) {
      expect((await browser.get(world.ask(native).path)).h1).equal(CONSENT);
      expect(answerOf(await browser.submit({}, 'Share'))).property('code');
    }
  });

  it('[SL-11] pages are kept by nobody, framed by nobody, tell no referrer; forged forms get 403 and change nothing', async () => {
    const browser = await world.signedIn(patient);
    const page = await browser.get(world.ask(client, { prompt: 'consent' }).path);
    expect(page.headers.get('cache-control')).equal('no-store');
    expect(page.headers.get('referrer-policy')).equal('no-referrer');
    expect(page.headers.get('content-security-policy'))
      .include("frame-ancestors 'none'")
      .and.include("default-src 'none'")
      .and.include("form-action 'self' https://app.example.org");
    expect(page.text).not.match(/(?:src|href)="https?:/);
    const csrf = /name="csrf" value="([^"]*)"/.exec(page.text)?.[1] ?? '';
    const form = (value: string) => new URLSearchParams({ csrf: value, action: 'allow', scope: '0' });
    const other = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' };
    expect((await browser.post(page.path, form('wrong'))).status).equal(403);
    expect((await browser.post(page.path, form(''))).status).equal(403);
    expect((await browser.post(page.path, form(csrf), other)).status).equal(403);
    expect((await browser.get(page.path)).h1).equal(CONSENT);
    expect(answerOf(await browser.post(page.path, form(csrf)))).property('code');
  });

  it('a request belongs to who began it, lives ten minutes, and is answered once', async () => {
    const first = await world.signedIn(await doctor('p1', 'p2'));
    await first.get(world.ask(client).path);
    const { path } = await first.submit({ patient: 'p1' }, 'Continue');
    const second = await world.signedIn(patient);
    expect((await second.get(path)).h1).equal('This request is over');
    const pages = await Promise.all([first.submit({}, 'Share'), first.submit({}, 'Share')]);
    expect(pages.filter(({ out }) => out !== undefined)).length(1);
    expect(pages.filter(({ h1 }) => h1 === 'This request is over')).length(1);
    const late = await world.signedIn(patient);
    const waiting = await late.get(world.ask(client, { prompt: 'consent' }).path);
    world.store.clock.pass(600_001);
    expect((await late.get(waiting.path)).h1).equal('This request is over');
    expect((await late.get('/oauth2/authorize/nothing')).status).equal(400);
  });

  it('[SL-02] a client that is disabled meanwhile gets nothing', async () => {
    const app = await world.addClient();
    const browser = await world.signedIn(patient);
    await browser.get(world.ask(app).path);
    await world.store.clients.setDisabled(app.id, true);
    expect((await browser.submit({}, 'Share')).h1).equal('This request is over');
  });

  it('response_mode=form_post: the code comes in a form that works without JavaScript', async () => {
    const browser = await world.signedIn(patient);
    const asked = world.ask(client, { response_mode: 'form_post', prompt: 'consent' });
    await browser.get(asked.path);
    const page = await browser.submit({}, 'Share');
    expect(page.status).equal(200);
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)?.[1];
    expect(field('state')).equal('st4te &amp; more');
    expect(field('iss')).equal(world.url);
    expect(await world.exchange(client, asked, field('code') ?? '')).include({ patient: 'p1' });
  });

  it('[ST-13] consents are audited by ids; no code, state or name of a patient is in audit or log', async () => {
    const browser: Browser = await world.signedIn(patient);
    await browser.get(world.ask(client, { prompt: 'consent', state: 'very-secret-state' }).path);
    const { code = '' } = answerOf(await browser.submit({}, 'Share'));
    const event = world.audit.findLast(({ rule }) => rule === 'granted');
    expect(event).deep.include({ kind: 'consent', outcome: 0, patientId: 'p1' });
    expect(event?.caller.user?.id).equal(patient.id);
    expect(event?.detail).deep.equal({ client: client.id, scope: SCOPE });
    const all = JSON.stringify([world.audit, world.log.lines]);
    for (const secret of [code, 'very-secret-state', 'Nell Ashworth']) expect(all).not.include(secret);
    expect(await world.store.dump()).not.include(code);
  });
});
