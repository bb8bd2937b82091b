/** What the inside asks of the archive of controlled-substance prescriptions (21 CFR 1311.210, .215). */

/** `signature`: one came with the message; `indicator`: the word that the prescriber signed; `absent`: neither. */
export type SignaturePresence = 'signature' | 'indicator' | 'absent';

/**
 * `not-verified`: there is nothing to verify, or the partner has not said what its signatures cover. `failed`: it does
 * not fit; the message is refused.
 */
export type SignatureVerdict = 'verified' | 'not-verified' | 'failed';

export interface EpcsRecord {
  readonly id: string;
  /** `Qualifier:address` of From. */
  readonly sender?: string;
  readonly messageId?: string;
  /** Transaction. */
  readonly kind: string;
  readonly schedule: string;
  readonly presence: SignaturePresence;
  readonly verdict: SignatureVerdict;
  /** The practitioner's certificate in DER, where one came. */
  readonly certificate?: Buffer;
  /** As they came. */
  readonly raw: Buffer;
  /** ms UTC */
  readonly receivedAt: number;
}

/** One kind of event of a day. */
export interface EpcsCount {
  readonly kind: string;
  readonly schedule: string;
  readonly presence: SignaturePresence;
  readonly verdict: SignatureVerdict;
  readonly count: number;
}

export interface EpcsReport {
  /** `2026-01-31`, UTC. */
  readonly day: string;
  readonly counts: readonly EpcsCount[];
  /** Records whose bytes or signature are not what was archived. */
  readonly damaged: readonly string[];
  /** Signatures that failed, and orders without one: incidents to be looked at within a business day (21 CFR 1311.150). */
  readonly incidents: readonly string[];
}

export interface EpcsArchive {
  /** Signed by us and kept, before anything is done with the message. The same bytes again are one record. */
  keep(record: EpcsRecord): Promise<void>;
  report(day: string): Promise<EpcsReport>;
}

/** Signs what is archived: the key of the first pharmacy application (21 CFR 1311.210). */
export interface ArchiveKey {
  readonly keyId: string;
  sign(bytes: Buffer): Buffer;
  verify(keyId: string, bytes: Buffer, signature: Buffer): boolean;
}
