/**
 * The throw-away authorities of a local Spine: one for TLS, one for those who sign prescriptions, so that neither can do
 * the other's part. Made at the first start; what is issued is made anew before it ends. Nothing here is for real use.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateRequest, type Issued, issueCertificate } from '../../pki/certificate.ts';
import type { TlsMaterial } from './mutual-tls-server.ts';
import type { CheckSigner } from './signature.ts';

export interface SpineCertificates {
  /** What the Spine itself serves. */
  readonly tls: TlsMaterial;
  /** For the gateway: who it is, and whom to believe. */
  readonly client: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
  /** A prescriber's key (RSA) and certificate for trying. */
  readonly signer: { readonly certFile: string; readonly keyFile: string };
  readonly signerCa: string;
}

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const VALID_DAYS = 90;
const LEFT_DAYS_MIN = 30;
const ORGANIZATION = 'Mortar local Spine';

/** Finds or makes everything in the folder. `names` are what clients may call the Spine. */
export function openCertificates(folder: string, names: readonly string[], now: () => number): SpineCertificates {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ensure = (
    name: string,
    daysLeft: number,
    request: Omit<CertificateRequest, 'notBefore' | 'notAfter'>,
    days: number,
  ): Issued => {
    const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    if (!isUsable(certFile, keyFile, request.issuer, now() + daysLeft * DAY_MS)) {
      const made = issueCertificate({ ...request, notBefore: now() - DAY_MS, notAfter: now() + days * DAY_MS });
      replace(keyFile, made.key);
      replace(certFile, made.certificate);
    }
    return {
      certificate: readFileSync(certFile, 'utf8'),
      key: readFileSync(keyFile, 'utf8'),
      subject: request.subject,
    };
  };
  const authority = (name: string, commonName: string): Issued =>
    ensure(name, VALID_DAYS, { subject: { commonName, organization: ORGANIZATION }, use: 'ca' }, CA_DAYS);
  const issue = (name: string, request: Omit<CertificateRequest, 'notBefore' | 'notAfter'>): Issued =>
    ensure(name, LEFT_DAYS_MIN, request, VALID_DAYS);
  const tlsCa = authority('ca', 'Mortar local Spine CA');
  const signerCa = authority('signing-ca', 'Mortar local Spine signing CA');
  const server = issue('server', {
    subject: { commonName: names[0] ?? 'localhost', organization: ORGANIZATION },
    use: 'server',
    sans: names,
    issuer: tlsCa,
  });
  issue('gateway', { subject: { commonName: 'gateway', organization: ORGANIZATION }, use: 'client', issuer: tlsCa });
  issue('prescriber', {
    subject: { commonName: 'A Prescriber', organization: ORGANIZATION },
    use: 'signing',
    key: 'rsa',
    issuer: signerCa,
  });
  const file = (name: string): string => join(folder, name);
  return {
    tls: { cert: server.certificate, key: server.key, ca: tlsCa.certificate },
    client: { certFile: file('gateway.crt'), keyFile: file('gateway.key'), caFile: file('ca.crt') },
    signer: { certFile: file('prescriber.crt'), keyFile: file('prescriber.key') },
    signerCa: signerCa.certificate,
  };
}

function isUsable(certFile: string, keyFile: string, issuer: Issued | undefined, until: number): boolean {
  if (!existsSync(certFile) || !existsSync(keyFile)) return false;
  try {
    const certificate = new X509Certificate(readFileSync(certFile));
    const isOurs = issuer === undefined || certificate.verify(new X509Certificate(issuer.certificate).publicKey);
    return isOurs && Date.parse(certificate.validTo) > until;
  } catch {
    return false; // not readable: it is made anew
  }
}

function replace(file: string, text: string): void {
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, text, { mode: 0o600 });
  renameSync(aside, file);
}

/** Believes signers whom one of these authorities has certified, at the time they signed. */
export function believing(authorities: readonly string[]): CheckSigner {
  const trusted = authorities.map((pem) => new X509Certificate(pem));
  return (certificate, signedAt) => {
    if (certificate.ca || !trusted.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey)))
      return 'Certificate not trusted';
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    return from < signedAt && signedAt < to ? undefined : 'Certificate expired when signed';
  };
}
