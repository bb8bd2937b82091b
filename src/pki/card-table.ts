/** CARD_HOLDERS_FILE: whose a smart card is, by the certificate on it. docs/pki.md. SECURITY NH-11 */
import type { Certificate } from '../standards/x509/certificate.ts';
import { type CertificateKey, mappingKeysOf } from './certificate-mapping.ts';
import {
  type CertificateTable,
  type CertificateTableOptions,
  openCertificateTable,
  RowFault,
  readKey,
  readText,
} from './certificate-table.ts';

export interface CardHolder extends CertificateKey {
  /** E-mail address of the account. */
  readonly user: string;
}

const MEMBERS = new Set(['certificate', 'user']);

/** Throws `TlsFileError` when the file cannot be used now. */
export const openCardTable = (options: CertificateTableOptions): CertificateTable<CardHolder> =>
  openCertificateTable('CARD_HOLDERS_FILE', options, MEMBERS, (members, number) => {
    const key = readKey(members['certificate'], number);
    const user = readText(members['user'], `row ${number}: user`);
    if (user === undefined) throw new RowFault(`row ${number} needs "user", the e-mail address of an account`);
    return { ...key, user };
  });

/** Undefined when no row names the certificate, or rows of several people do. */
export function findHolder(certificate: Certificate, table: readonly CardHolder[]): string | undefined {
  const keys = mappingKeysOf(certificate);
  const users = new Set(
    table.filter(({ by, value }) => keys.some((key) => key.by === by && key.value === value)).map(({ user }) => user),
  );
  const [only] = users;
  return users.size === 1 ? only : undefined;
}
