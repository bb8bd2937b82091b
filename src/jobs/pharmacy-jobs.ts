/** What is done for pharmacies in the background: prescriptions that are over, the digest, alerts. MISSION M10, M13 */
import type { CollectionCodes } from '../ports/collection-codes.ts';
import type { TokenAttempts } from '../ports/dispensing.ts';
import type { Log } from '../ports/log.ts';
import { FhirError } from '../standards/fhir/outcome.ts';
import type { PharmacyNotices } from '../workflow/dispensing/pharmacy-notices.ts';
import type { JobHandler, JobSet } from './runner.ts';

export interface PharmacyJobsOptions {
  readonly notices: PharmacyNotices;
  /** Tells the patient of a Task that it is ready to collect. */
  readonly tellReady: (taskId: string) => Promise<void>;
  readonly expire: () => Promise<{ readonly ended: number; readonly isMore: boolean }>;
  readonly attempts: Pick<TokenAttempts, 'purge'>;
  readonly codes: Pick<CollectionCodes, 'purge'>;
  readonly now: () => number;
  readonly log: Log;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How long the log of tokens is kept. */
const ATTEMPTS_KEPT_MS = 2 * 365 * DAY_MS;
/** Collection codes: longer than the hour in which they are counted. */
const CODES_KEPT_MS = DAY_MS;
const PURGE_MAX = 10_000;
const RETRY = { attemptsMax: 12, delayMs: 5_000, delayMaxMs: 30 * MINUTE_MS };

/** A Task that was deleted meanwhile is nobody's business any more. */
async function unlessGone(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof FhirError) || (error.status !== 404 && error.status !== 410)) throw error;
  }
}

export function createPharmacyJobs({
  notices,
  tellReady,
  expire,
  attempts,
  codes,
  now,
  log,
}: PharmacyJobsOptions): JobSet {
  const schedule = (kind: string, everyMs: number) => ({
    name: kind,
    everyMs,
    job: { kind, dedupe: 'one', payload: {} },
  });
  const handlers: JobHandler[] = [
    {
      kind: 'pharmacy-expire',
      ...RETRY,
      async run(_job, signal) {
        for (let isMore = true; isMore && !signal.aborted; ) {
          const done = await expire();
          isMore = done.isMore;
          if (done.ended > 0) log.info('prescriptions were not collected in time', { count: done.ended });
        }
        while ((await attempts.purge(now() - ATTEMPTS_KEPT_MS, PURGE_MAX)) === PURGE_MAX && !signal.aborted);
        while ((await codes.purge(now() - CODES_KEPT_MS, PURGE_MAX)) === PURGE_MAX && !signal.aborted);
      },
    },
    { kind: 'pharmacy-digest', ...RETRY, run: async () => void (await notices.digest()) },
    {
      kind: 'controlled-alert',
      ...RETRY,
      run: ({ payload }) => unlessGone(() => notices.alert(String(payload['task']))),
    },
    {
      kind: 'ready-to-collect',
      ...RETRY,
      run: ({ payload }) => unlessGone(() => tellReady(String(payload['task']))),
    },
  ];
  return { handlers, schedules: [schedule('pharmacy-expire', MINUTE_MS), schedule('pharmacy-digest', MINUTE_MS)] };
}
