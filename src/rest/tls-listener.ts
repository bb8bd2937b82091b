/**
 * The TLS side of the listener. SECURITY PK-01: TLS 1.2 and 1.3; of 1.2 only suites with ephemeral keys and authenticated
 * encryption; no renegotiation, no compression; keys of session tickets live half a day. Node offers no 0-RTT.
 */
import { constants, randomBytes } from 'node:crypto';
import type { RequestListener, ServerOptions } from 'node:http';
import { createServer, type Server } from 'node:https';
import {
  createServer as createTls,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls';
import type { Log } from '../ports/log.ts';
import { guardPeers, type PeerGateOptions } from './peer-gate.ts';

/** Where certificates come from, and the news of a renewed one. */
export interface TlsSource {
  current(): SecureContextOptions;
  onChange(listener: (next: SecureContextOptions) => void): void;
}

/** RFC 8446 section 9.1 and RFC 9325 section 4.2 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const RULES = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: CIPHERS,
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
} as const;

/** Whoever resumes a session does not prove again that they hold the key. */
type Resumption = 'by-ticket' | 'never-resumed';

/** Without tickets OpenSSL would need a cache of sessions to resume one, and Node gives it none. */
const rulesOf = (resumption: Resumption) =>
  resumption === 'by-ticket' ? RULES : { ...RULES, secureOptions: RULES.secureOptions | constants.SSL_OP_NO_TICKET };

const HANDSHAKE_MS_MAX = 10_000;
const TICKET_KEYS_MS = 12 * 60 * 60 * 1000;
const TICKET_KEY_BYTES = 48;

/** Creates the server; the caller binds it. `peers` judges client certificates; without it whoever needs one looks at `authorized`. A renewed certificate serves new connections, those that are open stay. */
export function createTlsServer(
  limits: ServerOptions,
  source: TlsSource,
  handle: RequestListener,
  log: Log,
  peers?: Omit<PeerGateOptions, 'log'>,
  resumption: Resumption = 'by-ticket',
): Server {
  const server = createServer({ ...limits, ...optionsOf(source, resumption) }, handle);
  keepUp(server, source, log, peers, resumption);
  return server;
}

/** The same for a protocol that is not HTTP. */
export function createTlsSocketServer(
  limits: TlsOptions,
  source: TlsSource,
  serve: (socket: TLSSocket) => void,
  log: Log,
  peers?: Omit<PeerGateOptions, 'log'>,
): TlsServer {
  const server = createTls({ ...limits, ...optionsOf(source, 'by-ticket') }, serve);
  keepUp(server, source, log, peers, 'by-ticket');
  return server;
}

function optionsOf(source: TlsSource, resumption: Resumption): TlsOptions {
  const first = source.current();
  return {
    ...rulesOf(resumption),
    ...first,
    handshakeTimeout: HANDSHAKE_MS_MAX,
    sessionTimeout: TICKET_KEYS_MS / 1000,
    // Node itself would refuse late and without a word: the gate judges, and the trail learns of it.
    requestCert: first.ca !== undefined,
    rejectUnauthorized: false,
    allowPartialTrustChain: true, // what is configured is trusted, also where it is not a root
  };
}

function keepUp(
  server: TlsServer,
  source: TlsSource,
  log: Log,
  peers: Omit<PeerGateOptions, 'log'> | undefined,
  resumption: Resumption,
): void {
  if (peers) guardPeers(server, { ...peers, log });
  source.onChange((next) => server.setSecureContext({ ...rulesOf(resumption), allowPartialTrustChain: true, ...next })); // which brings ticket keys of its own
  const timer = setInterval(() => server.setTicketKeys(randomBytes(TICKET_KEY_BYTES)), TICKET_KEYS_MS);
  timer.unref();
  server.on('close', () => clearInterval(timer));
  server.on('tlsClientError', (error: NodeJS.ErrnoException) =>
    log.debug('a TLS handshake failed', { code: error.code }),
  );
}
