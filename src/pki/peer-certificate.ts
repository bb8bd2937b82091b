/** Who is at the other end of a TLS connection, by its certificate. RFC 8705 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../ports/peer-certificate.ts';

/** One look a connection: a certificate does not change on it, as there is no renegotiation. */
const seen = new WeakMap<TLSSocket, PeerCertificate>();

/** The certificate of the client, when a CA of TLS_CLIENT_CA_FILE has signed it. */
export function peerCertificateOf({ socket }: IncomingMessage): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = seen.get(socket);
  if (known) return known;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const facts: PeerCertificate = {
    subject: certificate.subject,
    sans: certificate.subjectAltName?.split(', ') ?? [],
    sha256: createHash('sha256').update(certificate.raw).digest(),
  };
  seen.set(socket, facts);
  return facts;
}
