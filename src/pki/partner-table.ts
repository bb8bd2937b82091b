/** PARTNER_CERTIFICATES_FILE: which partner a client certificate is. docs/pki.md. SECURITY PK-09 */
import type { CertificateMapping } from './certificate-mapping.ts';
import {
  type CertificateTable,
  type CertificateTableOptions,
  openCertificateTable,
  RowFault,
  readKey,
  readList,
  readText,
} from './certificate-table.ts';

const MEMBERS = new Set(['certificate', 'organization', 'endpoint', 'client', 'senders', 'messages', 'enabled']);

/** Throws `TlsFileError` when the file cannot be used now. */
export const openPartnerTable = (options: CertificateTableOptions): CertificateTable<CertificateMapping> =>
  openCertificateTable('PARTNER_CERTIFICATES_FILE', options, MEMBERS, (members, number) => {
    const text = (name: string): string | undefined => readText(members[name], `row ${number}: ${name}`);
    const list = (name: string): readonly string[] | undefined => readList(members[name], `row ${number}: ${name}`);
    const key = readKey(members['certificate'], number);
    const [organizationId, endpointId, clientId] = [text('organization'), text('endpoint'), text('client')];
    if (organizationId === undefined)
      throw new RowFault(`row ${number} needs "organization", the id of an Organization`);
    const messages = list('messages');
    const { enabled = true } = members;
    if (typeof enabled !== 'boolean') throw new RowFault(`row ${number}: enabled is neither true nor false`);
    return {
      ...key,
      organizationId,
      ...(endpointId !== undefined && { endpointId }),
      ...(clientId !== undefined && { clientId }),
      senders: list('senders') ?? [],
      ...(messages && { messages }),
      isEnabled: enabled,
    };
  });
