import type { IncomingMessage } from 'node:http';

/** The certificate with which the other end of the connection has proved who it is. */
export interface PeerCertificate {
  /** Distinguished name in the order of the certificate, `O=Example\nCN=client`. */
  readonly subject: string;
  /** Subject alternative names as Node writes them: `DNS:a.example`, `URI:urn:x`, `IP Address:10.0.0.1`. */
  readonly sans: readonly string[];
  /** SHA-256 over the DER of the certificate: `x5t#S256` of RFC 8705. */
  readonly sha256: Buffer;
}

/** Undefined without TLS, without a certificate, and for one that no trusted CA has signed. */
export type PeerCertificateOf = (req: IncomingMessage) => PeerCertificate | undefined;
