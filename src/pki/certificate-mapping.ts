/** Whose a certificate is: by exact names, and never by what looks alike. SECURITY PK-09 */
import type { Certificate } from '../standards/x509/certificate.ts';
import { keyHashOf } from './ca/register.ts';

/** One row of the table of partners. */
export interface CertificateMapping {
  readonly by: 'uri' | 'issuer-serial' | 'key';
  /** A URI of the alternative names; `<issuer's key>|<serial>`; or the SHA-256 of the public key in hex. */
  readonly value: string;
  readonly organizationId: string;
  readonly endpointId?: string;
  /** Names by which the partner calls itself in messages: MSH-3/4, SCRIPT From, ODS code. */
  readonly senders: readonly string[];
  readonly isEnabled: boolean;
}

export type CertificateMappings = (
  keys: readonly Pick<CertificateMapping, 'by' | 'value'>[],
) => Promise<readonly CertificateMapping[]>;

/** What may stand for the certificate in the table. */
export const mappingKeysOf = (certificate: Certificate): readonly Pick<CertificateMapping, 'by' | 'value'>[] => [
  { by: 'key', value: keyHashOf(certificate.publicKeyInfo) },
  { by: 'issuer-serial', value: `${certificate.issuer.key}|${certificate.serial}` },
  ...certificate.alternativeNames.flatMap((name) =>
    name.kind === 'uri' ? [{ by: 'uri' as const, value: name.value }] : [],
  ),
];

/** The one enabled mapping; undefined when there is none, or when several partners claim the certificate. */
export async function findMapping(
  certificate: Certificate,
  find: CertificateMappings,
): Promise<CertificateMapping | undefined> {
  const keys = mappingKeysOf(certificate);
  const isOwn = ({ by, value }: CertificateMapping): boolean =>
    keys.some((key) => key.by === by && key.value === value);
  const found = (await find(keys)).filter((mapping) => mapping.isEnabled && isOwn(mapping));
  const [first] = found;
  return found.every(({ organizationId }) => organizationId === first?.organizationId) ? first : undefined;
}

/** Whether the sender that a message names is the partner whose certificate it came with. */
export const isSenderOf = ({ senders }: CertificateMapping, claimed: string): boolean => senders.includes(claimed);
