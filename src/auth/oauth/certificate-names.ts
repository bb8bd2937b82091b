/** How a client's certificate is registered, and whether one is the client's: by one exact name. RFC 8705 section 2.1.2. SECURITY PK-14 */
import type { Client } from '../../ports/clients.ts';
import type { PeerCertificate } from '../../ports/peer-certificate.ts';
import { DerFault } from '../../standards/x509/der.ts';
import { keyOfDistinguishedName } from '../../standards/x509/distinguished-name.ts';
import { type GeneralName, generalNameOf } from '../../standards/x509/general-name.ts';
import type { Certificate } from './client-authentication.ts';

/** An alternative name of a certificate. */
export interface CertificateName {
  readonly kind: 'dns' | 'uri' | 'email' | 'ip';
  readonly value: string;
}

type Registered = Pick<Client, 'certificateSubject' | 'certificateName'>;

/** The message says what to register instead. */
export class CertificateNameError extends Error {}

const SUBJECT = 'tls_client_auth_subject_dn';
const NAMES = new Map<string, CertificateName['kind']>([
  ['tls_client_auth_san_dns', 'dns'],
  ['tls_client_auth_san_uri', 'uri'],
  ['tls_client_auth_san_ip', 'ip'],
  ['tls_client_auth_san_email', 'email'],
]);
const CHARS_MAX = 1000;

/** Reads the one name of a registration. Throws `CertificateNameError`. */
export function parseCertificateName(metadata: Readonly<Record<string, unknown>>): Registered {
  const given = [SUBJECT, ...NAMES.keys()].filter((member) => (metadata[member] ?? '') !== '');
  const [member = '', ...more] = given;
  if (given.length === 0 || more.length > 0)
    throw new CertificateNameError(`one of ${SUBJECT} and ${[...NAMES.keys()].join(', ')} is needed`);
  const text = metadata[member];
  if (typeof text !== 'string' || text.length > CHARS_MAX || !/^[^\p{Cc}\u202a-\u202e\u2066-\u2069]+$/u.test(text))
    throw new CertificateNameError(`${member} is not a text of at most ${CHARS_MAX} characters`);
  const kind = NAMES.get(member);
  if (kind) return { certificateName: `${kind}:${parseName(member, kind, text)}` };
  try {
    keyOfDistinguishedName(text);
  } catch (error) {
    if (error instanceof DerFault) throw new CertificateNameError(`${SUBJECT}: ${error.message}`);
    throw error;
  }
  return { certificateSubject: text };
}

function parseName(member: string, kind: CertificateName['kind'], text: string): string {
  const name = generalNameOf(text);
  if (name.kind !== kind) throw new CertificateNameError(`${member} is another kind of name`);
  return kind === 'dns' ? text.toLowerCase() : name.value;
}

/** The same as members of a registration. */
export function formatCertificateName({ certificateSubject, certificateName = '' }: Registered) {
  const { kind, value } = splitName(certificateName);
  const [member] = [...NAMES].find(([, one]) => one === kind) ?? [];
  return {
    ...(certificateSubject !== undefined && { [SUBJECT]: certificateSubject }),
    ...(member !== undefined && { [member]: value }),
  };
}

/** Whether the certificate bears the name that the client is registered with. */
export function isNamed({ certificateSubject, certificateName }: Registered, certificate: Certificate): boolean {
  if (certificateName === undefined)
    return certificateSubject !== undefined && isSameSubject(certificateSubject, certificate.subject);
  const { kind, value } = splitName(certificateName);
  return (certificate.names ?? []).some(
    (name) => name.kind === kind && (kind === 'dns' ? name.value.toLowerCase() : name.value) === value,
  );
}

function isSameSubject(registered: string, subject: string): boolean {
  try {
    return keyOfDistinguishedName(registered) === keyOfDistinguishedName(subject);
  } catch (error) {
    if (error instanceof DerFault) return false; // no such name can be registered any more
    throw error;
  }
}

function splitName(text: string): { readonly kind: string; readonly value: string } {
  const colon = text.indexOf(':');
  return { kind: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** What the token endpoint needs to know of a connection's certificate. */
export const oauthCertificateOf = ({ subject, certificate, sha256 }: PeerCertificate): Certificate => ({
  subject,
  names: certificate.alternativeNames.filter(isText),
  thumbprint: sha256.toString('base64url'),
});

const isText = (name: GeneralName): name is CertificateName => name.kind !== 'directory' && name.kind !== 'other';
