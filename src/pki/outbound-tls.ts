/**
 * How a partner's server is called: always verified, by name and by authority, with a client certificate of ours for that
 * partner and its key pinned where somebody says so. There is no way to leave the verification out. SECURITY PK-16
 */
import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Log } from '../ports/log.ts';
import { readCertificate } from '../standards/x509/certificate.ts';
import { keyHashOf } from './ca/register.ts';
import { openTlsFiles } from './tls-files.ts';

export interface OutboundTlsOptions {
  /** Our certificate for this partner, its key, and the authorities of the partner's server: all in PEM. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** The settings that name the three files, for messages. */
  readonly settings: { readonly cert: string; readonly key: string; readonly ca: string };
  /** SHA-256 in hex of public keys, of which the server must have one. */
  readonly pins?: ReadonlySet<string>;
  readonly pollMs?: number;
  readonly log: Log;
}

export interface OutboundTls {
  /** For `tls.connect` and `https.Agent`; another object once the files have changed. */
  options(): ConnectionOptions;
  stop(): void;
}

/** Throws `TlsFileError` when the files cannot be used now; a renewed one that cannot leaves the last good ones. */
export function openOutboundTls({ certFile, keyFile, caFile, pins, ...rest }: OutboundTlsOptions): OutboundTls {
  const files = openTlsFiles({ certFile, keyFile, clientCaFile: caFile, ...rest });
  const optionsOf = (): ConnectionOptions => ({
    ...files.current(),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
    checkServerIdentity: (host, certificate) => checkServerIdentity(host, certificate) ?? pinFault(certificate, pins),
  });
  let options = optionsOf();
  files.onChange(() => {
    options = optionsOf();
  });
  return { options: () => options, stop: files.stop };
}

/** Without a certificate of ours: the server is verified by these authorities in PEM, or by those of the system. */
export const verifiedTls = (authorities?: string): ConnectionOptions => ({
  minVersion: 'TLSv1.2',
  rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
  ...(authorities !== undefined && { ca: authorities }),
});

/** Asked after the chain and the name have held. */
function pinFault({ raw }: PeerCertificate, pins: ReadonlySet<string> | undefined): Error | undefined {
  if (!pins || pins.has(keyHashOf(readCertificate(raw).publicKeyInfo))) return undefined;
  return Object.assign(new Error('the server has another key than the one that is pinned'), { code: 'ERR_TLS_PIN' });
}
