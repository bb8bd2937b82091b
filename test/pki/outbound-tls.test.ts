/** Calls to partners: verified always. SECURITY PK-16 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { keyHashOf } from '../../src/pki/ca/register.ts';
import { openOutboundTls } from '../../src/pki/outbound-tls.ts';
import { TlsFileError } from '../../src/pki/tls-files.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import {
  authority,
  client,
  DAY_MS,
  type Made,
  type Making,
  server as serverCertificate,
} from '../support/authority.ts';
import { createMemoryLog } from '../support/log.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const now = Date.now(); // TLS goes by the machine's clock
const times = { notBefore: now - DAY_MS, notAfter: now + 30 * DAY_MS };
const root = authority('Partner', times);
const ours = authority('Ours', times);
const own = client('Mortar', { issuer: ours, ...times });
const host = (name = 'localhost', making: Making = {}): Made =>
  serverCertificate(name, { issuer: root, extensions: [extensions.subjectAltName([name])], ...times, ...making });
const right = host();

describe('pki › calls to partners', () => {
  const folder = makeTempFolder();
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const settings = { cert: 'X_CERT_FILE', key: 'X_KEY_FILE', ca: 'X_CA_FILE' };
  const files = {
    certFile: at('own.crt', own.pem),
    keyFile: at('own.key', own.keyPem),
    caFile: at('partner.crt', root.pem),
  };
  const log = createMemoryLog();
  const open = (more: object = {}) => openOutboundTls({ ...files, settings, pollMs: 20, log, ...more });
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) server.close();
  });

  /** The error's code, or whom the server has seen. */
  async function call(made: Made, more: object = {}): Promise<string> {
    const seen = Promise.withResolvers<string>();
    const server = createServer(
      { cert: made.pem, key: made.keyPem, ca: ours.pem, requestCert: true, rejectUnauthorized: true },
      (socket: TLSSocket) => {
        seen.resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      },
    );
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const tls = open(more);
    const { port } = server.address() as AddressInfo; // it listens on a port
    const socket = connect({ ...tls.options(), host: '127.0.0.1', servername: 'localhost', port });
    const failed = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    const result = await Promise.race([seen.promise, failed]);
    tls.stop();
    socket.destroy();
    return result;
  }

  it('[PK-16] shows our certificate for that partner', async () => {
    expect(await call(right)).equal('Mortar');
  });

  const stranger = authority('Partner', times); // of the same name
  for (const [what, made, code] of [
    ['an expired certificate', host('localhost', { notAfter: now - 1000 }), 'CERT_HAS_EXPIRED'],
    ['a certificate of tomorrow', host('localhost', { notBefore: now + DAY_MS }), 'CERT_NOT_YET_VALID'],
    ['another name', host('other.example'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['one that signs itself', serverCertificate('localhost', times), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['another authority', host('localhost', { issuer: stranger }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['a certificate for clients', client('localhost', { issuer: root, ...times }), 'INVALID_PURPOSE'],
  ] as const)
    it(`[PK-16] ${what}: refused, whatever the environment says`, async () => {
      expect(await call(made)).equal(code);
      const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
      try {
        expect(await call(made)).equal(code);
      } finally {
        if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
      }
    });

  it('[PK-16] with a pin, no other key of the same authority', async () => {
    const pins = new Set([keyHashOf(right.certificate.publicKeyInfo)]);
    expect(await call(right, { pins })).equal('Mortar');
    expect(await call(host(), { pins })).equal('ERR_TLS_PIN');
  });

  it('[PK-12] a renewed certificate is shown from then on; files that do not fit leave the old one', async () => {
    const tls = open();
    const first = tls.options();
    expect(tls.options()).equal(first);
    const renewed = client('Mortar 2', { issuer: ours, ...times });
    writeFileSync(files.certFile, renewed.pem);
    await sleep(100);
    expect(tls.options()).equal(first);
    writeFileSync(files.keyFile, renewed.keyPem);
    for (let i = 0; i < 100 && tls.options() === first; i++) await sleep(20);
    expect(tls.options()).not.equal(first);
    expect(await call(right)).equal('Mortar 2');
    tls.stop();
  });

  it('says which setting is wrong', () => {
    expect(() => open({ certFile: join(folder, 'none') })).throw(TlsFileError, /^X_CERT_FILE: .*ENOENT/);
    expect(() => open({ keyFile: at('other.key', right.keyPem) })).throw(TlsFileError, /^X_KEY_FILE: .*not the key/);
  });
});
