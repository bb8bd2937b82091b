/** A store with a patient's record and a neighbour's, and the books of the protection of data beside it. */
import { randomBytes } from 'node:crypto';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { Deed, HoldTarget } from '../../../src/ports/protection.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { ensureAuditPartitions } from '../../../src/postgres/audit/partitions.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { createHoldBook } from '../../../src/postgres/protection/holds.ts';
import { createRetention, type Retention } from '../../../src/postgres/protection/retention.ts';
import { withClient } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { openPolicyStore, type PolicyStore, type PolicyStoreOptions, ROOT } from '../../support/policy-store.ts';

export interface ProtectionWorld extends PolicyStore {
  readonly pools: Pools;
  readonly holds: ReturnType<typeof createHoldBook>;
  retention(mode: 'on' | 'dry-run'): Retention;
  /** Rows of a query as the superuser. */
  sql<R = unknown[]>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** A hold that two people have placed. */
  hold(target: HoldTarget): Promise<string>;
  liftHold(id: string): Promise<void>;
  remove(resource: Pick<Resource, 'resourceType'> & { readonly id: string }): Promise<void>;
}

export const cipherOfHolds = createCipher([{ number: 1, key: randomBytes(32) }]);

export async function openProtectionWorld(options: PolicyStoreOptions = {}): Promise<ProtectionWorld> {
  const cipher = options.cipher ?? cipherOfHolds;
  const world = await openPolicyStore({ ...options, cipher });
  const { database, clock, store } = world;
  await withClient(database.connection('owner'), (client) =>
    ensureAuditPartitions((text) => client.query(text), clock.now()),
  );
  const pools = createPools({
    connection: database.connection('app'),
    readConnections: 2,
    writeConnections: 2,
    transactionConnections: 4,
    log: silentLog,
  });
  const holds = createHoldBook({ pools, cipher, rids: store.contacts.keys.rids });
  const who = (by: string): Deed => ({ by, at: clock.now() });
  return {
    ...world,
    pools,
    holds,
    retention: (mode) =>
      createRetention({
        ...store.contacts,
        pools,
        removal: store.removal,
        years: 8,
        mode,
        deadLetterDays: 365,
        now: clock.now,
      }),
    sql: (text, values = []) =>
      withClient(database.connection('superuser'), async (client) => {
        const { rows } = await client.query({ text, values: [...values], rowMode: 'array' });
        return rows as never[];
      }),
    async hold(target) {
      const { id } = await holds.propose(target, 'an inquest', who('first'));
      await holds.approve(id, who('second'));
      return id;
    },
    async liftHold(id) {
      await holds.lift(id, 'it is over', who('first'));
      await holds.approveLift(id, who('second'));
    },
    async remove({ resourceType, id }) {
      clock.pass(1000);
      await store.delete(ROOT, resourceType, id);
    },
    async stop() {
      await pools.end();
      await world.stop();
    },
  };
}

/** Every row of every table but the trail's, as text. */
export async function everyRow({ database }: Pick<PolicyStore, 'database'>): Promise<string> {
  return withClient(database.connection('superuser'), async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('fhir', 'mortar', 'auth', 'protection') and c.relkind = 'r' and pg_relation_size(c.oid) > 0`,
    );
    let text = '';
    for (const { name } of tables) {
      const { rows } = await client.query<{ t: string }>(`select t::text as t from ${name} t`);
      text += rows.map(({ t }) => `${name} ${t}\n`).join('');
    }
    const { rows } = await client.query<{ t: string }>(
      `select concat_ws(' ', tablename, attname, most_common_vals::text, histogram_bounds::text) as t from pg_stats
where schemaname in ('fhir', 'mortar', 'auth', 'protection')`,
    );
    return text + rows.map(({ t }) => t).join('\n');
  });
}
