/** Whose a certificate is: by exact names, and never by what looks alike. SECURITY PK-09 */
import type { Partner } from '../ports/partner.ts';
import type { Certificate } from '../standards/x509/certificate.ts';
import { keyHashOf } from './ca/register.ts';

/** What stands for a certificate in the table of partners. */
export interface CertificateKey {
  readonly by: 'uri' | 'issuer-serial' | 'issuer-subject' | 'key';
  /** A URI of the alternative names; `<issuer's key>|<serial>` or `|<subject's key>`; or the SHA-256 of the public key in hex. */
  readonly value: string;
}

/** One row of the table of partners. */
export interface CertificateMapping extends Partner, CertificateKey {
  readonly isEnabled: boolean;
}

export const mappingKeysOf = (certificate: Certificate): readonly CertificateKey[] => [
  { by: 'key', value: keyHashOf(certificate.publicKeyInfo) },
  { by: 'issuer-serial', value: `${certificate.issuer.key}|${certificate.serial}` },
  ...certificate.alternativeNames.flatMap((name) =>
    name.kind === 'uri' ? [{ by: 'uri' as const, value: name.value }] : [],
  ),
  { by: 'issuer-subject', value: `${certificate.issuer.key}|${certificate.subject.key}` },
];

const rowsOf = (certificate: Certificate, table: readonly CertificateMapping[]): readonly CertificateMapping[] => {
  const keys = mappingKeysOf(certificate);
  return table.filter(({ by, value }) => keys.some((key) => key.by === by && key.value === value));
};

/** The one enabled row; undefined when there is none, or when several partners claim the certificate. */
export function findMapping(
  certificate: Certificate,
  table: readonly CertificateMapping[],
): CertificateMapping | undefined {
  const found = rowsOf(certificate, table).filter(({ isEnabled }) => isEnabled);
  const [first] = found;
  return found.every(({ organizationId }) => organizationId === first?.organizationId) ? first : undefined;
}

/** Whether it is the certificate of a partner who may not connect any more. SECURITY PK-08 */
export const isOfDisabled = (certificate: Certificate, table: readonly CertificateMapping[]): boolean =>
  rowsOf(certificate, table).some(({ isEnabled }) => !isEnabled) && findMapping(certificate, table) === undefined;
