import { expect } from 'chai';
import { createAuthenticator } from '../../../src/auth/oauth/authenticate.ts';
import type { Session } from '../../../src/ports/users.ts';
import { createClients } from '../../../src/postgres/identity/clients.ts';
import { createGrants } from '../../../src/postgres/identity/grants.ts';
import { newClient } from '../../support/identity-store.ts';
import { requestWith } from '../../support/oauth-server.ts';
import {
  CLIENT_ID,
  citizen,
  DESK_ROLE,
  DOCTOR_ROLE,
  doctor,
  ELSEWHERE_ROLE,
  openUpstreamWorld,
  staff,
  type Traveller,
  UNMAPPED_ROLE,
  type UpstreamWorld,
} from './world.ts';

describe('sign-in through a provider', function () {
  this.timeout(180_000);
  let world: UpstreamWorld;
  before(async () => {
    world = await openUpstreamWorld();
  });
  after(() => world?.stop());
  beforeEach(() => {
    // The providers have the machine's clock, however long the tests before this one took.
    world.advance(Date.now() - world.now());
    for (const peer of [world.cis2, world.nhsLogin]) {
      peer.spoil = undefined;
      peer.spoilUserinfo = undefined;
      peer.alg = 'RS256';
      peer.isForged = false;
      peer.isDown = false;
      peer.requests.length = 0;
    }
    world.cis2.person = doctor();
    world.nhsLogin.person = citizen();
    world.events.length = 0;
  });

  const sessionOf = (traveller: Traveller): Promise<Session | undefined> => {
    const jar = traveller.cookies.get(new URL(world.url).origin) ?? new Map();
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    return world.people.sessions.find({ headers: { cookie } } as never); // nothing else of it is read
  };
  const isAnswer = (url: URL): boolean => url.pathname.endsWith('/answer');

  describe('the journey', () => {
    it('[NH-04] a doctor goes to NHS CIS2 and comes back into a session at AAL3', async () => {
      const traveller = world.traveller();
      const page = await traveller.go('/sign-in/with/cis2?next=/account/identities');
      expect([page.status, page.url.pathname]).deep.equal([200, '/account/identities']);
      const [asked] = world.cis2.requests;
      expect(Object.fromEntries(asked ?? [])).include({
        client_id: CLIENT_ID,
        response_type: 'code',
        scope: 'openid profile nationalrbacaccess associatedorgs selectedrole',
        acr_values: 'AAL3_ANY',
        code_challenge_method: 'S256',
        redirect_uri: `${world.url}/sign-in/with/cis2/answer`,
      });
      for (const name of ['state', 'nonce', 'code_challenge']) expect(asked?.get(name)).match(/^[\w-]{43}$/);
      const session = await sessionOf(traveller);
      expect(session?.acr).equal('urn:mortar:aal2');
      expect(session?.amr).deep.equal(['mfa', 'hwk']);
      expect(session?.user).deep.include({
        name: 'Userq Randoma Dr',
        roles: ['DOCTOR', 'PRESCRIBER'],
        practitionerId: 'dr-1',
        practitionerRoleIds: ['role-1'],
        organizationIds: ['org-1'],
        patientIds: [],
        nhs: {
          provider: 'cis2',
          sdsUserId: '555254239107',
          roles: [{ id: '555254240100', odsCode: 'A83008', roleCode: 'S8000:G8000:R8000' }],
        },
      });
      expect(world.events.at(-1)).deep.include({ kind: 'login', outcome: 0, rule: 'signed-in-cis2' });
    });

    it('[NH-09] who comes again has the same account', async () => {
      const [first, second] = [world.traveller(), world.traveller()];
      await first.go('/sign-in/with/cis2');
      await second.go('/sign-in/with/cis2');
      const id = (await sessionOf(first))?.user.id;
      expect(id).match(/^[0-9a-f-]{36}$/);
      expect((await sessionOf(second))?.user.id).equal(id);
    });

    it('[NH-08] a citizen with a proved identity has their own record', async () => {
      const traveller = world.traveller();
      expect((await traveller.go('/sign-in/with/nhs-login')).url.pathname).equal('/account');
      expect(JSON.parse(world.nhsLogin.requests[0]?.get('vtr') ?? '')).includes('P9.Cp.Cd');
      const session = await sessionOf(traveller);
      expect(session?.user).deep.include({ roles: ['PATIENT'], patientIds: ['p1'], organizationIds: [] });
      expect(session?.user.nhs).deep.equal({ provider: 'nhs-login', roles: [], proofing: 'P9' });
    });

    it('[NH-04] the public key that the provider is told is served, and nothing private', async () => {
      const { keys } = JSON.parse((await world.traveller().go('/sign-in/with/keys')).text) as { keys: object[] };
      expect(keys).length(2);
      for (const key of keys) expect(key).include({ kty: 'RSA', alg: 'RS512', use: 'sig' }).not.any.keys('d', 'p', 'q');
    });

    it('[NH-04] a provider changes its key, and the next sign-in works', async () => {
      await world.traveller().go('/sign-in/with/cis2');
      world.cis2.rotate();
      world.advance(61_000);
      world.cis2.spoil = (claims) => ({
        ...claims,
        exp: Math.floor(world.now() / 1000) + 60,
        iat: Math.floor(world.now() / 1000),
        auth_time: Math.floor(world.now() / 1000),
      });
      const traveller = world.traveller();
      // A minute between looks at the key set is the least: the first try may still see the old one.
      await traveller.go('/sign-in/with/cis2');
      world.advance(-61_000);
      expect((await sessionOf(traveller))?.user.nhs?.provider).equal('cis2');
    });

    it('an unknown provider is no page', async () => {
      expect((await world.traveller().go('/sign-in/with/other')).status).equal(404);
      expect((await world.traveller().go('/sign-in/with/other/answer?state=x&code=y')).status).equal(404);
    });
  });

  describe('what came back', () => {
    const REFUSED = 'You cannot be signed in';
    type Spoil = (claims: Record<string, unknown>) => Record<string, unknown>;
    for (const [title, spoil, h1] of [
      ['the nonce of another sign-in', (c) => ({ ...c, nonce: 'x'.repeat(43) }), REFUSED],
      ['no nonce', (c) => ({ ...c, nonce: undefined }), REFUSED],
      ['another audience', (c) => ({ ...c, aud: 'somebody-else' }), REFUSED],
      ['our audience among others, for another party', (c) => ({ ...c, aud: [CLIENT_ID, 'x'], azp: 'x' }), REFUSED],
      ['another issuer', (c) => ({ ...c, iss: 'https://evil.example.org' }), REFUSED],
      ['a time that is over', (c) => ({ ...c, exp: Math.floor(Date.now() / 1000) - 60 }), REFUSED],
      ['no end', (c) => ({ ...c, exp: undefined }), REFUSED],
      ['a time to come', (c) => ({ ...c, iat: Math.floor(Date.now() / 1000) + 300 }), REFUSED],
      ['a start to come', (c) => ({ ...c, nbf: Math.floor(Date.now() / 1000) + 300 }), REFUSED],
      ['the hash of another access token', (c) => ({ ...c, at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }), REFUSED],
      ['no subject', (c) => ({ ...c, sub: undefined }), REFUSED],
      ['the subject of another', (c) => ({ ...c, sub: 'somebody' }), REFUSED],
      ['a sign-in of an hour ago', (c) => ({ ...c, auth_time: Math.floor(Date.now() / 1000) - 3600 }), 'Sign in again'],
      ['no time of sign-in', (c) => ({ ...c, auth_time: undefined }), 'Sign in again'],
      ['acr AAL2', (c) => ({ ...c, acr: 'AAL2_ANY' }), 'You need a stronger way to sign in'],
      ['acr of either level', (c) => ({ ...c, acr: 'AAL2_OR_AAL3_ANY' }), 'You need a stronger way to sign in'],
      ['no acr', (c) => ({ ...c, acr: undefined }), 'You need a stronger way to sign in'],
      [
        'authentication_assurance_level 2',
        (c) => ({ ...c, authentication_assurance_level: '2' }),
        'You need a stronger way to sign in',
      ],
      [
        'id_assurance_level 2',
        (c) => ({ ...c, id_assurance_level: '2' }),
        'Your identity is not verified to the level needed',
      ],
      [
        'no id_assurance_level',
        (c) => ({ ...c, id_assurance_level: undefined }),
        'Your identity is not verified to the level needed',
      ],
    ] as readonly (readonly [string, Spoil, string])[])
      it(`[NH-04] an ID token with ${title} is refused`, async () => {
        world.cis2.spoil = spoil;
        const traveller = world.traveller();
        const page = await traveller.go('/sign-in/with/cis2');
        expect([page.status, page.h1]).deep.equal([403, h1]);
        expect(await sessionOf(traveller)).equal(undefined);
        expect(world.events.at(-1)).include({ kind: 'login', outcome: 4 });
        expect(page.text).not.match(/Randoma|555254/);
      });

    for (const alg of ['none', 'HS256', 'PS256'] as const)
      it(`[NH-04] an ID token with alg ${alg} is refused`, async () => {
        world.cis2.alg = alg;
        const page = await world.traveller().go('/sign-in/with/cis2');
        expect([page.status, world.events.at(-1)?.rule]).deep.equal([403, 'upstream-id-token-alg']);
      });

    it('[NH-04] RS512 is taken', async () => {
      world.cis2.alg = 'RS512';
      expect((await world.traveller().go('/sign-in/with/cis2')).status).equal(200);
    });

    it('[NH-04] a signature by another key is refused', async () => {
      world.cis2.isForged = true;
      const page = await world.traveller().go('/sign-in/with/cis2');
      expect([page.status, world.events.at(-1)?.rule]).deep.equal([403, 'upstream-id-token-signature']);
    });

    it('[NH-04] userinfo of somebody else is refused', async () => {
      world.cis2.spoilUserinfo = (claims) => ({ ...claims, sub: 'somebody' });
      const page = await world.traveller().go('/sign-in/with/cis2');
      expect([page.status, world.events.at(-1)?.rule]).deep.equal([403, 'upstream-userinfo-sub']);
    });

    it('[NH-04] a provider that does not answer is told apart from a refusal', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      world.cis2.isDown = true;
      const page = await traveller.go(back.pathname + back.search);
      expect([page.status, page.h1]).deep.equal([503, 'The sign-in service cannot be reached']);
    });

    it('[NH-04] a refusal of the provider ends the journey', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      const page = await traveller.go(`${back.pathname}?error=access_denied&state=${back.searchParams.get('state')}`);
      expect([page.status, page.h1]).deep.equal([400, 'You have not signed in']);
    });
  });

  describe('state', () => {
    it('[NH-04] an answer serves once', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      expect((await traveller.go(back.pathname + back.search)).status).equal(200);
      const again = await traveller.go(back.pathname + back.search);
      expect([again.status, again.h1]).deep.equal([400, 'This sign-in is over']);
    });

    it('[NH-04] an answer is of no use in another browser', async () => {
      const back = await world.traveller().goUntil('/sign-in/with/cis2', isAnswer);
      const other = world.traveller();
      expect((await other.go(back.pathname + back.search)).h1).equal('This sign-in is over');
      await other.goUntil('/sign-in/with/cis2', isAnswer); // with a journey of its own
      expect((await other.go(back.pathname + back.search)).h1).equal('This sign-in is over');
      expect(await sessionOf(other)).equal(undefined);
    });

    it('[NH-04] an answer is of no use at another provider', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      const page = await traveller.go(back.pathname.replace('cis2', 'nhs-login') + back.search);
      expect(page.h1).equal('This sign-in is over');
    });

    it('[NH-04] an answer names who sent it', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      back.searchParams.set('iss', world.nhsLogin.issuer);
      const page = await traveller.go(back.pathname + back.search);
      expect([page.status, world.events.at(-1)?.rule]).deep.equal([403, 'upstream-answer-issuer']);
    });

    it('[NH-04] an answer is over after ten minutes', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      world.advance(10 * 60_000);
      const page = await traveller.go(back.pathname + back.search);
      world.advance(-10 * 60_000);
      expect(page.h1).equal('This sign-in is over');
    });

    it('[NH-04] a code of another journey fails by PKCE', async () => {
      const [first, second] = [world.traveller(), world.traveller()];
      const stolen = await first.goUntil('/sign-in/with/cis2', isAnswer);
      const own = await second.goUntil('/sign-in/with/cis2', isAnswer);
      own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
      const page = await second.go(own.pathname + own.search);
      expect([page.status, world.events.at(-1)?.rule]).deep.equal([403, 'upstream-code-refused']);
    });

    it('[NH-04] nothing of a journey is in the database that would help who reads it', async () => {
      const traveller = world.traveller();
      const back = await traveller.goUntil('/sign-in/with/cis2', isAnswer);
      const rows = await world.pools.writes.query({ text: 'select t::text from auth.upstream_step t', values: [] });
      expect(rows.length).greaterThan(0);
      const text = rows.flat().join('\n');
      const cookie = traveller.cookies.get(new URL(world.url).origin)?.get('mortar-upstream') ?? 'none';
      for (const secret of [back.searchParams.get('state'), world.cis2.requests.at(-1)?.get('nonce'), cookie])
        expect(text)
          .not.include(String(secret))
          .not.include(Buffer.from(String(secret)).toString('hex'));
    });
  });

  describe('roles', () => {
    it('[NH-05] who has several chooses one, and acts in that alone', async () => {
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE]) });
      const traveller = world.traveller();
      const page = await traveller.go('/sign-in/with/cis2?next=/account/identities');
      expect([page.url.pathname, page.h1]).deep.equal(['/sign-in/role', 'Choose your role']);
      expect(page.text)
        .include('Receptionist')
        .include('PARKSIDE CLINIC (B82001)')
        .include('THE DENSHAM SURGERY (A83008)');
      expect(await sessionOf(traveller)).equal(undefined);
      const csrf = traveller.hidden('csrf');
      const missing = await traveller.post('/sign-in/role', { csrf });
      expect([missing.status, missing.h1]).deep.equal([422, 'Choose your role']);
      const done = await traveller.post('/sign-in/role', { csrf, role: DESK_ROLE.person_roleid });
      expect(done.url.pathname).equal('/account/identities');
      const user = (await sessionOf(traveller))?.user;
      expect(user).deep.include({ roles: ['RECEPTIONIST'], organizationIds: ['org-2'] });
      expect(user?.nhs?.roles).deep.equal([{ id: '555254242102', odsCode: 'B82001', roleCode: 'S8002:G8003:R8010' }]);
    });

    it('[NH-05] a role that was not offered is refused, and the choice is over', async () => {
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE]) });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const csrf = traveller.hidden('csrf');
      const page = await traveller.post('/sign-in/role', { csrf, role: '555254249999' });
      expect([page.status, page.h1]).deep.equal([403, 'This role is not one of yours']);
      expect((await traveller.post('/sign-in/role', { csrf, role: DOCTOR_ROLE.person_roleid })).status).equal(400);
      expect(await sessionOf(traveller)).equal(undefined);
    });

    it('[NH-05] a choice that another page sends is not taken', async () => {
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE]) });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const page = await traveller.post('/sign-in/role', { csrf: 'x', role: DOCTOR_ROLE.person_roleid });
      expect(page.status).equal(400);
      expect(await sessionOf(traveller)).equal(undefined);
    });

    it('[NH-05] the role that was selected at the provider is acted in', async () => {
      const selected = { selected_roleid: DESK_ROLE.person_roleid };
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE], selected) });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      expect((await sessionOf(traveller))?.user.roles).deep.equal(['RECEPTIONIST']);
    });

    for (const [title, userinfo, h1] of [
      [
        'a selected role that is not in the list',
        staff('555254239107', [DOCTOR_ROLE], { selected_roleid: '555254249999' }),
        'This role is not one of yours',
      ],
      ['no role', staff('555254239107', []), 'You have no role'],
      ['no list of roles', staff('555254239107', [], { nhsid_nrbac_roles: undefined }), 'You have no role'],
      ['a role that the table does not name', staff('555254239107', [UNMAPPED_ROLE]), 'Your role gives no access'],
      [
        'a role at an organisation that is not known',
        staff('555254239107', [ELSEWHERE_ROLE]),
        'Your organisation is not known here',
      ],
      [
        'a role with a malformed ODS code',
        staff('555254239107', [{ ...DOCTOR_ROLE, org_code: 'a83008' }]),
        'You have no role',
      ],
      ['a malformed SDS user id', staff('55525423910', [DOCTOR_ROLE]), 'You cannot be signed in'],
    ] as const)
      it(`[NH-05] [NH-10] a user with ${title} is not let in`, async () => {
        world.cis2.person = doctor({ sub: '910000000002', userinfo });
        const traveller = world.traveller();
        const page = await traveller.go('/sign-in/with/cis2');
        expect([page.status, page.h1]).deep.equal([403, h1]);
        expect(await sessionOf(traveller)).equal(undefined);
        expect(await world.identities.findPerson({ issuer: world.cis2.issuer, subject: '910000000002' })).equal(
          undefined,
        );
      });

    it('[NH-06] without a professional registration nobody prescribes', async () => {
      const before = world.staffRecords.get('555254239107');
      world.staffRecords.set('555254239107', { practitionerId: 'dr-1', identifiers: [], practitionerRoleIds: [] });
      const page = await world.traveller().go('/sign-in/with/cis2');
      expect([page.status, page.h1]).deep.equal([403, 'Your professional registration is missing']);
      world.staffRecords.delete('555254239107');
      expect((await world.traveller().go('/sign-in/with/cis2')).status).equal(403);
      // The front desk needs none.
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DESK_ROLE]) });
      const traveller = world.traveller();
      expect((await traveller.go('/sign-in/with/cis2')).status).equal(200);
      if (before) world.staffRecords.set('555254239107', before);
      expect((await sessionOf(traveller))?.user.roles).deep.equal(['RECEPTIONIST']);
    });

    it('[NH-05] another role needs a new sign-in, and ends what was granted in the one before', async () => {
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const before = await sessionOf(traveller);
      if (!before) throw new Error('no session');
      expect((await world.identity.people.find(before.user.id, before.id))?.roles).deep.equal(['DOCTOR', 'PRESCRIBER']);
      world.cis2.requests.length = 0;
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DESK_ROLE]) });
      await traveller.go('/sign-in/again?next=/account/identities');
      expect(Object.fromEntries(world.cis2.requests[0] ?? [])).include({ prompt: 'login', max_age: '0' });
      const after = await sessionOf(traveller);
      expect(after?.id).not.equal(before.id);
      expect(after?.user.roles).deep.equal(['RECEPTIONIST']);
      expect(await world.identity.people.find(before.user.id, before.id)).equal(undefined);
    });

    it('[NH-05] [NH-07] a token of the session acts in its role, and ends with it', async () => {
      const grants = createGrants({ ...world.pools, now: world.now });
      const clients = createClients({ ...world.pools, now: world.now });
      const fhirBaseUrl = `${world.url}/fhir/R4`;
      const { authenticate, forget } = createAuthenticator({
        grants,
        users: world.identity.people,
        organizationsBelow: async (ids) => ids,
        fhirBaseUrls: [fhirBaseUrl],
        addressOf: () => undefined,
        now: world.now,
      });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const session = await sessionOf(traveller);
      if (!session) throw new Error('no session');
      const { id: clientId } = await clients.add(newClient());
      const user = { id: session.user.id, securityVersion: session.user.securityVersion, sessionId: session.id };
      const token = await grants.createToken({
        grant: {
          clientId,
          scope: 'user/*.rs',
          audience: fhirBaseUrl,
          user: { ...user, authTime: world.now(), amr: [] },
        },
        issuedAt: world.now(),
        expiresAt: world.now() + 3_600_000,
      });
      const req = requestWith({ authorization: `Bearer ${token}` });
      const caller = await authenticate(req, 'test');
      expect(caller.user).deep.include({ roles: ['DOCTOR', 'PRESCRIBER'], organizationIds: ['org-1'] });
      expect(caller.user?.nhs?.roles[0]).include({ id: '555254240100', odsCode: 'A83008' });
      world.cis2.person = doctor({ userinfo: staff('555254239107', [DESK_ROLE]) });
      await traveller.go('/sign-in/again');
      forget();
      const refused = await authenticate(req, 'test').then(
        () => 200,
        (error: { status?: number }) => error.status,
      );
      expect(refused).equal(401);
    });

    it('[NH-05] who is to show anew who they are must have done so since', async () => {
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      world.cis2.spoil = (claims) => ({ ...claims, auth_time: Math.floor(Date.now() / 1000) - 120 });
      expect((await traveller.go('/sign-in/again')).h1).equal('Sign in again');
      world.cis2.spoil = (claims) => ({ ...claims, auth_time: Math.floor(Date.now() / 1000) - 120 });
      expect((await world.traveller().go('/sign-in/with/cis2')).status).equal(200); // otherwise five minutes are fresh
    });

    it('[NH-05] the account page shows what such an account has, and no more', async () => {
      const traveller = world.traveller();
      const page = await traveller.go('/sign-in/with/cis2');
      expect(page.text).include('DOCTOR').include('/account/identities');
      expect(page.text).not.match(/cis2\.invalid|Change your password|authenticator/);
      expect((await traveller.go('/account/identities')).text).include('Sign in again to act in another role');
    });

    it('[NH-05] outside of its session the account has no right to anything', async () => {
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const session = await sessionOf(traveller);
      const account = await world.identity.people.findPerson(session?.user.id ?? '');
      expect(account).deep.include({ roles: [], patientIds: [], organizationIds: [], practitionerRoleIds: [] });
      expect(account).not.any.keys('passwordHash', 'practitionerId');
    });

    it('[NH-05] a session of the provider ends after twelve hours, and does not fall back to the account', async () => {
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const session = await sessionOf(traveller);
      world.advance(12 * 3_600_000 + 1000);
      expect(await world.identity.people.find(session?.user.id ?? '', session?.id)).equal(undefined);
      await world.identities.purge(1000);
      expect(await world.identity.people.find(session?.user.id ?? '', session?.id)).equal(undefined);
      world.advance(-(12 * 3_600_000 + 1000));
    });

    it('a disabled account is not let in', async () => {
      world.cis2.person = doctor({ sub: '910000000003' });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      const user = (await sessionOf(traveller))?.user;
      await world.identity.people.setDisabled(user?.id ?? '', true);
      expect((await world.traveller().go('/sign-in/with/cis2')).status).equal(403);
    });
  });

  describe('citizens', () => {
    it('[NH-08] P5 signs in without any record', async () => {
      world.nhsLogin.person = citizen('P5');
      const traveller = world.traveller();
      expect((await traveller.go('/sign-in/with/nhs-login')).status).equal(200);
      expect((await sessionOf(traveller))?.user).deep.include({ roles: ['PATIENT'], patientIds: [] });
      expect((await sessionOf(traveller))?.user.nhs?.proofing).equal('P5');
    });

    for (const [title, idToken, userinfo, h1] of [
      [
        'P0',
        { vot: 'P0.Cp', identity_proofing_level: 'P0' },
        { identity_proofing_level: 'P0' },
        'You have to prove who you are first',
      ],
      ['a vector of P9 but level P0', {}, { identity_proofing_level: 'P0' }, 'You have to prove who you are first'],
      ['one factor', { vot: 'P9.Cp' }, {}, 'You have to prove who you are first'],
      ['no vector', { vot: undefined }, {}, 'You have to prove who you are first'],
      [
        'no level',
        { identity_proofing_level: undefined },
        { identity_proofing_level: undefined },
        'You have to prove who you are first',
      ],
      ['another date of birth', {}, { birthdate: '1984-02-28' }, 'Your record was not found'],
      ['another name', {}, { family_name: 'Other' }, 'Your record was not found'],
      ['another NHS number', {}, { nhs_number: '9449305552' }, 'Your record was not found'],
      ['a malformed NHS number', {}, { nhs_number: '9449304131' }, 'Your record was not found'],
      ['no NHS number', {}, { nhs_number: undefined }, 'Your record was not found'],
    ] as const)
      it(`[NH-08] ${title}: refused, and nothing is connected`, async () => {
        const person = citizen('P9', userinfo);
        const subject = `citizen ${title}`;
        world.nhsLogin.person = { ...person, sub: subject, idToken: { ...person.idToken, ...idToken } };
        const traveller = world.traveller();
        const page = await traveller.go('/sign-in/with/nhs-login');
        expect([page.status, page.h1]).deep.equal([403, h1]);
        expect(page.text).not.match(/9449|1984|Ashworth/);
        expect(await sessionOf(traveller)).equal(undefined);
        expect(await world.identities.findPerson({ issuer: world.nhsLogin.issuer, subject })).equal(undefined);
      });

    it('[NH-08] a level below that of the vector counts', async () => {
      world.nhsLogin.person = citizen('P9', { identity_proofing_level: 'P5' });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/nhs-login');
      expect((await sessionOf(traveller))?.user.patientIds).deep.equal([]);
    });
  });

  describe('accounts', () => {
    it('[NH-09] the same subject at two issuers is two people', async () => {
      world.cis2.person = doctor({ sub: 'same' });
      world.nhsLogin.person = { ...citizen(), sub: 'same' };
      const [one, other] = [world.traveller(), world.traveller()];
      await one.go('/sign-in/with/cis2');
      await other.go('/sign-in/with/nhs-login');
      const ids = [(await sessionOf(one))?.user.id, (await sessionOf(other))?.user.id];
      expect(new Set(ids).size).equal(2);
      expect(ids).not.include(undefined);
    });

    it('[NH-09] an e-mail address leads to no account', async () => {
      const known = await world.add({ role: 'DOCTOR' });
      const userinfo = staff('555254239107', [DOCTOR_ROLE], { email: known.email, email_verified: true });
      world.cis2.person = doctor({ sub: '910000000010', userinfo });
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      expect((await sessionOf(traveller))?.user.id).not.equal(known.id);
    });

    it('[NH-09] twenty first sign-ins at once make one account', async () => {
      const key = { issuer: 'https://issuer.example.org', subject: 'many' };
      const person = {
        name: 'N',
        roles: [],
        patientIds: [],
        practitionerRoleIds: [],
        organizationIds: [],
        isEmailVerified: true,
      };
      const made = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          world.identities.findOrAddPerson(key, 'cis2', { ...person, email: `many${i}@cis2.invalid` }),
        ),
      );
      expect(new Set(made.map(({ id }) => id)).size).equal(1);
    });

    const signInWithPassword = async (traveller: Traveller, user: Awaited<ReturnType<UpstreamWorld['add']>>) => {
      await traveller.go('/sign-in');
      await traveller.post('/sign-in', { next: '/account', email: user.email, password: 'correct-horse-battery' });
      await traveller.post('/sign-in/second-step', {
        csrf: traveller.hidden('csrf'),
        next: '/account',
        code: user.code(),
      });
      world.advance(Date.now() - world.now()); // a code moves the clock on; the provider has the machine's
    };

    it('[NH-09] an identity is connected by who is signed in, on a page that asks; then it leads to that account', async () => {
      const user = await world.add({ role: 'RECEPTIONIST' });
      world.cis2.person = doctor({ sub: '910000000020' });
      const traveller = world.traveller();
      await signInWithPassword(traveller, user);
      const page = await traveller.go('/account/identities/connect/cis2');
      expect([page.url.pathname, page.h1]).deep.equal(['/account/identities/connect', 'Connect this identity']);
      const key = { issuer: world.cis2.issuer, subject: '910000000020' };
      expect(await world.identities.findPerson(key)).equal(undefined);
      const forged = await traveller.post('/account/identities/connect', { csrf: 'x' });
      expect([forged.status, await world.identities.findPerson(key)]).deep.equal([403, undefined]);
      await traveller.go('/account/identities/connect');
      const done = await traveller.post('/account/identities/connect', { csrf: traveller.hidden('csrf') });
      expect(done.text).include('Disconnect NHS Care Identity');
      expect((await world.identities.findPerson(key))?.id).equal(user.id);

      const later = world.traveller();
      await later.go('/sign-in/with/cis2');
      const session = await sessionOf(later);
      expect(session?.user.id).equal(user.id);
      // What the provider vouches for counts, not what the account has.
      expect(session?.user.roles).deep.equal(['DOCTOR', 'PRESCRIBER']);

      await traveller.go('/account/identities');
      await traveller.post('/account/identities/disconnect', {
        csrf: traveller.hidden('csrf'),
        id: traveller.hidden('id'),
      });
      expect(await world.identities.findPerson(key)).equal(undefined);
    });

    it('[NH-05] [LG-12] a session by another provider changes no password or second factor, and so never becomes one of the account', async () => {
      const user = await world.add({ role: 'ADMIN' });
      world.cis2.person = doctor({ sub: '910000000021' });
      const owner = world.traveller();
      await signInWithPassword(owner, user);
      await owner.go('/account/identities/connect/cis2');
      await owner.post('/account/identities/connect', { csrf: owner.hidden('csrf') });

      const before = await world.identity.people.findPerson(user.id);
      for (const [path, fields] of [
        ['/sign-in/again', { password: 'correct-horse-battery' }],
        ['/account/password', { current: 'correct-horse-battery', password: 'another long password' }],
        ['/account/second-factor', {}],
        ['/account/recovery-codes/renew', {}],
        ['/account/security-keys/add', { name: 'x', answer: '{}' }],
        ['/account/security-keys/remove', { id: 'x' }],
      ] as readonly (readonly [string, Record<string, string>])[]) {
        const traveller = world.traveller();
        await traveller.go('/sign-in/with/cis2');
        await traveller.go('/account/identities');
        const visit = await traveller.post(path, { csrf: traveller.hidden('csrf'), ...fields });
        expect(visit.status, path).equal(403);
        expect((await sessionOf(traveller))?.user.roles, path).deep.equal(['DOCTOR', 'PRESCRIBER']);
      }
      const traveller = world.traveller();
      await traveller.go('/sign-in/with/cis2');
      expect((await traveller.go('/account/security-keys/add')).status).equal(403);
      expect(await world.identity.people.findPerson(user.id)).deep.equal(before);
    });

    it('[NH-09] nobody connects without being signed in', async () => {
      const traveller = world.traveller();
      expect((await traveller.go('/account/identities/connect/cis2')).url.pathname).equal('/sign-in');
      expect(world.cis2.requests).length(0);
    });

    it('[NH-09] an identity that has an account is not connected to another', async () => {
      world.cis2.person = doctor({ sub: '910000000030' });
      await world.traveller().go('/sign-in/with/cis2');
      const owner = await world.identities.findPerson({ issuer: world.cis2.issuer, subject: '910000000030' });
      const traveller = world.traveller();
      await signInWithPassword(traveller, await world.add({ role: 'RECEPTIONIST' }));
      await traveller.go('/account/identities/connect/cis2');
      const page = await traveller.post('/account/identities/connect', { csrf: traveller.hidden('csrf') });
      expect([page.status, page.h1]).deep.equal([409, 'This identity belongs to another account']);
      const now = await world.identities.findPerson({ issuer: world.cis2.issuer, subject: '910000000030' });
      expect(now?.id).equal(owner?.id);
    });

    it('[NH-09] who has signed in meanwhile as somebody else connects nothing', async () => {
      world.cis2.person = doctor({ sub: '910000000040' });
      const traveller = world.traveller();
      await signInWithPassword(traveller, await world.add({ role: 'RECEPTIONIST' }));
      await traveller.go('/account/identities/connect/cis2');
      await traveller.go('/account');
      await traveller.post('/sign-out', { csrf: traveller.hidden('csrf') });
      await signInWithPassword(traveller, await world.add({ role: 'RECEPTIONIST' }));
      expect((await traveller.go('/account/identities/connect')).status).equal(400);
      await traveller.go('/account');
      await traveller.post('/account/identities/connect', { csrf: traveller.hidden('csrf') });
      expect(await world.identities.findPerson({ issuer: world.cis2.issuer, subject: '910000000040' })).equal(
        undefined,
      );
    });
  });
});
