/** The job table: leases with fencing, order per key, dead letters, schedules. SECURITY RL-15 … RL-18, RL-21 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { AddedJob, JobPayload, JobSummary, JobTable, JobTransaction, NewJob, TakenJob } from '../ports/jobs.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Pools, Row, Statement } from './pools.ts';
import { createSignOfLife, LIFE_LOCK } from './sign-of-life.ts';

type Send = (statement: Statement) => Promise<readonly Row[]>;
type Listener = (jobs: readonly AddedJob[]) => void;

const ERROR_MAX = 1000;
/** How long the jobs of a process stay with it after its sign of life has gone. */
const GRACE_MS = 2000;
/** How long they stay with one that only lost its session, unless it goes on keeping them. */
const LOST_LEASE_MS = 30_000;

export interface Jobs extends JobTable {
  /** `added` is called with the jobs once the transaction is committed. */
  transaction(send: Send, added: Listener): JobTransaction;
  announce: Listener;
}

export interface JobsOptions {
  readonly writes: Pipeline;
  /** For the sign of life of those who take jobs; without it leases alone tell who is gone. */
  readonly session?: Pools['session'];
  /** Decides what is due. Leases run by the database's clock, which all workers share. */
  readonly now: Clock;
}

export function createJobs({ writes, now, session }: JobsOptions): Jobs {
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
  const listeners: Listener[] = [];
  const announce: Listener = (jobs) => {
    if (jobs.length > 0) for (const listener of listeners) listener(jobs);
  };
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
    announce,
    onAdded: (listener) => void listeners.push(listener),

    add: (jobs) => translated(async () => announce(await add(writes.query, jobs))),

    transaction: (send, added) => ({
      add: async (jobs) => added(await add(send, jobs)),
      async complete(job) {
        const rows = await send({
          name: 'job-complete-within',
          text: "delete from mortar.job where id = $1 and fence = $2 and state = 'running' returning 1",
          values: [job.id, job.fence],
        });
        if (rows.length === 0) throw conflict(`The lease on job ${job.id} was lost: another worker has it`);
      },
    }),

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
update mortar.job j set state = 'running', fence = fence + 1, attempts = attempts + 1, holder = $5,
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
returning id, kind, (extract(epoch from run_at) * 1000)::float8`,
          values: [patientId],
        });
        announce(rows.map(toAdded));
        return rows.length;
      }),

    countOpen: (kind, keys, max) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-count-open',
          // job_key
          text: `select count(*)::int from (
  select from mortar.job where kind = $1 and key = any($2) and state in ('ready', 'running') limit $3) open`,
          values: [kind, keys, max],
        });
        return rows[0]?.[0] as number; // a count has a row
      }),

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

    findDue: (kinds, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-due',
          text: `select id, kind, (extract(epoch from run_at) * 1000)::float8 from mortar.job
where state = 'ready' and run_at <= $3 and kind = any($1) order by run_at limit $2`,
          values: [kinds, limit, new Date(now())],
        });
        return rows.map(toAdded);
      }),

    runSchedule: ({ name, everyMs, job }) =>
      translated(async () => {
        await writes.query({
          name: 'schedule-make',
          text: 'insert into mortar.schedule (name, next_at) values ($1, $2) on conflict do nothing',
          values: [name, new Date(now() + everyMs)],
        });
        const rows = await writes.query({
          name: 'schedule-run',
          // One statement: whoever moves the time adds the job, and the others find the time moved.
          text: `with due as (
  update mortar.schedule set next_at = greatest(next_at + $2 * interval '1 ms', $8) where name = $1 and next_at <= $8
  returning name
)
insert into mortar.job (id, kind, key, dedupe, payload, run_at)
select $3, $4, $5, $6, $7, '-infinity' from due on conflict do nothing
returning id, kind, (extract(epoch from run_at) * 1000)::float8`,
          values: [
            name,
            everyMs,
            randomUUID(),
            job.kind,
            job.key ?? null,
            job.dedupe ?? null,
            JSON.stringify(job.payload),
            new Date(now()),
          ],
        });
        announce(rows.map(toAdded));
        return rows.length > 0;
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
returning id, kind, (extract(epoch from run_at) * 1000)::float8`,
          values: [kind ?? null, ids ?? null],
        });
        announce(rows.map(toAdded));
        return rows.length;
      }),
  };
}

async function add(send: Send, jobs: readonly NewJob[]): Promise<readonly AddedJob[]> {
  if (jobs.length === 0) return [];
  const rows = await send({
    name: 'job-add',
    text: `insert into mortar.job (id, kind, key, dedupe, payload, run_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
on conflict do nothing
returning id, kind, (extract(epoch from run_at) * 1000)::float8`,
    values: [
      jobs.map(() => randomUUID()),
      jobs.map((job) => job.kind),
      jobs.map((job) => job.key ?? null),
      jobs.map((job) => job.dedupe ?? null),
      jobs.map((job) => JSON.stringify(job.payload)),
      jobs.map((job) => (job.runAt === undefined ? '-infinity' : new Date(job.runAt).toISOString())),
    ],
  });
  return rows.map(toAdded);
}

const toAdded = ([id, kind, runAt]: Row): AddedJob => ({
  id: id as string,
  kind: kind as string,
  runAt: Number.isFinite(runAt) ? Math.round(runAt as number) : 0,
});

function toTaken(row: Row): TakenJob {
  const [id, kind, key, payload, attempt, fence] = row as [string, string, string | null, JobPayload, number, number];
  return { id, kind, ...(key !== null && { key }), payload, attempt, fence };
}

function toSummary(row: Row): JobSummary {
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
