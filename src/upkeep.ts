/** What a server keeps up by itself while it runs: partitions for the days to come, and the sealing of elements. */
import type pg from 'pg';
import { every } from './every.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import { adoptCluster } from './postgres/audit/cluster.ts';
import { ensureAuditPartitions } from './postgres/audit/partitions.ts';
import { withOwner } from './postgres/owner.ts';
import { ensurePartitions } from './postgres/partitions.ts';
import type { OpenStore } from './postgres/store.ts';

const PARTITIONS_EVERY_MS = 6 * 60 * 60 * 1000;
/** No other advisory lock of Mortar's has this number: 'part' in ASCII. */
const PARTITIONS_LOCK = 0x70617274;
const AGAIN_EVERY_MS = 30 * 1000;

export interface PartitionOptions {
  /** Connects as the role that may make tables. */
  readonly owner: pg.ClientConfig;
  readonly log: Log;
  readonly now: Clock;
}

/** Partitions for the coming days and months, now and every few hours; what ends it. */
export async function keepPartitions({ owner, log, now }: PartitionOptions): Promise<() => Promise<void>> {
  const ensure = (): Promise<void> =>
    withOwner(owner, async (client) => {
      // `if not exists` does not see what another session is making. The end of this session lets go.
      await client.query('select pg_advisory_lock($1)', [PARTITIONS_LOCK]);
      await ensurePartitions((text) => client.query(text), now());
      await ensureAuditPartitions((text) => client.query(text), now());
    });
  await ensure();
  if (await withOwner(owner, adoptCluster))
    log.warn('the database was loaded into another cluster: its audit trail goes on');
  return every(PARTITIONS_EVERY_MS, ensure, (error) => log.error('partitions could not be made', { error }));
}

/** Seals again what has old data keys or another setting, whenever there is such; it goes on where it stopped. */
export function keepSealed({ rotation }: OpenStore, log: Log): { stop(): Promise<void> } | undefined {
  if (!rotation) return undefined;
  return repeatedly((signal) =>
    rotation.reseal(signal).then(
      (result) => void (result === 'done' && log.info('every protected element is sealed as the setting says')),
      (error: Error) => log.error('protected elements could not be sealed again', { error }),
    ),
  );
}

/** Makes search values again, whenever an upgrade or somebody asks for it; it goes on where it stopped. */
export function keepIndexed({ reindex }: OpenStore, log: Log): { stop(): Promise<void> } {
  return repeatedly(async (signal) => {
    try {
      const result = await reindex.run(signal);
      if (result === 'done') log.info('the search values of what is stored have been made again');
    } catch (error) {
      log.error('search values could not be made again', { error });
    }
  });
}

/** Runs the work now and every half minute, one run at a time. */
function repeatedly(work: (signal: AbortSignal) => Promise<void>): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const run = (): void => {
    running ??= work(stopping.signal).finally(() => {
      running = undefined;
    });
  };
  const timer = setInterval(run, AGAIN_EVERY_MS);
  timer.unref();
  run();
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}
