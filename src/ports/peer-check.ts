/** Whether the other end of a TLS connection is who may connect. `src/pki/peer-check.ts` implements it. SECURITY PK-06…PK-10 */

export interface PresentedChain {
  /** In DER, the peer's own first; its issuers only where the TLS library hands them on. */
  readonly certificates: readonly Buffer[];
  /** Of the peer. */
  readonly address: string;
}

export interface PeerRefusal {
  /** Short, for metrics and the trail: `expired`, `revoked` … */
  readonly code: string;
  /** For the log and the trail: certificate and reason. */
  readonly message: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly serial?: string;
}

/** Undefined: the peer is believed. Never rejects. */
export type CheckPeer = (chain: PresentedChain) => Promise<PeerRefusal | undefined>;
