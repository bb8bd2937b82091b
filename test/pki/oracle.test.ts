/** What we write, read and verified by an implementation that is not ours. SECURITY PK-02, PK-05 */
import { expect } from 'chai';
import { Certificate, CertificateChainValidationEngine, CertificateRevocationList } from 'pkijs';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { authority, client, DAY_MS, listOf, type Making, NOW, server, signatory } from '../support/authority.ts';

const read = (bytes: Buffer): Certificate => Certificate.fromBER(new Uint8Array(bytes));
const hexOf = (view: ArrayBuffer | Uint8Array): string => Buffer.from(view as Uint8Array).toString('hex');

describe('pki › pkijs', () => {
  const root = authority('Root', { key: 'p384', pathLength: 1 });
  const middle = authority('Middle', { issuer: root, pathLength: 0 });
  const made: readonly (readonly [string, ReturnType<typeof client>])[] = [
    [
      'a client',
      client('Client', { issuer: middle, extensions: [extensions.subjectAltName(['urn:mortar:org:A83008'])] }),
    ],
    ['a server', server('example.org', { issuer: middle })],
    ['a signer with RSA', signatory('Doctor', { issuer: middle, key: 'rsa2048' })],
  ];

  for (const [what, { certificate }] of made) {
    it(`[PK-02] reads ${what} as we do`, () => {
      const theirs = read(certificate.bytes);
      expect(hexOf(theirs.serialNumber.valueBlock.valueHexView).replace(/^(?:00)+/, '')).equal(certificate.serial);
      expect(theirs.notBefore.value.getTime()).equal(certificate.notBefore);
      expect(theirs.notAfter.value.getTime()).equal(certificate.notAfter);
      expect(hexOf(theirs.subjectPublicKeyInfo.toSchema().toBER())).equal(certificate.publicKeyInfo.toString('hex'));
      expect((theirs.extensions ?? []).map(({ extnID, critical }) => [extnID, critical])).deep.equal(
        [...certificate.extensions.values()].map(({ oid, critical }) => [oid, critical]),
      );
    });

    it(`[PK-02] believes ${what}, and not when it is older, or a bit of it is another`, async () => {
      const verify = async (bytes: Buffer, at: number): Promise<boolean> => {
        const [top, between, leaf] = [root.certificate.bytes, middle.certificate.bytes, bytes].map(read) as [
          Certificate,
          Certificate,
          Certificate,
        ];
        const engine = new CertificateChainValidationEngine({
          certs: [top, between, leaf],
          trustedCerts: [top],
          checkDate: new Date(at),
        });
        return (await engine.verify()).result;
      };
      expect(await verify(certificate.bytes, NOW)).equal(true);
      expect(await verify(certificate.bytes, certificate.notAfter + DAY_MS)).equal(false);
      const changed = Buffer.from(certificate.bytes);
      changed[changed.length - 3]! ^= 1; // of the signature
      expect(await verify(changed, NOW)).equal(false);
    });
  }

  it('[PK-05] verifies a list, and finds who is revoked in it', async () => {
    const [, { certificate }] = made[0]!;
    const making: Making = { issuer: middle };
    const list = listOf(middle, [[made[0]![1], { revokedAt: NOW - DAY_MS, reason: 'keyCompromise' }]]);
    const theirs = CertificateRevocationList.fromBER(new Uint8Array(list));
    expect(await theirs.verify({ issuerCertificate: read(middle.certificate.bytes) })).equal(true);
    expect(await theirs.verify({ issuerCertificate: read(root.certificate.bytes) })).equal(false);
    expect(theirs.isCertificateRevoked(read(certificate.bytes))).equal(true);
    expect(theirs.isCertificateRevoked(read(client('Another', making).certificate.bytes))).equal(false);
  });
});
