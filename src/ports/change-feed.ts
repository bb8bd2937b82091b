/** The change log as those see it who follow it. `src/postgres/change-feed.ts` implements it. SECURITY RL-17, RL-19 */
import type { StoredVersion } from './resource-store.ts';

/** A place in the change log, to be handed back as it was given. */
export interface ChangePosition {
  readonly xid: string;
  readonly rid: string;
  readonly versionId: number;
  /** ms UTC */
  readonly at: string;
}

export interface ChangePage {
  /** In the order in which they were committed, as far as they are of the types that were asked for. */
  readonly versions: readonly StoredVersion[];
  readonly from: ChangePosition;
  /** Where the next page begins. */
  readonly to: ChangePosition;
  /** Whether there was as much as was asked for, so that there may be more. */
  readonly isFull: boolean;
}

export interface ChangeFeed {
  /**
   * The next changes for this consumer, at most `limit`: of committed transactions only, and none while one is under way
   * that may still commit before them. Who asks for the first time begins with what is changed from now on.
   */
  read(consumer: string, types: ReadonlySet<string>, limit: number): Promise<ChangePage>;
  /** Number of the last message in a sender's sequence; undefined before the first. */
  readSequence(sender: string): Promise<number | undefined>;
  writeSequence(sender: string, number: number): Promise<void>;
}

/** The change log for those who keep their position to themselves. */
export interface ChangeTail {
  /** Where the log ends now, for who keeps the position for themselves and begins anew with each start. */
  head(): Promise<ChangePosition>;
  /** What was changed after it, in the same order; nothing is kept of who asks. */
  after(position: ChangePosition, types: ReadonlySet<string>, limit: number): Promise<ChangePage>;
}

/** Positions inside a transaction of the store. */
export interface ConsumerTransaction {
  /** Moves with what the transaction writes. Throws `conflict` when somebody else has moved it: nothing may be kept. */
  advance(consumer: string, from: ChangePosition, to: ChangePosition): Promise<void>;
}
