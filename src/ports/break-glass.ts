/** Emergency access to one patient's record. `src/postgres/identity/break-glass.ts` implements it. SECURITY FA-04 */

export interface NewBreakGlass {
  readonly id: string;
  readonly userId: string;
  readonly patientId: string;
  /** A code of the list in `src/rest/break-glass-api.ts`. */
  readonly reason: string;
  /** In the user's words; kept sealed, as it may speak of the patient. */
  readonly explanation: string;
  /** ms UTC */
  readonly openedAt: number;
  readonly expiresAt: number;
}

export interface BreakGlass extends NewBreakGlass {
  readonly reviewedBy?: string;
  readonly reviewedAt?: number;
}

export interface OpenRecord {
  readonly patientId: string;
  /** Whether law is the reason, which no Consent stands against. SECURITY FA-06 */
  readonly isLawful: boolean;
}

export interface BreakGlassBook {
  /** False when the user has opened as many as they may since `since` (ms UTC). */
  open(entry: NewBreakGlass, limit: { readonly max: number; readonly since: number }): Promise<boolean>;
  /** Takes one back of which nobody could be told. */
  withdraw(id: string): Promise<void>;
  /** Patients whose records the user has open at `now` (ms UTC). */
  patientsOf(userId: string, now: number): Promise<readonly OpenRecord[]>;
  /** Those that nobody has reviewed, oldest first. */
  unreviewed(limit: number): Promise<readonly BreakGlass[]>;
  /** False when there is none to review, or the reviewer is the user (SECURITY AZ-08). */
  review(id: string, reviewerId: string, at: number): Promise<boolean>;
}
