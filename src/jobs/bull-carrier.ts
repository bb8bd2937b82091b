/**
 * Carries job ids through Redis with Bull, so that many processes hear of a job at once and none has to poll. Redis
 * holds no truth: it can be emptied or stopped at any moment. SECURITY RL-22, docs/gateway.md
 */
import Bull from 'bull';
import { Redis } from 'ioredis';
import type { Log } from '../ports/log.ts';
import type { Carrier } from './runner.ts';

export interface BullCarrierOptions {
  /** `redis://…` or `rediss://…` */
  readonly redisUrl: string;
  /** Names the queue; processes of one database share it, other databases must not. */
  readonly name: string;
  /** Ids worked on at once in this process. */
  readonly concurrency: number;
  readonly now: () => number;
  readonly log: Log;
}

const STOP_MS = 3000;
/** Later than this Redis is not asked to wait: the sweep finds the job when it is due. */
const DELAY_MAX_MS = 24 * 60 * 60 * 1000;

export function createBullCarrier({ redisUrl, name, concurrency, now, log }: BullCarrierOptions): Carrier {
  const clients: Redis[] = [];
  let isStopped = false;
  /** Bull leaves connections open that have no Redis to say goodbye to, so they are ours. */
  const createClient = (type: 'client' | 'subscriber' | 'bclient'): Redis => {
    const waiting = { enableReadyCheck: false, maxRetriesPerRequest: null }; // Bull wants it so
    const client = type === 'client' ? new Redis(redisUrl) : new Redis(redisUrl, waiting);
    client.on('error', (error: Error) => log.debug('Redis', { cause: error.message }));
    if (isStopped) client.disconnect();
    else clients.push(client);
    return client;
  };
  // One hash tag, so that a Redis cluster keeps all keys of the queue on one node.
  const queue = new Bull<{ readonly id: string }>(name, {
    createClient,
    prefix: '{mortar}',
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 },
    settings: { maxStalledCount: 0, stalledInterval: 30_000, guardInterval: 5000 },
  });
  let up = false;
  const noteState = (state: boolean, cause?: string): void => {
    if (state === up) return;
    up = state;
    if (state) log.info('Redis answers: it carries jobs');
    else log.warn('Redis does not answer: jobs are taken from the database', { cause });
  };
  queue.client.on('ready', () => noteState(true));
  queue.client.on('close', () => noteState(false, 'the connection ended'));
  queue.client.on('error', (error: Error) => noteState(false, error.message));
  // What Bull cannot find any more after a FLUSHALL is told here; the table knows the job, and the sweep carries it again.
  queue.on('error', (error) => log.debug('Bull', { cause: error.message }));

  return {
    isReady: () => up && queue.client.status === 'ready',
    carry(jobs) {
      if (jobs.length === 0) return;
      const at = now();
      const near = jobs.filter((job) => job.runAt - at <= DELAY_MAX_MS);
      queue
        .addBulk(
          near.map(({ id, runAt }) => ({
            data: { id },
            opts: { jobId: `${id}-${runAt}`, delay: Math.max(0, runAt - at) },
          })),
        )
        .catch((error: Error) => log.warn('jobs were not carried', { count: near.length, cause: error.message }));
    },
    start(work) {
      queue
        .process(concurrency, (job) => work([job.data.id]))
        .catch((error: Error) => {
          log.warn('Bull ended', { cause: error.message });
        });
    },
    async stop() {
      // Bull waits for a Redis that is not there; the table does not need it to have said goodbye.
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS);
      });
      await Promise.race([queue.close().catch(() => undefined), late]);
      clearTimeout(timer);
      isStopped = true;
      for (const client of clients) client.disconnect();
    },
  };
}
