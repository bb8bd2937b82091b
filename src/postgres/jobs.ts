/** The job table: what is added and when, order per key, schedules, leases with fencing, dead letters. SECURITY RL-15 … RL-18, RL-21 */
import { randomUUID } from 'node:crypto';
import type { AddedJob, JobTable, JobTransaction, NewJob } from '../ports/jobs.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import { createJobLeases, type JobLeasesOptions } from './job-leases.ts';
import { createJobResumption } from './job-resumption.ts';
import { ADDED_COLUMNS, toAdded } from './job-rows.ts';
import type { Row, Statement } from './pools.ts';

type Send = (statement: Statement) => Promise<readonly Row[]>;
type Listener = (jobs: readonly AddedJob[]) => void;

export interface Jobs extends JobTable {
  /** `added` is called with the jobs once the transaction is committed. */
  transaction(send: Send, added: Listener): JobTransaction;
  announce: Listener;
}

export function createJobs(options: JobLeasesOptions): Jobs {
  const { writes, now } = options;
  const listeners: Listener[] = [];
  const announce: Listener = (jobs) => {
    if (jobs.length > 0) for (const listener of listeners) listener(jobs);
  };

  return {
    ...createJobLeases(options),
    ...createJobResumption(writes, announce),
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

    findDue: (kinds, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'job-due',
          text: `select ${ADDED_COLUMNS} from mortar.job
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
returning ${ADDED_COLUMNS}`,
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
  };
}

const ADD = `insert into mortar.job (id, kind, key, dedupe, payload, run_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
on conflict do nothing
returning ${ADDED_COLUMNS}`;

/**
 * job_gather. The job that waits is locked until this commits, though nothing of it changes: nobody can take it, and take the
 * word off it, before what was written with this one can be seen. In order, so that of two who add none waits for the other.
 */
const ADD_GATHERING = `with n as (
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[])
    n(id, kind, key, dedupe, payload, run_at, gather)
), plain as (
  insert into mortar.job (id, kind, key, dedupe, payload, run_at)
  select id, kind, key, dedupe, payload, run_at from n where gather is null
  on conflict do nothing
  returning ${ADDED_COLUMNS}
), gathering as (
  insert into mortar.job (id, kind, key, payload, run_at, gather)
  select distinct on (kind, gather) id, kind, key, payload, run_at, gather from n where gather is not null order by kind, gather
  on conflict (kind, gather) where gather is not null do update set gather = excluded.gather where false
  returning ${ADDED_COLUMNS}
)
select * from plain union all select * from gathering`;

async function add(send: Send, jobs: readonly NewJob[]): Promise<readonly AddedJob[]> {
  if (jobs.length === 0) return [];
  const doesGather = jobs.some(({ gather }) => gather !== undefined);
  const rows = await send({
    name: doesGather ? 'job-add-gathering' : 'job-add',
    text: doesGather ? ADD_GATHERING : ADD,
    values: [
      jobs.map(() => randomUUID()),
      jobs.map((job) => job.kind),
      jobs.map((job) => job.key ?? null),
      jobs.map((job) => job.dedupe ?? null),
      jobs.map((job) => JSON.stringify(job.payload)),
      jobs.map((job) => (job.runAt === undefined ? '-infinity' : new Date(job.runAt).toISOString())),
      ...(doesGather ? [jobs.map((job) => job.gather ?? null)] : []),
    ],
  });
  return rows.map(toAdded);
}
