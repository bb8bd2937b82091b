/** Who is at the other end of a TLS connection, by its certificate. RFC 8705 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../ports/peer-certificate.ts';
import { readCertificate } from '../standards/x509/certificate.ts';
import { formatDistinguishedName } from '../standards/x509/distinguished-name.ts';

/** One look a connection: a certificate does not change on it, as there is no renegotiation. */
const seen = new WeakMap<TLSSocket, PeerCertificate>();
/** Whose certificates the gate of the listener has believed, also where OpenSSL alone found no way to an authority. */
const believed = new WeakSet<TLSSocket>();

export const believePeer = (socket: TLSSocket): void => void believed.add(socket);

/** The certificate of the client, when a CA of TLS_CLIENT_CA_FILE has signed it. */
export const peerCertificateOf = ({ socket }: IncomingMessage): PeerCertificate | undefined =>
  certificateOfSocket(socket);

export function certificateOfSocket(socket: Socket): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !(socket.authorized || believed.has(socket))) return undefined;
  const known = seen.get(socket);
  if (known) return known;
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) return undefined;
  const certificate = readCertificate(raw);
  const facts: PeerCertificate = {
    subject: formatDistinguishedName(certificate.subject),
    certificate,
    sha256: createHash('sha256').update(raw).digest(),
  };
  seen.set(socket, facts);
  return facts;
}
