/** Whether our own root believes a certificate, with the lists of the folder: nobody is asked. */
import type { Log } from '../../ports/log.ts';
import { type Certificate, readCertificates } from '../../standards/x509/certificate.ts';
import { type CertificateUse, type Refusal, validatePath } from '../path-validation.ts';
import { checkRevocation } from '../revocation/check-path.ts';
import { createRevocations, readAnyList } from '../revocation/revocations.ts';
import { type PkiFolder, readAuthorityCertificate, readSettings } from './authority.ts';
import { authorityFile, PkiError, readWhole } from './folder.ts';
import { ALL_AUTHORITIES, AUTHORITIES } from './profiles.ts';

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Judgement {
  readonly certificate: Certificate;
  /** The first of the uses that it is believed for. */
  readonly use?: CertificateUse;
  /** Why it is not believed for any. */
  readonly refusal?: Refusal;
}

export async function judge(pki: PkiFolder, content: Buffer, uses: readonly CertificateUse[]): Promise<Judgement> {
  readSettings(pki);
  const [leaf, ...others] = readCertificates(content);
  if (!leaf) throw new PkiError('the file holds no certificate');
  const anchors = [readAuthorityCertificate(pki, 'root-ca')];
  const intermediates = [...others, ...AUTHORITIES.map((name) => readAuthorityCertificate(pki, name))];
  const fetch = () => Promise.reject(new Error('only lists at hand are asked'));
  const revocations = createRevocations({ now: pki.now, log: SILENT, fetch });
  revocations.setLists(
    ALL_AUTHORITIES.map((name) =>
      readAnyList(readWhole(authorityFile(pki.folder, name, 'ca.crl'), 'npm run -s pki -- crl')),
    ),
  );
  let worst: Refusal | undefined;
  for (const use of uses) {
    const { path, refusal } = validatePath(leaf, { anchors, intermediates, at: pki.now(), use });
    const reason = refusal ?? (await checkRevocation(path, { revocations, mode: 'fail-closed', log: SILENT }));
    if (!reason) return { certificate: leaf, use };
    if (!worst || worst.code === 'wrong-usage') worst = reason; // what it is not made for says less than what is wrong with it
  }
  return { certificate: leaf, ...(worst && { refusal: worst }) };
}
