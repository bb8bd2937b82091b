/** When what is in the authority's folder ends. SECURITY PK-13 */
import { readPem } from '../../standards/x509/pem.ts';
import { readRevocationList } from '../../standards/x509/revocation-list.ts';
import type { Ending } from '../expiry.ts';
import { type PkiFolder, readAuthorityCertificate } from './authority.ts';
import { authorityFile, isThere, readWhole } from './folder.ts';
import { ALL_AUTHORITIES } from './profiles.ts';
import { type IssuedEntry, readRegister } from './register.ts';

export function endingsOf(pki: PkiFolder): readonly Ending[] {
  return ALL_AUTHORITIES.flatMap((name) => {
    const { issued } = readRegister(pki.folder, name);
    const own: Ending = {
      what: `${name} authority`,
      kind: 'authority',
      endsAt: readAuthorityCertificate(pki, name).notAfter,
    };
    const listFile = authorityFile(pki.folder, name, 'ca.crl');
    const [der] = isThere(listFile) ? readPem(readWhole(listFile, '').toString('latin1'), 'X509 CRL') : [];
    const list = der && readRevocationList(der);
    return [
      own,
      ...(list?.nextUpdate === undefined
        ? []
        : [{ what: `${name} list`, kind: 'list' as const, endsAt: list.nextUpdate }]),
      ...issued
        .filter((entry) => entry.profile !== 'authority' && isInUse(entry, issued))
        .map(
          ({ profile, label, notAfter }): Ending => ({
            what: `${profile} ${label}`,
            kind: 'certificate',
            endsAt: notAfter,
          }),
        ),
    ];
  });
}

/** Neither revoked nor followed by a newer one of the same label. */
const isInUse = (entry: IssuedEntry, all: readonly IssuedEntry[]): boolean =>
  !entry.revoked &&
  !all.some(
    ({ profile, label, notAfter }) => profile === entry.profile && label === entry.label && notAfter > entry.notAfter,
  );
