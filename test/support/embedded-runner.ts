/**
 * A process that runs an embedded Postgres, so that a test can kill it or have another user run it. Takes the options
 * as JSON; prints `{ pid, adopted }` or `{ trouble, message }`; runs until it is told to stop.
 */
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { StartError } from '../../src/postgres/start-error.ts';
import { silentLog } from './log.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<EmbeddedPostgresOptions, 'log'>;
try {
  const postgres = await startEmbeddedPostgres({ ...options, log: silentLog });
  const stayAlive = setInterval(() => {}, 1_000);
  process.once('SIGTERM', async () => {
    await postgres.stop();
    clearInterval(stayAlive);
  });
  console.log(JSON.stringify({ pid: postgres.pid(), adopted: postgres.adopted }));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.log(JSON.stringify({ trouble: error.trouble, message: error.message }));
}
