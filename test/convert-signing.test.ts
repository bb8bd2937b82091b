/** `npm run convert -- --sign` and `--verify`: an order signed by a key in PEM, PKCS#12 or hardware, and believed by its authority. */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encryptedPem } from '../src/pki/keys/pem-provider.ts';
import { loadPkcs11 } from '../src/pki/keys/pkcs11-library.ts';
import { formatPkcs12 } from '../src/pki/keys/pkcs12-provider.ts';
import { authority, NOW, signatory } from './support/authority.ts';
import { FIXTURES, fixture } from './support/fixtures.ts';
import { createToken, findSoftHsm, importKey } from './support/softhsm.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const PROGRAM = join(import.meta.dirname, '../src/convert.ts');
const ORDER = join(FIXTURES, 'eps/prescription-order-acute.json');
const PASSPHRASE = 'correct horse battery staple';
const AT = ['--at', new Date(NOW).toISOString()];

const root = authority('Signing root');
const doctor = signatory('Dr Example', { issuer: root, key: 'rsa2048' });
const folder = makeTempFolder();

function write(name: string, content: string | Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}
const ca = write('root.txt', root.pem);
const cert = write('doctor.txt', doctor.pem);

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, input: string | Buffer = '') {
  const { SOFTHSM2_CONF = '' } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    input,
    env: { PATH: process.env['PATH'] ?? '', DATA_DIR: folder, ...(SOFTHSM2_CONF && { SOFTHSM2_CONF }), ...env },
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

const TRUST = { EPS_SIGNER_CA_FILE: ca, REVOCATION: 'off' };
const verify = (input: string, env: Readonly<Record<string, string>> = TRUST) =>
  run(['--verify', ...AT, '-'], env, input);

/** Where keys are, and the words that say so. */
const PLACES: readonly (readonly [name: string, place: () => readonly string[] | string, passphrase: string])[] = [
  [
    'PEM',
    () => {
      write('eps.pem', encryptedPem(doctor.key, PASSPHRASE));
      write('eps.crt', doctor.pem);
      return ['--pem', folder];
    },
    PASSPHRASE,
  ],
  [
    'PKCS#12',
    () => {
      const key = doctor.key.export({ format: 'pem', type: 'pkcs1' }).toString();
      write('eps.p12', formatPkcs12('eps', key, [], PASSPHRASE));
      return ['--p12', folder, '--cert', cert];
    },
    PASSPHRASE,
  ],
  [
    'PKCS#11',
    () => {
      const found = findSoftHsm();
      if (typeof found === 'string') return found;
      try {
        loadPkcs11();
      } catch (error) {
        return (error as Error).message;
      }
      const token = createToken(makeTempFolder(), found.modulePath);
      importKey(token, 'eps', '01', write('doctor-key.txt', doctor.keyPem));
      return ['--pkcs11', found.modulePath, '--token', token.tokenLabel, '--cert', cert];
    },
    '123456',
  ],
];

describe('convert, signatures', function () {
  this.timeout(180_000);

  for (const [name, open, passphrase] of PLACES)
    it(`[XS-06] ${name}: what $prepare says is signed by the prescriber's own key, and verified`, function () {
      const place = open();
      if (typeof place === 'string') {
        console.log(`    ${place}`);
        return void this.skip();
      }
      const { code, out, err } = run(['--sign', 'eps', ...place, ...AT, ORDER], { KEY_PASSPHRASE: passphrase });
      expect([code, err]).deep.equal([0, '']);
      const { code: good, out: outcome } = verify(out);
      expect([good, (JSON.parse(outcome) as { issue: unknown }).issue]).deep.equal([
        0,
        [{ severity: 'information', code: 'informational' }],
      ]);
      const changed = verify(out.replace('"value": "2026-05-17"', '"value": "x"').replaceAll('322236009', '322236008'));
      expect(changed.code).equal(1);
      expect(changed.err).contain("Signature doesn't match prescription");
    });

  it('V3 as well, each prescription by its place; another authority does not believe it', () => {
    write('eps.pem', encryptedPem(doctor.key, PASSPHRASE));
    write('eps.crt', doctor.pem);
    const signed = run(['--sign', 'eps', '--pem', folder, ...AT, ORDER], { KEY_PASSPHRASE: PASSPHRASE });
    const v3 = run(['--to', 'eps-v3', ...AT, '-'], {}, signed.out).out;
    const told = verify(v3);
    expect([told.code, told.out.includes('The signature is good')]).deep.equal([0, true]);
    expect(told.out).match(/"ParentPrescription\/[0-9A-F-]{36}"/);
    const other = write('other.txt', authority('Another').pem);
    const stranger = verify(v3, { ...TRUST, EPS_SIGNER_CA_FILE: other });
    expect(stranger.code).equal(1);
    expect(stranger.err).contain('Certificate not trusted');
  });

  it('an order without a signature, what is no prescription, and nobody to believe are told apart', () => {
    const unsigned = verify(fixture('eps/prescription-order-acute.json').toString());
    expect([unsigned.code, unsigned.err.includes('Invalid signature format')]).deep.equal([1, true]);
    const claim = verify(fixture('eps/release-patient.json').toString());
    expect([claim.code, claim.err.includes('It is not a prescription order')]).deep.equal([1, true]);
    const none = verify(fixture('eps/prescription-order-acute.json').toString(), {});
    expect([none.code, none.err.includes('EPS_SIGNER_CA_FILE')]).deep.equal([1, true]);
  });

  const WRONG: readonly (readonly [string, readonly string[], string, string])[] = [
    ['no place', ['--sign', 'eps', ORDER], PASSPHRASE, 'say where the keys are'],
    ['no passphrase', ['--sign', 'eps', '--pem', folder, ORDER], '', 'KEY_PASSPHRASE is not set'],
    ['another passphrase', ['--sign', 'eps', '--pem', folder, ORDER], 'wrong', 'does not open'],
    ['a key that is not there', ['--sign', 'nobody', '--pem', folder, ORDER], PASSPHRASE, 'there is no key nobody'],
  ];
  for (const [title, args, passphrase, text] of WRONG)
    it(`${title} › told, and nothing is signed`, () => {
      const { code, out, err } = run(args, { KEY_PASSPHRASE: passphrase });
      expect([code, out]).deep.equal([2, '']);
      expect(err).contain(text).and.not.contain(PASSPHRASE);
    });
});
