/** Makes copies of records page by page, and takes away those whose time is over. SECURITY DP-03 */
import { serviceCaller } from '../policy/service-caller.ts';
import type { AuditLog } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { JobTable, NewJob } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { CopyBook, CopyProgress } from '../ports/subject-access.ts';
import type { CopyPage } from '../workflow/subject-access/copy-record.ts';
import { CopyTooOld } from '../workflow/subject-access/record-part.ts';
import type { JobHandler, JobSet } from './runner.ts';

export interface SubjectAccessJobsOptions {
  readonly book: CopyBook;
  readonly jobs: Pick<JobTable, 'add'>;
  readonly makePage: (patientId: string, from: CopyProgress) => Promise<CopyPage | undefined>;
  readonly audit: AuditLog;
  readonly now: Clock;
  readonly log: Log;
}

const CALLER = serviceCaller('jobs');
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
const SWEEP_EVERY_MS = 60_000;
const SWEEP_BATCH = 200;

/** The job that makes a copy: of several for the same one is kept. */
export const copyJob = (id: string): NewJob => ({ kind: 'subject-access', dedupe: id, payload: { copy: id } });

export function createSubjectAccessJobs(options: SubjectAccessJobsOptions): JobSet {
  const { book, jobs, makePage, audit, now, log } = options;
  const tell = (operation: string, outcome: 0 | 8, patientId: string, copy: string): Promise<void> =>
    audit.record({ kind: 'export', caller: CALLER, outcome, operation, patientId, detail: { copy } });

  async function make(id: string, signal: AbortSignal): Promise<void> {
    const copy = await book.find(id);
    for (;;) {
      signal.throwIfAborted();
      const from = await book.progress(id);
      if (!copy || !from) return; // done, or given up
      try {
        const made = await makePage(copy.patientId, from);
        if (!made) break;
        if (!(await book.append(id, made.done, made.page))) throw new Error('another worker makes this copy');
      } catch (error) {
        if (!(error instanceof CopyTooOld)) throw error;
        log.info('a copy of a record begins anew: it was interrupted for too long', { copy: id });
        await book.restart(id);
      }
    }
    await tell('subject-access-made', 0, copy.patientId, id);
    await book.finish(id, { readyAt: now(), expiresAt: now() + KEPT_MS });
  }

  const retry = { attemptsMax: 5, delayMs: 1000, delayMaxMs: 5 * 60 * 1000 };
  const maker: JobHandler = {
    kind: 'subject-access',
    ...retry,
    run: ({ payload }, signal) => make(String(payload['copy']), signal),
    async onDead({ payload }) {
      const id = String(payload['copy']);
      const copy = await book.find(id);
      await book.fail(id);
      if (copy) await tell('subject-access-made', 8, copy.patientId, id);
    },
  };
  const sweep: JobHandler = {
    kind: 'subject-access-sweep',
    ...retry,
    async run() {
      // Those whose job was lost between the asking and the adding.
      await jobs.add((await book.waiting(SWEEP_BATCH)).map(copyJob));
      for (const { id, patientId } of await book.expire(now(), SWEEP_BATCH))
        await tell('subject-access-expired', 0, patientId, id);
    },
  };
  return {
    handlers: [maker, sweep],
    schedules: [{ name: sweep.kind, everyMs: SWEEP_EVERY_MS, job: { kind: sweep.kind, dedupe: 'one', payload: {} } }],
  };
}
