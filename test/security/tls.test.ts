/** SECURITY PK-01: what the TLS listener agrees to. */
import { once } from 'node:events';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { openDevelopmentCertificate } from '../../src/pki/development-certificate.ts';
import { peerCertificateOf } from '../../src/pki/peer-certificate.ts';
import { openTlsFiles, TlsFileError } from '../../src/pki/tls-files.ts';
import type { PeerCertificate } from '../../src/ports/peer-certificate.ts';
import type { HttpServer } from '../../src/rest/http-server.ts';
import { createTestCa, writeTlsFiles } from '../support/ca.ts';
import { send, startListener } from '../support/listener.ts';
import { createMemoryLog, silentLog } from '../support/log.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const folder = makeTempFolder();
const ca = createTestCa();
const files = writeTlsFiles(join(folder, 'server'), ca.server(), ca);

describe('security › TLS', () => {
  let http: HttpServer;
  let seen: PeerCertificate | undefined;
  const source = openTlsFiles({ ...files, clientCaFile: files.caFile, log: silentLog });
  before(async () => {
    http = await startListener({
      tls: source,
      fhir: (req, res) => {
        seen = peerCertificateOf(req);
        res.end('fhir');
      },
    });
  });
  after(async () => {
    source.stop();
    await http.close(0);
  });

  /** Shakes hands; resolves to the socket, or rejects with the alert. */
  async function shake(options: ConnectionOptions): Promise<TLSSocket> {
    const socket = connect({ host: '127.0.0.1', port: http.httpsPort ?? 0, ca: ca.certificate, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }
  const failureOf = async (options: ConnectionOptions): Promise<string> => {
    const socket = await shake(options).catch((error: NodeJS.ErrnoException) => error.code ?? 'no code');
    if (typeof socket === 'string') return socket;
    socket.destroy();
    return `agreed to ${socket.getProtocol()} ${socket.getCipher().name}`;
  };

  for (const version of ['TLSv1', 'TLSv1.1'] as const)
    it(`[PK-01] refuses ${version}`, async () => {
      // Level 0, as OpenSSL itself would not even offer it.
      const old = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' } as const;
      expect(await failureOf(old)).equal('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`[PK-01] agrees to ${version}, with an ephemeral key and authenticated encryption`, async () => {
      const socket = await shake({ minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).equal(version);
      expect(socket.getCipher().standardName).match(/^TLS_(?:ECDHE_ECDSA_WITH_)?(?:AES_\d+_GCM|CHACHA20_POLY1305)_/);
      expect(socket.getEphemeralKeyInfo()).property('type', 'ECDH');
      socket.destroy();
    });

  for (const ciphers of [
    'ECDHE-ECDSA-AES128-SHA256',
    'ECDHE-ECDSA-AES256-SHA384',
    'ECDHE-ECDSA-AES128-SHA',
    'AES128-GCM-SHA256',
    'AES128-SHA',
    'ECDHE-ECDSA-AES128-CCM',
    'ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0',
  ])
    it(`[PK-01] refuses ${ciphers} of TLS 1.2`, async () => {
      expect(await failureOf({ maxVersion: 'TLSv1.2', ciphers })).match(/HANDSHAKE_FAILURE/);
    });

  it('[PK-01] does not renegotiate', async () => {
    const socket = await shake({ maxVersion: 'TLSv1.2' });
    const failed = Promise.withResolvers<string>();
    socket.on('error', (error: NodeJS.ErrnoException) => failed.resolve(error.code ?? ''));
    socket.on('close', () => failed.resolve('closed'));
    socket.renegotiate({}, (error) => failed.resolve((error as NodeJS.ErrnoException | null)?.code ?? 'renegotiated'));
    expect(await failed.promise).match(/NO_RENEGOTIATION|closed/);
    socket.destroy();
  });

  it('serves the same over both, and says which by HSTS [WB-03]', async () => {
    const plain = await send(http.port, '/livez');
    const secure = await send(http.httpsPort ?? 0, '/livez', { tls: { ca: ca.certificate } });
    expect(secure.text).equal(plain.text);
    expect(plain.headers['strict-transport-security']).equal(undefined);
    expect(secure.headers['strict-transport-security']).equal('max-age=31536000; includeSubDomains');
  });

  describe('client certificates', () => {
    const visit = async (pair?: { certificate: string; key: string }): Promise<PeerCertificate | undefined> => {
      const own = pair && { cert: pair.certificate, key: pair.key };
      const answer = await send(http.httpsPort ?? 0, '/fhir/R4', { tls: { ca: ca.certificate, ...own } });
      expect(answer.status).equal(200);
      return seen;
    };

    it('are shown with subject, names and SHA-256 when our CA has signed them', async () => {
      const found = await visit(ca.client('partner-1', ['partner.example', 'urn:example:1']));
      expect(found?.subject).equal('CN=partner-1');
      expect(found?.certificate.alternativeNames).deep.equal([
        { kind: 'dns', value: 'partner.example' },
        { kind: 'uri', value: 'urn:example:1' },
      ]);
      expect(found?.sha256).length(32);
    });

    it('are nothing when another CA has signed them, when they are for servers, or when there is none', async () => {
      expect(await visit(createTestCa('Another CA').client('partner-1'))).equal(undefined);
      expect(await visit(createTestCa().client('partner-1'))).equal(undefined); // of the same name
      expect(await visit(ca.server())).equal(undefined);
      expect(await visit()).equal(undefined);
    });
  });

  describe('files', () => {
    const place = (name: string) => writeTlsFiles(join(folder, name), ca.server(), ca);

    it('serves a renewed certificate to new connections and keeps those that are open', async () => {
      const own = place('renewed');
      const changing = openTlsFiles({ ...own, pollMs: 10, log: silentLog });
      const server = await startListener({ tls: changing });
      const port = server.httpsPort ?? 0;
      const open = connect({ host: '127.0.0.1', port, ca: ca.certificate });
      await once(open, 'secureConnect');
      const next = createTestCa('The next CA');
      const made = next.server();
      writeFileSync(`${own.keyFile}.new`, made.key, { mode: 0o600 });
      writeFileSync(`${own.certFile}.new`, made.certificate);
      renameSync(`${own.keyFile}.new`, own.keyFile);
      renameSync(`${own.certFile}.new`, own.certFile);
      const deadline = performance.now() + 5_000;
      let answer: number | undefined;
      while (answer === undefined && performance.now() < deadline) {
        await sleep(10);
        answer = await send(port, '/livez', { tls: { ca: next.certificate } }).then(
          ({ status }) => status,
          () => undefined,
        );
      }
      expect(answer).equal(200);
      open.write(`GET /livez HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
      const [data] = (await once(open, 'data')) as [Buffer];
      expect(data.toString()).match(/^HTTP\/1\.1 200 /);
      open.destroy();
      changing.stop();
      await server.close(0);
    });

    it('keeps the old certificate when the new one cannot be used, and says so once', async () => {
      const own = place('broken');
      const log = createMemoryLog();
      const changing = openTlsFiles({ ...own, pollMs: 10, log });
      const good = changing.current();
      writeFileSync(own.certFile, 'no certificate');
      await sleep(100);
      expect(changing.current()).equal(good);
      expect(log.lines.filter(({ level }) => level === 'error')).length(1);
      changing.stop();
    });

    it('[SU-07] refuses a key that other users may read', () => {
      const own = place('open');
      chmodSync(own.keyFile, 0o644);
      expect(() => openTlsFiles({ ...own, log: silentLog })).throw(TlsFileError, 'chmod 600');
      chmodSync(own.keyFile, 0o640);
      openTlsFiles({ ...own, log: silentLog }).stop();
    });

    it('refuses files that are missing, are none, or do not belong together', () => {
      const own = place('odd');
      const open = (change: object) => () => openTlsFiles({ ...own, ...change, log: silentLog });
      expect(open({ certFile: join(folder, 'none') })).throw(TlsFileError, 'ENOENT');
      expect(open({ certFile: own.keyFile })).throw(TlsFileError, 'not a certificate');
      expect(open({ keyFile: place('other').keyFile })).throw(TlsFileError, 'not the key of');
      chmodSync(own.caFile, 0o600);
      expect(open({ keyFile: own.caFile })).throw(TlsFileError, 'not a private key');
      expect(open({ clientCaFile: own.keyFile })).throw(TlsFileError, 'TLS_CLIENT_CA_FILE');
    });

    it('makes a development certificate once, and anew before it ends or for other names', () => {
      const made = join(folder, 'made');
      const day = 24 * 60 * 60 * 1000;
      const open = (names: readonly string[], at: number): string => {
        const pair = openDevelopmentCertificate(made, names, () => at);
        const files = openTlsFiles({ ...pair, log: silentLog });
        files.stop();
        return String(files.current().cert);
      };
      const at = Date.now();
      const names = ['localhost', '127.0.0.1', '::1'];
      const first = open(names, at);
      expect(open(names, at + 59 * day)).equal(first);
      const second = open(names, at + 61 * day);
      expect(second).not.equal(first);
      expect(open([...names, '10.0.0.7'], at + 61 * day)).not.equal(second);
    });
  });
});
