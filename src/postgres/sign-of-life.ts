/**
 * A session lock that this process holds as long as it lives: the database itself lets go of it when the process is
 * gone, long before a lease runs out. SECURITY RL-17, RL-21
 *
 * A session may also break while the process goes on. Then the lock is taken again under the same number, on a new
 * session; until that has happened `number` is undefined, and leases alone count.
 */
import { randomInt } from 'node:crypto';
import type pg from 'pg';

/** The first half of the lock's key; no other lock of Mortar has two halves. 'jobs' in ASCII */
export const LIFE_LOCK = 0x6a_6f_62_73;
const RETRY_MS = 1000;
const NUMBERS = 2 ** 31 - 1;

export interface SignOfLife {
  /** The second half of the key while it is held; the first call opens the session. Never rejects. */
  number(): Promise<number | undefined>;
}

export interface SignOfLifeOptions {
  /** A connection of its own, not yet open. */
  readonly session: () => pg.Client;
  /** The session broke, and the process did not: what it holds is held by leases alone. */
  readonly onLost: (number: number) => Promise<void>;
}

export function createSignOfLife({ session, onLost }: SignOfLifeOptions): SignOfLife {
  const number = randomInt(1, NUMBERS);
  let held: pg.Client | undefined;
  let opening: Promise<void> | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;

  async function open(): Promise<void> {
    const client = session();
    const lose = (): void => {
      if (held !== client) return;
      held = undefined;
      // The leases are kept on other connections; where those are broken too nobody is told, and the fence decides.
      onLost(number).catch(() => undefined);
    };
    client.on('error', lose);
    client.on('end', lose);
    try {
      await client.connect();
      const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as got', [LIFE_LOCK, number]);
      // The session before this one may not have ended yet.
      if (rows[0]?.got === true) held = client;
      else await client.end();
    } catch {
      await client.end().catch(() => undefined);
    }
  }

  return {
    async number() {
      if (!held && performance.now() - triedAt > RETRY_MS) {
        triedAt = performance.now();
        opening = open();
      }
      await opening;
      return held && number;
    },
  };
}
