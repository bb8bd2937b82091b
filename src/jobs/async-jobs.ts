/**
 * Carries out requests that are answered later, step by step: each step is kept with where the next begins, so that what
 * was interrupted goes on. Takes away results whose time is over. https://hl7.org/fhir/R4/async.html
 */
import type { AsyncRequests, AsyncWorker } from '../ports/async-requests.ts';
import type { Clock } from '../ports/clock.ts';
import type { JobTable, NewJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { KeptAnswers } from '../ports/request-answers.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import { type JobHandler, type JobSet, PostponedJobError } from './runner.ts';

export interface AsyncJobsOptions {
  readonly book: AsyncRequests;
  readonly jobs: Pick<JobTable, 'add'>;
  readonly workers: readonly AsyncWorker[];
  /** Answers that are kept for those who ask again. */
  readonly answers?: Pick<KeptAnswers, 'purge'>;
  /** Requests at once in this process. */
  readonly concurrency: number;
  readonly now: Clock;
  readonly log: Log;
}

const SWEEP_EVERY_MS = 60_000;
const SWEEP_BATCH = 1000;
/** How long it is told why something failed. */
const FAILURE_KEPT_MS = 60 * 60 * 1000;
/** How long a request may come again. */
const ANSWERS_KEPT_MS = 24 * 60 * 60 * 1000;
const KIND = 'async-request';
const NOT_READY_MS = 2000;

/** The job that carries a request out: of several for the same one is kept. */
export const asyncJob = (id: string): NewJob => ({ kind: KIND, dedupe: id, payload: { request: id } });

export function createAsyncJobs(options: AsyncJobsOptions): JobSet {
  const { book, jobs, now, log } = options;
  const workers = new Map(options.workers.map((worker) => [worker.kind, worker]));
  const fail = (id: string, error: FhirError): Promise<void> =>
    book.fail(
      id,
      { status: error.status, issues: error.issues },
      { endedAt: now(), expiresAt: now() + FAILURE_KEPT_MS },
    );

  async function work(id: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const at = await book.begin(id);
      if (!at) return; // done, cancelled, or gone
      const worker = workers.get(at.kind);
      if (!worker) return fail(id, unknownKind());
      if (worker.isReady?.(at) === false) throw new PostponedJobError('what it needs is on its way', NOT_READY_MS);
      try {
        const step = await worker.step(at, signal);
        const times = { endedAt: now(), expiresAt: now() + worker.keptMs };
        if (!(await book.append(id, at.step, step, times))) return; // cancelled, or somebody else is at it
      } catch (error) {
        if (!(error instanceof FhirError) || error.status >= 500 || signal.aborted) throw error;
        return fail(id, error);
      }
    }
  }

  const retry = { attemptsMax: 5, delayMs: 1000, delayMaxMs: 60_000 };
  const maker: JobHandler = {
    kind: KIND,
    ...retry,
    run: ({ payload }, signal) => work(String(payload['request']), signal),
    async onDead({ payload }) {
      await fail(String(payload['request']), gaveUp());
    },
  };
  const sweep: JobHandler = {
    kind: 'async-request-sweep',
    ...retry,
    async run() {
      // Those whose job was lost between the asking and the adding.
      const waiting = await book.waiting(SWEEP_BATCH);
      await jobs.add(waiting.map(({ id }) => asyncJob(id)));
      const gone = await book.expire(now(), SWEEP_BATCH);
      // What was interrupted goes by them, however long ago that was.
      const isNeeded = waiting.some(({ kind }) => workers.get(kind)?.keepsAnswers === true);
      if (!isNeeded) await options.answers?.purge(now() - ANSWERS_KEPT_MS, SWEEP_BATCH);
      if (gone.length > 0) log.debug('results of requests were removed', { count: gone.length });
    },
  };
  return {
    handlers: [maker, sweep],
    schedules: [{ name: sweep.kind, everyMs: SWEEP_EVERY_MS, job: { kind: sweep.kind, dedupe: 'one', payload: {} } }],
    concurrency: options.concurrency,
  };
}

const unknownKind = (): FhirError =>
  new FhirError(501, [issue('not-supported', 'This server does not know the kind of this request any more')]);
const gaveUp = (): FhirError =>
  new FhirError(500, [issue('exception', 'The request failed here several times: it is not tried again')]);
