/** The queues of pharmacies, found without looking at what is in them. `src/postgres/dispensing/queue.ts` implements it. MISSION M10 */
import type { ConsentAsker } from './policy.ts';

export type QueueStatus = 'pending' | 'dispensed' | 'expired';
export type QueueRank = 'controlled' | 'high_risk' | 'routine';

export interface QueueRequest {
  /** The Organization. */
  readonly pharmacyId: string;
  readonly status: QueueStatus;
  /** All of them unless given. */
  readonly rank?: QueueRank;
  /** Issued since, ms UTC. */
  readonly since?: number;
  /** Of these Patients alone. */
  readonly patientIds?: readonly string[];
  readonly count: number;
  /** `next` of the page before. */
  readonly after?: string;
  /** As Consents speak of who asks; without them nothing is doubtful. */
  readonly askers?: readonly ConsentAsker[];
}

export interface QueueCounts {
  readonly controlled: number;
  readonly high_risk: number;
  readonly routine: number;
}

/** A Task that is counted, and that a Consent may keep from who asks. */
export interface Doubtful {
  readonly taskId: string;
  readonly rank: QueueRank;
}

export interface Counted {
  readonly counts: QueueCounts;
  /** Everything that may be hidden of what was counted: most of it is not. */
  readonly doubtful: readonly Doubtful[];
}

export interface QueuePage extends Counted {
  /** Tasks: controlled first, then high risk, then routine; the oldest first of what is pending, the newest first of the rest. */
  readonly taskIds: readonly string[];
  readonly next?: string;
}

export interface DispensingTimes {
  readonly issued: number;
  readonly dispensed: number;
  readonly expired: number;
  /** Mean and median from issue to dispensing, ms; absent where nothing was dispensed. */
  readonly meanMs?: number;
  readonly medianMs?: number;
}

export interface DispenseQueue {
  /** Throws 400 for an `after` that is no position. */
  page(request: QueueRequest): Promise<QueuePage>;
  counts(pharmacyId: string): Promise<QueueCounts>;
  /** The same, with what of it is doubtful. */
  open(pharmacyId: string, askers: readonly ConsentAsker[]): Promise<Counted>;
  /** Of all that ever stood in the queue. */
  doubtful(pharmacyId: string, askers: readonly ConsentAsker[]): Promise<readonly Doubtful[]>;
  /** Open Tasks whose time is over, whoever's they are: at most `limit`. */
  overdue(at: number, limit: number): Promise<readonly string[]>;
  /** Pharmacies with something open. */
  pharmaciesWithOpen(at: number): Promise<readonly string[]>;
  /** Whether something waits that was issued before (ms UTC). */
  hasOpenSince(pharmacyId: string, issuedBefore: number): Promise<boolean>;
  /** Volume and times at a pharmacy, of what was issued or done in the time (ms UTC, `until` exclusive); without the Tasks of `hidden`. */
  times(pharmacyId: string, from: number, until: number, hidden: readonly string[]): Promise<DispensingTimes>;
}
