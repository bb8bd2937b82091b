/**
 * What the inside asks of the place where claims are kept that are sent to payers: before a byte of one leaves, it is
 * there, so that a process that ends in the middle is taken up by the next. `src/postgres/` holds it in the message log.
 */

/**
 * queued → sent → answered | unknown → sent … `unknown`: it was sent, and nothing that answers it came back. `withdrawn`:
 * for certain no payer holds it any more, or it never left, and it will never be sent.
 */
export type ClaimState = 'queued' | 'sent' | 'unknown' | 'answered' | 'withdrawn';

export interface JournalledClaim {
  readonly id: string;
  readonly request: Buffer;
  readonly state: ClaimState;
  /** When it was opened, ms UTC. */
  readonly at: number;
  /** Where the state is `answered`. */
  readonly answer?: Buffer;
}

export interface ClaimJournal {
  /** Commits the request in state `queued`. One whose id is there already stands, and is returned. */
  open(id: string, request: Buffer): Promise<JournalledClaim>;
  find(id: string): Promise<JournalledClaim | undefined>;
  /** `cause` holds no value of the claim. */
  mark(id: string, state: Exclude<ClaimState, 'answered'>, cause?: string): Promise<void>;
  close(id: string, answer: Buffer): Promise<void>;
}
