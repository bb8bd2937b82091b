/**
 * Runs jobs: takes leases, keeps them while the work lasts, retries with back-off and jitter, buries what cannot be
 * done. The table is the truth; a carrier (`bull-carrier.ts`) may say sooner which job is due. SECURITY RL-15 … RL-22
 */
import type { Clock } from '../ports/clock.ts';
import type { JobTable, Schedule, TakenJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { ProcessingStop } from '../ports/subject-rights.ts';

export interface JobHandler {
  readonly kind: string;
  /** Must be safe to run again: a process can end after the work and before the row is gone. */
  run(job: TakenJob, signal: AbortSignal): Promise<void>;
  /** Patients whose data it sends out: while that is restricted for one of them the job is held. SECURITY DP-05 */
  patientsOf?(job: TakenJob): Promise<readonly string[]>;
  readonly attemptsMax: number;
  /** Delay before the second attempt; it doubles with each, up to `delayMaxMs`, and is spread by full jitter. */
  readonly delayMs: number;
  readonly delayMaxMs: number;
  /** Told when a job has become a dead letter. */
  onDead?(job: TakenJob): Promise<void>;
}

/** What one part of Mortar has done in the background. */
export interface JobSet {
  readonly handlers: readonly JobHandler[];
  readonly schedules: readonly Schedule[];
  /** Places of their own: jobs that wait long for others leave the rest theirs, and have them without being carried. */
  readonly concurrency?: number;
}

/** An error of the work's own making that no repetition can mend: straight to the dead letters. */
export class PermanentJobError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PermanentJobError';
  }
}

/** There was no point in trying: the job waits so long, and the attempt is not counted. */
export class PostponedJobError extends Error {
  readonly delayMs: number;
  constructor(message: string, delayMs: number) {
    super(message);
    this.name = 'PostponedJobError';
    this.delayMs = delayMs;
  }
}

/** Says sooner than polling that jobs are due. It holds ids only and may forget them. */
export interface Carrier {
  /** Whether it carries at this moment; while it does not, the runner polls the table. */
  isReady(): boolean;
  carry(jobs: readonly { readonly id: string; readonly runAt: number }[]): void;
  /** `work` takes and runs these jobs; resolves when they are done or were not to be had. */
  start(work: (ids: readonly string[]) => Promise<void>): void;
  stop(): Promise<void>;
}

export interface JobRunnerOptions {
  readonly table: JobTable;
  readonly handlers: readonly JobHandler[];
  readonly schedules?: readonly Schedule[];
  readonly carrier?: Carrier;
  /** Asked before a job that sends data of patients runs; without it such a job does not run. */
  readonly stop?: ProcessingStop;
  /** Jobs at once in this process. */
  readonly concurrency: number;
  readonly leaseMs?: number;
  readonly pollMs?: number;
  /** How often schedules and lost leases are looked after. */
  readonly sweepMs?: number;
  readonly now: Clock;
  /** 0 ≤ x < 1 */
  readonly random?: () => number;
  readonly log: Log;
}

export interface JobRunner {
  /** Ends taking, waits for what runs up to `timeoutMs`, and gives back what is left. */
  stop(timeoutMs: number): Promise<void>;
  stats(): { readonly running: number; readonly done: number; readonly retried: number; readonly dead: number };
}

const LEASE_MS = 30_000;
const POLL_MS = 1000;
const SWEEP_MS = 5000;
const SWEEP_BATCH = 500;
/** How long work may take to end once it was told to. */
const ABORTED_MS = 2000;

export function createJobRunner(options: JobRunnerOptions): JobRunner {
  const { table, carrier, concurrency, now, log, schedules = [] } = options;
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const pollMs = options.pollMs ?? POLL_MS;
  const sweepMs = options.sweepMs ?? SWEEP_MS;
  const random = options.random ?? Math.random;
  const handlers = new Map(options.handlers.map((handler) => [handler.kind, handler]));
  const kinds = [...handlers.keys()];
  const abort = new AbortController();
  const running = new Map<string, { readonly job: TakenJob; readonly done: Promise<void> }>();
  const counts = { done: 0, retried: 0, dead: 0 };
  let stopping = false;
  let taking: Promise<void> | undefined;
  let again = false;

  /** Takes as many due jobs as there is room for, until there are none. */
  function pump(): void {
    again = true;
    if (taking || stopping) return;
    taking = (async () => {
      while (again && !stopping) {
        again = false;
        const room = concurrency - running.size;
        if (room <= 0) break; // the end of a job pumps again
        const jobs = await table.take({ kinds, limit: room, leaseMs });
        if (stopping) await Promise.all(jobs.map((job) => table.release(job)));
        else for (const job of jobs) start(job);
        if (jobs.length === room) again = true;
      }
    })()
      .catch((error: Error) => log.warn('jobs could not be taken', { cause: error.message }))
      .finally(() => {
        taking = undefined;
        if (again && running.size < concurrency) pump();
      });
  }

  function start(job: TakenJob): Promise<void> {
    const done = runOne(job).finally(() => {
      running.delete(job.id);
      // The next of the same key may be had now, and there is room.
      if (!stopping && (job.key !== undefined || !carrier?.isReady())) pump();
    });
    running.set(job.id, { job, done });
    return done;
  }

  async function runOne(job: TakenJob): Promise<void> {
    const handler = handlers.get(job.kind) as JobHandler; // only its kinds are taken
    const keepLease = setInterval(() => {
      table
        .extend(job, leaseMs)
        .catch((error: Error) => log.warn('a lease was not kept', { job: job.id, cause: error.message }));
    }, leaseMs / 3);
    try {
      if (job.attempt > handler.attemptsMax) await bury(handler, job, `it ended its worker ${job.attempt - 1} times`);
      else if (await holds(handler, job))
        log.info('a job is held: processing is restricted', { job: job.id, kind: job.kind });
      else {
        await handler.run(job, abort.signal);
        await table.complete(job);
        counts.done += 1;
      }
    } catch (error) {
      await fail(handler, job, error).catch((cause: Error) =>
        log.warn('a failed job keeps its lease until that runs out', { job: job.id, cause: cause.message }),
      );
    } finally {
      clearInterval(keepLease);
    }
  }

  /** Whether the job must wait, and does. */
  async function holds(handler: JobHandler, job: TakenJob): Promise<boolean> {
    if (!handler.patientsOf) return false;
    if (!options.stop) throw new Error('nobody says whose data may be sent');
    const [restricted] = await options.stop.restrictedAmong(await handler.patientsOf(job));
    if (restricted === undefined) return false;
    await table.hold(job, restricted);
    return true;
  }

  async function fail(handler: JobHandler, job: TakenJob, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    if (stopping && abort.signal.aborted) return void (await table.release(job));
    if (error instanceof PostponedJobError) return postpone(job, error);
    if (error instanceof PermanentJobError || job.attempt >= handler.attemptsMax) return bury(handler, job, message);
    const delayMs = Math.round(random() * Math.min(handler.delayMaxMs, handler.delayMs * 2 ** (job.attempt - 1)));
    counts.retried += 1;
    log.info('a job is tried again', { job: job.id, kind: job.kind, attempt: job.attempt, delayMs, cause: message });
    const kept = await table.retry(job, delayMs, message);
    if (kept) carrier?.carry([{ id: job.id, runAt: now() + delayMs }]);
  }

  async function postpone(job: TakenJob, { message, delayMs }: PostponedJobError): Promise<void> {
    log.debug('a job waits', { job: job.id, kind: job.kind, delayMs, cause: message });
    if (await table.postpone(job, delayMs, message)) carrier?.carry([{ id: job.id, runAt: now() + delayMs }]);
  }

  async function bury(handler: JobHandler, job: TakenJob, error: string): Promise<void> {
    counts.dead += 1;
    log.error('a job is dead', { job: job.id, kind: job.kind, attempt: job.attempt, cause: error });
    if (await table.bury(job, error)) await handler.onDead?.(job);
  }

  /** Jobs a carrier names, as far as they are due and nobody else has them. */
  async function work(ids: readonly string[]): Promise<void> {
    if (stopping) return;
    const jobs = await table.take({ kinds, limit: ids.length, leaseMs, ids });
    await Promise.all(jobs.map(start));
  }

  async function sweep(): Promise<void> {
    for (const schedule of schedules) await table.runSchedule(schedule);
    await table.reclaim();
    if (carrier?.isReady()) carrier.carry(await table.findDue(kinds, SWEEP_BATCH));
    // Also beside a carrier: what it is told of may all wait for one job that it forgot.
    pump();
  }

  table.onAdded((jobs) => {
    const due = jobs.filter((job) => handlers.has(job.kind));
    if (due.length === 0) return;
    if (carrier?.isReady()) carrier.carry(due);
    else pump();
  });
  const poll = setInterval(() => {
    if (!carrier?.isReady()) pump();
  }, pollMs);
  const sweeper = setInterval(() => {
    sweep().catch((error: Error) => log.warn('the sweep of the jobs failed', { cause: error.message }));
  }, sweepMs);
  poll.unref();
  sweeper.unref();
  carrier?.start(work);
  void sweep().catch((error: Error) => log.warn('the sweep of the jobs failed', { cause: error.message }));
  pump();

  return {
    stats: () => ({ running: running.size, ...counts }),
    async stop(timeoutMs) {
      stopping = true;
      clearInterval(poll);
      clearInterval(sweeper);
      await taking; // what it takes from here on it gives back
      const finished = Promise.all([carrier?.stop(), ...[...running.values()].map(({ done }) => done)]);
      if (await endsWithin(finished, timeoutMs)) return;
      abort.abort(new Error('the server stops'));
      if (!(await endsWithin(finished, ABORTED_MS)))
        log.warn('jobs went on after the stop; their leases run out', { count: running.size });
    },
  };
}

async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
