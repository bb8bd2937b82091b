/**
 * Who is trusted at the TLS listener: the authorities of TLS_CLIENT_CA_FILE and the lists of TLS_CLIENT_CRL_FILE, both
 * read again when they change; what cannot be used leaves the last good ones in place. SECURITY PK-07, PK-12
 */
import { readFileSync, statSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { FetchBytes } from '../ports/fetch-bytes.ts';
import type { Log } from '../ports/log.ts';
import type { CheckPeer } from '../ports/peer-check.ts';
import { type Certificate, readCertificates } from '../standards/x509/certificate.ts';
import { readPem } from '../standards/x509/pem.ts';
import { type RevocationList, readRevocationList } from '../standards/x509/revocation-list.ts';
import type { Ending } from './expiry.ts';
import { createIssuerFinder } from './issuer-finder.ts';
import { endingOf, endingsOfLists, rememberPeers } from './listener-endings.ts';
import { createPeerCheck, type Trusted } from './peer-check.ts';
import type { RevocationMode } from './revocation/check-path.ts';
import { createRevocations } from './revocation/revocations.ts';
import { TlsFileError, type TlsFiles } from './tls-files.ts';

export interface PeerTrustOptions {
  readonly tls: Pick<TlsFiles, 'current' | 'onChange'>;
  readonly crlFile?: string | undefined;
  readonly mode: RevocationMode;
  readonly fetch: FetchBytes;
  readonly now: () => number;
  readonly log: Log;
  readonly pollMs?: number;
  /** Further hosts, with ports, from which certificates of authorities may be fetched. */
  readonly hosts?: ReadonlySet<string> | undefined;
  /** A policy that certificates must carry. */
  readonly policy?: string;
  readonly isDisabled?: (certificate: Certificate) => boolean;
}

export interface PeerTrust {
  readonly check: CheckPeer;
  /** Of authorities, lists, and clients that were let in. */
  endings(): readonly Ending[];
  stop(): void;
}

const POLL_MS = 2_000;
const CRL_BYTES_MAX = 64 * 1024 * 1024;
/** A revocation closes a connection within a minute: with the round in which open connections are looked at. */
const REFRESH_MS = 40_000;

/** Throws `TlsFileError` when the files cannot be used now. */
export function openPeerTrust({
  tls,
  crlFile,
  mode,
  fetch,
  now,
  log,
  pollMs = POLL_MS,
  isDisabled,
  hosts,
  policy,
}: PeerTrustOptions): PeerTrust {
  let trusted = trustedOf(tls.current());
  tls.onChange((next) => {
    try {
      trusted = trustedOf(next);
    } catch (error) {
      log.error('the new TLS_CLIENT_CA_FILE cannot be used: the old one is kept', { error });
    }
  });
  const revocations = createRevocations({ fetch, now, log, refreshMs: REFRESH_MS });
  let look = lookOf(crlFile);
  let lists: readonly RevocationList[] = [];
  const readAnew = (file: string): void => {
    lists = readLists(file);
    revocations.setLists(lists);
  };
  if (crlFile !== undefined) readAnew(crlFile);
  const timer = setInterval(() => {
    const next = lookOf(crlFile);
    if (crlFile === undefined || next === look) return;
    look = next;
    try {
      readAnew(crlFile);
      log.info('the revocation lists were read again');
    } catch (error) {
      log.error('the new TLS_CLIENT_CRL_FILE cannot be used: the old lists are kept', { error });
    }
  }, pollMs);
  timer.unref();
  const remembered = rememberPeers(
    createPeerCheck({
      trusted: () => trusted,
      findIssuers: createIssuerFinder(fetch, now, (url) => {
        const host = hostOf(url);
        return host !== undefined && (hosts?.has(host) === true || hostsOf(trusted).has(host));
      }),
      revocations,
      mode,
      now,
      log,
      ...(isDisabled && { isDisabled }),
      ...(policy !== undefined && { policy }),
    }),
  );
  return {
    check: remembered.check,
    endings: () => [
      ...[...trusted.anchors, ...trusted.intermediates].map((one) =>
        endingOf(one, 'authority of clients', 'authority'),
      ),
      ...endingsOfLists(lists),
      ...remembered.endings(),
    ],
    stop: () => clearInterval(timer),
  };
}

/** With its port; undefined for what is no address. */
function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

/** Where those whom we trust say that their own issuers are. */
const hostsOf = ({ anchors, intermediates }: Trusted): ReadonlySet<string> =>
  new Set([...anchors, ...intermediates].flatMap(({ issuerUrls }) => issuerUrls.flatMap((url) => hostOf(url) ?? [])));

/** An authority whose issuer stands in the file as well lies between: it is looked at like one that came along. */
function trustedOf({ ca }: SecureContextOptions): Trusted {
  if (ca === undefined) return { anchors: [], intermediates: [] };
  try {
    const all = readCertificates(String(ca));
    const isBetween = ({ issuer, subject }: Certificate): boolean =>
      issuer.key !== subject.key && all.some((other) => other.subject.key === issuer.key);
    return { anchors: all.filter((one) => !isBetween(one)), intermediates: all.filter(isBetween) };
  } catch (cause) {
    throw new TlsFileError(
      `TLS_CLIENT_CA_FILE holds a certificate that cannot be used: ${(cause as Error).message}`,
      cause,
    );
  }
}

function readLists(file: string): readonly RevocationList[] {
  try {
    if (statSync(file).size > CRL_BYTES_MAX) throw new Error('it is too large');
    const blocks = readPem(readFileSync(file, 'latin1'), 'X509 CRL');
    if (blocks.length === 0) throw new Error('it holds no list in PEM');
    return blocks.map(readRevocationList);
  } catch (cause) {
    throw new TlsFileError(`TLS_CLIENT_CRL_FILE: ${file} cannot be used (${(cause as Error).message})`, cause);
  }
}

function lookOf(file: string | undefined): string {
  const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : 'none';
}
