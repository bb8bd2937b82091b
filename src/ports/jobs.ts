/** Things to do that must outlive a process. `src/postgres/jobs.ts` is the truth, `src/jobs/` runs them. */

/** Numbers, codes and ids only: a payload lies in clear. */
export type JobPayload = Readonly<Record<string, string | number | boolean | null>>;

export interface NewJob {
  readonly kind: string;
  /** Jobs of one kind and key run one after another, in the order they were added. */
  readonly key?: string;
  /** While a job of this kind with the same word is waiting or running, another is not added. */
  readonly dedupe?: string;
  /**
   * While a job of this kind with the same word waits to be taken for the first time, another is not added: it will see what
   * was written together with this one. Once it is taken another is added. Beside `dedupe` it is of no use.
   */
  readonly gather?: string;
  readonly payload: JobPayload;
  /** ms UTC; at once when absent. */
  readonly runAt?: number;
}

/** A job that this process holds a lease on. */
export interface TakenJob {
  readonly id: string;
  readonly kind: string;
  readonly key?: string;
  readonly payload: JobPayload;
  /** This attempt counted, so 1 for the first. */
  readonly attempt: number;
  /** Grows with every lease: what a holder does is refused when the job was leased again since. */
  readonly fence: number;
}

export interface JobSummary {
  readonly id: string;
  readonly kind: string;
  readonly key?: string;
  /** `held`: until the processing of a patient's data may go on. */
  readonly state: 'ready' | 'running' | 'dead' | 'held';
  readonly attempts: number;
  readonly error?: string;
  /** ms UTC */
  readonly runAt: number;
  readonly createdAt: number;
}

/** Jobs inside a transaction of the store: added, or marked done, together with what else is written. */
export interface JobTransaction {
  add(jobs: readonly NewJob[]): Promise<void>;
  /** Throws `conflict` when the lease was lost, so that nothing of a stale holder is kept. */
  complete(job: TakenJob): Promise<void>;
}

export interface Schedule {
  readonly name: string;
  readonly everyMs: number;
  readonly job: Omit<NewJob, 'runAt'>;
}

export interface AddedJob {
  readonly id: string;
  readonly kind: string;
  /** ms UTC */
  readonly runAt: number;
}

export interface JobTable {
  add(jobs: readonly NewJob[]): Promise<void>;
  /** Leases due jobs of these kinds, or those of `ids` that are due; the first of a key only. */
  take(request: {
    readonly kinds: readonly string[];
    readonly limit: number;
    readonly leaseMs: number;
    readonly ids?: readonly string[];
  }): Promise<readonly TakenJob[]>;
  /** False when the lease was lost. */
  extend(job: TakenJob, leaseMs: number): Promise<boolean>;
  /** False when the lease was lost. A finished job's row goes. */
  complete(job: TakenJob): Promise<boolean>;
  /** Back to the waiting ones. */
  retry(job: TakenJob, delayMs: number, error: string): Promise<boolean>;
  /** Back to the waiting ones, as an attempt that is not counted: there was no point in making it. */
  postpone(job: TakenJob, delayMs: number, reason: string): Promise<boolean>;
  /** Gives the lease back as if it had not been taken: the process stops. */
  release(job: TakenJob): Promise<boolean>;
  /** To the dead letters, where it stays until somebody replays or discards it. */
  bury(job: TakenJob, error: string): Promise<boolean>;
  /** Puts a job by, uncounted and out of the way of others of its key, while data of this patient may not be sent. */
  hold(job: TakenJob, patientId: string): Promise<boolean>;
  /** Patients for whom jobs are held. */
  heldFor(limit: number): Promise<readonly string[]>;
  /** What was held for the patient waits its turn again. Resolves to how many. */
  resume(patientId: string): Promise<number>;
  /** How many jobs of these keys wait or run, counted up to `max`. */
  countOpen(kind: string, keys: readonly string[], max: number): Promise<number>;
  /** Puts jobs back whose lease has run out, and shortens the leases of processes that are gone. Resolves to how many were put back. */
  reclaim(): Promise<number>;
  /** Jobs that are due, the longest due first, for a carrier that forgot them. */
  findDue(kinds: readonly string[], limit: number): Promise<readonly AddedJob[]>;
  /** Adds the schedule's job when its time has come, once in the whole fleet. */
  runSchedule(schedule: Schedule): Promise<boolean>;
  list(state: JobSummary['state'], limit: number): Promise<readonly JobSummary[]>;
  /** Dead jobs run again, from attempt 1. Resolves to how many. */
  replay(filter: { readonly kind?: string; readonly ids?: readonly string[] }): Promise<number>;
  /** Hears of every job this process has added, after its commit. */
  onAdded(listener: (jobs: readonly AddedJob[]) => void): void;
}
