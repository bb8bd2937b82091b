import type { IncomingMessage } from 'node:http';

/** Another system, known by the certificate with which it has connected. SECURITY PK-09, PK-15 */
export interface Partner {
  readonly organizationId: string;
  readonly endpointId?: string;
  /** The registered client as which it acts at doors that ask for no token. */
  readonly clientId?: string;
  /** Names by which it calls itself in messages, as the message log has them: MSH-3|MSH-4, SCRIPT From. */
  readonly senders: readonly string[];
  /** Kinds of messages that it may send, `ADT^A01` or `NewRx`; every kind where it is absent. */
  readonly messages?: readonly string[];
}

/** Undefined: there is no certificate, or nobody has said whose it is. */
export type PartnerOf = (socket: IncomingMessage['socket']) => Partner | undefined;
