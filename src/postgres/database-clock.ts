/** How far the database's clock is from ours. Nothing is decided by it but whether to start. SECURITY SU-07. */
import pg from 'pg';
import type { Clock } from '../ports/clock.ts';
import { StartError } from './start-error.ts';

const DIFFERENCE_MS_MAX = 5_000;

/** Throws `unsuitable` when the two clocks are more than five seconds apart, the way there and back allowed for. */
export async function checkDatabaseClock(connection: pg.ClientConfig, now: Clock): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const before = now();
    const { rows } = await client.query<{ ms: string }>(
      'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms',
    );
    const after = now();
    const database = Number(rows[0]?.ms);
    const difference = Math.max(before - database, database - after, 0);
    if (difference <= DIFFERENCE_MS_MAX) return;
    throw new StartError(
      'unsuitable',
      `the clock of this machine and that of the database are ${Math.round(difference / 1000)} s apart; ` +
        'at most 5 s are allowed with NODE_ENV=production: set both by NTP',
    );
  } finally {
    await client.end();
  }
}
