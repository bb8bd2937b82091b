import { expect } from 'chai';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { OWN_DOORS } from '../../../src/auth/oauth/own-tokens.ts';
import type { AuditAlert } from '../../../src/ports/audit.ts';
import type { Notice } from '../../../src/ports/notify.ts';
import { createAuditWatcher } from '../../../src/postgres/audit/watcher.ts';
import { newClient, userGrant } from '../../support/identity-store.ts';
import {
  addUser,
  codeForm,
  type OAuthServer,
  REDIRECT,
  startOAuthServer,
  type TestApp,
} from '../../support/oauth-server.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('oauth › token', () => {
  let server: OAuthServer;
  let app: TestApp;
  let confidential: TestApp;
  before(async () => {
    server = await startOAuthServer();
  });
  beforeEach(async () => {
    server.audit.length = 0;
    server.users.set('u1', { ...server.users.get('u1')!, isDisabled: false, securityVersion: 1 });
    app = await server.addApp();
    confidential = await server.addApp({ kind: 'symmetric' });
  });
  after(() => server.stop());

  const kinds = () => server.audit.map(({ kind, rule, outcome }) => `${kind} ${rule ?? ''} ${outcome}`);

  describe('request', () => {
    it('[ST-01] a form in the body, and nothing else', async () => {
      const { code, verifier } = await server.makeCode(app);
      const form = { ...codeForm(code, verifier), client_id: app.client.id };
      const json = await fetch(`${server.url}/oauth2/token`, {
        method: 'POST',
        body: JSON.stringify(form),
        headers: { 'Content-Type': 'application/json' },
      });
      expect(json.status).equal(400);
      expect(await json.json()).include({ error: 'invalid_request' });
      const query = await server.post(`/oauth2/token?${new URLSearchParams(form)}`, {});
      expect([query.status, query.body.error]).deep.equal([400, 'invalid_request']);
      const mixed = await server.post('/oauth2/token?client_id=x', form);
      expect([mixed.status, mixed.body.error]).deep.equal([400, 'invalid_request']);
      const get = await fetch(`${server.url}/oauth2/token`);
      expect([get.status, get.headers.get('allow')]).deep.equal([405, 'POST']);
      expect((await server.post('/oauth2/token', form)).status).equal(200);
    });

    it('[ST-01] answers are kept by no cache', async () => {
      for (const answer of [await server.exchange(app), await server.post('/oauth2/token', {})]) {
        expect(answer.headers.get('cache-control')).equal('no-store');
        expect(answer.headers.get('pragma')).equal('no-cache');
        expect(answer.headers.get('content-type')).match(/^application\/json/);
        expect(answer.headers.has('x-powered-by')).equal(false);
      }
    });

    it('[SL-06] a repeated parameter is refused', async () => {
      const { code, verifier } = await server.makeCode(app);
      const body = new URLSearchParams({ ...codeForm(code, verifier), client_id: app.client.id });
      body.append('client_id', app.client.id);
      const answer = await fetch(`${server.url}/oauth2/token`, { method: 'POST', body });
      expect(answer.status).equal(400);
      expect(await answer.json()).include({ error: 'invalid_request' });
    });

    it('a body above 64 KiB is refused', async () => {
      const answer = await server.post('/oauth2/token', { code: 'x'.repeat(70_000) });
      expect([answer.status, answer.body.error]).deep.equal([413, 'invalid_request']);
    });

    for (const grant of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:device_code', '__proto__'])
      it(`[SL-16] there is no grant ${grant}`, async () => {
        const answer = await server.post('/oauth2/token', { grant_type: grant, client_id: app.client.id });
        expect([answer.status, answer.body.error]).deep.equal([400, 'unsupported_grant_type']);
      });

    it('a missing grant_type is an invalid_request', async () => {
      const answer = await server.post('/oauth2/token', { client_id: app.client.id });
      expect([answer.status, answer.body.error]).deep.equal([400, 'invalid_request']);
    });
  });

  describe('authorization_code', () => {
    it('[ST-02] [ST-03] the answer has the tokens, the scopes and the launch context', async () => {
      const context = { need_patient_banner: true, intent: 'reconcile', fhirContext: [{ reference: 'Task/1' }] };
      const { status, body } = await server.exchange(app, {
        encounterId: 'e1',
        context: { ...context, access_token: 'x' },
      });
      expect(status).equal(200);
      expect(body).deep.include({
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'openid fhirUser offline_access patient/*.rs',
        patient: 'p1',
        encounter: 'e1',
        ...context,
      });
      expect(body.access_token).match(/^[A-Za-z0-9_-]{43}$/);
      expect(body.refresh_token).a('string');
      expect(await server.call(body.access_token)).equal(200);
    });

    it('[ST-04] an app’s token lives an hour', async () => {
      const { body } = await server.exchange(app);
      server.store.clock.pass(HOUR - 1);
      expect(await server.call(body.access_token)).equal(200);
      server.store.clock.pass(1);
      expect(await server.call(body.access_token)).equal(401);
    });

    it('[SO-01] the ID token says who, for whom, when and how', async () => {
      const { body } = await server.exchange(app);
      const jwks = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
      const { payload, protectedHeader } = await jwtVerify(body.id_token, jwks, {
        issuer: server.url,
        audience: app.client.id,
        currentDate: new Date(server.store.clock.now()),
        algorithms: ['RS256'],
      });
      expect(protectedHeader).include({ alg: 'RS256' }).and.have.property('kid');
      expect(payload).deep.include({
        sub: 'u1',
        nonce: 'n-1',
        acr: 'urn:mortar:aal2',
        amr: ['pwd', 'otp'],
        fhirUser: `${server.fhirBaseUrl}/Practitioner/pr1`,
      });
      const { exp = 0, iat = 0 } = payload;
      expect(exp - iat).equal(3600);
      const { createHash } = await import('node:crypto');
      const hash = createHash('sha256').update(body.access_token).digest().subarray(0, 16).toString('base64url');
      expect(payload['at_hash']).equal(hash);
      expect((await server.exchange(app, { scope: 'patient/*.rs' })).body).not.have.property('id_token');
    });

    it('[SO-01] an app that asks for it has ES256', async () => {
      const es = await server.addApp({ idTokenAlg: 'ES256' });
      const { body } = await server.exchange(es);
      const jwks = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
      const options = { issuer: server.url, audience: es.client.id, algorithms: ['ES256'] };
      const currentDate = new Date(server.store.clock.now());
      expect((await jwtVerify(body.id_token, jwks, { ...options, currentDate })).payload.sub).equal('u1');
      const { body: again } = await server.refresh(es, body.refresh_token);
      await jwtVerify(again.id_token, jwks, { ...options, currentDate });
    });

    const changes = [
      ['no verifier', { code_verifier: '' }, 'SL-14'],
      ['a wrong verifier', { code_verifier: 'x'.repeat(43) }, 'SL-14'],
      ['a short verifier', { code_verifier: 'x' }, 'SL-14'],
      ['a verifier of other characters', { code_verifier: `${'x'.repeat(42)}!` }, 'SL-14'],
      ['another redirect URI', { redirect_uri: `${REDIRECT}/` }, 'SL-12'],
      ['no redirect URI', { redirect_uri: '' }, 'SL-12'],
      ['an unknown code', { code: 'x' }, 'SL-12'],
    ] as const;
    for (const [what, change, id] of changes)
      it(`[${id}] ${what} is an invalid_grant`, async () => {
        const { code, verifier } = await server.makeCode(app);
        const form = { ...codeForm(code, verifier), client_id: app.client.id };
        const answer = await server.post('/oauth2/token', { ...form, ...change });
        expect([answer.status, answer.body.error]).deep.equal([400, 'invalid_grant']);
        expect(kinds()).match(/^token .* 4$/);
      });

    it('[SL-14] the challenge itself is no verifier', async () => {
      const { code } = await server.makeCode(app);
      const stored = await server.store.grants.findCode(code);
      const form = { ...codeForm(code, stored!.binding.challenge), client_id: app.client.id };
      expect((await server.post('/oauth2/token', form)).body.error).equal('invalid_grant');
    });

    it('[SL-12] a code is for its client, for 60 s', async () => {
      const { code, verifier } = await server.makeCode(app);
      const foreign = { ...codeForm(code, verifier), ...(await confidential.auth()) };
      expect((await server.post('/oauth2/token', foreign)).body.error).equal('invalid_grant');
      server.store.clock.pass(60_000);
      const late = { ...codeForm(code, verifier), client_id: app.client.id };
      expect((await server.post('/oauth2/token', late)).body.error).equal('invalid_grant');
    });

    it('[SL-13] a code that is used again ends all that came of it', async () => {
      const { code, verifier } = await server.makeCode(app);
      const form = { ...codeForm(code, verifier), client_id: app.client.id };
      const { body } = await server.post('/oauth2/token', form);
      expect(await server.call(body.access_token)).equal(200);
      expect((await server.post('/oauth2/token', form)).body.error).equal('invalid_grant');
      expect(await server.call(body.access_token)).equal(401);
      expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
      expect(kinds()).include('token-reuse code-reuse 8');
    });

    it('[SL-13] of 20 uses at once at most one gets tokens, and they end', async () => {
      const { code, verifier } = await server.makeCode(app);
      const form = { ...codeForm(code, verifier), client_id: app.client.id };
      const answers = await Promise.all(Array.from({ length: 20 }, () => server.post('/oauth2/token', form)));
      const won = answers.filter(({ status }) => status === 200);
      expect(won.length).at.most(1);
      for (const { body } of won) expect(await server.call(body.access_token)).equal(401);
    });

    it('[ST-08] a user who was disabled or changed gets nothing', async () => {
      const user = server.users.get('u1')!;
      for (const change of [{ isDisabled: true }, { securityVersion: 2 }]) {
        server.users.set('u1', { ...user, ...change });
        expect((await server.exchange(app)).body.error).equal('invalid_grant');
      }
    });
  });

  describe('refresh_token', () => {
    it('[ST-05] gives all anew; fewer scopes when asked, never more', async () => {
      const { body: first } = await server.exchange(app);
      const { status, body } = await server.refresh(app, first.refresh_token);
      expect(status).equal(200);
      expect(body).include({ token_type: 'Bearer', expires_in: 3600, scope: first.scope, patient: 'p1' });
      expect(body.id_token).a('string');
      expect(body.refresh_token).not.equal(first.refresh_token);
      for (const scope of ['patient/*.cruds', 'openid user/*.rs', 'patient/*.rs nonsense']) {
        const more = await server.refresh(app, body.refresh_token, { scope });
        expect([more.status, more.body.error], scope).deep.equal([400, 'invalid_scope']);
      }
      const { body: fewer } = await server.refresh(app, body.refresh_token, { scope: 'patient/Observation.rs' });
      expect(fewer.scope).equal('patient/Observation.rs');
      expect((await server.refresh(app, fewer.refresh_token)).body.scope, 'as granted').equal(first.scope);
    });

    it('[ST-05] needs the same client', async () => {
      const { body } = await server.exchange(app);
      expect((await server.refresh(confidential, body.refresh_token)).body.error).equal('invalid_grant');
      expect((await server.refresh(app, body.refresh_token)).status).equal(200);
    });

    it('[ST-05] [SA-01] a public client need not say who it is; one that has a secret must prove it', async () => {
      const nameless = (token: unknown) =>
        server.post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: String(token) });
      const { body: open } = await server.exchange(app);
      expect((await nameless(open.refresh_token)).status).equal(200);
      const { body: kept } = await server.exchange(confidential);
      const refused = await nameless(kept.refresh_token);
      expect([refused.status, refused.body.error]).deep.equal([401, 'invalid_client']);
      expect((await server.refresh(confidential, kept.refresh_token)).status, 'it is not used up').equal(200);
    });

    it('[ST-04] online_access ends with the session or after 12 h; offline_access lives on', async () => {
      const { body: online } = await server.exchange(app, { scope: 'online_access patient/*.rs' });
      const { body: offline } = await server.exchange(app);
      const { body: none } = await server.exchange(app, { scope: 'patient/*.rs' });
      expect(none).not.have.property('refresh_token');
      server.store.clock.pass(12 * HOUR - 1);
      const { body: again } = await server.refresh(app, online.refresh_token);
      expect(again.refresh_token).a('string');
      server.store.clock.pass(1);
      expect((await server.refresh(app, again.refresh_token)).body.error, '12 h in all').equal('invalid_grant');
      server.store.clock.pass(90 * DAY);
      expect((await server.refresh(app, offline.refresh_token)).status).equal(200);
      const { body: session } = await server.exchange(app, { scope: 'online_access patient/*.rs' });
      await server.store.grants.endSession('s1');
      expect((await server.refresh(app, session.refresh_token)).body.error, 'ST-08').equal('invalid_grant');
    });

    it('[ST-06] 50 refreshes at once by a confidential client: one successor, and the family lives', async () => {
      const { body } = await server.exchange(confidential);
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => server.refresh(confidential, body.refresh_token)),
      );
      expect(answers.map(({ status }) => status)).deep.equal(Array(50).fill(200));
      const successors = new Set(answers.map((answer) => answer.body.refresh_token));
      expect(successors.size).equal(1);
      expect((await server.refresh(confidential, [...successors][0])).status).equal(200);
      expect(kinds().filter((line) => line === 'token refresh-repeated 0').length, 'audited').equal(49);
    });

    it('[ST-06] 50 refreshes at once by a public client: at most one success, then the family is dead', async () => {
      const { body } = await server.exchange(app);
      const answers = await Promise.all(Array.from({ length: 50 }, () => server.refresh(app, body.refresh_token)));
      const won = answers.filter(({ status }) => status === 200);
      expect(won.length).at.most(1);
      for (const answer of won) {
        expect((await server.refresh(app, answer.body.refresh_token)).body.error).equal('invalid_grant');
        expect(await server.call(answer.body.access_token)).equal(401);
      }
      expect(await server.call(body.access_token)).equal(401);
      expect(kinds()).include('token-reuse refresh-reuse 8');
    });

    it('[ST-07] a confidential client may repeat for 10 s, no longer', async () => {
      const { body } = await server.exchange(confidential);
      const { body: next } = await server.refresh(confidential, body.refresh_token);
      server.store.clock.pass(10_000);
      const { body: same } = await server.refresh(confidential, body.refresh_token);
      expect(same.refresh_token).equal(next.refresh_token);
      server.store.clock.pass(1);
      expect((await server.refresh(confidential, body.refresh_token)).body.error).equal('invalid_grant');
      expect((await server.refresh(confidential, next.refresh_token)).body.error, 'the family').equal('invalid_grant');
      expect(await server.call(next.access_token)).equal(401);
      expect(kinds()).include('token-reuse refresh-reuse 8');
    });

    it('[ST-07] a public client that repeats at once ends the family', async () => {
      const { body } = await server.exchange(app);
      const { body: next } = await server.refresh(app, body.refresh_token);
      expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
      expect((await server.refresh(app, next.refresh_token)).body.error).equal('invalid_grant');
      expect(await server.call(next.access_token)).equal(401);
    });

    it('[ST-08] ends when the user is disabled or changed, the client is disabled, or consent is withdrawn', async () => {
      const user = server.users.get('u1')!;
      for (const change of [{ isDisabled: true }, { securityVersion: 2 }]) {
        const { body } = await server.exchange(app);
        server.users.set('u1', { ...user, ...change });
        expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
        server.users.set('u1', user);
        expect((await server.refresh(app, body.refresh_token)).body.error, 'for good').equal('invalid_grant');
      }
      const { body } = await server.exchange(app);
      await server.store.grants.withdrawConsent('u1', app.client.id);
      expect((await server.refresh(app, body.refresh_token)).body.error).equal('invalid_grant');
      const { body: other } = await server.exchange(app);
      await server.store.clients.setDisabled(app.client.id, true);
      expect((await server.refresh(app, other.refresh_token)).body.error).equal('invalid_client');
    });

    it('tokens of our own doors are not renewed here, where they would live longer', async () => {
      const { clients, grants } = server.store;
      await clients.put(OWN_DOORS, newClient({ scope: 'user/*.rs' }));
      const familyId = await grants.createFamily(userGrant(OWN_DOORS));
      const hour = { slidingMs: HOUR, absoluteMs: HOUR };
      const form = { grant_type: 'refresh_token', refresh_token: await grants.openRefresh(familyId, 'online', hour) };
      const answer = await server.post('/oauth2/token', { ...form, client_id: OWN_DOORS });
      expect([answer.status, answer.body.error]).deep.equal([400, 'unauthorized_client']);
    });

    it('an access token, a code or rubbish is no refresh token', async () => {
      const { body } = await server.exchange(app);
      const { code } = await server.makeCode(app);
      for (const token of [body.access_token, body.id_token, code, 'x', `${body.refresh_token}x`])
        expect((await server.refresh(app, token)).body.error).equal('invalid_grant');
    });
  });

  it('[SL-13] [ST-07] [AU-14] reuse is an alert about the person, who is told; a notice that fails holds nothing up', async () => {
    const alerts: AuditAlert[] = [];
    const notices: Notice[] = [];
    let at = 0;
    const watcher = createAuditWatcher({
      now: () => at,
      alert: (alert) => alerts.push(alert),
      patientRidOf: (id) => id,
    });
    const watched = await startOAuthServer({
      audit: { record: async (event) => watcher.see(event) },
      async notify(notice) {
        notices.push(notice);
        throw new Error('no sender');
      },
    });
    try {
      const one = await watched.addApp({ name: 'Growth chart' });
      const reuse = async (userId: string): Promise<void> => {
        addUser(watched.users, { id: userId, email: `${userId}@example.org` });
        const user = { id: userId, securityVersion: 1, authTime: 0, amr: ['pwd'] };
        const { code, verifier } = await watched.makeCode(one, { user });
        const form = { ...codeForm(code, verifier), client_id: one.client.id };
        await watched.post('/oauth2/token', form);
        expect((await watched.post('/oauth2/token', form)).body.error, 'SL-13').equal('invalid_grant');
      };
      await reuse('u1');
      await reuse('u2');
      expect(
        alerts.map(({ rule, subject }) => `${rule} ${subject}`),
        'two people of one app',
      ).deep.equal(['token-reuse u1', 'token-reuse u2']);
      expect(notices[0]).deep.equal({
        kind: 'app-access-ended',
        to: 'u1@example.org',
        name: 'Ann Other',
        app: 'Growth chart',
      });
      at += HOUR;
      const { body } = await watched.exchange(one);
      await watched.refresh(one, body.refresh_token);
      await watched.refresh(one, body.refresh_token);
      expect([alerts.length, notices.length], 'ST-07').deep.equal([3, 3]);
    } finally {
      await watched.stop();
    }
  });

  it('[ST-08] a person who lost the patient of the grant gets no more', async () => {
    let permitted = true;
    const strict = await startOAuthServer({ isPatientPermitted: async (_user, id) => id === 'p1' && permitted });
    try {
      const one = await strict.addApp();
      const { body } = await strict.exchange(one);
      const { body: next } = await strict.refresh(one, body.refresh_token);
      permitted = false;
      expect((await strict.refresh(one, next.refresh_token)).body.error).equal('invalid_grant');
    } finally {
      await strict.stop();
    }
  });

  it('[ST-09] without leave, public clients get no refresh token that outlives the session', async () => {
    const strict = await startOAuthServer({ hasPublicOffline: false });
    try {
      const answer = await strict.exchange(await strict.addApp());
      expect(answer.status).equal(200);
      expect(answer.body).not.have.property('refresh_token');
      const secret = await strict.exchange(await strict.addApp({ kind: 'symmetric' }));
      expect(secret.body.refresh_token).a('string');
    } finally {
      await strict.stop();
    }
  });

  it('[ST-13] no code and no token is in the audit trail, the log or the tables', async () => {
    const { code, verifier } = await server.makeCode(app);
    const { body } = await server.post('/oauth2/token', { ...codeForm(code, verifier), client_id: app.client.id });
    await server.refresh(app, body.refresh_token);
    await server.refresh(app, body.refresh_token);
    const everything = JSON.stringify([server.audit, server.log.lines]) + (await server.store.dump());
    expect(server.audit.length).above(2);
    for (const word of [code, verifier, body.access_token, ...body.refresh_token.split('.')])
      expect(everything).not.include(word);
  });
});
