/** Leases of worker numbers: no two processes ever make ids from the same number at the same time. */
import type { Log } from '../ports/log.ts';
import type { Pipeline } from './pools.ts';

const LEASE_S = 60;
const RENEW_MS = 20_000;

export interface WorkerLease {
  readonly number: number;
  /** Last ms an earlier holder of the number gave out. */
  readonly notBeforeMs: number;
  /** Gives the number back. */
  release(): Promise<void>;
}

/** Takes a free number and keeps it until `release`. `lastMs` tells the last instant given out so far. */
export async function leaseWorker(
  writes: Pipeline,
  holder: string,
  lastMs: () => number,
  log: Log,
): Promise<WorkerLease> {
  const [row] = await writes.query({
    text: `update mortar.worker
set holder = $1::text, leased_until = now() + make_interval(secs => ${LEASE_S})
where number = (
  select number from mortar.worker where leased_until < now() order by leased_until, number limit 1 for update skip locked
)
returning number, last_ms`,
    values: [holder],
  });
  if (!row) throw new Error('all 1024 worker numbers are leased: too many servers share this database');
  const number = row[0] as number;
  const renew = (seconds: number): Promise<unknown> =>
    writes.query({
      name: 'worker-renew',
      text: `update mortar.worker
set leased_until = now() + make_interval(secs => $3::int), last_ms = greatest(last_ms, $4::bigint)
where number = $1::int and holder = $2::text`,
      values: [number, holder, seconds, lastMs()],
    });
  const timer = setInterval(() => {
    renew(LEASE_S).catch((error: Error) => log.warn('the worker lease could not be renewed', { cause: error.message }));
  }, RENEW_MS);
  timer.unref();
  return {
    number,
    notBeforeMs: Number(row[1]),
    async release() {
      clearInterval(timer);
      await renew(0);
    },
  };
}
