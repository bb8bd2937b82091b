/** The certificate of a development server: made at the first start, signed by itself, made anew before it ends. */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { issueCertificate } from './certificate.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const VALID_DAYS = 90;
const LEFT_DAYS_MIN = 30;

interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Finds or makes the pair in this folder. `names` are what clients may call the server. */
export function openDevelopmentCertificate(folder: string, names: readonly string[], now: () => number): Pair {
  const files = { certFile: join(folder, 'development.crt'), keyFile: join(folder, 'development.key') };
  if (isUsable(files, names, now())) return files;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { certificate, key } = issueCertificate({
    subject: { commonName: names[0] ?? 'localhost', organization: 'Mortar development' },
    use: 'server',
    sans: names,
    notBefore: now() - DAY_MS,
    notAfter: now() + VALID_DAYS * DAY_MS,
  });
  replace(files.keyFile, key);
  replace(files.certFile, certificate);
  return files;
}

function replace(file: string, text: string): void {
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, text, { mode: 0o600 });
  renameSync(aside, file);
}

function isUsable({ certFile, keyFile }: Pair, names: readonly string[], now: number): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(certFile));
    const isNamed = (name: string): boolean =>
      (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
    const isLongEnough = Date.parse(certificate.validTo) - now > LEFT_DAYS_MIN * DAY_MS;
    return isLongEnough && existsSync(keyFile) && names.every(isNamed);
  } catch {
    return false; // none yet, or not readable: it is made anew
  }
}
