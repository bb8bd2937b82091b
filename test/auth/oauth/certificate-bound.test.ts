/** SECURITY ST-10, RFC 8705: tokens bound to a TLS certificate, over real connections. */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { oauthCertificateOf } from '../../../src/auth/oauth/certificate-names.ts';
import { peerCertificateOf } from '../../../src/pki/peer-certificate.ts';
import { openTlsFiles } from '../../../src/pki/tls-files.ts';
import type { HttpServer } from '../../../src/rest/http-server.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createTestCa, writeTlsFiles } from '../../support/ca.ts';
import { type SendOptions, send, startListener } from '../../support/listener.ts';
import { silentLog } from '../../support/log.ts';
import { codeForm, type OAuthServer, startOAuthServer } from '../../support/oauth-server.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

type Tls = NonNullable<SendOptions['tls']>;

describe('oauth › tokens bound to a certificate', () => {
  const ca = createTestCa();
  const files = writeTlsFiles(join(makeTempFolder(), 'server'), ca.server(), ca);
  const source = openTlsFiles({ ...files, clientCaFile: files.caFile, log: silentLog });
  const certified = ({ certificate, key }: { readonly certificate: string; readonly key: string }): Tls => ({
    ca: ca.certificate,
    cert: certificate,
    key,
  });
  const own = certified(ca.client('pharmacy-1'));
  const renewed = certified(ca.client('pharmacy-1'));
  const foreign = certified(ca.client('pharmacy-2'));
  const bare: Tls = { ca: ca.certificate };
  let server: OAuthServer;
  let http: HttpServer;
  let subject: string;
  before(async () => {
    server = await startOAuthServer({
      certificateOf: (req) => {
        const peer = peerCertificateOf(req);
        return peer && oauthCertificateOf(peer);
      },
    });
    const fhir = (req: IncomingMessage, res: ServerResponse): void =>
      void server.oauth.authenticate(req, 'c').then(
        () => res.end('in'),
        (error: FhirError) => res.writeHead(error instanceof FhirError ? error.status : 500, error.headers).end(),
      );
    const whoami = (req: IncomingMessage, res: ServerResponse): void => {
      res.end(peerCertificateOf(req)?.subject);
    };
    http = await startListener({
      tls: source,
      fhir,
      doors: new Map([
        ['oauth2', server.oauth.app],
        ['whoami', whoami],
      ]),
    });
    subject = (await send(http.httpsPort ?? 0, '/whoami', { tls: own })).text;
  });
  after(async () => {
    source.stop();
    await http.close(0);
    await server.stop();
  });

  const post = async (tls: Tls, form: Readonly<Record<string, string>>, more: Record<string, string> = {}) => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...more };
    const body = new URLSearchParams(form).toString();
    const answer = await send(http.httpsPort ?? 0, '/oauth2/token', { method: 'POST', headers, body, tls });
    return { status: answer.status, body: JSON.parse(answer.text) };
  };
  const call = async (tls: Tls, token: string): Promise<number> =>
    (await send(http.httpsPort ?? 0, '/fhir/R4/Patient', { tls, headers: { authorization: `Bearer ${token}` } }))
      .status;
  const service = () =>
    server.addApp({ kind: 'mtls', scope: 'system/*.rs', redirectUris: [], certificateSubject: subject });

  it('[PK-14] [ST-10] [SA-01] [SA-10] a client gets a token by its certificate, and only that certificate uses it', async () => {
    const { client } = await service();
    const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: client.id };
    const { status, body } = await post(own, form);
    expect([status, body.token_type]).deep.equal([200, 'Bearer']);
    expect(await call(own, body.access_token)).equal(200);
    expect(await call(renewed, body.access_token), 'another certificate of the same name').equal(401);
    expect(await call(foreign, body.access_token)).equal(401);
    expect(await call(bare, body.access_token)).equal(401);
    const plain = await send(http.port, '/fhir/R4/Patient', {
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    expect(plain.status, 'without TLS').equal(401);
    const asker = await server.addApp({ kind: 'symmetric', mayIntrospect: true });
    const told = await server.post('/oauth2/introspect', { token: body.access_token, ...(await asker.auth()) });
    expect(told.body.cnf['x5t#S256'], 'SX-02').match(/^[A-Za-z0-9_-]{43}$/);
  });

  it('[PK-14] [SA-01] no certificate, and that of another subject: invalid_client', async () => {
    const { client } = await service();
    const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: client.id };
    for (const tls of [bare, foreign])
      expect(await post(tls, form))
        .deep.include({ status: 401 })
        .and.nested.property('body.error', 'invalid_client');
  });

  it('[ST-10] bound to a key as well, a token needs both', async () => {
    const { client } = await service();
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const prove = (htm: string, path: string, claims = {}) =>
      new SignJWT({ htm, htu: server.url + path, jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt(Math.floor(server.store.clock.now() / 1000))
        .sign(privateKey);
    const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: client.id };
    const { body } = await post(own, form, { DPoP: await prove('POST', '/oauth2/token') });
    expect(body.token_type).equal('DPoP');
    const ath = createHash('sha256').update(body.access_token).digest('base64url');
    const use = async (tls: Tls) => {
      const dpop = await prove('GET', '/fhir/R4/Patient', { ath });
      const headers = { authorization: `DPoP ${body.access_token}`, dpop };
      return (await send(http.httpsPort ?? 0, '/fhir/R4/Patient', { tls, headers })).status;
    };
    expect(await use(own)).equal(200);
    expect(await use(foreign), 'the key alone').equal(401);
    expect(await call(own, body.access_token), 'the certificate alone').equal(401);
  });

  it('[ST-10] an app with a person behind it: each refresh binds to the certificate of its connection', async () => {
    const app = await server.addApp({ kind: 'mtls', certificateSubject: subject });
    const { code, verifier } = await server.makeCode(app);
    const { body } = await post(own, { ...codeForm(code, verifier), client_id: app.client.id });
    expect(await call(own, body.access_token)).equal(200);
    expect(await call(renewed, body.access_token)).equal(401);
    const form = { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: app.client.id };
    const { body: next } = await post(renewed, form);
    expect(await call(renewed, next.access_token)).equal(200);
    expect(await call(own, next.access_token)).equal(401);
  });

  it('[PK-14] registered by an alternative name: exactly that name, of exactly that kind', async () => {
    const named = certified(ca.client('pharmacy-9', ['urn:mortar:org:FA565', 'rx.example.org']));
    const alike = certified(ca.client('pharmacy-9', ['urn:mortar:org:FA5650', 'rx.example.org.evil.example']));
    for (const [certificateName, answer] of [
      ['uri:urn:mortar:org:FA565', 200],
      ['dns:rx.example.org', 200],
      ['dns:urn:mortar:org:FA565', 401],
      ['dns:urn:mortar:org:fa565', 401],
      ['uri:rx.example.org', 401],
      ['uri:urn:mortar:org:fa565', 401],
      ['email:rx@example.org', 401],
    ] as const) {
      const { client } = await server.addApp({
        kind: 'mtls',
        scope: 'system/*.rs',
        redirectUris: [],
        certificateName,
      });
      const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: client.id };
      expect((await post(named, form)).status, certificateName).equal(answer);
      expect((await post(alike, form)).status, certificateName).equal(401);
      expect((await post(bare, form)).status, certificateName).equal(401);
    }
  });
});
