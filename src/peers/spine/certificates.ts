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
const TLS_DAYS = 90;
const SIGNER_DAYS = 730;
const ORGANIZATION = 'Mortar local Spine';

/** What TLS goes by, and what the signatures of prescriptions go by: the second can be moved to try things. ms UTC. */
export interface CertificateClocks {
  readonly tls: number;
  readonly signing: number;
}

type Request = Omit<CertificateRequest, 'notBefore' | 'notAfter'>;

/** Finds or makes everything in the folder. `names` are what clients may call the Spine. */
export function openCertificates(
  folder: string,
  names: readonly string[],
  clocks: CertificateClocks,
): SpineCertificates {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = (name: string, commonName: string, at: number): Issued =>
    ensure(folder, name, { subject: { commonName, organization: ORGANIZATION }, use: 'ca' }, at, CA_DAYS);
  const tlsCa = authority('ca', 'Mortar local Spine CA', clocks.tls);
  const signerCa = authority('signing-ca', 'Mortar local Spine signing CA', clocks.signing);
  const subject = (commonName: string): Request['subject'] => ({ commonName, organization: ORGANIZATION });
  const server: Request = { subject: subject(names[0] ?? 'localhost'), use: 'server', sans: names, issuer: tlsCa };
  const client: Request = { subject: subject('gateway'), use: 'client', issuer: tlsCa };
  const signer: Request = { subject: subject('A Prescriber'), use: 'signing', key: 'rsa', issuer: signerCa };
  const { certificate: cert, key } = ensure(folder, 'server', server, clocks.tls, TLS_DAYS);
  ensure(folder, 'gateway', client, clocks.tls, TLS_DAYS);
  ensure(folder, 'prescriber', signer, clocks.signing, SIGNER_DAYS);
  const file = (name: string): string => join(folder, name);
  return {
    tls: { cert, key, ca: tlsCa.certificate },
    client: { certFile: file('gateway.crt'), keyFile: file('gateway.key'), caFile: file('ca.crt') },
    signer: { certFile: file('prescriber.crt'), keyFile: file('prescriber.key') },
    signerCa: signerCa.certificate,
  };
}

/** The certificate of this name, made anew when there is none that is good for a third of its time. */
function ensure(folder: string, name: string, request: Request, at: number, days: number): Issued {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  if (!isUsable(certFile, keyFile, request.issuer, at, at + (days / 3) * DAY_MS)) {
    const made = issueCertificate({ ...request, notBefore: at - DAY_MS, notAfter: at + days * DAY_MS });
    replace(keyFile, made.key);
    replace(certFile, made.certificate);
  }
  const [certificate, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
  return { certificate, key, subject: request.subject };
}

function isUsable(certFile: string, keyFile: string, issuer: Issued | undefined, from: number, until: number): boolean {
  if (!existsSync(certFile) || !existsSync(keyFile)) return false;
  try {
    const certificate = new X509Certificate(readFileSync(certFile));
    const isOurs = issuer === undefined || certificate.verify(new X509Certificate(issuer.certificate).publicKey);
    return isOurs && Date.parse(certificate.validFrom) <= from && Date.parse(certificate.validTo) > until;
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
