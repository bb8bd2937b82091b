import { expect } from 'chai';
import type { Caller } from '../../../src/ports/caller.ts';
import { ADMINISTRATOR, type Added, type Answer, openWorld, PASSWORD, type World } from './world.ts';

const USERS = '/api/v2/admin/users';

describe('people › API for administrators', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  afterEach(() => world.setCaller(ADMINISTRATOR));
  after(() => world.stop());

  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(world.url + path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
  };
  const person = (user: Added, authTime = world.now()): Caller => ({
    kind: 'user',
    name: user.id,
    correlationId: 'test',
    scopes: [],
    otherScopes: [],
    user: { ...user, practitionerRoleIds: [], authTime, amr: ['pwd', 'otp'] },
  });

  it('the operator adds a user with password and TOTP, who can sign in', async () => {
    const added = await send('POST', USERS, {
      name: 'Rhys Abernathy',
      email: 'Rhys@example.org',
      password: PASSWORD,
      roles: ['PRESCRIBER'],
      practitioner_id: 'gp-1',
      organization_ids: ['surgery'],
      mfa: 'totp',
    });
    expect(added.status).equal(201);
    expect(added.json).have.all.keys('id', 'name', 'email', 'roles', 'totpSecret', 'recoveryCodes');
    expect(added.headers.get('location')).equal(`${world.url}${USERS}/${added.json.id}`);
    const login = await world.post('/api/v2/auth/login', { email: 'rhys@EXAMPLE.org', password: PASSWORD });
    const verified = await world.post('/api/v2/auth/mfa/verify', {
      mfa_token: login.json.mfa_token,
      code: added.json.recoveryCodes[0],
    });
    expect(verified.status).equal(200);
    const { json } = await send('GET', `${USERS}/${added.json.id}`);
    expect(json).deep.include({ mfa_enabled: true, recovery_codes_left: 9, practitioner_id: 'gp-1', disabled: false });
    expect(JSON.stringify(json)).not.match(/argon2|totp/);
  });

  it('an administrator adds users without a password, and hands over a link', async () => {
    world.setCaller(person(await world.add({ role: 'ADMIN' })));
    const refused = await send('POST', USERS, {
      name: 'A',
      email: 'a@example.org',
      roles: ['STAFF'],
      password: PASSWORD,
    });
    expect(refused.status, '[LG-11] never chooses a password').equal(403);
    const added = await send('POST', USERS, { name: 'A', email: 'a@example.org', roles: ['STAFF'] });
    expect(added.status).equal(201);
    const path = new URL(added.json.reset_link).pathname;
    const browser = world.browser();
    await browser.get(path);
    expect((await browser.submit(path, { password: PASSWORD })).path).equal('/sign-in?done=reset');
    const enrol = await browser
      .submit('/sign-in', { email: 'a@example.org', password: PASSWORD })
      .catch(() => undefined);
    expect(enrol?.h1).equal('Set up the second step');
  });

  it('an e-mail address has one user, under any race: 409', async () => {
    const add = (email: string) => send('POST', USERS, { name: 'Twin', email, roles: ['STAFF'] });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => add(i % 2 === 0 ? 'twin@example.org' : 'TWIN@Example.org')),
    );
    expect(answers.map(({ status }) => status).toSorted()).deep.equal([201, 409, 409, 409, 409, 409, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.json.code).equal('duplicate');
    const other = await world.add();
    expect((await send('PATCH', `${USERS}/${other.id}`, { email: 'Twin@example.org' })).status).equal(409);
  });

  it('needs the right, and [LG-12] from people a fresh proof for every change', async () => {
    const [doctor, administrator] = [await world.add(), await world.add({ role: 'ADMIN' })];
    const changes: readonly (readonly [method: string, path: string, body?: unknown])[] = [
      ['POST', USERS, { name: 'X', email: 'x@example.org', roles: ['STAFF'] }],
      ['PATCH', `${USERS}/${doctor.id}`, { name: 'Y' }],
      ['POST', `${USERS}/${doctor.id}/disable`, {}],
      ['POST', `${USERS}/${doctor.id}/enable`, {}],
      ['POST', `${USERS}/${doctor.id}/reset-link`, {}],
      ['DELETE', `${USERS}/${doctor.id}/sessions`],
    ];
    world.setCaller(person(doctor));
    for (const [method, path, body] of [...changes, ['GET', USERS] as const, ['GET', `${USERS}/${doctor.id}`] as const])
      expect((await send(method, path, body)).status, `${method} ${path}`).equal(403);
    world.setCaller(person(administrator, world.now() - 5 * 60_000 - 1));
    for (const [method, path, body] of changes) {
      const { status, json } = await send(method, path, body);
      expect([status, json.code], `${method} ${path}`).deep.equal([401, 'step_up_required']);
    }
    expect((await send('GET', USERS)).status).equal(200);
    world.setCaller(person(administrator));
    for (const [method, path, body] of changes)
      expect((await send(method, path, body)).status, `${method} ${path}`).within(200, 201);
  });

  it('[AZ-08] nobody gives themselves rights, or disables themselves', async () => {
    const administrator = await world.add({ role: 'ADMIN' });
    world.setCaller(person(administrator));
    const rights = [
      { roles: ['DOCTOR'] },
      { patient_ids: ['p1'] },
      { practitioner_id: 'd1' },
      { practitioner_role_ids: ['r1'] },
      { organization_ids: ['o1'] },
      { related_person_ids: ['rel1'] },
    ];
    for (const change of rights)
      expect((await send('PATCH', `${USERS}/${administrator.id}`, change)).status, JSON.stringify(change)).equal(403);
    expect((await send('POST', `${USERS}/${administrator.id}/disable`, {})).status).equal(403);
  });

  it('[LG-15] a record is given only to who has proven their e-mail address', async () => {
    const user = await world.add({ role: 'PATIENT', isEmailVerified: false });
    const link = () => send('PATCH', `${USERS}/${user.id}`, { patient_ids: ['p1'] });
    expect((await link()).json.code).equal('email_not_verified');
    await world.identity.people.verifyEmail(user.id);
    expect((await link()).json.patient_ids).deep.equal(['p1']);
  });

  it('[FA-09] [LG-15] nor does somebody act for a patient before', async () => {
    const user = await world.add({ role: 'PATIENT', isEmailVerified: false });
    const link = () => send('PATCH', `${USERS}/${user.id}`, { related_person_ids: ['rel1', 'rel2'] });
    expect((await link()).json.code).equal('email_not_verified');
    await world.identity.people.verifyEmail(user.id);
    expect((await link()).json.related_person_ids).deep.equal(['rel1', 'rel2']);
    expect((await world.identity.people.find(user.id))?.relatedPersonIds).deep.equal(['rel1', 'rel2']);
    expect((await send('PATCH', `${USERS}/${user.id}`, { related_person_ids: [] })).json.related_person_ids).deep.equal(
      [],
    );
  });

  it('a disabled user cannot sign in, an enabled one can, and what was granted has ended', async () => {
    const user = await world.add({ role: 'PATIENT' });
    const login = () => world.post('/api/v2/auth/login', { email: user.email, password: PASSWORD });
    await send('POST', `${USERS}/${user.id}/disable`, {});
    expect((await login()).status).equal(401);
    await send('POST', `${USERS}/${user.id}/enable`, {});
    expect((await login()).status).equal(200);
    expect((await world.identity.people.find(user.id))?.securityVersion).greaterThan(user.securityVersion);
  });

  it('lists by pages, without gaps or repeats', async () => {
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
      const { json } = await send('GET', `${USERS}?_count=3${query}`);
      expect(json.users.length).within(1, 3);
      seen.push(...json.users.map(({ email }: { email: string }) => email.toLowerCase()));
      after = json.next;
    } while (after !== undefined);
    expect(seen).deep.equal([...new Set(seen)].toSorted());
    expect(seen).include('twin@example.org');
  });

  const bad: readonly (readonly [what: string, method: string, path: string, body: unknown, status: number])[] = [
    ['an unknown role', 'POST', USERS, { name: 'X', email: 'x1@example.org', roles: ['GOD'] }, 400],
    ['the role of the system', 'POST', USERS, { name: 'X', email: 'x1@example.org', roles: ['SYSTEM'] }, 400],
    ['no role', 'POST', USERS, { name: 'X', email: 'x1@example.org', roles: [] }, 400],
    ['a role twice', 'POST', USERS, { name: 'X', email: 'x1@example.org', roles: ['STAFF', 'STAFF'] }, 400],
    ['no address', 'POST', USERS, { name: 'X', email: 'x1', roles: ['STAFF'] }, 400],
    ['an address with a NUL', 'POST', USERS, { name: 'X', email: 'x\0@example.org', roles: ['STAFF'] }, 400],
    ['an unknown member', 'POST', USERS, { name: 'X', email: 'x1@example.org', roles: ['STAFF'], is_admin: 1 }, 400],
    [
      'a weak password',
      'POST',
      USERS,
      { name: 'X', email: 'x1@example.org', roles: ['STAFF'], password: 'short' },
      400,
    ],
    [
      '101 patients',
      'POST',
      USERS,
      {
        name: 'X',
        email: 'x1@example.org',
        roles: ['PATIENT'],
        patient_ids: Array.from({ length: 101 }, (_, i) => `p${i}`),
      },
      400,
    ],
    ['an id that is none', 'GET', `${USERS}/'; drop table auth.person; --`, undefined, 404],
    ['somebody who is not there', 'POST', `${USERS}/00000000-0000-4000-8000-000000000000/disable`, {}, 404],
    ['a count of 0', 'GET', `${USERS}?_count=0`, undefined, 400],
    ['a count of 9999', 'GET', `${USERS}?_count=9999`, undefined, 400],
    ['a NUL in after', 'GET', `${USERS}?after=%00`, undefined, 400],
  ];
  for (const [what, method, path, body, status] of bad)
    it(`${what}: ${status}`, async () => {
      const answer = await send(method, path, body);
      expect(answer.status, answer.text).equal(status);
      expect(answer.headers.get('content-type')).match(/^application\/problem\+json/);
    });

  it('every change is recorded with who, what and whose', async () => {
    const [administrator, user] = [await world.add({ role: 'ADMIN' }), await world.add()];
    world.setCaller(person(administrator));
    const before = world.events.length;
    await send('PATCH', `${USERS}/${user.id}`, { roles: ['PHARMACIST'], name: 'New Name' });
    await send('POST', `${USERS}/${user.id}/reset-link`, {});
    await send('DELETE', `${USERS}/${user.id}/sessions`);
    await send('POST', `${USERS}/${user.id}/disable`, {});
    const events = world.events.slice(before);
    expect(events.map(({ rule }) => rule)).deep.equal([
      'changed-name-roles',
      'reset-link',
      'sessions-ended',
      'disabled',
    ]);
    for (const { kind, caller, detail } of events) {
      expect(kind).equal('user');
      expect(caller.user?.id).equal(administrator.id);
      expect(detail).deep.equal({ account: user.id });
    }
  });
});
