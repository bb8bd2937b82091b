import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { createAuthenticator } from '../../../src/auth/oauth/authenticate.ts';
import type { StoredToken } from '../../../src/ports/grants.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { userGrant } from '../../support/identity-store.ts';
import { type OAuthServer, requestWith, startOAuthServer, type TestApp } from '../../support/oauth-server.ts';

const HOUR = 3_600_000;

describe('oauth › authenticate', () => {
  let server: OAuthServer;
  let app: TestApp;
  before(async () => {
    server = await startOAuthServer();
    app = await server.addApp();
  });
  after(() => server.stop());

  const authenticate = (headers: Record<string, string>, url?: string) =>
    server.oauth.authenticate(requestWith(headers, url), 'corr-1');
  const refusal = async (headers: Record<string, string>, url?: string): Promise<FhirError> => {
    const error = await authenticate(headers, url).catch((caught: unknown) => caught);
    expect(error).instanceOf(FhirError);
    return error as FhirError;
  };
  const tokenFor = (more: Partial<StoredToken['grant']> = {}) =>
    server.store.grants.createToken({
      grant: { ...userGrant(app.client.id), audience: server.fhirBaseUrl, ...more },
      issuedAt: server.store.clock.now(),
      expiresAt: server.store.clock.now() + HOUR,
    });

  it('makes a caller of a token: person, scopes, launch context', async () => {
    const token = await tokenFor({
      scope: 'openid patient/Observation.rs?category=laboratory user/*.read launch/patient prescription:read',
      encounterId: 'e1',
    });
    const caller = await authenticate({ authorization: `Bearer ${token}` });
    expect(caller).deep.equal({
      kind: 'user',
      name: app.client.id,
      correlationId: 'corr-1',
      scopes: [
        { level: 'patient', type: 'Observation', letters: ['r', 's'], constraint: 'category=laboratory' },
        { level: 'user', type: '*', letters: ['r', 's'] },
      ],
      otherScopes: ['openid', 'launch/patient', 'prescription:read'],
      user: {
        id: 'u1',
        name: 'Ann Other',
        roles: ['PRESCRIBER'],
        fhirUser: 'Practitioner/pr1',
        practitionerId: 'pr1',
        practitionerRoleIds: ['role1'],
        organizationIds: ['org1', 'org1-below'],
        patientIds: [],
        authTime: 1_777_000_000_000,
        amr: ['pwd'],
      },
      patientId: 'p1',
      encounterId: 'e1',
      clientId: app.client.id,
      tokenId: createHash('sha256').update(token).digest('hex').slice(0, 16),
      address: '192.0.2.1',
    });
  });

  it('[SC-12] patient scopes without a patient grant nothing', async () => {
    const { patientId: _none, ...grant } = userGrant(app.client.id);
    const token = await server.store.grants.createToken({
      grant: { ...grant, audience: server.fhirBaseUrl, scope: 'patient/*.cruds user/Patient.r' },
      issuedAt: server.store.clock.now(),
      expiresAt: server.store.clock.now() + HOUR,
    });
    const caller = await authenticate({ authorization: `Bearer ${token}` });
    expect(caller.scopes).deep.equal([{ level: 'user', type: 'Patient', letters: ['r'] }]);
  });

  it('[ST-11] the scheme may be written in any case', async () => {
    const token = await tokenFor();
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      expect((await authenticate({ authorization: `${scheme} ${token}` })).clientId).equal(app.client.id);
  });

  it('[ST-11] no credentials: 401 without an error code', async () => {
    for (const headers of [{}, { authorization: 'Basic eDp5' }] as Record<string, string>[]) {
      const { status, headers: sent, issues } = await refusal(headers);
      expect([status, sent['WWW-Authenticate'], issues[0]?.code]).deep.equal([401, 'Bearer realm="mortar"', 'login']);
    }
  });

  it('[ST-11] an unknown, an expired and a revoked token: 401 invalid_token, all alike', async () => {
    const [revoked, expired] = [await tokenFor(), await tokenFor()];
    await server.store.grants.revokeToken(createHash('sha256').update(revoked).digest());
    const refusals = [
      await refusal({ authorization: 'Bearer unknown' }),
      await refusal({ authorization: `Bearer ${revoked}` }),
    ];
    server.store.clock.pass(HOUR);
    refusals.push(await refusal({ authorization: `Bearer ${expired}` }));
    for (const { status, headers, message } of refusals) {
      expect(status).equal(401);
      expect(headers['WWW-Authenticate']).match(/^Bearer .*error="invalid_token"/);
      expect(message).equal(refusals[0]?.message);
    }
  });

  it('[ST-11] a token in the query, two tokens, or none after the scheme: 400', async () => {
    const token = await tokenFor();
    const authorization = `Bearer ${token}`;
    expect((await refusal({}, `/fhir/R4/Patient?access_token=${token}`)).status).equal(400);
    expect((await refusal({ authorization }, `/fhir/R4/Patient?a=b&access_token=${token}`)).status).equal(400);
    for (const name of [
      'access%5Ftoken',
      '%61ccess_token',
      'ACCESS%5ftoken',
      '+access_token',
      'a=b;access%5Ftoken',
      'x=%&access%5Ftoken',
    ])
      expect((await refusal({ authorization }, `/fhir/R4/Patient?${name}=${token}`)).status, name).equal(400);
    for (const header of ['Bearer', 'Bearer ', `Bearer ${token}, Bearer ${token}`, `Bearer ${token} x`, 'Bearer ü'])
      expect((await refusal({ authorization: header })).status, header).equal(400);
    const two = requestWith({ authorization });
    two.rawHeaders.push('authorization', authorization);
    const error = await server.oauth.authenticate(two, 'c').catch((caught: FhirError) => caught);
    expect((error as FhirError).status).equal(400);
  });

  it('[ST-11] refusals do not repeat the token', async () => {
    const { message, headers } = await refusal({ authorization: 'Bearer secret-word' });
    expect(message + JSON.stringify(headers)).not.include('secret-word');
  });

  it('[ST-12] an ID token, a refresh token, a code and a token for another server are no access tokens', async () => {
    const { body } = await server.exchange(app);
    const { code } = await server.makeCode(app);
    const foreign = await tokenFor({ audience: 'https://other.example.org/fhir/R4' });
    for (const token of [body.id_token, body.refresh_token, code, foreign]) expect(await server.call(token)).equal(401);
    const slash = await tokenFor({ audience: `${server.fhirBaseUrl}/` });
    expect(await server.call(slash)).equal(200);
  });

  it('[ST-10] a token that is bound to a certificate needs it', async () => {
    const token = await tokenFor({ cnf: { 'x5t#S256': 'thumb' } });
    expect(await server.call(token)).equal(401);
    for (const cnf of [{ jkt: 'key' }, { jkt: 'key', 'x5t#S256': 'thumb' }, { kid: 'of a kind that is not known' }])
      expect(await server.call(await tokenFor({ cnf })), Object.keys(cnf).join()).equal(401);
    let thumbprint = 'thumb';
    const tls = await startOAuthServer({ certificateOf: () => ({ subject: 'CN=x', thumbprint }) });
    try {
      const bound = await tls.store.grants.createToken({
        grant: {
          ...userGrant((await tls.addApp()).client.id),
          audience: tls.fhirBaseUrl,
          cnf: { 'x5t#S256': 'thumb' },
        },
        issuedAt: tls.store.clock.now(),
        expiresAt: tls.store.clock.now() + HOUR,
      });
      expect(await tls.call(bound)).equal(200);
      thumbprint = 'other';
      expect(await tls.call(bound)).equal(401);
    } finally {
      await tls.stop();
    }
  });

  it('[AZ-07] what changes elsewhere acts within 5 s: revocation, client, person', async () => {
    const other = await server.addApp();
    const user = server.users.get('u1')!;
    const ends: readonly [string, (token: string) => unknown, () => unknown][] = [
      ['revoked', (token) => server.store.grants.revokeToken(createHash('sha256').update(token).digest()), () => {}],
      [
        'client disabled',
        () => server.store.clients.setDisabled(other.client.id, true),
        () => server.store.clients.setDisabled(other.client.id, false),
      ],
      [
        'user disabled',
        () => server.users.set('u1', { ...user, isDisabled: true }),
        () => server.users.set('u1', user),
      ],
      [
        'password changed',
        () => server.users.set('u1', { ...user, securityVersion: 2 }),
        () => server.users.set('u1', user),
      ],
    ];
    for (const [what, end, restore] of ends) {
      const token = await tokenFor({ clientId: other.client.id });
      expect(await server.call(token), what).equal(200);
      await end(token);
      server.store.clock.pass(5_000);
      expect(await server.call(token), what).equal(401);
      await restore();
    }
    const token = await tokenFor();
    await server.call(token);
    server.users.set('u1', { ...user, roles: ['RECEPTIONIST'] });
    server.store.clock.pass(5_000);
    expect((await authenticate({ authorization: `Bearer ${token}` })).user?.roles).deep.equal(['RECEPTIONIST']);
    server.users.set('u1', user);
  });

  describe('cache', () => {
    let now = 1_000_000;
    let asked = 0;
    const stored = (): StoredToken => ({
      grant: { ...userGrant('c'), audience: 'https://a.example/fhir' },
      issuedAt: now,
      expiresAt: now + 60_000,
    });
    const create = () =>
      createAuthenticator({
        grants: {
          async findToken() {
            asked += 1;
            return stored();
          },
        },
        users: { find: async () => server.users.get('u1') },
        organizationsBelow: async (ids) => ids,
        fhirBaseUrls: ['https://a.example/fhir'],
        addressOf: () => undefined,
        now: () => now,
      });
    const request = (n = 0) => requestWith({ authorization: `Bearer t${n}` });
    beforeEach(() => {
      asked = 0;
    });

    it('asks once for requests that arrive together, and once in 5 s', async () => {
      const { authenticate: ask } = create();
      await Promise.all(Array.from({ length: 50 }, () => ask(request(), 'c')));
      expect(asked).equal(1);
      now += 4_999;
      await ask(request(), 'c');
      expect(asked).equal(1);
      now += 1;
      await ask(request(), 'c');
      expect(asked).equal(2);
    });

    it('[SX-03] forgets at once what is revoked in this process', async () => {
      const { authenticate: ask, forget } = create();
      await ask(request(), 'c');
      forget();
      await ask(request(), 'c');
      expect(asked).equal(2);
    });

    it('has a bound', async () => {
      const { authenticate: ask } = create();
      for (let i = 0; i <= 10_000; i += 1) await ask(request(i), 'c');
      expect(asked).equal(10_001);
      await ask(request(10_000), 'c');
      expect(asked, 'the newest is kept').equal(10_001);
      await ask(request(0), 'c');
      expect(asked, 'the oldest is not').equal(10_002);
    });
  });
});
