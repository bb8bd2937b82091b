/** A throw-away certificate authority. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Issued, issueCertificate } from '../../src/pki/certificate.ts';

export interface TestCa {
  /** PEM, for those who shall believe it. */
  readonly certificate: string;
  /** A server certificate, for localhost unless names are given. */
  server(sans?: readonly string[]): Issued;
  client(commonName: string, sans?: readonly string[]): Issued;
}

const HOUR_MS = 60 * 60 * 1000;

/** Makes a CA with a key of its own. Its certificates are good for a day, by the machine's clock, as TLS is. */
export function createTestCa(commonName = 'Mortar test CA'): TestCa {
  const notBefore = Date.now() - HOUR_MS;
  const notAfter = notBefore + 25 * HOUR_MS;
  const ca = issueCertificate({ subject: { commonName }, use: 'ca', notBefore, notAfter });
  return {
    certificate: ca.certificate,
    server: (sans = ['localhost', '127.0.0.1', '::1']) =>
      issueCertificate({
        subject: { commonName: sans[0] ?? '' },
        use: 'server',
        sans,
        notBefore,
        notAfter,
        issuer: ca,
      }),
    client: (name, sans = []) =>
      issueCertificate({ subject: { commonName: name }, use: 'client', sans, notBefore, notAfter, issuer: ca }),
  };
}

export interface TlsFileNames {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/** Writes a server's certificate, its key and the CA into the folder. */
export function writeTlsFiles(folder: string, { certificate, key }: Issued, ca: TestCa): TlsFileNames {
  mkdirSync(folder, { recursive: true });
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), caFile: join(folder, 'ca.crt') };
  writeFileSync(files.certFile, certificate);
  writeFileSync(files.keyFile, key, { mode: 0o600 });
  writeFileSync(files.caFile, ca.certificate);
  return files;
}
