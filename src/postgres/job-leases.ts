/** Jobs that a worker has: taken, kept, given back or brought to an end, each only while the lease holds. docs/gateway.md "Jobs" */
import type { Clock } from '../ports/clock.ts';
import type { JobTable, TakenJob } from '../ports/jobs.ts';
import { translated } from './database-error.ts';
import { toTaken } from './job-rows.ts';
import type { Pipeline, Pools } from './pools.ts';
import { createSignOfLife, LIFE_LOCK } from './sign-of-life.ts';

export interface JobLeasesOptions {
  readonly writes: Pipeline;
  /** For the sign of life of those who take jobs; without it leases alone tell who is gone. */
  readonly session?: Pools['session'];
  /** Decides what is due. Leases run by the database's clock, which all workers share. */
  readonly now: Clock;
}

export type JobLeases = Pick<
  JobTable,
  'take' | 'extend' | 'complete' | 'retry' | 'postpone' | 'release' | 'bury' | 'hold' | 'reclaim'
>;

const ERROR_MAX = 1000;
/** How long the jobs of a process stay with it after its sign of life has gone. */
const GRACE_MS = 2000;
/** How long they stay with one that only lost its session, unless it goes on keeping them. */
const LOST_LEASE_MS = 30_000;

export function createJobLeases({ writes, now, session }: JobLeasesOptions): JobLeases {
  const life =
    session &&
    createSignOfLife({
      session,
      onLost: async (holder) => {
        await writes.query({
          name: 'job-holder-lost',
          // Somebody may have shortened the lease already; it is kept up from here on.
          text: `update mortar.job set holder = null, leased_until = greatest(leased_until, now() + $2 * interval '1 ms')
where holder = $1 and state = 'running'`,
          values: [holder, LOST_LEASE_MS],
        });
      },
    });
  /** One statement on one leased job; whether the lease still held. */
  const onLeased = (name: string, change: string, job: TakenJob, values: readonly unknown[] = []): Promise<boolean> =>
    translated(async () => {
      const rows = await writes.query({
        name: `job-${name}`,
        text: `${change} where id = $1 and fence = $2 and state = 'running' returning 1`,
        values: [job.id, job.fence, ...values],
      });
      return rows.length > 0;
    });

  return {
    take: ({ kinds, limit, leaseMs, ids }) =>
      translated(async () => {
        const rows = await writes.query({
          name: ids ? 'job-take-ids' : 'job-take',
          // job_ready gives the due ones in order, job_key tells whether one is the first of its key.
          text: `with due as (
  select j.id from mortar.job j
  where j.state = 'ready' and j.run_at <= $4 and j.kind = any($1)${ids ? ' and j.id = any($6)' : ''}
    and (j.key is null or not exists (
      select 1 from mortar.job e
      where e.kind = j.kind and e.key = j.key and e.state in ('ready', 'running') and e.id <> j.id
        and (e.state = 'running' or (e.created_at, e.id) < (j.created_at, j.id))))
  order by j.run_at
  limit $2
  for update of j skip locked
)
update mortar.job j set state = 'running', fence = fence + 1, attempts = attempts + 1, holder = $5, gather = null,
  leased_until = now() + $3 * interval '1 ms'
from due where j.id = due.id
returning j.id, j.kind, j.key, j.payload, j.attempts, j.fence::int`,
          values: [kinds, limit, leaseMs, new Date(now()), (await life?.number()) ?? null, ...(ids ? [ids] : [])],
        });
        return rows.map(toTaken);
      }),

    extend: (job, leaseMs) =>
      onLeased('extend', "update mortar.job set leased_until = now() + $3 * interval '1 ms'", job, [leaseMs]),
    complete: (job) => onLeased('complete', 'delete from mortar.job', job),
    retry: (job, delayMs, error) =>
      onLeased(
        'retry',
        "update mortar.job set state = 'ready', leased_until = null, holder = null, error = $4, run_at = $3",
        job,
        [new Date(now() + delayMs), error.slice(0, ERROR_MAX)],
      ),
    postpone: (job, delayMs, reason) =>
      onLeased(
        'postpone',
        `update mortar.job set state = 'ready', leased_until = null, holder = null, error = $4, run_at = $3,
  attempts = greatest(attempts - 1, 0)`,
        job,
        [new Date(now() + delayMs), reason.slice(0, ERROR_MAX)],
      ),
    release: (job) =>
      onLeased(
        'release',
        "update mortar.job set state = 'ready', leased_until = null, holder = null, attempts = greatest(attempts - 1, 0)",
        job,
      ),
    bury: (job, error) =>
      onLeased(
        'bury',
        "update mortar.job set state = 'dead', leased_until = null, holder = null, done_at = now(), error = $3",
        job,
        [error.slice(0, ERROR_MAX)],
      ),

    hold: (job, patientId) =>
      onLeased(
        'hold',
        `update mortar.job set state = 'held', held_for = $3, leased_until = null, holder = null, attempts = greatest(attempts - 1, 0),
  error = 'held: the processing of the data is restricted'`,
        job,
        [patientId],
      ),

    reclaim: () =>
      translated(async () => {
        // The lock is there as long as the process is. One that only lost its session has a moment to say so.
        await writes.query({
          name: 'job-shorten',
          // job_holder
          text: `update mortar.job set leased_until = least(leased_until, now() + $2 * interval '1 ms')
where state = 'running' and holder is not null and leased_until > now() + $2 * interval '1 ms' and not exists (
  select 1 from pg_locks l
  where l.locktype = 'advisory' and l.classid = $1::int::oid and l.objid = holder::oid and l.objsubid = 2 and l.granted
    and l.database = (select oid from pg_database where datname = current_database()))`,
          values: [LIFE_LOCK, GRACE_MS],
        });
        const rows = await writes.query({
          name: 'job-reclaim',
          // job_lease
          text: `update mortar.job set state = 'ready', leased_until = null, holder = null,
  error = 'the worker that held it is gone'
where state = 'running' and leased_until < now() returning 1`,
          values: [],
        });
        return rows.length;
      }),
  };
}
