/**
 * Certificate, key and client CA of the TLS listener, read from files and read again when they change, so that a
 * renewed certificate is served without a restart. A certificate that cannot be used leaves the last good one in place.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Log } from '../ports/log.ts';

/** The files are missing or cannot be used. The message names the file and what to do. */
export class TlsFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TlsFileError';
  }
}

interface Settings {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const SETTINGS: Settings = { cert: 'TLS_CERT_FILE', key: 'TLS_KEY_FILE', ca: 'TLS_CLIENT_CA_FILE' };

export interface TlsFilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** CAs whose client certificates are believed; without it none is asked for. */
  readonly clientCaFile?: string | undefined;
  /** The settings that name the files, for messages. */
  readonly settings?: Settings;
  /** How often the files are looked at. */
  readonly pollMs?: number;
  readonly log: Log;
}

export interface TlsFiles {
  /** What is served now. */
  current(): SecureContextOptions;
  /** Called with what is served from now on. */
  onChange(listener: (next: SecureContextOptions) => void): void;
  stop(): void;
}

const POLL_MS = 2_000;
const FILE_BYTES_MAX = 1024 * 1024;

/** Reads the files and goes on watching them. Throws `TlsFileError` when they cannot be used now. */
export function openTlsFiles(options: TlsFilesOptions): TlsFiles {
  const { certFile, keyFile, clientCaFile, pollMs = POLL_MS, log } = options;
  const files = [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
  let looks = lookOf(files);
  let current = readFiles(options);
  const listeners: ((next: SecureContextOptions) => void)[] = [];

  // By looking, not by events: a renewal replaces links and folders, which a watch on the file would not see.
  const timer = setInterval(() => {
    const next = lookOf(files);
    if (next === looks) return;
    looks = next;
    try {
      current = readFiles(options);
      for (const listener of listeners) listener(current);
      log.info('the TLS certificate was read again', { expires: expiryOf(current) });
    } catch (error) {
      log.error('the new TLS certificate cannot be used: the old one is kept', { error });
    }
  }, pollMs);
  timer.unref();
  return {
    current: () => current,
    onChange: (listener) => void listeners.push(listener),
    stop: () => clearInterval(timer),
  };
}

/** Changes with the content of any of the files. */
const lookOf = (files: readonly string[]): string =>
  files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    })
    .join('|');

/** The certificates and the key that belong together. */
function readFiles({ certFile, keyFile, clientCaFile, settings = SETTINGS }: TlsFilesOptions): SecureContextOptions {
  checkKeyMode(settings.key, keyFile);
  const cert = readText(settings.cert, certFile);
  const key = readText(settings.key, keyFile);
  checkPair(settings, certFile, cert, keyFile, key);
  const ca = clientCaFile === undefined ? undefined : readText(settings.ca, clientCaFile);
  if (ca !== undefined) parseCertificate(settings.ca, clientCaFile ?? '', ca);
  const options: SecureContextOptions = { cert, key, ...(ca !== undefined && { ca }) };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new TlsFileError(`${certFile} and ${keyFile} cannot be used for TLS`, cause);
  }
  return options;
}

function readText(setting: string, file: string): string {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new TlsFileError(`${setting}: ${file} is too large`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof TlsFileError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new TlsFileError(`${setting}: ${file} cannot be read (${code})`, cause);
  }
}

/** A group may be given the right to read it, as Debian and Kubernetes do; everybody may not. */
function checkKeyMode(setting: string, file: string): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (mode === undefined || process.platform === 'win32') return;
  if ((mode & 0o027) !== 0)
    throw new TlsFileError(
      `${setting}: ${file} can be read by other users, or written by its group: chmod 600 ${file}`,
    );
}

function checkPair(settings: Settings, certFile: string, cert: string, keyFile: string, key: string): void {
  const certificate = parseCertificate(settings.cert, certFile, cert);
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new TlsFileError(`${settings.key}: ${keyFile} is not a private key in PEM without a password`, cause);
  }
  if (!matches) throw new TlsFileError(`${settings.key}: ${keyFile} is not the key of the certificate in ${certFile}`);
}

function parseCertificate(setting: string, file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new TlsFileError(`${setting}: ${file} is not a certificate in PEM`, cause);
  }
}

const expiryOf = ({ cert }: SecureContextOptions): string => new X509Certificate(String(cert)).validTo;
