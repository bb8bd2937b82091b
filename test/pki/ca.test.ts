import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  DAY_MS,
  initAuthorities,
  type PkiFolder,
  publishList,
  readAuthority,
  readAuthorityCertificate,
  renewResponder,
  revoke,
} from '../../src/pki/ca/authority.ts';
import { endingsOf } from '../../src/pki/ca/endings.ts';
import { PkiError, withLock } from '../../src/pki/ca/folder.ts';
import { issueFromRequest, issueWithKey, type Order, renew } from '../../src/pki/ca/issue.ts';
import { judge } from '../../src/pki/ca/judge.ts';
import { readRegister } from '../../src/pki/ca/register.ts';
import { createPkiHandler } from '../../src/pki/ca/responder.ts';
import { createExpiryWatch } from '../../src/pki/expiry.ts';
import { validatePath } from '../../src/pki/path-validation.ts';
import { checkRevocation } from '../../src/pki/revocation/check-path.ts';
import { createRevocations, readAnyList } from '../../src/pki/revocation/revocations.ts';
import { signerOf } from '../../src/standards/x509/algorithms.ts';
import { readCertificates } from '../../src/standards/x509/certificate.ts';
import { type Extension, extensions } from '../../src/standards/x509/extensions.ts';
import { certificateIdOf, formatOcspRequest, readOcspAnswer } from '../../src/standards/x509/ocsp.ts';
import { USAGE } from '../../src/standards/x509/oids.ts';
import { formatPem } from '../../src/standards/x509/pem.ts';
import { REVOCATION_REASONS } from '../../src/standards/x509/revocation-list.ts';
import { formatSigningRequest } from '../../src/standards/x509/signing-request.ts';
import { type KeyKind, keyOf, NOW, nameOf, publicInfo } from '../support/authority.ts';
import { createMemoryLog, silentLog } from '../support/log.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const BASE = 'http://pki.example.org/pki';
const CLIENT: Order = { profile: 'client', commonName: 'Surgery', names: ['urn:mortar:org:A83008'], label: 'a83008' };
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

function newPki(clock = { at: NOW }, more: Partial<PkiFolder> = {}): PkiFolder & { readonly clock: { at: number } } {
  const pki = { folder: join(makeTempFolder(), 'certs'), now: () => clock.at, clock, ...more };
  initAuthorities(pki, { baseUrl: BASE, organization: 'Example' }, 'ec');
  return pki;
}

const requestFor = (kind: KeyKind, asked: readonly Extension[] = [], signedWith?: KeyKind): Buffer => {
  const key = keyOf(kind);
  return formatSigningRequest(
    { subject: nameOf('whoever asks'), publicKeyInfo: publicInfo(key), extensions: asked },
    signerOf(signedWith ? keyOf(signedWith) : key),
  );
};

describe('certificate authority', () => {
  const pki = newPki();

  it('[PK-02] a root with path length 1 for ten years, an intermediate for each use with 0 for three', () => {
    const root = readAuthorityCertificate(pki, 'root');
    expect(root.basicConstraints).deep.equal({ isCa: true, pathLength: 1 });
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).equal('secp384r1');
    expect((root.notAfter - root.notBefore) / DAY_MS).equal(3652);
    for (const name of ['server-ca', 'client-ca', 'signing-ca'] as const) {
      const authority = readAuthorityCertificate(pki, name);
      expect(authority.basicConstraints).deep.equal({ isCa: true, pathLength: 0 });
      expect((authority.notAfter - authority.notBefore) / DAY_MS).equal(1096);
      expect(authority.distributionPoints).deep.equal([{ urls: [`${BASE}/root.crl`], isPartial: false }]);
      expect([...authority.keyUsage!]).deep.equal(['keyCertSign', 'cRLSign']);
    }
  });

  const LEAVES = [
    ['server', ['localhost', '127.0.0.1', '::1', '*.example.org'], 397, ['digitalSignature'], [USAGE.serverAuth]],
    ['client', ['urn:mortar:org:A83008'], 365, ['digitalSignature'], [USAGE.clientAuth]],
    ['signing', ['urn:mortar:sds:555254239107'], 730, ['digitalSignature', 'nonRepudiation'], undefined],
  ] as const;
  for (const [profile, names, days, usage, purpose] of LEAVES)
    it(`[PK-02] [PK-03] a ${profile} certificate has its profile, says where its revocation is told, and is believed for that use alone`, async () => {
      const { certificate, certFile, keyFile } = issueWithKey(
        pki,
        { profile, commonName: 'Leaf', names, label: `leaf-${profile}` },
        'ec',
      );
      expect((certificate.notAfter - certificate.notBefore) / DAY_MS).equal(days);
      expect([...certificate.keyUsage!]).deep.equal(usage);
      expect(certificate.extendedKeyUsage).deep.equal(purpose);
      expect(certificate.basicConstraints).deep.equal({ isCa: false });
      expect(certificate.serial).match(/^[4-7][0-9a-f]{31}$/);
      expect(certificate.distributionPoints[0]?.urls).deep.equal([`${BASE}/${profile}-ca.crl`]);
      expect(certificate.ocspUrls).deep.equal([`${BASE}/ocsp`]);
      expect(certificate.alternativeNames.map((name) => 'value' in name && name.value)).deep.equal(names);
      const issuer = readAuthorityCertificate(pki, `${profile}-ca`);
      expect(certificate.authorityKeyIdentifier?.equals(issuer.subjectKeyIdentifier!)).equal(true);
      for (const use of ['server', 'client', 'signing'] as const) {
        const judged = await judge(pki, readFileSync(certFile), [use]);
        expect(judged.use).equal(use === profile ? use : undefined);
      }
      expect(statSync(keyFile!).mode & 0o777).equal(0o600);
      // By another reader than ours.
      const other = new X509Certificate(readFileSync(certFile));
      expect(other.checkPrivateKey(createPrivateKey(readFileSync(keyFile!)))).equal(true);
      expect(other.serialNumber.toLowerCase()).equal(certificate.serial);
    });

  it('[PK-02] OpenSSL believes the chains, the lists and their critical bits', function () {
    if (!hasOpenssl) return void this.skip();
    const today = newPki({ at: Date.now() });
    const { certFile, certificate } = issueWithKey(today, CLIENT, 'rsa');
    const at = (name: string): string => join(today.folder, name);
    const openssl = (...args: readonly string[]): string =>
      execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
    const chain = ['-CAfile', at('root/ca.crt'), '-untrusted', at('client-ca/ca.crt'), '-x509_strict'];
    expect(openssl('verify', ...chain, '-purpose', 'sslclient', certFile)).include('OK');
    expect(() => openssl('verify', ...chain, '-purpose', 'sslserver', certFile)).throw();
    const lists = ['-crl_check_all', '-CRLfile', at('client-ca/ca.crl'), '-CRLfile', at('root/ca.crl')];
    expect(openssl('verify', ...chain, ...lists, certFile)).include('OK');
    revoke(today, certificate.serial, 'superseded');
    expect(() => openssl('verify', ...chain, ...lists, certFile)).throw(/revoked/);
    const text = openssl('x509', '-in', certFile, '-noout', '-text');
    for (const critical of ['Basic Constraints: critical', 'Key Usage: critical']) expect(text).include(critical);
  });

  it('[PK-02] keys of RSA: 4096 bits for the root, 3072 below it', () => {
    const folder = join(makeTempFolder(), 'certs');
    initAuthorities({ folder, now: () => NOW }, { baseUrl: BASE, organization: 'Example' }, 'rsa');
    const bits = (name: 'root' | 'client-ca') =>
      readAuthorityCertificate({ folder, now: () => NOW }, name).publicKey.asymmetricKeyDetails?.modulusLength;
    expect([bits('root'), bits('client-ca')]).deep.equal([4096, 3072]);
  }).timeout(180_000);

  it('[KS-02] every private key is for its owner alone, and no other file holds one', () => {
    for (const entry of readdirSync(pki.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const isKey = readFileSync(file, 'utf8').includes('PRIVATE KEY');
      expect(isKey).equal(file.endsWith('.key'), file);
      if (isKey) expect(statSync(file).mode & 0o777, file).equal(0o600);
    }
    expect(readFileSync(join(import.meta.dirname, '../../.gitignore'), 'utf8')).include('/certs/*');
  });

  it('[KS-02] a passphrase encrypts the keys of authorities; without it they do not open', () => {
    const secret = newPki({ at: NOW }, { passphrase: 'correct horse' });
    expect(readFileSync(join(secret.folder, 'root/ca.key'), 'utf8')).include('ENCRYPTED PRIVATE KEY');
    expect(readAuthority(secret, 'root').key.type).equal('private');
    for (const passphrase of [undefined, 'wrong'])
      expect(() => readAuthority({ ...secret, passphrase }, 'root')).throw(PkiError, 'set PKI_PASSPHRASE');
  });

  it('[PK-02] is made once: a second time nothing is touched', () => {
    const before = readFileSync(join(pki.folder, 'root/ca.crt'), 'utf8');
    expect(() => initAuthorities(pki, { baseUrl: BASE, organization: 'x' }, 'ec')).throw(PkiError, 'already');
    expect(readFileSync(join(pki.folder, 'root/ca.crt'), 'utf8')).equal(before);
  });

  it('one command at a time', () => {
    expect(() => withLock(pki.folder, Date.now, () => withLock(pki.folder, Date.now, () => 1))).throw(
      PkiError,
      'another command',
    );
    expect(withLock(pki.folder, Date.now, () => 2)).equal(2);
  });

  const ORDERS: readonly (readonly [what: string, order: Order, text: string])[] = [
    ['no name', { ...CLIENT, names: [] }, 'needs --name'],
    ['a host as client', { ...CLIENT, names: ['example.org'] }, 'urn:mortar:org:CODE'],
    ['a URN with more behind', { ...CLIENT, names: ['urn:mortar:org:A83008\nDNS:x'] }, 'urn:mortar:org:CODE'],
    ['a client as server', { ...CLIENT, profile: 'server' }, 'host names'],
    ['a label that leads elsewhere', { ...CLIENT, label: '../root/ca' }, 'cannot name a file'],
    ['an empty common name', { ...CLIENT, commonName: ' ' }, '1 to 64'],
    ['a line break in a name', { ...CLIENT, commonName: 'a\nb' }, '1 to 64'],
    ['a label that is in use', { ...CLIENT, label: 'leaf-client' }, 'is there already'],
  ];
  for (const [what, order, text] of ORDERS)
    it(`[PK-03] refuses ${what}`, () => expect(() => issueWithKey(pki, order, 'ec')).throw(PkiError, text));

  describe('requests', () => {
    const order = (label: string): Order => ({ ...CLIENT, label });

    it('[PK-04] certifies the key, and takes subject, names, usage and time from the order', () => {
      const request = requestFor('p256', [
        extensions.subjectAltName(['urn:mortar:org:A83008']),
        extensions.keyUsage('digitalSignature'),
      ]);
      const { certificate, keyFile } = issueFromRequest(
        pki,
        order('r1'),
        Buffer.from(formatPem('CERTIFICATE REQUEST', request)),
      );
      expect(keyFile).equal(undefined);
      expect(certificate.subject.parts.flat().map(({ value }) => value)).deep.equal(['Example', 'Surgery']);
      expect((certificate.notAfter - certificate.notBefore) / DAY_MS).equal(365);
    });

    const REFUSED: readonly (readonly [what: string, request: () => Buffer, text: string])[] = [
      ['CA:TRUE', () => requestFor('p256', [extensions.basicConstraints(true)]), 'the right to certify others'],
      ['keyCertSign', () => requestFor('p256', [extensions.keyUsage('keyCertSign')]), 'keyCertSign'],
      ['serverAuth', () => requestFor('p256', [extensions.extendedKeyUsage([USAGE.serverAuth])]), 'extended key usage'],
      [
        'a name of another organization',
        () => requestFor('p256', [extensions.subjectAltName(['urn:mortar:org:B00000'])]),
        'URI:urn:mortar:org:B00000',
      ],
      ['a host name', () => requestFor('p256', [extensions.subjectAltName(['example.org'])]), 'DNS:example.org'],
      [
        'extensions that cannot be read',
        () => requestFor('p256', [{ ...extensions.basicConstraints(true), value: Buffer.from([1]) }]),
        'cannot be read',
      ],
      ['a key that the sender does not hold', () => requestFor('p256', [], 'p256'), 'may not hold that key'],
      ['an RSA key of 1024 bits', () => requestFor('rsa1024'), '1024 bits'],
      ['a curve that is not accepted', () => requestFor('secp256k1'), 'curve'],
      ['no request at all', () => Buffer.from('hello'), 'not a request'],
      ['a certificate', () => readAuthorityCertificate(pki, 'root').bytes, 'not a request'],
    ];
    for (const [what, request, text] of REFUSED)
      it(`[PK-04] refuses a request with ${what}`, () => {
        const before = readRegister(pki.folder, 'client-ca').issued.length;
        expect(() => issueFromRequest(pki, order('refused'), request())).throw(PkiError, text);
        expect(readRegister(pki.folder, 'client-ca').issued).length(before);
      });

    it('[PK-04] refuses a key that is certified already, whoever asks', () => {
      const request = requestFor('rsa2048');
      issueFromRequest(pki, order('once'), request);
      expect(() => issueFromRequest(pki, { ...order('twice'), names: ['urn:mortar:org:B00000'] }, request)).throw(
        PkiError,
        'certified already',
      );
    });

    it('[PK-04] takes the requests that OpenSSL makes', function () {
      if (!hasOpenssl) return void this.skip();
      const request = execFileSync(
        'openssl',
        ['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=x'],
        { stdio: 'pipe' },
      );
      expect(issueFromRequest(pki, order('openssl'), request).certificate.publicKey.asymmetricKeyType).equal('rsa');
    });
  });

  it('[PK-12] renews what ends soon with a new key and the same names, not what has just begun, nor what is revoked', async () => {
    const own = newPki();
    const first = issueWithKey(own, CLIENT, 'ec');
    expect(() => renew(own, 'a83008', false)).throw(PkiError, '--early');
    own.clock.at += 330 * DAY_MS;
    const next = renew(own, 'a83008', false);
    expect(next.certificate.publicKeyInfo.equals(first.certificate.publicKeyInfo)).equal(false);
    expect(next.certificate.subject.key).equal(first.certificate.subject.key);
    expect(next.entry.names).deep.equal(first.entry.names);
    expect(next.certificate.notAfter).above(first.certificate.notAfter);
    revoke(own, next.certificate.serial, 'keyCompromise');
    expect(() => renew(own, 'a83008', true)).throw(PkiError, 'is revoked');
    expect(() => renew(own, 'nobody', true)).throw(PkiError, 'no certificate with the label');
  });

  describe('lists and responder', () => {
    const own = newPki();
    const server = createServer(createPkiHandler(own, '/pki', silentLog));
    let base = '';
    before(async () => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pki`;
    });
    after(() => server.close());

    /** As a peer asks who has our root alone. */
    const check = async (certFile: string, clock = own.clock): Promise<string | undefined> => {
      const [leaf, ...intermediates] = readCertificates(readFileSync(certFile));
      const { path, refusal } = validatePath(leaf!, {
        anchors: [readAuthorityCertificate(own, 'root')],
        intermediates,
        at: clock.at,
        use: 'client',
      });
      if (!path) throw new Error(refusal.message);
      const revocations = createRevocations({
        now: () => clock.at,
        log: silentLog,
        fetch: async ({ url, post }) => {
          const to = url.replace(BASE, base);
          const res = await fetch(
            to,
            post ? { method: 'POST', body: new Uint8Array(post.bytes), headers: { 'Content-Type': post.type } } : {},
          );
          if (res.status !== 200) throw new Error(`status ${res.status}`);
          return Buffer.from(await res.arrayBuffer());
        },
      });
      return (await checkRevocation(path, { revocations, mode: 'fail-closed', log: silentLog }))?.code;
    };

    for (const [n, reason] of [...REVOCATION_REASONS.values()].filter((name) => name !== 'removeFromCRL').entries())
      it(`[PK-05] a revocation (${reason}) is in the list and in the answers at once`, async () => {
        const { certificate, certFile } = issueWithKey(own, { ...CLIENT, label: `revoked-${n}` }, 'ec');
        expect(await check(certFile)).equal(undefined);
        revoke(own, certificate.serial.slice(0, 20), reason);
        expect(await check(certFile)).equal('revoked');
        const list = readAnyList(Buffer.from(await (await fetch(`${base}/client-ca.crl`)).arrayBuffer()));
        expect(list.revoked.get(certificate.serial)).deep.equal({ revokedAt: own.clock.at, reason });
        expect((list.nextUpdate! - list.thisUpdate) / DAY_MS).equal(1);
        expect(() => revoke(own, certificate.serial, reason)).throw(PkiError, 'is revoked since');
      });

    const ask = async (body: Buffer, path = '/ocsp', init: RequestInit = {}) => {
      const res = await fetch(`${base}${path}`, { method: 'POST', body: new Uint8Array(body), ...init });
      return { status: res.status, bytes: Buffer.from(await res.arrayBuffer()) };
    };
    const requestOf = (serial: string, nonce?: Buffer, hash: 'sha1' | 'sha256' = 'sha1'): Buffer =>
      formatOcspRequest({
        ids: [certificateIdOf({ serial }, readAuthorityCertificate(own, 'client-ca'), hash)],
        ...(nonce && { nonce }),
      });

    it('[PK-05] answers are good for an hour, with the nonce of the question, by POST and by GET, for either hash', async () => {
      const { certificate } = issueWithKey(own, { ...CLIENT, label: 'good' }, 'ec');
      const nonce = Buffer.alloc(16, 7);
      for (const hash of ['sha1', 'sha256'] as const) {
        const answer = readOcspAnswer((await ask(requestOf(certificate.serial, nonce, hash))).bytes);
        expect(answer.nonce?.equals(nonce)).equal(true);
        expect(answer.singles[0]).include({
          status: 'good',
          thisUpdate: own.clock.at,
          nextUpdate: own.clock.at + 60 * 60 * 1000,
        });
      }
      const path = `/ocsp/${encodeURIComponent(requestOf(certificate.serial).toString('base64'))}`;
      const res = await fetch(`${base}${path}`);
      expect(readOcspAnswer(Buffer.from(await res.arrayBuffer())).singles[0]?.status).equal('good');
    });

    it('[PK-05] does not say good of a number that was never issued', async () => {
      expect(readOcspAnswer((await ask(requestOf('0123456789'))).bytes).singles[0]?.status).equal('unknown');
    });

    it('[PK-05] answers what is malformed, too long or not ours with an error', async () => {
      const errorOf = async (body: Buffer): Promise<number> => (await ask(body)).bytes[4]!;
      expect(await errorOf(Buffer.from('x'))).equal(1);
      const foreign = readAuthorityCertificate(newPki(), 'client-ca');
      expect(await errorOf(formatOcspRequest({ ids: [certificateIdOf({ serial: '01' }, foreign)] }))).equal(6);
      expect((await ask(Buffer.alloc(70_000))).status).equal(413);
      expect((await fetch(`${base}/ocsp`, { method: 'PUT', body: 'x' })).status).equal(405);
      for (const path of ['/', '/root.key', '/../root/ca.key', '/client-ca.key', '/%2e%2e/root/ca.crl', '/nobody.crl'])
        expect((await fetch(`${base}${path}`)).status, path).equal(404);
    });

    it('[PK-05] a list is made anew in the second half of its day', async () => {
      const number = async (): Promise<string | undefined> =>
        readAnyList(Buffer.from(await (await fetch(`${base}/signing-ca.crl`)).arrayBuffer())).number;
      const before = await number();
      expect(await number()).equal(before);
      own.clock.at += 13 * 60 * 60 * 1000;
      expect(Number.parseInt((await number())!, 16)).equal(Number.parseInt(before!, 16) + 1);
      expect(publishList(own, 'signing-ca', own.clock.at).number).equal(Number.parseInt(before!, 16) + 2);
    });

    it('[PK-05] an answer is not given with a responder that has expired, and a renewed one is taken at once', async () => {
      own.clock.at += 91 * DAY_MS;
      const { certificate } = issueWithKey(own, { ...CLIENT, label: 'late' }, 'ec');
      expect((await ask(requestOf(certificate.serial))).bytes[4]).equal(3);
      renewResponder(own, { baseUrl: BASE, organization: 'Example' }, 'client-ca');
      expect(readOcspAnswer((await ask(requestOf(certificate.serial))).bytes).singles[0]?.status).equal('good');
    });
  });

  it('[PK-13] says 30, 7 and 1 days before a certificate ends, each once, and when it has ended', () => {
    const own = newPki();
    issueWithKey(own, CLIENT, 'ec');
    const log = createMemoryLog();
    const seen = new Map<string, number>();
    const look = createExpiryWatch({
      endings: () => endingsOf(own),
      now: own.now,
      log,
      observe: (what, left) => seen.set(what, left),
    });
    const marks: string[] = [];
    for (let day = 0; day < 370; day++) {
      marks.push(
        ...look()
          .filter(({ what }) => what === 'client a83008')
          .map(({ days }) => `${day}: ${days}`),
      );
      own.clock.at += DAY_MS;
    }
    expect(marks).deep.equal(['335: 30', '358: 7', '364: 1', '365: 0']);
    expect(log.lines.filter(({ fields }) => fields?.['what'] === 'client a83008').map(({ level }) => level)).deep.equal(
      ['warn', 'warn', 'warn', 'error'],
    );
    expect(seen.get('client a83008')).below(0);
    renew(own, 'a83008', true);
    look();
    expect(seen.get('client a83008')).above(300 * 24 * 3600);
  });

  describe('npm run pki', () => {
    const folder = join(makeTempFolder(), 'certs');
    const run = (...args: readonly string[]) => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [join(import.meta.dirname, '../../src/pki-cli.ts'), ...args],
        {
          env: { ...process.env, PKI_DIR: folder, PKI_PASSPHRASE: '' },
          encoding: 'utf8',
        },
      );
      return { stdout, stderr, status };
    };

    it('[PK-02] makes, certifies, lists, checks and revokes, and says what it did', () => {
      expect(run('client', 'A83008').stderr).equal(
        `pki: there is no authority in ${folder}: make the authority first: npm run -s pki -- init\n`,
      );
      expect(run('init').stdout).match(/^O=Mortar, CN=Mortar root {2}until \d{4}-\d\d-\d\d\n/);
      const { stdout } = run('client', 'A83008', '--cn', 'Test surgery');
      expect(stdout).match(
        /^O=Mortar, CN=Test surgery {2}serial [0-9a-f]{32} {2}until .*\ncertificate and its authority: .*\/client\/a83008.crt\nprivate key, yours alone: .*\.key\n$/,
      );
      const serial = /serial (\w+)/.exec(stdout)![1]!;
      expect(run('list').stdout).include(
        `${serial}  client     a83008  O=Mortar, CN=Test surgery  URI:urn:mortar:org:A83008`,
      );
      expect(run('check').stdout).equal('nothing ends within 30 days\n');
      expect(run('check', join(folder, 'client/a83008.crt')).stdout).match(
        /^believed for client use, for 36\d days more/,
      );
      expect(run('revoke', serial, '--reason', 'superseded').stdout).include(
        'is revoked (superseded); the list is published',
      );
      const refused = run('check', join(folder, 'client/a83008.crt'));
      expect(refused.stderr).match(/^pki: not believed: certificate .* it was revoked at .*\(superseded\)\n$/);
      expect(refused.status).equal(1);
      expect(run('crl').stdout).match(/client-ca.crl {2}number 3 {2}1 revoked/);
    }).timeout(180_000);

    it('says what is wrong with a command, and how it is', () => {
      for (const [args, text] of [
        [[], 'say what to do'],
        [['make'], 'there is no command make'],
        [['server'], 'name the hosts'],
        [['csr', 'x'], 'cannot be read'],
        [['revoke', 'x', '--reason', 'bored'], '--reason bored is not one of those'],
        [['server', 'a', '--key', 'dsa'], '--key is ec or rsa'],
        [['list', '--what'], 'Unknown option'],
      ] as const) {
        const { stderr, status } = run(...args);
        expect(stderr.startsWith('pki: ') && stderr.includes(text), stderr).equal(true);
        expect(status).equal(text === 'cannot be read' ? 1 : 2);
      }
    }).timeout(180_000);
  });
});
