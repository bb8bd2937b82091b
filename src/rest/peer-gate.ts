/**
 * The gate between the TLS handshake and HTTP: a client's certificate is judged before any byte of a request is read, at
 * every connection, resumed ones too, and again while it is open. SECURITY PK-06…PK-10
 *
 * Deviates: Node makes no TLS alert of our judgement, as it is made when the handshake has ended. The connection is broken
 * off instead, before anything was answered.
 */
import type { DetailedPeerCertificate, PeerCertificate, Server, TLSSocket } from 'node:tls';
import type { Log } from '../ports/log.ts';
import type { CheckPeer, PeerRefusal, PresentedChain } from '../ports/peer-check.ts';

export interface PeerGateOptions {
  readonly check: CheckPeer;
  /** `required`: nobody comes without a certificate. */
  readonly certificates: 'optional' | 'required';
  /** Told of each connection whose certificate is believed, before its first request. */
  readonly onAdmitted?: (socket: TLSSocket) => void;
  /** For the audit trail. It must not throw. */
  readonly onRefused?: (refusal: PeerRefusal, address: string) => void;
  /** How often open connections are looked at. */
  readonly recheckMs?: number;
  readonly log: Log;
}

const RECHECK_MS = 15_000;
const CHECK_MS_MAX = 15_000;
const PENDING_MAX = 1_000;
const RECHECKS_MAX = 100;
const CHAIN_MAX = 10;

/** Stands in front of the server's own handling of connections. */
export function guardPeers(server: Server, options: PeerGateOptions): void {
  const { check, certificates, onAdmitted, onRefused, recheckMs = RECHECK_MS, log } = options;
  const open = new Map<TLSSocket, PresentedChain>();
  let pending = 0;

  function refuse(socket: TLSSocket, refusal: PeerRefusal, address: string): void {
    socket.destroy();
    const { code, message: why } = refusal;
    log.warn('a client certificate was refused', { code, why, address });
    onRefused?.(refusal, address);
  }

  async function admit(socket: TLSSocket, accept: (socket: TLSSocket) => void): Promise<void> {
    const chain = chainOf(socket);
    const refusal = await (chain.certificates.length === 0 ? withoutCertificate() : withinTime(check(chain)));
    if (socket.destroyed) return;
    if (refusal) return refuse(socket, refusal, chain.address);
    if (chain.certificates.length > 0) {
      open.set(socket, chain);
      onAdmitted?.(socket);
      socket.once('close', () => open.delete(socket));
    }
    accept(socket);
  }

  const withoutCertificate = async (): Promise<PeerRefusal | undefined> =>
    certificates === 'required' ? { code: 'missing', message: 'the client has sent no certificate' } : undefined;

  const accepts = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (pending >= PENDING_MAX) return void socket.destroy();
    pending += 1;
    const ignore = (): void => {}; // it closes; whoever waits sees that it is destroyed
    socket.on('error', ignore);
    admit(socket, (admitted) => {
      for (const accept of accepts) accept.call(server, admitted);
    })
      .catch((error: unknown) => {
        socket.destroy();
        log.error('a connection could not be admitted', { error });
      })
      .finally(() => {
        pending -= 1;
        socket.removeListener('error', ignore);
      });
  });

  /** Many at a time: one whose responder is slow must not keep the others from being closed in time. */
  async function lookAgain(all: readonly (readonly [TLSSocket, PresentedChain])[]): Promise<void> {
    for (let n = 0; n < all.length; n += RECHECKS_MAX)
      await Promise.all(
        all.slice(n, n + RECHECKS_MAX).map(async ([socket, chain]) => {
          const refusal = await withinTime(check(chain)).catch(NOT_JUDGED);
          if (refusal && !socket.destroyed) refuse(socket, refusal, chain.address);
        }),
      );
  }

  let isLooking = false;
  const timer = setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    await lookAgain([...open]).finally(() => {
      isLooking = false;
    });
  }, recheckMs);
  timer.unref();
  server.on('close', () => clearInterval(timer));
}

const NOT_JUDGED = (): PeerRefusal => ({ code: 'failure', message: 'the certificate could not be judged' });

/** Nobody waits for ever for a responder that is slow. */
function withinTime(judging: Promise<PeerRefusal | undefined>): Promise<PeerRefusal | undefined> {
  const { promise, resolve } = Promise.withResolvers<PeerRefusal>();
  const timer = setTimeout(
    () => resolve({ code: 'timeout', message: 'the certificate could not be judged in time' }),
    CHECK_MS_MAX,
  );
  return Promise.race([judging, promise]).finally(() => clearTimeout(timer));
}

function chainOf(socket: TLSSocket): PresentedChain {
  const chain: Buffer[] = [];
  let next: DetailedPeerCertificate | PeerCertificate | undefined = socket.getPeerCertificate(true);
  while (
    next?.raw !== undefined &&
    chain.length < CHAIN_MAX &&
    !chain.some((seen) => seen.equals(next?.raw as Buffer))
  ) {
    chain.push(next.raw);
    next = 'issuerCertificate' in next ? next.issuerCertificate : undefined;
  }
  return { certificates: chain, address: socket.remoteAddress ?? 'unknown' };
}
