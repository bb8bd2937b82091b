/** Client certificates at the TLS listener: who gets in, who is broken off, and what is recorded. SECURITY PK-06…PK-12 */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import {
  type CertificateMapping,
  findMapping,
  isOfDisabled,
  mappingKeysOf,
} from '../../src/pki/certificate-mapping.ts';
import { createExpiryWatch } from '../../src/pki/expiry.ts';
import { createIssuerFinder } from '../../src/pki/issuer-finder.ts';
import { endingsOfServed } from '../../src/pki/listener-endings.ts';
import { peerCertificateOf } from '../../src/pki/peer-certificate.ts';
import { createPeerCheck } from '../../src/pki/peer-check.ts';
import { openPeerTrust, type PeerTrust } from '../../src/pki/peer-trust.ts';
import type { RevocationMode } from '../../src/pki/revocation/check-path.ts';
import { openTlsFiles, type TlsFiles } from '../../src/pki/tls-files.ts';
import type { AuditEvent, AuditLog } from '../../src/ports/audit.ts';
import type { HttpServer } from '../../src/rest/http-server.ts';
import type { PeerGateOptions } from '../../src/rest/peer-gate.ts';
import { createPeerRefusals } from '../../src/rest/peer-refusals.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { formatPem } from '../../src/standards/x509/pem.ts';
import type { Revocation } from '../../src/standards/x509/revocation-list.ts';
import { authority, client, DAY_MS, keyOf, listOf, type Made, server, signatory } from '../support/authority.ts';
import { startListener } from '../support/listener.ts';
import { createMemoryLog, silentLog } from '../support/log.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

// TLS goes by the machine's clock.
const now = Date.now();
const times = { notBefore: now - 30 * DAY_MS, notAfter: now + 30 * DAY_MS };
const root = authority('Partners', times);
const middle = authority('Partners 2', { issuer: root, ...times });
const own = authority('Server root', times);
const host = server('localhost', {
  issuer: own,
  extensions: [extensions.subjectAltName(['localhost', '127.0.0.1'])],
  ...times,
});
const partner = client('Partner', {
  issuer: middle,
  extensions: [extensions.subjectAltName(['urn:mortar:org:A83008'])],
  ...times,
});
const second = client('Second', { issuer: middle, ...times });
/** A client's certificate among the authorities, as somebody may have put it there. */
const ended = client('No authority', { issuer: root, ...times });
const folder = makeTempFolder();

const lists = (revoked: readonly (readonly [Made, Revocation])[] = [], changes = {}): string =>
  [root, middle]
    .map((by) =>
      formatPem(
        'X509 CRL',
        listOf(
          by,
          revoked.filter(([made]) => made.certificate.issuer.key === by.certificate.subject.key),
          { thisUpdate: now - 1000, nextUpdate: now + DAY_MS, ...changes },
        ),
      ),
    )
    .join('');

interface Started {
  readonly http: HttpServer;
  readonly tls: TlsFiles;
  readonly trust: PeerTrust;
  readonly events: AuditEvent[];
  readonly seen: (string | undefined)[];
  readonly files: { readonly ca: string; readonly crl: string; readonly cert: string; readonly key: string };
  readonly log: ReturnType<typeof createMemoryLog>;
  stop(): Promise<void>;
}

let count = 0;
async function start(
  changes: Partial<PeerGateOptions> & { mode?: RevocationMode; crl?: string } = {},
): Promise<Started> {
  count += 1;
  const at = (name: string): string => join(folder, `${count}-${name}`);
  const files = { ca: at('ca.crt'), crl: at('ca.crl'), cert: at('tls.crt'), key: at('tls.key') };
  writeFileSync(files.ca, root.pem + middle.pem + ended.pem);
  writeFileSync(files.crl, changes.crl ?? lists());
  writeFileSync(files.cert, host.pem);
  writeFileSync(files.key, host.keyPem, { mode: 0o600 });
  const log = createMemoryLog();
  const tls = openTlsFiles({ certFile: files.cert, keyFile: files.key, clientCaFile: files.ca, pollMs: 20, log });
  const trust = openPeerTrust({
    tls,
    crlFile: files.crl,
    mode: changes.mode ?? 'fail-closed',
    fetch: () => Promise.reject(new Error('down')),
    now: Date.now,
    log,
    pollMs: 20,
  });
  const events: AuditEvent[] = [];
  const onRefused = createPeerRefusals({
    audit: () => ({ record: async (event) => void events.push(event) }),
    now: Date.now,
    log,
  });
  const seen: (string | undefined)[] = [];
  const http = await startListener({
    tls,
    peers: { check: trust.check, certificates: 'required', onRefused, ...changes },
    fhir: (req, res) => {
      seen.push(peerCertificateOf(req)?.subject);
      res.end('fhir');
    },
  });
  const stop = async (): Promise<void> => {
    tls.stop();
    trust.stop();
    await http.close(0);
  };
  return { http, tls, trust, events, seen, files, log, stop };
}

const pair = ({ pem, keyPem }: Made, ...chain: readonly Made[]) => ({
  cert: pem + chain.map((made) => made.pem).join(''),
  key: keyPem,
});

const requestTo = ({ http }: Started, headers = ''): string =>
  `GET /fhir/R4/x HTTP/1.1\r\nHost: localhost:${http.httpsPort}\r\n${headers}\r\n`;

/** A connection, and what a request on it is answered with; undefined when it was broken off. */
function dial({ http }: Started, options: ConnectionOptions): TLSSocket {
  const socket = connect({ host: '127.0.0.1', port: http.httpsPort ?? 0, ca: own.pem, ...options });
  socket.on('error', () => {}); // it is broken off
  return socket;
}
async function ask(started: Started, socket: TLSSocket): Promise<string | undefined> {
  socket.write(requestTo(started));
  const answer = Promise.withResolvers<string | undefined>();
  socket.once('data', (data: Buffer) => answer.resolve(data.toString().split('\r\n')[0]));
  socket.once('close', () => answer.resolve(undefined));
  return answer.promise;
}
async function visit(started: Started, options: ConnectionOptions): Promise<string | undefined> {
  const socket = dial(started, options);
  const answer = await ask(started, socket);
  socket.destroy();
  return answer;
}

const OK = 'HTTP/1.1 200 OK';

describe('security › client certificates', function () {
  this.timeout(180_000);
  let started: Started;
  before(async () => {
    started = await start({ crl: lists([[second, { revokedAt: now - 1000, reason: 'keyCompromise' }]]) });
  });
  after(() => started.stop());

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`[PK-06] ${version}: lets in whom an authority of ours has certified, with what lies between`, async () => {
      expect(await visit(started, { ...pair(partner, middle), maxVersion: version })).equal(OK);
      expect(started.seen.at(-1)).equal('CN=Partner,O=Example');
    });

  const fake = authority('Partners', times);
  const REFUSED: readonly (readonly [code: string, what: string, options: () => ConnectionOptions])[] = [
    ['missing', 'no certificate', () => ({})],
    [
      'unknown-issuer',
      'an authority that nobody knows',
      () => pair(client('Partner', { issuer: fake, ...times }), fake),
    ],
    ['unknown-issuer', 'one that signs itself', () => pair(client('Partner', times))],
    [
      'unknown-issuer',
      'a way that is not all there',
      () => pair(client('Lost', { issuer: authority('Between', { issuer: root, ...times }), ...times })),
    ],
    [
      'expired',
      'an expired certificate',
      () => pair(client('Partner', { issuer: root, notBefore: times.notBefore, notAfter: now - DAY_MS })),
    ],
    [
      'not-yet-valid',
      'one of tomorrow',
      () => pair(client('Partner', { issuer: root, notBefore: now + DAY_MS, notAfter: times.notAfter })),
    ],
    ['wrong-usage', 'a certificate for servers', () => pair(server('localhost', { issuer: root, ...times }))],
    ['wrong-usage', 'a certificate for signing', () => pair(signatory('Doctor', { issuer: root, ...times }))],
    ['not-an-authority', 'one that a client has issued', () => pair(client('Evil', { issuer: ended, ...times }))],
    [
      'critical-extension',
      'an extension that nobody understands',
      () =>
        pair(
          client('Odd', {
            issuer: root,
            extensions: [{ oid: '1.2.3.4', critical: true, value: Buffer.from([5, 0]) }],
            ...times,
          }),
        ),
    ],
    ['revoked', 'a revoked certificate', () => pair(second, middle)],
  ];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    for (const [code, what, options] of REFUSED)
      it(`[PK-06] [PK-10] ${version}: ${what} is broken off before a request is answered, and recorded`, async () => {
        const [before, answered] = [started.events.length, started.seen.length];
        const given = options();
        expect(await visit(started, { ...given, maxVersion: version })).equal(undefined);
        expect(started.seen).length(answered);
        const [event] = started.events.slice(before);
        expect(event).include({ kind: 'access-refused', outcome: 4, rule: `certificate-${code}` });
        expect(event?.caller.address).equal('127.0.0.1');
        if (code !== 'missing') expect(event?.detail).keys('subject', 'issuer', 'serial');
      });

  it('[PK-06] an authority between is fetched from where the certificate says it is, once, and only helps to find the way', async () => {
    const between = authority('Between', { issuer: root, ...times });
    const url = 'http://pki.example.org/between.crt';
    const named = client('Named', {
      issuer: between,
      extensions: [extensions.authorityInfoAccess({ issuers: [url] })],
      ...times,
    });
    const served = new Map([[url, between.certificate.bytes]]);
    let asked = 0;
    const check = createPeerCheck({
      trusted: () => ({ anchors: [root.certificate], intermediates: [] }),
      findIssuers: createIssuerFinder(
        async (request) => {
          asked += 1;
          return served.get(request.url) ?? Promise.reject(new Error('down'));
        },
        Date.now,
        () => true,
      ),
      revocations: { statusOf: async () => ({ kind: 'good', until: 0 }), setLists() {} },
      mode: 'fail-closed',
      now: Date.now,
      log: silentLog,
    });
    const ask = async (made: Made) => (await check({ certificates: [made.certificate.bytes], address: 'x' }))?.code;
    expect(await ask(named)).equal(undefined);
    expect(await ask(named)).equal(undefined);
    expect(asked).equal(1);
    served.set('http://pki.example.org/fake.crt', fake.certificate.bytes);
    const fakeUrl = extensions.authorityInfoAccess({ issuers: ['http://pki.example.org/fake.crt'] });
    expect(await ask(client('Fake', { issuer: fake, extensions: [fakeUrl], ...times }))).equal('unknown-issuer');
    const odd = extensions.authorityInfoAccess({ issuers: ['file:///etc/passwd', 'http://pki.example.org/none'] });
    expect(await ask(client('Odd', { issuer: between, extensions: [odd], ...times }))).equal('unknown-issuer');
    expect(asked).equal(3);
  });

  it('[PK-06] a weak key is refused, by us where OpenSSL has not', async () => {
    const weak = client('Weak', { issuer: root, key: 'rsa1024', ...times });
    const answer = await visit(started, { ...pair(weak), ciphers: 'DEFAULT:@SECLEVEL=0' });
    expect(answer).equal(undefined);
    const judged = await started.trust.check({ certificates: [weak.certificate.bytes], address: 'x' });
    expect(judged?.code).equal('weak');
  });

  it('[PK-07] nobody says whether it is revoked: refused; fail-open and off believe it', async () => {
    for (const [mode, answer] of [
      ['fail-closed', undefined],
      ['fail-open', OK],
      ['off', OK],
    ] as const) {
      const other = await start({ mode, crl: lists([], { nextUpdate: now - 500 }) });
      expect(await visit(other, pair(partner, middle)), mode).equal(answer);
      expect(other.events.map(({ rule }) => rule)).deep.equal(answer ? [] : ['certificate-revocation-unknown']);
      await other.stop();
    }
  });

  it('[PK-08] a certificate that is revoked while it is connected: the connection is closed, others stay', async () => {
    const other = await start({ recheckMs: 30 });
    const [gone, stays] = [dial(other, pair(partner, middle)), dial(other, pair(second, middle))];
    expect(await ask(other, gone)).equal(OK);
    expect(await ask(other, stays)).equal(OK);
    const closed = once(gone, 'close');
    writeFileSync(`${other.files.crl}.new`, lists([[partner, { revokedAt: now, reason: 'superseded' }]]));
    renameSync(`${other.files.crl}.new`, other.files.crl);
    await closed;
    expect(other.events.at(-1)).include({ rule: 'certificate-revoked' });
    expect(await ask(other, stays)).equal(OK);
    stays.destroy();
    await other.stop();
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`[PK-08] ${version}: a resumed session is judged again`, async () => {
      const other = await start();
      const options = { ...pair(partner, middle), maxVersion: version };
      const first = dial(other, options);
      let session: Buffer | undefined;
      first.on('session', (given) => {
        session = given;
      });
      expect(await ask(other, first)).equal(OK);
      first.destroy();
      if (!session) throw new Error('there is no session');
      const again = dial(other, { ...options, session });
      expect(await ask(other, again)).equal(OK);
      expect(again.isSessionReused()).equal(true);
      expect(other.seen.at(-1)).equal('CN=Partner,O=Example');
      again.destroy();
      writeFileSync(other.files.crl, lists([[partner, { revokedAt: now, reason: 'superseded' }]]));
      await until(() => other.log.lines.some(({ message }) => message === 'the revocation lists were read again'));
      const last = dial(other, { ...options, session });
      expect(await ask(other, last)).equal(undefined);
      await other.stop();
    });

  it('[PK-12] authorities and lists are read again without closing what is open; what cannot be used leaves the old', async () => {
    const other = await start();
    const next = authority('Next partners', times);
    const newcomer = client('Newcomer', { issuer: next, ...times });
    const open = dial(other, pair(partner, middle));
    expect(await ask(other, open)).equal(OK);
    expect(await visit(other, pair(newcomer))).equal(undefined);
    writeFileSync(other.files.crl, 'hello');
    await until(() => other.log.lines.some(({ message }) => message.includes('the old lists are kept')));
    expect(await visit(other, pair(partner, middle))).equal(OK);
    const list = formatPem('X509 CRL', listOf(next, [], { thisUpdate: now - 1000, nextUpdate: now + DAY_MS }));
    writeFileSync(other.files.crl, lists() + list);
    writeFileSync(other.files.ca, root.pem + middle.pem + next.pem);
    await until(async () => (await visit(other, pair(newcomer))) === OK);
    expect(await ask(other, open)).equal(OK);
    open.destroy();
    await other.stop();
  });

  it('[PK-12] a hundred requests while certificates change: none fails', async () => {
    const other = await start();
    let failed = 0;
    const work = Array.from({ length: 100 }, async (_, i) => {
      if (i % 20 === 5) writeFileSync(other.files.cert, host.pem + '\n'.repeat(i));
      await sleep(i * 5);
      if ((await visit(other, pair(partner, middle))) !== OK) failed += 1;
    });
    await Promise.all(work);
    expect(failed).equal(0);
    await other.stop();
  });

  it('[PK-10] a request that is sent along with the handshake waits for the judgement, and is answered whole', async () => {
    const slow = createPeerCheck({
      trusted: () => ({ anchors: [root.certificate], intermediates: [middle.certificate] }),
      mode: 'off',
      now: Date.now,
      log: silentLog,
      revocations: { statusOf: async () => ({ kind: 'unknown', why: '' }), setLists() {} },
    });
    const other = await start({ check: async (chain) => sleep(100).then(() => slow(chain)) });
    const socket = dial(other, pair(partner, middle));
    let text = '';
    socket.on('data', (data: Buffer) => {
      text += data.toString();
    });
    for (let i = 0; i < 3; i++) socket.write(requestTo(other));
    await until(() => text.split(OK).length === 4);
    socket.destroy();
    await other.stop();
  });

  it('[PK-10] the trail is not flooded: what is above the bound of a minute is counted', () => {
    const events: AuditEvent[] = [];
    const log = createMemoryLog();
    let at = 0;
    const refuse = createPeerRefusals({
      audit: () => ({ record: async (event) => void events.push(event) }),
      now: () => at,
      log,
    });
    for (let i = 0; i < 500; i++) refuse({ code: 'expired', message: '' }, '192.0.2.1');
    expect(events).length(120);
    at = 60_000;
    refuse({ code: 'expired', message: '' }, '192.0.2.1');
    expect(events).length(121);
    expect(log.lines.at(-1)?.fields).deep.equal({ count: 380 });
  });

  it('[PK-06] who connects cannot send us to a place of their choice: only where those we trust point, or a setting', async () => {
    const below = authority('Below', {
      issuer: root,
      extensions: [extensions.authorityInfoAccess({ issuers: ['http://ca.example.org/root.crt'] })],
      ...times,
    });
    const asked: string[] = [];
    const trust = openPeerTrust({
      tls: { current: () => ({ ca: root.pem + below.pem }), onChange() {} },
      mode: 'off',
      fetch: async ({ url }) => {
        asked.push(url);
        throw new Error('down');
      },
      hosts: new Set(['set.example.org:8079']),
      now: Date.now,
      log: silentLog,
    });
    const urls = [
      'http://evil.example/x.crt',
      'http://ca.example.org:8080/x.crt',
      'http://ca.example.org/x.crt',
      'http://set.example.org:8079/x.crt',
    ];
    for (const url of urls) {
      const odd = client('Odd', {
        issuer: fake,
        extensions: [extensions.authorityInfoAccess({ issuers: [url] })],
        ...times,
      });
      expect((await trust.check({ certificates: [odd.certificate.bytes], address: 'x' }))?.code).equal(
        'unknown-issuer',
      );
    }
    expect(asked).deep.equal(urls.slice(2));
    trust.stop();
  });

  it('[PK-10] what is refused while the server starts is recorded once there is a trail', async () => {
    const events: AuditEvent[] = [];
    let trail: AuditLog | undefined;
    const refuse = createPeerRefusals({ audit: () => trail, now: Date.now, log: silentLog });
    for (let i = 0; i < 3; i++) refuse({ code: 'expired', message: '', serial: String(i) }, '192.0.2.1');
    trail = { record: async (event) => void events.push(event) };
    await until(() => events.length === 3);
    expect(events.map(({ detail }) => detail?.['serial'])).deep.equal(['0', '1', '2']);
  });

  it('[PK-13] tells when authorities, lists, our own certificate and those of clients end, 30, 7 and 1 days before', async () => {
    const other = await start();
    expect(await visit(other, pair(partner, middle))).equal(OK);
    const endings = [...endingsOfServed(other.tls.current()), ...other.trust.endings()];
    expect(endings.map(({ what }) => what.split(':')[0])).members([
      'TLS_CERT_FILE',
      ...['O=Example', 'O=Example', 'O=Example'].map(() => 'authority of clients'),
      ...['Partners', 'Partners 2'].map((name) => `revocation list of O=Example, CN=${name}`),
      'client',
    ]);
    let at = now;
    const log = createMemoryLog();
    const look = createExpiryWatch({ endings: () => endings, now: () => at, log });
    look();
    let read = 0;
    const said = (): readonly unknown[] => {
      const fresh = log.lines.slice(read);
      read = log.lines.length;
      return fresh.map(({ fields }) => fields?.['days']);
    };
    expect(said()).deep.equal([30, 30, 30, 30, 30]);
    look();
    expect(said(), 'once').deep.equal([]);
    at = times.notAfter - 7 * DAY_MS;
    look();
    expect(said(), 'and the lists have ended').deep.equal([0, 0, 7, 7, 7, 7, 7]);
    at = times.notAfter;
    look();
    expect(said()).deep.equal([0, 0, 0, 0, 0]);
    await other.stop();
  });

  it('[PK-11] a certificate that only a header names is nobody', async () => {
    const optional = await start({ certificates: 'optional' });
    const socket = dial(optional, {});
    const header = `Client-Cert: :${partner.certificate.bytes.toString('base64')}:`;
    socket.write(requestTo(optional, `${header}\r\nX-Client-Cert: ${header}\r\n`));
    await once(socket, 'data');
    expect(optional.seen).deep.equal([undefined]);
    socket.destroy();
    await optional.stop();
  });

  describe('whose a certificate is', () => {
    const row = (
      by: CertificateMapping['by'],
      value: string,
      organizationId = '1',
      more: Partial<CertificateMapping> = {},
    ): CertificateMapping => ({ by, value, organizationId, senders: ['A83008'], isEnabled: true, ...more });
    const whose = async (...rows: readonly CertificateMapping[]): Promise<string | undefined> =>
      findMapping(partner.certificate, rows)?.organizationId;
    const [key, issuerSerial, uri] = mappingKeysOf(partner.certificate).map(({ value }) => value) as [
      string,
      string,
      string,
    ];

    it('[PK-09] by its URI, by issuer and number, or by its key, and only exactly', async () => {
      expect(await whose(row('uri', uri))).equal('1');
      expect(await whose(row('issuer-serial', issuerSerial))).equal('1');
      expect(await whose(row('key', key))).equal('1');
      for (const odd of [
        row('uri', `${uri}x`),
        row('uri', uri.toUpperCase()),
        row('key', uri),
        row('issuer-serial', partner.certificate.serial),
      ])
        expect(await whose(odd)).equal(undefined);
    });

    it('[PK-09] not of a partner that is disabled, nor of two at once', async () => {
      expect(await whose(row('uri', uri, '1', { isEnabled: false }))).equal(undefined);
      expect(await whose(row('uri', uri, '1'), row('key', key, '2'))).equal(undefined);
      expect(await whose(row('uri', uri, '1'), row('key', key, '1'))).equal('1');
      expect(await whose()).equal(undefined);
      // Another with the same name and number, of another authority.
      const other = client('Partner', { issuer: fake, key: keyOf('p256'), ...times });
      expect(mappingKeysOf(other.certificate).some(({ value }) => value === key || value === issuerSerial)).equal(
        false,
      );
    });

    it('[PK-08] a partner who is disabled may not connect, unless another row says so', () => {
      const disabled = row('uri', uri, '1', { isEnabled: false });
      expect(isOfDisabled(partner.certificate, [disabled])).equal(true);
      expect(isOfDisabled(partner.certificate, [disabled, row('key', key)])).equal(false);
      expect(isOfDisabled(partner.certificate, [])).equal(false);
      expect(isOfDisabled(second.certificate, [disabled])).equal(false);
    });
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to hold in time');
    await sleep(20);
  }
}
