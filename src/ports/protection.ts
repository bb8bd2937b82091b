/** Legal holds, retention and erasure. `src/postgres/protection/` implements them. SECURITY DP-01, DP-02, DP-04 */

export type HoldTarget =
  | { readonly kind: 'patient'; readonly id: string }
  | { readonly kind: 'resource'; readonly type: string; readonly id: string }
  /** `Observation?code=…`, without controls. */
  | { readonly kind: 'query'; readonly type: string; readonly query: string };

/** `proposed` holds nothing yet; `lifting` holds still. */
export type HoldState = 'proposed' | 'rejected' | 'active' | 'lifting' | 'lifted';

/** Who did something, and when (ms UTC). */
export interface Deed {
  readonly by: string;
  readonly at: number;
}

export interface Hold {
  readonly id: string;
  readonly target: HoldTarget;
  readonly reason: string;
  readonly state: HoldState;
  readonly proposed: Deed;
  /** Approved, or rejected. */
  readonly decided?: Deed;
  readonly lift?: Deed & { readonly reason: string };
  readonly lifted?: Deed;
}

/** What a decision came to. `same-person`: it needs a second one. */
export type Decided<T> =
  | { readonly outcome: 'done'; readonly value: T }
  | { readonly outcome: 'absent' | 'same-person' };

export interface HoldBook {
  propose(target: HoldTarget, reason: string, who: Deed): Promise<Hold>;
  /** Once it resolves, nothing more of what it holds is removed. */
  approve(id: string, who: Deed): Promise<Decided<Hold>>;
  /** Of a proposal; also its own proposer may take it back. */
  reject(id: string, who: Deed): Promise<Decided<Hold>>;
  /** Somebody else must approve it. */
  lift(id: string, reason: string, who: Deed): Promise<Decided<Hold>>;
  approveLift(id: string, who: Deed): Promise<Decided<Hold>>;
  /** Newest first. */
  list(state: HoldState | undefined, limit: number): Promise<readonly Hold[]>;
}

/** Article 17(1)(a) to (f) of the GDPR. */
export type LegalBasis =
  | 'no-longer-needed'
  | 'consent-withdrawn'
  | 'objection'
  | 'unlawful-processing'
  | 'legal-obligation'
  | 'child-services';

export type ErasureState = 'proposed' | 'rejected' | 'approved' | 'held' | 'done';

/** What a removal took away. */
export interface RemovalCounts {
  /** By resource type. */
  readonly resources: Readonly<Record<string, number>>;
  /** Resources that stay, of which references or versions were changed; by type. */
  readonly rewritten: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly jobs: number;
  readonly accounts: number;
  readonly grants: number;
  readonly dataKeys: number;
}

export interface Erasure {
  readonly id: string;
  readonly state: ErasureState;
  /** Until it is done or rejected. */
  readonly patientId?: string;
  readonly reason?: string;
  /** Keyed hash of the reference, in hex. */
  readonly patientHash: string;
  readonly basis: LegalBasis;
  readonly proposed: Deed;
  readonly decided?: Deed;
  /** ms UTC */
  readonly doneAt?: number;
  readonly counts?: RemovalCounts;
}

/** What an erasure would do, for whoever decides. */
export interface ErasureReview {
  /** Resources that would go, by type. */
  readonly resources: Readonly<Record<string, number>>;
  /** Resources that are about other patients as well: they stay, without this one. By type. */
  readonly shared: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly accounts: number;
  /** Ids of the holds that stop it. */
  readonly holds: readonly string[];
}

export interface ErasureBook {
  /** `open`: there is one of this patient already. */
  propose(patientId: string, basis: LegalBasis, reason: string, who: Deed): Promise<Erasure | 'open'>;
  approve(id: string, who: Deed): Promise<Decided<Erasure>>;
  reject(id: string, who: Deed): Promise<Decided<Erasure>>;
  find(id: string): Promise<Erasure | undefined>;
  /** Newest first. */
  list(limit: number): Promise<readonly Erasure[]>;
}

/** How long one kind of data is kept. */
export interface RetentionRule {
  readonly category: string;
  readonly keeps: string;
  /** The setting that says otherwise. */
  readonly setting?: string;
}

/** One run of the purge, or one that only counted. */
export interface PurgeRun {
  readonly id: string;
  readonly mode: 'on' | 'dry-run';
  /** Patients without contact since are due; ms UTC. */
  readonly cutoff: number;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly counts: PurgeCounts;
}

export interface PurgeCounts {
  /** Patients who were looked at. */
  readonly patients: number;
  /** Whose time has passed. */
  readonly due: number;
  /** Of those: stopped by a legal hold. */
  readonly held: number;
  /** Kept as it is not known when the last contact was, or because a prescription or stay is open. */
  readonly inDoubt: number;
  /** Records removed. */
  readonly removed: number;
  /** Resources by type, removed; of a run that only counts: that would be. */
  readonly resources: Readonly<Record<string, number>>;
  readonly deadMessages: number;
  readonly deadJobs: number;
}

export interface RetentionReport {
  readonly rules: readonly RetentionRule[];
  /** Newest first. */
  readonly runs: readonly PurgeRun[];
}
