/** The jobs behind the gateway, and those that run beside them: who carries them, and how many at once. docs/gateway.md */
import type { Config } from './config.ts';
import { type Carrier, createJobRunner, type JobRunner, type JobSet } from './jobs/runner.ts';
import type { ContextLog } from './log.ts';
import type { Clock } from './ports/clock.ts';
import type { JobTable } from './ports/jobs.ts';
import type { ProcessingStop } from './ports/subject-rights.ts';

export interface GatewayRunnerParts {
  readonly config: Pick<Config, 'redisUrl' | 'jobConcurrency'>;
  readonly table: JobTable;
  /** Names the Redis queue after the database. */
  readonly queueName: string;
  /** Whose data may only be stored. */
  readonly stop?: ProcessingStop;
  readonly now: Clock;
  readonly log: ContextLog;
}

export type JobStats = ReturnType<JobRunner['stats']>;

export interface GatewayRunners {
  stats(): JobStats;
  stop(timeoutMs: number): Promise<void>;
}

/** Sets that name no concurrency share one runner, and Redis where there is one; each of the others has its own places. */
export async function startRunners(parts: GatewayRunnerParts, sets: readonly JobSet[]): Promise<GatewayRunners> {
  const { redisUrl, jobConcurrency } = parts.config;
  const carrier = redisUrl === undefined ? undefined : await openCarrier(parts, redisUrl);
  const runners = [
    run(parts, sets.filter(sharesPlaces), jobConcurrency, carrier),
    ...sets.flatMap((set) => (sharesPlaces(set) ? [] : [run(parts, [set], set.concurrency ?? 1)])),
  ];
  return {
    stats: () => runners.reduce((sum, runner) => added(sum, runner.stats()), NO_JOBS),
    async stop(timeoutMs) {
      await Promise.all(runners.map((runner) => runner.stop(timeoutMs)));
    },
  };
}

const sharesPlaces = ({ concurrency }: JobSet): boolean => concurrency === undefined;

export const NO_JOBS: JobStats = { running: 0, done: 0, retried: 0, dead: 0 };

const added = (a: JobStats, b: JobStats): JobStats => ({
  running: a.running + b.running,
  done: a.done + b.done,
  retried: a.retried + b.retried,
  dead: a.dead + b.dead,
});

const run = (
  { table, stop, now, log }: GatewayRunnerParts,
  sets: readonly JobSet[],
  concurrency: number,
  carrier?: Carrier,
): JobRunner =>
  createJobRunner({
    table,
    handlers: sets.flatMap(({ handlers }) => handlers),
    schedules: sets.flatMap(({ schedules }) => schedules),
    ...(carrier && { carrier }),
    ...(stop && { stop }),
    concurrency,
    now,
    log,
  });

/** Loaded when there is a Redis, as Bull brings much along. */
async function openCarrier({ config, queueName, now, log }: GatewayRunnerParts, redisUrl: string): Promise<Carrier> {
  const { createBullCarrier } = await import('./jobs/bull-carrier.ts');
  return createBullCarrier({ redisUrl, name: queueName, concurrency: config.jobConcurrency, now, log });
}
