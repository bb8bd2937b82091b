/** Jobs that stand still, held or dead, and how they go on. SECURITY DP-05; docs/gateway.md "Jobs" */
import type { AddedJob, JobTable } from '../ports/jobs.ts';
import { translated } from './database-error.ts';
import { ADDED_COLUMNS, toAdded, toSummary } from './job-rows.ts';
import type { Pipeline } from './pools.ts';

export type JobResumption = Pick<JobTable, 'heldFor' | 'resume' | 'list' | 'replay'>;

/** `announce` is told of those that may be taken again. */
export function createJobResumption(writes: Pipeline, announce: (jobs: readonly AddedJob[]) => void): JobResumption {
  return {
    heldFor: (limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-held-for',
          // job_held
          text: "select distinct held_for from mortar.job where state = 'held' limit $1",
          values: [limit],
        });
        return rows.map(([patientId]) => patientId as string);
      }),

    resume: (patientId) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-resume',
          // Of several of one word the newest says all there is to do; one that waits already says it too.
          text: `with held as (
  delete from mortar.job where state = 'held' and held_for = $1
  returning id, kind, key, dedupe, payload, attempts, fence, created_at
), kept as (
  select distinct on (kind, coalesce(dedupe, id::text)) * from held
  order by kind, coalesce(dedupe, id::text), created_at desc
)
insert into mortar.job (id, kind, key, dedupe, payload, attempts, fence, created_at, run_at)
select gen_random_uuid(), kind, key, dedupe, payload, attempts, fence, created_at, '-infinity' from kept
on conflict do nothing
returning ${ADDED_COLUMNS}`,
          values: [patientId],
        });
        announce(rows.map(toAdded));
        return rows.length;
      }),

    list: (state, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-list',
          text: `select id, kind, key, state, attempts, error, (extract(epoch from run_at) * 1000)::float8,
  (extract(epoch from created_at) * 1000)::float8
from mortar.job where state = $1 order by created_at limit $2`,
          values: [state, limit],
        });
        return rows.map(toSummary);
      }),

    replay: ({ kind, ids }) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-replay',
          // It goes to the end of its key: what came after it has been done.
          text: `update mortar.job j set state = 'ready', attempts = 0, run_at = '-infinity', created_at = clock_timestamp(), error = null
where id in (
    select distinct on (kind, coalesce(dedupe, id::text)) id from mortar.job
    where state = 'dead' and ($1::text is null or kind = $1) and ($2::uuid[] is null or id = any($2))
    order by kind, coalesce(dedupe, id::text), created_at desc)
  and not exists (select 1 from mortar.job o where o.kind = j.kind and o.dedupe = j.dedupe and o.state in ('ready', 'running'))
returning ${ADDED_COLUMNS}`,
          values: [kind ?? null, ids ?? null],
        });
        announce(rows.map(toAdded));
        return rows.length;
      }),
  };
}
