/** SECURITY PK-14: how a certificate is registered, and whose it is. */
import { expect } from 'chai';
import { CertificateNameError, isNamed, parseCertificateName } from '../../../src/auth/oauth/certificate-names.ts';
import { formatDistinguishedName, keyOfDistinguishedName } from '../../../src/standards/x509/distinguished-name.ts';
import { createName } from '../../../src/standards/x509/name.ts';

describe('oauth › names of certificates', () => {
  const name = createName([
    ['C', 'GB'],
    ['O', 'Smith, Jones & Co "Rx"+1'],
    ['CN', '#1 pharmacy '],
  ]);

  it('[PK-14] a subject is written the most specific part first, and read again', () => {
    const text = formatDistinguishedName(name);
    expect(text).equal('CN=\\#1 pharmacy\\ ,O=Smith\\, Jones & Co \\"Rx\\"\\+1,C=GB');
    expect(keyOfDistinguishedName(text)).equal(name.key);
    expect(keyOfDistinguishedName(text.replace('CN=', 'cn = ').replace('C=GB', '2.5.4.6=GB'))).equal(name.key);
    const accented = createName([['CN', 'Zoë']]);
    expect(keyOfDistinguishedName('CN=Zo\\C3\\AB')).equal(accented.key);
  });

  const REGISTERED = 'CN=a,O=Example';
  for (const [subject, expected] of [
    ['CN=a,O=Example', true],
    ['cn=A, o=example', true],
    ['O=Example,CN=a', false],
    ['CN=a', false],
    ['CN=a,O=Example,C=GB', false],
    ['CN=a\\,O=Example', false],
    ['CN=a+O=Example', false],
    ['OU=a,O=Example', false],
  ] as const)
    it(`[PK-14] ${subject} ${expected ? 'is' : 'is not'} ${REGISTERED}`, () => {
      expect(isNamed({ certificateSubject: REGISTERED }, { subject, thumbprint: 't' })).equal(expected);
    });

  it('[PK-14] who is registered with no name at all is nobody', () => {
    expect(isNamed({}, { subject: '', thumbprint: 't' })).equal(false);
    expect(isNamed({ certificateSubject: '' }, { subject: '', thumbprint: 't' })).equal(false);
  });

  for (const [metadata, registered] of [
    [{ tls_client_auth_subject_dn: 'CN=a,O=b' }, { certificateSubject: 'CN=a,O=b' }],
    [{ tls_client_auth_san_dns: 'RX.Example.org' }, { certificateName: 'dns:rx.example.org' }],
    [{ tls_client_auth_san_uri: 'urn:mortar:org:A83008' }, { certificateName: 'uri:urn:mortar:org:A83008' }],
    [{ tls_client_auth_san_ip: '2001:DB8:0:0::1' }, { certificateName: 'ip:2001:db8::1' }],
    [{ tls_client_auth_san_email: 'rx@example.org' }, { certificateName: 'email:rx@example.org' }],
  ] as const)
    it(`[PK-14] registers ${JSON.stringify(metadata)}`, () => {
      expect(parseCertificateName(metadata)).deep.equal(registered);
    });

  for (const metadata of [
    {},
    { tls_client_auth_subject_dn: '' },
    { tls_client_auth_subject_dn: 'pharmacy' },
    { tls_client_auth_subject_dn: 'CN=a;b' },
    { tls_client_auth_subject_dn: 'CN=a\nO=b' },
    { tls_client_auth_subject_dn: 'XX=a' },
    { tls_client_auth_subject_dn: 7 },
    { tls_client_auth_san_uri: 'not a uri' },
    { tls_client_auth_san_ip: '1.2.3' },
    { tls_client_auth_san_dns: '10.0.0.1' },
    { tls_client_auth_subject_dn: 'CN=a', tls_client_auth_san_dns: 'a.example' },
  ])
    it(`[PK-14] refuses ${JSON.stringify(metadata)}`, () => {
      expect(() => parseCertificateName(metadata)).throw(CertificateNameError);
    });
});
