/** The key file of prescription tokens: made, read, rotated while a server runs. SECURITY RX-01 to RX-03, KS-01 */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openPrescriptionKeys, rotatePrescriptionKeys } from '../../src/pki/prescription-keys.ts';
import { KeyFileError } from '../../src/pki/secret-file.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

describe('keys of prescription tokens', () => {
  const bytes = Buffer.from('what is signed');
  let at = 1_760_000_000_000;
  const now = (): number => at;
  const newPath = (): string => join(makeTempFolder(), 'keys', 'prescription.key');

  it('[RX-01] are made once, for their owner alone', () => {
    const path = newPath();
    const first = openPrescriptionKeys(path, now);
    expect(statSync(path).mode & 0o077).equal(0);
    expect(openPrescriptionKeys(path, now).signer().keyId).equal(first.signer().keyId);
    expect(first.published()).length(1);
    expect(first.published()[0]).include({ alg: 'ES256', kty: 'EC', crv: 'P-256', use: 'sig' });
    expect(JSON.stringify(first.published())).not.include('"d"');
  });

  it('[RX-02] a rotated key goes on verifying what it signed while it was the one to sign, and nothing later', () => {
    const path = newPath();
    const keys = openPrescriptionKeys(path, now);
    const before = keys.signer();
    const signed = before.sign(bytes);
    const mac = keys.mac(bytes);
    const pseudonym = keys.pseudonym('Patient/1');
    at += 60_000;
    rotatePrescriptionKeys(path, now());
    at += 6_000;
    expect(keys.signer().keyId, 'a running server reads the new file').not.equal(before.keyId);
    const old = keys.verifier(before.keyId);
    expect(old?.verify(bytes, signed)).equal(true);
    expect(old?.signedUntil).equal(at - 6_000 + 10 * 60_000);
    expect(keys.macs(bytes).some((one) => one.equals(mac))).equal(true);
    expect(keys.mac(bytes).equals(mac)).equal(false);
    expect(keys.pseudonym('Patient/1')).equal(pseudonym);
    expect(keys.published()).length(2);
    expect(keys.verifier('other')).equal(undefined);
  });

  for (const [name, spoil] of [
    ['a line that is no key', (text: string) => `${text}x y z w\n`],
    [
      'no HMAC key',
      (text: string) =>
        text
          .split('\n')
          .filter((line) => !line.includes('HS256'))
          .join('\n'),
    ],
    [
      'a short HMAC key',
      (text: string) => `${text}2026-01-01T00:00:00Z HS256 a ${Buffer.alloc(16).toString('base64')}\n`,
    ],
  ] as const)
    it(`refuses a file with ${name}, and says which`, () => {
      const path = newPath();
      openPrescriptionKeys(path, now);
      writeFileSync(path, spoil(readFileSync(path, 'utf8')));
      expect(() => openPrescriptionKeys(path, now)).throw(KeyFileError, path);
    });

  it('refuses a file that others can read', () => {
    const path = newPath();
    openPrescriptionKeys(path, now);
    chmodSync(path, 0o644);
    expect(() => openPrescriptionKeys(path, now)).throw(KeyFileError, 'chmod 600');
  });
});
