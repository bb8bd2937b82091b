import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { KeyProviderError } from '../../src/pki/keys/key-error.ts';
import { encryptedPem, openPemProvider } from '../../src/pki/keys/pem-provider.ts';
import { loadPkcs11 } from '../../src/pki/keys/pkcs11-library.ts';
import { openPkcs11Provider } from '../../src/pki/keys/pkcs11-provider.ts';
import { formatPkcs12, openPkcs12Provider } from '../../src/pki/keys/pkcs12-provider.ts';
import type { KeyProvider } from '../../src/ports/key-provider.ts';
import { authority, keyOf, publicInfo, signatory } from '../support/authority.ts';
import { createToken, findSoftHsm, importKey, type SoftHsm } from '../support/softhsm.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const PASSPHRASE = 'correct horse battery staple';
const root = authority('Root');
const rsa = signatory('Dr Example', { issuer: root, key: 'rsa2048' });
const ecKey = keyOf('p256');
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

function write(file: string, content: string | Buffer, mode = 0o600): string {
  writeFileSync(file, content, { mode });
  chmodSync(file, mode);
  return file;
}

function pemFolder(): string {
  const folder = makeTempFolder();
  write(join(folder, 'eps.pem'), encryptedPem(rsa.key, PASSPHRASE));
  write(join(folder, 'eps.crt'), rsa.pem + root.pem, 0o644);
  write(join(folder, 'token.pem'), encryptedPem(ecKey, PASSPHRASE));
  return folder;
}

const pkcs1 = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs1' }).toString();

function p12Folder(): string {
  const folder = makeTempFolder();
  write(join(folder, 'other.p12'), formatPkcs12('other', pkcs1(rsa.key), [], PASSPHRASE));
  return folder;
}

/** By OpenSSL, as most PKCS#12 files are. */
function opensslP12(folder: string, name: string, key: string, chain: string, ...options: readonly string[]): void {
  const input = write(join(folder, 'in.txt'), key + chain);
  execFileSync(
    'openssl',
    ['pkcs12', '-export', '-in', input, '-out', join(folder, name), '-passout', `pass:${PASSPHRASE}`, ...options],
    { stdio: 'pipe' },
  );
  rmSync(input);
  chmodSync(join(folder, name), 0o600);
}

const softHsm = findSoftHsm();
let hsmProblem = typeof softHsm === 'string' ? softHsm : undefined;
try {
  loadPkcs11();
} catch (error) {
  hsmProblem ??= (error as Error).message;
}

let token: SoftHsm | undefined;
function hsm(): SoftHsm {
  if (token || typeof softHsm === 'string') return token!;
  const folder = makeTempFolder();
  token = createToken(folder, softHsm.modulePath);
  importKey(token, 'eps', '01', write(join(folder, 'rsa.pem'), rsa.keyPem));
  importKey(token, 'token', '02', write(join(folder, 'ec.pem'), ecKey.export({ format: 'pem', type: 'pkcs8' })));
  return token;
}

const PROVIDERS: readonly (readonly [name: string, open: () => KeyProvider])[] = [
  ['PEM', () => openPemProvider({ folder: pemFolder(), passphrase: PASSPHRASE })],
  [
    'PKCS#12',
    () => {
      const folder = p12Folder();
      if (!hasOpenssl) throw new Error('the suite makes its PKCS#12 files with openssl');
      opensslP12(folder, 'eps.p12', rsa.keyPem, rsa.pem + root.pem);
      opensslP12(folder, 'token.p12', ecKey.export({ format: 'pem', type: 'pkcs8' }).toString(), authorityOf(ecKey));
      return openPkcs12Provider({ folder, passphrase: PASSPHRASE });
    },
  ],
  ['PKCS#11', () => openPkcs11Provider(hsm())],
];

const authorityOf = (key: KeyObject): string => signatory('EC', { issuer: root, key }).pem;

for (const [name, open] of PROVIDERS)
  describe(`key provider: ${name}`, function () {
    this.timeout(180_000);
    let provider: KeyProvider;
    before(function () {
      if (name === 'PKCS#11' && hsmProblem !== undefined) {
        console.log(`    ${hsmProblem}`);
        return void this.skip();
      }
      provider = open();
    });
    after(() => provider?.close());
    const bytes = Buffer.from('what is signed');

    it('[KS-01] lists its keys with their algorithms and public halves', async () => {
      const keys = new Map((await provider.list()).map((info) => [info.id, info]));
      expect(keys.get('eps')?.algorithm).equal('RS256');
      expect(keys.get('token')?.algorithm).equal('ES256');
      expect(keys.get('eps')?.publicKeyInfo.equals(publicInfo(rsa.key))).equal(true);
      expect(keys.get('token')?.publicKeyInfo.equals(publicInfo(ecKey))).equal(true);
      if (name === 'PKCS#11') return; // whose certificates are imported by another tool
      expect(keys.get('eps')?.certificates[0]?.equals(rsa.certificate.bytes)).equal(true);
      expect(keys.get('eps')?.certificates[1]?.equals(root.certificate.bytes)).equal(true);
    });

    it('[KS-01] signs so that others can verify, and verifies what others have signed', async () => {
      const signature = await provider.sign('eps', bytes);
      expect(verify('sha256', bytes, createPublicKey(rsa.key), signature)).equal(true);
      expect(await provider.verify('eps', bytes, sign('sha256', bytes, rsa.key))).equal(true);
      const other = await provider.sign('token', bytes);
      expect(other).length(64); // as JOSE and XML signatures have it
      expect(verify('sha256', bytes, { key: createPublicKey(ecKey), dsaEncoding: 'ieee-p1363' }, other)).equal(true);
      for (const [id, good] of [
        ['eps', signature],
        ['token', other],
      ] as const) {
        expect(await provider.verify(id, bytes, good)).equal(true);
        expect(await provider.verify(id, Buffer.from('something else'), good)).equal(false);
        expect(await provider.verify(id, bytes, Buffer.alloc(good.length))).equal(false);
        expect(await provider.verify(id, bytes, Buffer.alloc(0))).equal(false);
      }
      expect(await provider.verify('token', bytes, signature)).equal(false);
    });

    it('[KS-01] wraps keys with RSA, and opens only what was wrapped for it', async () => {
      const key = randomBytes(32);
      const wrapped = await provider.wrap('eps', key);
      expect(wrapped.equals(await provider.wrap('eps', key))).equal(false);
      expect((await provider.unwrap('eps', wrapped)).equals(key)).equal(true);
      const changed = Buffer.from(wrapped);
      changed[100]! ^= 1;
      for (const bad of [changed, Buffer.alloc(0), Buffer.alloc(256), randomBytes(10)])
        expect(await codeOf(provider.unwrap('eps', bad))).equal('refused');
      expect((await provider.unwrap('eps', wrapped)).equals(key)).equal(true);
      expect(await codeOf(provider.wrap('token', key))).equal('refused');
      expect(await codeOf(provider.unwrap('token', wrapped))).equal('refused');
      expect(await codeOf(provider.wrap('eps', Buffer.alloc(65)))).equal('refused');
    });

    it('[KS-01] says which key is not there', async () => {
      for (const use of [
        provider.sign('nobody', bytes),
        provider.verify('nobody', bytes, bytes),
        provider.wrap('../eps', bytes),
        provider.rotate(''),
      ])
        expect(await codeOf(use)).equal('unknown-key');
    });

    it('[KS-01] rotates: the next key is another, and the one before goes on to work', async () => {
      const before = await provider.sign('eps', bytes);
      const next = await provider.rotate('eps');
      expect(next).equal('eps.2');
      expect(await provider.rotate(next)).equal('eps.3');
      const keys = new Map((await provider.list()).map((info) => [info.id, info]));
      expect(keys.get(next)?.algorithm).equal('RS256');
      expect(
        createPublicKey({ key: keys.get(next)!.publicKeyInfo, format: 'der', type: 'spki' }).asymmetricKeyDetails
          ?.modulusLength,
      ).equal(3072);
      expect(await provider.verify(next, bytes, before)).equal(false);
      expect(await provider.verify('eps', bytes, before)).equal(true);
      expect(await provider.verify(next, bytes, await provider.sign(next, bytes))).equal(true);
      const key = randomBytes(32);
      expect((await provider.unwrap(next, await provider.wrap(next, key))).equals(key)).equal(true);
    });

    it('[KS-01] a hundred signatures at once', async () => {
      const all = await Promise.all(
        Array.from({ length: 100 }, (_, i) => provider.sign('token', Buffer.from(String(i)))),
      );
      const good = await Promise.all(
        all.map((signature, i) => provider.verify('token', Buffer.from(String(i)), signature)),
      );
      expect(good.every(Boolean)).equal(true);
    });

    it('[KS-01] is ready', () => provider.check());
  });

async function codeOf(use: Promise<unknown>): Promise<string | undefined> {
  try {
    await use;
    return undefined;
  } catch (error) {
    expect(error).instanceOf(KeyProviderError);
    expect((error as Error).message).not.include(PASSPHRASE);
    return (error as KeyProviderError).code;
  }
}

describe('key provider: files', () => {
  const openPem =
    (folder: string, passphrase = PASSPHRASE) =>
    () =>
      openPemProvider({ folder, passphrase });
  const openP12 =
    (folder: string, passphrase = PASSPHRASE) =>
    () =>
      openPkcs12Provider({ folder, passphrase });

  for (const mode of [0o644, 0o640, 0o604, 0o620])
    it(`[KS-01] refuses a key file with the mode ${mode.toString(8)}`, () => {
      const [pem, p12] = [pemFolder(), p12Folder()];
      chmodSync(join(pem, 'eps.pem'), mode);
      chmodSync(join(p12, 'other.p12'), mode);
      expect(openPem(pem)).throw(KeyProviderError, `chmod 600 ${join(pem, 'eps.pem')}`);
      expect(openP12(p12)).throw(KeyProviderError, `chmod 600 ${join(p12, 'other.p12')}`);
    });

  it('[KS-01] refuses a key that is not encrypted, another passphrase, and what is no key', () => {
    const folder = makeTempFolder();
    const file = write(join(folder, 'eps.pem'), rsa.keyPem);
    expect(openPem(folder)).throw(KeyProviderError, 'openssl pkcs8 -topk8');
    write(file, encryptedPem(rsa.key, PASSPHRASE));
    expect(openPem(folder, 'wrong')).throw(KeyProviderError, 'does not open with the passphrase');
    write(file, 'hello');
    expect(openPem(folder)).throw(KeyProviderError, 'is not one encrypted private key');
    expect(openP12(p12Folder(), 'wrong')).throw(KeyProviderError, 'does not open with the passphrase');
    write(join(folder, 'x.p12'), randomBytes(100));
    expect(openP12(folder)).throw(KeyProviderError, 'is not a PKCS#12 file');
    expect(openPem(join(folder, 'none'))).throw(KeyProviderError, 'cannot be read (ENOENT)');
  });

  it('[KS-01] refuses a weak key, a name that leads elsewhere, and the certificate of another key', () => {
    const weak = makeTempFolder();
    write(join(weak, 'eps.pem'), encryptedPem(keyOf('rsa1024'), PASSPHRASE));
    expect(openPem(weak)).throw(KeyProviderError, '1024 bits');
    const odd = makeTempFolder();
    write(join(odd, 'e ps.pem'), encryptedPem(rsa.key, PASSPHRASE));
    expect(openPem(odd)).throw(KeyProviderError, 'has no name that a key can have');
    const other = pemFolder();
    write(join(other, 'token.crt'), rsa.pem);
    expect(openPem(other)).throw(KeyProviderError, 'is of another key');
  });

  it('[KS-01] a rotated key is written encrypted, for its owner alone', async () => {
    const folder = pemFolder();
    await openPem(folder)().rotate('token');
    expect(
      readdirSync(folder)
        .filter((name) => name !== 'runner.json')
        .toSorted(),
    ).deep.equal(['eps.crt', 'eps.pem', 'token.2.pem', 'token.pem']);
    expect(statSync(join(folder, 'token.2.pem')).mode & 0o777).equal(0o600);
    expect((await openPem(folder)().list()).map(({ id }) => id)).members(['eps', 'token', 'token.2']);
  });

  it('[KS-01] reads PKCS#12 files of older ways of encryption', async function () {
    if (!hasOpenssl) return void this.skip();
    const folder = makeTempFolder();
    opensslP12(
      folder,
      'old.p12',
      rsa.keyPem,
      rsa.pem,
      '-keypbe',
      'PBE-SHA1-3DES',
      '-certpbe',
      'PBE-SHA1-3DES',
      '-macalg',
      'sha1',
    );
    const provider = openP12(folder)();
    expect(await provider.verify('old', Buffer.from('x'), await provider.sign('old', Buffer.from('x')))).equal(true);
  });

  it('[KS-10] a folder that is gone makes the provider not ready, and one that is back makes it ready', async () => {
    const folder = pemFolder();
    const provider = openPem(folder)();
    renameSync(folder, `${folder}.away`);
    expect(await codeOf(provider.check())).equal('unavailable');
    renameSync(`${folder}.away`, folder);
    await provider.check();
  });
});

describe('key provider: hardware', function () {
  this.timeout(180_000);
  before(function () {
    if (hsmProblem !== undefined) this.skip();
  });
  const bytes = Buffer.from('what is signed');

  it('[KS-01] the token is pulled: keys are unavailable and the provider says so; it is back: all goes on by itself', async () => {
    const { tokens, ...options } = hsm();
    const provider = openPkcs11Provider(options);
    const before = await provider.sign('eps', bytes);
    renameSync(tokens, `${tokens}.away`);
    mkdirSync(tokens);
    const library = loadPkcs11();
    const driver = new library.PKCS11();
    driver.load(options.modulePath);
    driver.C_Finalize(); // as a driver does that has lost its device: SoftHSM itself looks for tokens at its start only
    try {
      expect(await codeOf(provider.check())).equal('unavailable');
      expect(await codeOf(provider.sign('eps', bytes))).equal('unavailable');
    } finally {
      rmSync(tokens, { recursive: true });
      renameSync(`${tokens}.away`, tokens);
    }
    await provider.check();
    expect(await provider.verify('eps', bytes, before)).equal(true);
    expect((await provider.sign('eps', bytes)).equals(before)).equal(true); // RSA of PKCS#1 v1.5 has no chance in it
    await provider.close();
  });

  it('[KS-01] the login is lost under load: no signature is', async () => {
    const provider = openPkcs11Provider({ ...hsm(), sessionsMax: 3 });
    await provider.check();
    const library = loadPkcs11();
    const intruder = new library.PKCS11();
    intruder.load(hsm().modulePath);
    const work = Array.from({ length: 60 }, async (_, i) => {
      if (i % 20 === 10) for (const slot of intruder.C_GetSlotList(true)) intruder.C_CloseAllSessions(slot);
      return provider.verify('eps', bytes, await provider.sign('eps', bytes));
    });
    expect((await Promise.all(work)).every(Boolean)).equal(true);
    await provider.close();
  });

  it('[KS-01] a wrong PIN is tried once, not until the token locks itself', async () => {
    const provider = openPkcs11Provider({ ...hsm(), pin: '000000' });
    for (let i = 0; i < 20; i++) expect(await codeOf(provider.sign('eps', bytes))).equal('refused');
    await provider.close();
    const right = openPkcs11Provider(hsm());
    await right.check();
    await right.close();
  });

  it('[KS-01] a library or a token that is not there is named', async () => {
    expect(await codeOf(openPkcs11Provider({ ...hsm(), modulePath: '/nowhere.so' }).check())).equal('unavailable');
    expect(await codeOf(openPkcs11Provider({ ...hsm(), tokenLabel: 'other' }).check())).equal('unavailable');
  });

  it('[KS-01] a key that could be taken out of the token is not used', async () => {
    const library = loadPkcs11();
    const provider = openPkcs11Provider(hsm());
    await provider.check();
    const session = new library.PKCS11();
    session.load(hsm().modulePath);
    const c = (name: string): number => library[name] as number; // a constant
    const slot = session.C_GetSlotList(true).find((found) => session.C_GetTokenInfo(found).label.trim() === 'mortar')!;
    const handle = session.C_OpenSession(slot, 6);
    const both = [
      { type: c('CKA_TOKEN'), value: true },
      { type: c('CKA_LABEL'), value: 'loose' },
      { type: c('CKA_ID'), value: Buffer.from([9]) },
    ];
    session.C_GenerateKeyPair(
      handle,
      { mechanism: c('CKM_RSA_PKCS_KEY_PAIR_GEN') },
      [
        ...both,
        { type: c('CKA_MODULUS_BITS'), value: 2048 },
        { type: c('CKA_PUBLIC_EXPONENT'), value: Buffer.from([1, 0, 1]) },
      ],
      [...both, { type: c('CKA_SIGN'), value: true }, { type: c('CKA_EXTRACTABLE'), value: true }],
    );
    session.C_CloseSession(handle);
    await provider.close();
    const again = openPkcs11Provider(hsm());
    const ids = (await again.list()).map(({ id }) => id);
    expect(ids).include('eps');
    expect(ids).not.include('loose');
    await again.close();
  });
});
