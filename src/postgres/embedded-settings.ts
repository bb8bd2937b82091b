/** Settings of the embedded Postgres, given on its command line so that a new release's settings count at once. */
import { totalmem } from 'node:os';

export type PostgresSettings = Readonly<Record<string, string | number | boolean>>;

const MIB = 1024 * 1024;

/** The settings for a machine, or container, with this much memory. */
export function postgresSettings(overrides: PostgresSettings = {}, memoryBytes = availableMemory()): PostgresSettings {
  return {
    shared_buffers: `${Math.max(32, Math.min(1024, Math.floor(memoryBytes / 4 / MIB)))}MB`,
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    jit: 'off',
    random_page_cost: 1.1,
    max_connections: 100,
    // Promise 1 (RL-06): what was acknowledged is on disk.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A statement, its parameters and the DETAIL of an error can hold a patient's data (DP-06): only what concerns the
    // server itself is logged (`log` ranks above `error` here), and tersely.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_parameter_max_length: 0,
    log_parameter_max_length_on_error: 0,
    log_statement: 'none',
    log_checkpoints: 'off',
    logging_collector: 'off',
    ...overrides,
  };
}

function availableMemory(): number {
  // 0 or a number beyond the machine's memory: no limit is set for this container.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** `-c name=value` for each setting. */
export function settingArguments(settings: PostgresSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
