import type { IncomingMessage } from 'node:http';
import type { Certificate } from '../standards/x509/certificate.ts';

/** The certificate with which the other end of the connection has proved who it is. */
export interface PeerCertificate {
  /** Distinguished name as RFC 4514 writes it: `CN=client,O=Example`. */
  readonly subject: string;
  readonly certificate: Certificate;
  /** SHA-256 over the DER of the certificate: `x5t#S256` of RFC 8705. */
  readonly sha256: Buffer;
}

/** Undefined without TLS, without a certificate, and for one that no trusted CA has signed. */
export type PeerCertificateOf = (req: IncomingMessage) => PeerCertificate | undefined;
