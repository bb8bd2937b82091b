/** When what the TLS listeners rest on ends: our certificate, authorities, lists, and partners' certificates. SECURITY PK-13 */
import type { SecureContextOptions } from 'node:tls';
import type { CheckPeer } from '../ports/peer-check.ts';
import { type Certificate, readCertificate, readCertificates } from '../standards/x509/certificate.ts';
import { formatName } from '../standards/x509/name.ts';
import type { RevocationList } from '../standards/x509/revocation-list.ts';
import type { Ending } from './expiry.ts';

const PARTNERS_MAX = 1000;

/** What is served to clients: our own certificate and those above it. */
export const endingsOfServed = ({ cert }: SecureContextOptions): readonly Ending[] =>
  readCertificates(String(cert)).map((certificate, i) =>
    endingOf(certificate, i === 0 ? 'TLS_CERT_FILE' : 'TLS_CERT_FILE, above', i === 0 ? 'certificate' : 'authority'),
  );

export const endingOf = ({ subject, serial, notAfter }: Certificate, where: string, kind: Ending['kind']): Ending => ({
  what: `${where}: ${formatName(subject)}, serial ${serial}`,
  kind,
  endsAt: notAfter,
});

export const endingsOfLists = (lists: readonly RevocationList[]): readonly Ending[] =>
  lists.flatMap(({ issuer, nextUpdate }) =>
    nextUpdate === undefined
      ? []
      : [{ what: `revocation list of ${formatName(issuer)}`, kind: 'list' as const, endsAt: nextUpdate }],
  );

/** Remembers whom a check has believed, the latest of them. */
export function rememberPeers(check: CheckPeer): { readonly check: CheckPeer; endings(): readonly Ending[] } {
  const seen = new Map<string, Ending>();
  return {
    async check(chain) {
      const refusal = await check(chain);
      const [first] = chain.certificates;
      if (refusal || first === undefined) return refusal;
      const certificate = readCertificate(first); // it was read before
      seen.delete(certificate.fingerprint);
      seen.set(certificate.fingerprint, endingOf(certificate, 'client', 'certificate'));
      for (const [oldest] of seen) {
        if (seen.size <= PARTNERS_MAX) break;
        seen.delete(oldest);
      }
      return undefined;
    },
    endings: () => [...seen.values()],
  };
}
