/** Lets go what was held for patients whose data may be sent again. SECURITY DP-05 */
import type { JobTable } from '../ports/jobs.ts';
import type { ProcessingStop } from '../ports/subject-rights.ts';
import type { JobHandler, JobSet } from './runner.ts';

const SWEEP_EVERY_MS = 60_000;
const SWEEP_BATCH = 500;

/** Lifting a restriction does it at once; this finds what a crash between the two left. */
export function createRestrictionJobs(jobs: Pick<JobTable, 'heldFor' | 'resume'>, stop: ProcessingStop): JobSet {
  const sweep: JobHandler = {
    kind: 'held-sweep',
    attemptsMax: 5,
    delayMs: 1000,
    delayMaxMs: 60_000,
    async run() {
      const patients = await jobs.heldFor(SWEEP_BATCH);
      const restricted = await stop.restrictedAmong(patients);
      for (const patient of patients) if (!restricted.has(patient)) await jobs.resume(patient);
    },
  };
  return {
    handlers: [sweep],
    schedules: [{ name: sweep.kind, everyMs: SWEEP_EVERY_MS, job: { kind: sweep.kind, dedupe: 'one', payload: {} } }],
  };
}
