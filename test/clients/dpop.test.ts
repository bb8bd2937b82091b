/** A backend service that holds its tokens by a key, against the running server. SECURITY ST-10 */
import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('clients › DPoP', () => {
  let server: TestServer;
  let jwk: JWK;
  let privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  let token: string;
  let nonce: string | null;
  before(async () => {
    server = await startTestServer();
    const pair = await generateKeyPair('ES256');
    ({ privateKey } = pair);
    jwk = await exportJWK(pair.publicKey);
    const { client_id = '' } = await post('/api/v2/admin/clients', {
      client_name: 'Held by a key',
      scope: 'system/Patient.crs',
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      jwks: { keys: [{ ...jwk, kid: 'k1' }] },
    });
    const url = `${server.url}/oauth2/token`;
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'JWT' })
      .setIssuer(client_id)
      .setSubject(client_id)
      .setAudience(url)
      .setJti(randomUUID())
      .setExpirationTime('4 minutes')
      .sign(privateKey);
    const reply = await fetch(url, {
      method: 'POST',
      headers: { DPoP: await prove('POST', url) },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        scope: 'system/Patient.crs',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    });
    const body = (await reply.json()) as Record<string, string>;
    expect([reply.status, body['token_type']]).deep.equal([200, 'DPoP']);
    token = body['access_token'] ?? '';
    nonce = reply.headers.get('dpop-nonce');
  });
  after(() => server.stop());

  const post = async (path: string, body?: object): Promise<Record<string, string>> => {
    const headers = { ...server.bearer, ...(body && { 'Content-Type': 'application/json' }) };
    const reply = await fetch(server.url + path, {
      method: 'POST',
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(reply.status, path).oneOf([200, 201]);
    return (await reply.json()) as Record<string, string>;
  };
  const prove = (htm: string, htu: string, claims: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({ htm, htu, jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey);
  const ath = () => createHash('sha256').update(token).digest('base64url');
  const call = async (method: string, path: string, init: RequestInit = {}, claims: Record<string, unknown> = {}) => {
    const [htu = ''] = `${server.fhirBaseUrl}/${path}`.split('?');
    const DPoP = await prove(method, htu, { ath: ath(), ...claims });
    const headers = { Authorization: `DPoP ${token}`, DPoP, ...init.headers };
    return fetch(`${server.fhirBaseUrl}/${path}`, { ...init, method, headers });
  };

  it('[ST-10] creates, searches and reads; each request with a proof of its own', async () => {
    const made = await call('POST', 'Patient', {
      headers: { 'Content-Type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Patient', name: [{ family: 'Held' }] }),
    });
    expect(made.status).equal(201);
    const { id } = (await made.json()) as { id: string };
    expect((await call('GET', `Patient/${id}`)).status).equal(200);
    expect((await call('GET', 'Patient?family=Held', {}, { nonce })).status).equal(200);
  });

  it('[ST-10] as a bearer token, with another’s proof or a made-up nonce: 401 that says so', async () => {
    const plain = await fetch(`${server.fhirBaseUrl}/Patient`, { headers: { Authorization: `Bearer ${token}` } });
    expect(plain.status).equal(401);
    expect(plain.headers.get('www-authenticate')).match(/^DPoP .*error="invalid_token"/);
    const other = await call('GET', 'Patient', {}, { htu: `${server.fhirBaseUrl}/Observation` });
    expect(other.status).equal(401);
    expect(other.headers.get('www-authenticate')).match(/^DPoP .*error="invalid_dpop_proof"/);
    const stale = await call('GET', 'Patient', {}, { nonce: 'made-up' });
    expect(stale.status).equal(401);
    expect(stale.headers.get('www-authenticate')).match(/^DPoP .*error="use_dpop_nonce"/);
    const next = stale.headers.get('dpop-nonce');
    expect((await call('GET', 'Patient', {}, { nonce: next })).status).equal(200);
  });

  it('[SO-03] [SR-01] the doors of administration are there', async () => {
    expect(await post('/api/v2/admin/keys/rotate')).property('keys');
    const { initial_access_token } = await post('/api/v2/admin/registration-tokens');
    expect(initial_access_token).match(/^[A-Za-z0-9_-]{43}$/);
  });
});
