/** Rows of `mortar.job` as jobs. */
import type { AddedJob, JobPayload, JobSummary, TakenJob } from '../ports/jobs.ts';
import type { Row } from './pools.ts';

/** What `toAdded` takes. */
export const ADDED_COLUMNS = 'id, kind, (extract(epoch from run_at) * 1000)::float8';

export const toAdded = ([id, kind, runAt]: Row): AddedJob => ({
  id: id as string,
  kind: kind as string,
  runAt: Number.isFinite(runAt) ? Math.round(runAt as number) : 0,
});

export function toTaken(row: Row): TakenJob {
  const [id, kind, key, payload, attempt, fence] = row as [string, string, string | null, JobPayload, number, number];
  return { id, kind, ...(key !== null && { key }), payload, attempt, fence };
}

export function toSummary(row: Row): JobSummary {
  const [id, kind, key, state, attempts, error, runAt, createdAt] = row as [
    string,
    string,
    string | null,
    JobSummary['state'],
    number,
    string | null,
    number,
    number,
  ];
  return {
    id,
    kind,
    ...(key !== null && { key }),
    state,
    attempts,
    ...(error !== null && { error }),
    runAt: Number.isFinite(runAt) ? Math.round(runAt) : 0,
    createdAt: Math.round(createdAt),
  };
}
