/** An end to processing, and corrections. `src/postgres/subject-access/` implements them. SECURITY DP-05 */

/** What everybody asks who sends data out: feeds, jobs, exports, subscriptions. UK GDPR article 18(2) */
export interface ProcessingStop {
  /** Those of the patients whose data may only be stored. */
  restrictedAmong(patientIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** For those who send much at once. */
export interface BulkStop extends ProcessingStop {
  isAnyRestricted(): Promise<boolean>;
}

export interface Restriction {
  readonly id: string;
  readonly patientId: string;
  readonly reason: string;
  readonly placedBy: string;
  /** ms UTC */
  readonly placedAt: number;
  /** Somebody has asked that it end; another must agree. */
  readonly lift?: { readonly by: string; readonly at: number; readonly reason: string };
  readonly lifted?: { readonly by: string; readonly at: number };
}

export interface RestrictionBook extends BulkStop {
  /** The one that stands, whether it is new or stood before. */
  place(
    entry: Pick<Restriction, 'id' | 'patientId' | 'reason' | 'placedBy' | 'placedAt'>,
  ): Promise<{ readonly restriction: Restriction; readonly isNew: boolean }>;
  /** The one that stands. */
  find(patientId: string): Promise<Restriction | undefined>;
  /** Those that stand, oldest first. */
  list(limit: number): Promise<readonly Restriction[]>;
  /** False when there is none, or somebody has asked already. */
  askLift(
    patientId: string,
    lift: { readonly by: string; readonly at: number; readonly reason: string },
  ): Promise<boolean>;
  /** False when nobody has asked, or who agrees is who asked. */
  lift(patientId: string, by: string, at: number): Promise<boolean>;
}

export interface NewRectification {
  readonly id: string;
  readonly patientId: string;
  readonly askedBy: string;
  /** What is said to be wrong: a resource and its version at the time. */
  readonly type: string;
  readonly resourceId: string;
  readonly version: number;
  readonly text: string;
  /** ms UTC */
  readonly askedAt: number;
}

export interface Rectification extends NewRectification {
  readonly state: 'open' | 'accepted' | 'refused';
  readonly answer?: { readonly by: string; readonly at: number; readonly text?: string; readonly newVersion?: number };
}

export interface RectificationBook {
  /** False when as many are open for this patient as there may be. */
  ask(entry: NewRectification, openMax: number): Promise<boolean>;
  find(id: string): Promise<Rectification | undefined>;
  /** Newest first. */
  listOf(patientIds: readonly string[], limit: number): Promise<readonly Rectification[]>;
  /** Open ones, oldest first. */
  listOpen(limit: number): Promise<readonly Rectification[]>;
  /** False when it is not open, or who answers is who asked. */
  answer(
    id: string,
    given: { readonly by: string; readonly at: number } & (
      | { readonly newVersion: number; readonly text?: string }
      | { readonly newVersion?: undefined; readonly text: string }
    ),
  ): Promise<boolean>;
}
