/** Everything that certificates decide at the listeners: what we show, whom we let in, what ends soon; a piece of the composition root. docs/pki.md */
import { join } from 'node:path';
import { fetchGuarded } from './auth/oauth/guarded-fetch.ts';
import type { Config } from './config.ts';
import { hostInUrl, listenAddresses } from './config-checks.ts';
import { every } from './every.ts';
import type { FhirParts } from './fhir-store.ts';
import { ListenError } from './listen-error.ts';
import type { ContextLog } from './log.ts';
import { findHolder, openCardTable } from './pki/card-table.ts';
import { findMapping, isOfDisabled } from './pki/certificate-mapping.ts';
import { openDevelopmentCertificate } from './pki/development-certificate.ts';
import { createExpiryWatch, type Ending } from './pki/expiry.ts';
import { endingsOfServed } from './pki/listener-endings.ts';
import { openPartnerTable } from './pki/partner-table.ts';
import { believePeer, certificateOfSocket, peerCertificateOf } from './pki/peer-certificate.ts';
import { checkPartner } from './pki/peer-check.ts';
import { openPeerTrust } from './pki/peer-trust.ts';
import { openTlsFiles, type TlsFiles } from './pki/tls-files.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Clock } from './ports/clock.ts';
import type { FetchBytes } from './ports/fetch-bytes.ts';
import type { Partner } from './ports/partner.ts';
import { type CardListener, listenForCards } from './rest/card-listener.ts';
import type { PeerGateOptions } from './rest/peer-gate.ts';
import { createPeerRefusals } from './rest/peer-refusals.ts';
import { createTlsSocketServer } from './rest/tls-listener.ts';
import type { Certificate } from './standards/x509/certificate.ts';

export interface CertificateParts {
  readonly config: Config;
  readonly dataDir: string;
  /** Undefined while the server starts. */
  readonly audit: () => AuditLog | undefined;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Certificates {
  /** Of the TLS listener; undefined where none is wanted. */
  readonly source: TlsFiles | undefined;
  readonly gate: Peers['gate'] | undefined;
  readonly partners: Peers['partners'];
  readonly cards: Cards | undefined;
  stop(): Promise<void>;
}

/** Opens them, the listener for cards too. Throws `TlsFileError` and `ListenError`, and then nothing is left open. */
export async function openCertificates({ config, dataDir, audit, now, log }: CertificateParts): Promise<Certificates> {
  await using stack = new AsyncDisposableStack();
  const pair = findTlsPair(config, dataDir, log);
  const source = pair && openTlsFiles({ ...pair, clientCaFile: config.tlsClientCaFile, log });
  stack.defer(() => source?.stop());
  const onRefused = createPeerRefusals({ audit, now, log });
  const peers = source && openPeers(config, source, onRefused, now, log);
  stack.defer(() => peers?.stop());
  const cards = await openCards(config, pair, onRefused, now, log);
  stack.defer(async () => cards?.stop());
  const endings = (): readonly Ending[] => [
    ...(source ? endingsOfServed(source.current()) : []),
    ...(peers?.endings() ?? []),
    ...(cards?.endings() ?? []),
  ];
  stack.defer(watchEndings(endings, now, log));
  const everything = stack.move();
  return {
    source,
    gate: peers?.gate,
    partners: peers?.partners,
    cards,
    stop: () => everything.disposeAsync(),
  };
}

/** The certificate to serve: the operator's, or one for development. Throws `TlsFileError`. */
function findTlsPair(config: Config, dataDir: string, log: ContextLog) {
  const { https } = listenAddresses(config);
  if (https === undefined) return undefined;
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, host } = config;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  const names = new Set(['localhost', '127.0.0.1', '::1', ...(host === '0.0.0.0' || host === '::' ? [] : [host])]);
  // By the machine's clock, whatever ours says: clients judge a certificate by theirs.
  const made = openDevelopmentCertificate(join(dataDir, 'tls'), [...names], Date.now);
  log.warn('TLS_CERT_FILE is not given: TLS is served with a certificate for development');
  return made;
}

/** Lists and answers about certificates; they are signed, so that plain HTTP serves as well. */
function evidenceFetch({ revocationHosts }: Config): FetchBytes {
  const allowed = revocationHosts && { allowed: revocationHosts };
  return async ({ url, ...request }) =>
    (await fetchGuarded(url, { ...request, isPlainAllowed: true, ...allowed })).bytes;
}

interface Cards {
  readonly listener: CardListener;
  readonly options: NonNullable<FhirParts['card']>;
  endings(): readonly Ending[];
  stop(): Promise<void>;
}

/** Where people sign in with smart cards. Throws `TlsFileError`, and `ListenError` for the port. */
async function openCards(
  config: Config,
  pair: { readonly certFile: string; readonly keyFile: string } | undefined,
  onRefused: NonNullable<PeerGateOptions['onRefused']>,
  now: Clock,
  log: ContextLog,
): Promise<Cards | undefined> {
  const { cardPort: port, cardCaFile, cardHoldersFile, cardPolicy: policy, host, revocation: mode } = config;
  // They are given together: config-checks.ts looks.
  if (port === 'off' || !pair || !cardCaFile || !cardHoldersFile || !policy) return undefined;
  await using stack = new AsyncDisposableStack();
  const tls = openTlsFiles({ ...pair, clientCaFile: cardCaFile, log });
  stack.defer(tls.stop);
  const table = openCardTable({ file: cardHoldersFile, log });
  stack.defer(table.stop);
  const crlFile = config.tlsClientCrlFile;
  const trust = openPeerTrust({
    tls,
    crlFile,
    mode,
    fetch: evidenceFetch(config),
    hosts: config.revocationHosts,
    now,
    log,
    policy,
  });
  stack.defer(trust.stop);
  const hostname = config.publicUrl === undefined ? hostInUrl(host) : new URL(config.publicUrl).hostname;
  const peers = { check: trust.check, onAdmitted: believePeer, onRefused };
  const listener = await listenForCards({ host, port, source: tls, peers, hostname, log }).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ListenError(`port ${port}, for smart cards, cannot be used (${code}): set CARD_PORT`, cause);
  });
  stack.defer(listener.close);
  const everything = stack.move();
  return {
    listener,
    options: {
      url: () => listener.url,
      holderOf(req) {
        const peer = peerCertificateOf(req);
        return peer && findHolder(peer.certificate, table.rows());
      },
    },
    endings: trust.endings,
    stop: () => everything.disposeAsync(),
  };
}

const ENDINGS_EVERY_MS = 10 * 60 * 1000;

/** Says 30, 7 and 1 days before certificates end, and when they have. SECURITY PK-13 */
function watchEndings(endings: () => readonly Ending[], now: Clock, log: ContextLog): () => Promise<void> {
  const look = createExpiryWatch({ endings, now, log });
  look();
  return every(
    ENDINGS_EVERY_MS,
    async () => look(),
    (error) => log.error('when certificates end could not be seen', { error }),
  );
}

interface Peers {
  readonly gate: Omit<PeerGateOptions, 'log'>;
  endings(): readonly Ending[];
  /** Where PARTNER_CERTIFICATES_FILE is given. */
  readonly partners?: NonNullable<FhirParts['partners']>;
  stop(): void;
}

/** Who judges client certificates, where any are asked for. Throws `TlsFileError`. */
function openPeers(
  config: Config,
  tls: TlsFiles,
  onRefused: NonNullable<PeerGateOptions['onRefused']>,
  now: Clock,
  log: ContextLog,
): Peers | undefined {
  const {
    tlsClientCaFile,
    tlsClientCrlFile: crlFile,
    tlsClientCertificate,
    revocation: mode,
    partnerCertificatesFile,
  } = config;
  if (tlsClientCaFile === undefined) return undefined;
  const fetch = evidenceFetch(config);
  const table =
    partnerCertificatesFile === undefined ? undefined : openPartnerTable({ file: partnerCertificatesFile, log });
  const isDisabled = table && ((certificate: Certificate) => isOfDisabled(certificate, table.rows()));
  const trust = openPeerTrust({
    tls,
    crlFile,
    mode,
    fetch,
    hosts: config.revocationHosts,
    now,
    log,
    ...(isDisabled && { isDisabled }),
  });
  const gate = { check: trust.check, certificates: tlsClientCertificate, onAdmitted: believePeer, onRefused };
  const stop = (): void => {
    trust.stop();
    table?.stop();
  };
  const { endings } = trust;
  if (!table) return { gate, endings, stop };
  const partnerOf = (certificate: Certificate): Partner | undefined => findMapping(certificate, table.rows());
  const check = checkPartner(trust.check, (certificate) => partnerOf(certificate) !== undefined);
  const partners: Peers['partners'] = {
    partnerOf(socket) {
      const peer = certificateOfSocket(socket);
      return peer && partnerOf(peer.certificate);
    },
    createServer: (serve) =>
      createTlsSocketServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, tls, serve, log, {
        ...gate,
        check,
        certificates: 'required',
      }),
  };
  return { gate, endings, partners, stop };
}
