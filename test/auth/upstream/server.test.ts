import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { answerPath } from '../../../src/auth/pages/upstream-pages.ts';
import { TOKEN_EXCHANGE } from '../../../src/auth/upstream/exchange.ts';
import { StartError } from '../../../src/postgres/start-error.ts';
import { withClient } from '../../support/database.ts';
import { ASSERTION_TYPE, assertionClaims, makeKey, signAssertion, type TestKey } from '../../support/oauth-server.ts';
import { type OidcPeer, startOidcPeer } from '../../support/oidc-peer.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';
import {
  CLIENT_ID,
  CLIENT_KEY,
  citizen,
  createTraveller,
  DESK_ROLE,
  DOCTOR_ROLE,
  doctor,
  publicJwkOf,
  ROLES,
  staff,
} from './world.ts';

const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code';
const SDS_USER = 'https://fhir.nhs.uk/Id/sds-user-id';
const SDS_ROLE = 'https://fhir.nhs.uk/Id/sds-role-profile-id';
const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';

const RECORDS = [
  { resourceType: 'Organization', id: 'surgery', identifier: [{ system: ODS, value: 'A83008' }], name: 'Surgery' },
  {
    resourceType: 'Organization',
    id: 'closed',
    active: false,
    identifier: [{ system: ODS, value: 'B82001' }],
    name: 'Closed',
  },
  {
    resourceType: 'Practitioner',
    id: 'dr',
    identifier: [
      { system: SDS_USER, value: '555254239107' },
      { system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: '6095103' },
    ],
  },
  {
    resourceType: 'PractitionerRole',
    id: 'dr-role',
    identifier: [{ system: SDS_ROLE, value: '555254240100' }],
    practitioner: { reference: 'Practitioner/dr' },
  },
  {
    resourceType: 'Patient',
    id: 'nell',
    identifier: [{ system: NHS_NUMBER, value: '9449304130' }],
    name: [{ family: 'Ashworth', given: ['Nell'] }],
    birthDate: '1984-02-29',
  },
  {
    resourceType: 'Patient',
    id: 'twin-1',
    identifier: [{ system: NHS_NUMBER, value: '9449305552' }],
    name: [{ family: 'Ashworth' }],
    birthDate: '1984-02-29',
  },
  {
    resourceType: 'Patient',
    id: 'twin-2',
    identifier: [{ system: NHS_NUMBER, value: '9449305552' }],
    name: [{ family: 'Other' }],
    birthDate: '1990-01-01',
  },
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('NHS sign-in in the server', function () {
  this.timeout(180_000);
  let server: TestServer;
  let cis2: OidcPeer;
  let nhsLogin: OidcPeer;
  let key: TestKey;
  let clientId: string;
  let env: Record<string, string>;

  const call = (path: string, init: RequestInit & { readonly token?: string } = {}) =>
    fetch(`${server.url}${path}`, {
      ...init,
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${init.token ?? server.token}`,
        ...init.headers,
      },
    });

  before(async () => {
    const folder = makeTempFolder();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const clientJwk = await publicJwkOf(CLIENT_KEY.publicKey);
    const peer = (id: 'cis2' | 'nhs-login') =>
      startOidcPeer({
        clientId: CLIENT_ID,
        clientJwk,
        redirectUri: url + answerPath(id),
        person: id === 'cis2' ? doctor() : citizen(),
      });
    [cis2, nhsLogin] = await Promise.all([peer('cis2'), peer('nhs-login')]);
    const [keyFile, rolesFile] = [join(folder, 'key.pem'), join(folder, 'roles.json')];
    writeFileSync(keyFile, CLIENT_KEY.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(rolesFile, JSON.stringify(ROLES));
    env = {
      PORT: String(port),
      CIS2_ISSUER: cis2.issuer,
      CIS2_CLIENT_ID: CLIENT_ID,
      CIS2_KEY_FILE: keyFile,
      CIS2_ROLES_FILE: rolesFile,
      NHS_LOGIN_ISSUER: nhsLogin.issuer,
      NHS_LOGIN_CLIENT_ID: CLIENT_ID,
      NHS_LOGIN_KEY_FILE: keyFile,
      NHS_LOGIN_LEVEL: 'P5',
      SIGN_IN_HOSTS: `${cis2.host},${nhsLogin.host}`,
    };
    server = await startTestServer({ env });
    for (const record of RECORDS) {
      const path = `/fhir/R4/${record.resourceType}/${record.id}`;
      expect((await call(path, { method: 'PUT', body: JSON.stringify(record) })).status).equal(201);
    }
    key = await makeKey('RS512');
    clientId = await addClient({ profile: 'nhs', scope: 'user/*.cruds patient/*.rs' });
  });
  after(async () => {
    await server?.stop();
    await Promise.all([cis2?.stop(), nhsLogin?.stop()]);
  });
  beforeEach(() => {
    for (const peer of [cis2, nhsLogin]) {
      peer.spoil = undefined;
      peer.alg = 'RS256';
      peer.isForged = false;
      peer.isDown = false;
    }
    cis2.person = doctor();
    nhsLogin.person = citizen();
  });

  async function addClient(metadata: object): Promise<string> {
    const response = await call('/api/v2/admin/clients', {
      method: 'POST',
      body: JSON.stringify({
        client_name: 'EPS app',
        token_endpoint_auth_method: 'private_key_jwt',
        grant_types: ['client_credentials'],
        jwks: { keys: [key.jwk] },
        ...metadata,
      }),
    });
    const body = (await response.json()) as { client_id: string };
    expect(response.status, JSON.stringify(body)).equal(201);
    return body.client_id;
  }

  async function exchange(token: string, form: Record<string, string> = {}, id = clientId) {
    const claims = assertionClaims(id, `${server.url}/oauth2/token`, Date.now());
    const response = await fetch(`${server.url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: TOKEN_EXCHANGE,
        subject_token_type: ID_TOKEN,
        subject_token: token,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: await signAssertion(key, claims),
        ...form,
      }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
    return { status: response.status, body: (await response.json()) as any };
  }
  const tokenFor = async (peer: OidcPeer): Promise<string> => {
    const { status, body } = await exchange(peer.makeIdToken());
    expect(status, JSON.stringify(body)).equal(200);
    return body.access_token;
  };

  it('[NH-04] a doctor signs in in a browser', async () => {
    const traveller = createTraveller(server.url);
    const page = await traveller.go('/sign-in');
    expect(page.text).include('Sign in with NHS Care Identity').include('Sign in with NHS login');
    const done = await traveller.go('/sign-in/with/cis2');
    expect([done.status, done.url.pathname]).deep.equal([200, '/account']);
  });

  it('[NH-08] a citizen signs in in a browser; one whose number two records have does not', async () => {
    expect((await createTraveller(server.url).go('/sign-in/with/nhs-login')).url.pathname).equal('/account');
    nhsLogin.person = { ...citizen('P9', { nhs_number: '9449305552' }), sub: 'twin' };
    const page = await createTraveller(server.url).go('/sign-in/with/nhs-login');
    expect([page.status, page.h1]).deep.equal([403, 'Your record was not found']);
  });

  it('[NH-10] an organisation that is not in use is as one that is not known', async () => {
    cis2.person = doctor({ userinfo: staff('555254239107', [DESK_ROLE]) });
    const page = await createTraveller(server.url).go('/sign-in/with/cis2');
    expect([page.status, page.h1]).deep.equal([403, 'Your organisation is not known here']);
  });

  it('[NH-03] discovery names the exchange', async () => {
    const response = await fetch(`${server.url}/.well-known/oauth-authorization-server`);
    const document = (await response.json()) as { grant_types_supported: string[] };
    expect(document.grant_types_supported).include(TOKEN_EXCHANGE).include('authorization_code');
  });

  it('[NH-03] an ID token of CIS2 becomes an access token in the form of the NHS platform', async () => {
    const before = Date.now();
    const { status, body } = await exchange(cis2.makeIdToken());
    expect(status, JSON.stringify(body)).equal(200);
    expect(body).include({
      expires_in: '599',
      token_type: 'Bearer',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(Number(body.issued_at)).within(before, Date.now());
    expect(Object.keys(body)).have.members([
      'access_token',
      'expires_in',
      'token_type',
      'issued_token_type',
      'issued_at',
    ]);
    const read = await call('/fhir/R4/Organization/surgery', { token: body.access_token });
    expect(read.status).equal(200);
  });

  it('[NH-08] P9 reads their own record, and no other', async () => {
    const token = await tokenFor(nhsLogin);
    expect((await call('/fhir/R4/Patient/nell', { token })).status).equal(200);
    expect((await call('/fhir/R4/Patient/twin-1', { token })).status).equal(404);
  });

  it('[NH-08] P5 reads a record: refused, and no patient scope is given', async () => {
    nhsLogin.person = citizen('P5');
    const token = await tokenFor(nhsLogin);
    expect((await call('/fhir/R4/Patient/nell', { token })).status).oneOf([403, 404]);
    const search = await call('/fhir/R4/Patient?family=Ashworth', { token });
    const found = (await search.json()) as { entry?: unknown[] };
    expect(found.entry ?? []).deep.equal([]);
    const only = await exchange(nhsLogin.makeIdToken(), { scope: 'patient/Patient.rs' });
    expect([only.status, only.body.error]).deep.equal([400, 'invalid_scope']);
  });

  for (const [title, spoil, rule] of [
    ['a forged issuer', { iss: 'https://evil.example.org' }, /issuer/],
    ['no issuer', { iss: undefined }, /issuer/],
    ['a time that is over', { exp: Math.floor(Date.now() / 1000) - 120 }, /expired/],
    ['another audience', { aud: 'somebody-else' }, /audience/],
    ['no nonce', { nonce: undefined }, /nonce/],
    ['an empty nonce', { nonce: '' }, /nonce/],
    ['a sign-in of an hour ago', { auth_time: Math.floor(Date.now() / 1000) - 3600 }, /not-fresh/],
    ['a lower level', { authentication_assurance_level: '2' }, /authenticator-level/],
    ['no proof of identity', { id_assurance_level: '1' }, /identity-level/],
    ['no role', { nhsid_nrbac_roles: [] }, /no-roles/],
    ['a selected role that is not listed', { selected_roleid: '555254249999' }, /role-not-listed/],
    ['several roles and none selected', { nhsid_nrbac_roles: [DOCTOR_ROLE, DESK_ROLE] }, /several roles/],
  ] as const)
    it(`[NH-03] an ID token with ${title} is refused`, async () => {
      const { status, body } = await exchange(cis2.makeIdToken(spoil));
      expect([status, body.error]).deep.equal([400, 'invalid_grant']);
      expect(body.error_description).match(rule);
      expect(JSON.stringify(body)).not.match(/Randoma|555254/);
    });

  it('[NH-03] a signature by another key, and none at all, are refused', async () => {
    cis2.isForged = true;
    expect((await exchange(cis2.makeIdToken())).body.error_description).match(/signature/);
    cis2.isForged = false;
    cis2.alg = 'none';
    expect((await exchange(cis2.makeIdToken())).body.error_description).match(/alg/);
  });

  it('[NH-03] RS512 is taken', async () => {
    cis2.alg = 'RS512';
    expect((await exchange(cis2.makeIdToken())).status).equal(200);
  });

  it('[NH-03] an ID token is exchanged once, whatever its spelling; of many at once one gets a token', async () => {
    const token = cis2.makeIdToken();
    const all = await Promise.all(Array.from({ length: 8 }, () => exchange(token)));
    expect(all.filter(({ status }) => status === 200)).length(1);
    const nonce = randomUUID();
    expect((await exchange(cis2.makeIdToken({ nonce }))).status).equal(200);
    const again = await exchange(cis2.makeIdToken({ nonce, jti: 'other' }));
    expect([again.status, again.body.error]).deep.equal([400, 'invalid_grant']);
  });

  it('[NH-03] what is refused is not used up', async () => {
    const token = cis2.makeIdToken();
    expect((await exchange(token, { scope: 'patient/Patient.rs' })).status).equal(400);
    expect((await exchange(token)).status).equal(200);
  });

  it('[NH-03] only for clients of the NHS profile, and only ID tokens', async () => {
    const plain = await addClient({ scope: 'system/*.rs' });
    const other = await exchange(cis2.makeIdToken(), {}, plain);
    expect([other.status, other.body.error]).deep.equal([400, 'unauthorized_client']);
    const type = 'urn:ietf:params:oauth:token-type:jwt';
    const wrong = await exchange(cis2.makeIdToken(), { subject_token_type: type });
    expect([wrong.status, wrong.body.error]).deep.equal([400, 'invalid_request']);
    const none = await exchange('');
    expect([none.status, none.body.error]).deep.equal([400, 'invalid_request']);
    expect((await exchange('not.a.jwt')).body.error).equal('invalid_grant');
  });

  it('[NH-03] without a client assertion nothing is exchanged', async () => {
    const response = await fetch(`${server.url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: TOKEN_EXCHANGE,
        subject_token_type: ID_TOKEN,
        subject_token: cis2.makeIdToken(),
        client_id: clientId,
      }),
    });
    expect(response.status).equal(401);
  });

  it('[NH-07] $prepare wants the headers of the NHS of who acts in a role, and echoes them', async () => {
    const token = await tokenFor(cis2);
    const prepare = (headers: Record<string, string>, by = token) =>
      call('/fhir/R4/$prepare', { method: 'POST', token: by, headers, body: '{"resourceType":"Bundle"}' });
    const ids = { 'X-Request-ID': randomUUID(), 'X-Correlation-ID': randomUUID() };
    const faultOf = async (response: Response): Promise<string> =>
      ((await response.json()) as { issue: { diagnostics: string }[] }).issue[0]?.diagnostics ?? '';

    const missing = await prepare(ids);
    expect(missing.status).equal(400);
    expect(await faultOf(missing)).equal("Missing value in header 'NHSD-Session-URID'");
    expect(missing.headers.get('X-Correlation-ID')).equal(ids['X-Correlation-ID']);
    const noId = await prepare({ 'NHSD-Session-URID': '555254240100' });
    expect([noId.status, await faultOf(noId)]).deep.equal([400, 'X-Request-ID header missing or malformed']);
    expect((await prepare({ ...ids, 'NHSD-Session-URID': '555254242102' })).status).equal(403);
    const own = { ...ids, 'NHSD-Session-URID': '555254240100' };
    expect((await prepare({ ...own, 'NHSD-End-User-Organisation-ODS': 'B82001' })).status).equal(403);

    // The headers are right: what is wrong now is the bundle.
    const right = await prepare({ ...own, 'NHSD-End-User-Organisation-ODS': 'A83008' });
    expect(right.status).equal(400);
    expect(await faultOf(right)).not.match(/header/i);
    expect(right.headers.get('X-Request-ID')).equal(ids['X-Request-ID']);
    expect(right.headers.get('X-Correlation-ID')).equal(ids['X-Correlation-ID']);

    // Who acts in no role of the directory needs none of them.
    const others = await prepare({}, server.token);
    expect(await faultOf(others)).not.match(/header/i);
  });

  it('[NH-09] names, numbers and claims of people are in no table in clear', async () => {
    cis2.person = doctor({ userinfo: staff('555254239107', [DOCTOR_ROLE, DESK_ROLE]) });
    await createTraveller(server.url).go('/sign-in/with/cis2'); // stands before the choice of a role
    await tokenFor(nhsLogin);
    const { rows: text } = await withClient(server.database.connection('app'), (client) =>
      client.query('select t::text from auth.upstream_step t union all select t::text from auth.acting t'),
    );
    expect(text.length).greaterThan(1);
    expect(JSON.stringify(text)).not.match(/Randoma|Ashworth|9449304130|1984-02-29/);
  });

  for (const [title, change] of [
    ['a key that others can read', () => ({ CIS2_KEY_FILE: badFile('open.pem', 0o644) })],
    ['a key that is none', () => ({ NHS_LOGIN_KEY_FILE: badFile('bad.pem', 0o600) })],
    ['a table of roles that is none', () => ({ CIS2_ROLES_FILE: badFile('roles.json', 0o600) })],
    ['a key that is not there', () => ({ CIS2_KEY_FILE: '/nowhere/key.pem' })],
  ] as const)
    it(`[NH-06] the server does not start with ${title}`, async () => {
      const started = startTestServer({ env: { ...env, PORT: '0', ...change() } });
      const error = await started.then(
        (running) => running.stop(),
        (reason: unknown) => reason,
      );
      expect(error).instanceOf(StartError);
      expect((error as StartError).trouble).equal('configuration');
    });

  function badFile(name: string, mode: number): string {
    const file = join(makeTempFolder(), name);
    writeFileSync(file, 'nothing of use', { mode });
    return file;
  }
});
