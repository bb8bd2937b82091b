/** Codes that patients get by text message and say at the counter. `src/postgres/dispensing/collection-codes.ts` keeps them. MISSION M10 */

export interface NewCollectionCode {
  /** `PHB-RX-########` */
  readonly tokenId: string;
  /** The Organization that asks for it, and alone can use it. */
  readonly pharmacyId: string;
  /** A pseudonym, so that nobody is flooded. */
  readonly patient: string;
  /** Keyed hash of the code: the code itself is kept nowhere. */
  readonly digest: Buffer;
  /** ms UTC */
  readonly at: number;
  readonly expiresAt: number;
}

/** `tooMany`: when another may be sent, ms UTC; `used`: it was dispensed on one. */
export type KeptCode = 'kept' | 'used' | { readonly tooManyUntil: number };

/** Of a code that was said. `left`: how many wrong ones are still heard. */
export type TriedCode =
  | { readonly outcome: 'right' | 'none' | 'used' | 'expired' | 'tries' }
  | { readonly outcome: 'wrong'; readonly left: number };

export interface CollectionCodes {
  /** Takes the place of the one before, its tries and its confirmation. */
  keep(code: NewCollectionCode): Promise<KeptCode>;
  /** It never left: this sending is not counted, and the code is worth nothing. */
  takeBack(tokenId: string, at: number): Promise<void>;
  /**
   * Counts a wrong one durably, whatever becomes of what is done with it; a right one is confirmed until then (ms UTC). Of any
   * number at the same moment no more are heard than are left. `digests`: of what was said, by each of our keys.
   */
  tryOut(
    said: Pick<NewCollectionCode, 'tokenId' | 'pharmacyId' | 'at'> & { readonly digests: readonly Buffer[] },
    confirmedUntil: number,
  ): Promise<TriedCode>;
  /** Whether a right one was said at this pharmacy, and nothing was dispensed on it yet. */
  isConfirmed(tokenId: string, pharmacyId: string, at: number): Promise<boolean>;
  /** Deletes those sent before a time, at most `limit`. Resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}
