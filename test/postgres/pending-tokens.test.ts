/** How many tokens wait to be sorted into their index, of one connection and of one transaction. docs/decisions/0003-storage.md */
import { expect } from 'chai';
import { MANY_WRITES } from '../../src/postgres/pending-tokens.ts';
import { createPools, type Pools } from '../../src/postgres/pools.ts';
import { client } from '../support/callers.ts';
import { withClient } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { openPolicyStore, type PolicyStore } from '../support/policy-store.ts';

const PAGE_KIB = 8;

describe('tokens that wait for their index', function () {
  this.timeout(120_000);
  const caller = client('system/*.cruds');
  let world: PolicyStore;
  let pools: Pools;
  before(async () => {
    world = await openPolicyStore();
    const connection = world.database.connection('app');
    const one = { readConnections: 1, writeConnections: 1, transactionConnections: 1 };
    pools = createPools({ connection, ...one, log: silentLog });
  });
  after(async () => {
    await pools.end();
    await world.stop();
  });

  it('no index has a limit of its own; every connection has', async () => {
    const own = await withClient(world.database.connection('owner'), (on) =>
      on.query(`select c.relname from pg_class c join pg_index i on i.indexrelid = c.oid
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attname = 'tok'
where c.relnamespace = 'fhir'::regnamespace and c.reloptions::text like '%gin_pending_list_limit%'`),
    );
    expect(own.rows).deep.equal([]);
    const show = { text: 'show gin_pending_list_limit', values: [] };
    for (const on of [pools.reads, pools.writes]) expect(await on.query(show)).deep.equal([['64kB']]);
    expect((await pools.transactions.query(show.text)).rows).deep.equal([{ gin_pending_list_limit: '64kB' }]);
  });

  it(`a transaction of ${MANY_WRITES} writes lets more of them wait, and the next create sorts them in; all is found meanwhile`, async () => {
    const write = (count: number, code: string): Promise<unknown> =>
      world.store.transaction(caller, (tx) =>
        tx.write(
          Array.from({ length: count }, (_, i) => ({
            kind: 'make' as const,
            type: 'Basic',
            id: world.store.newId(),
            make: () => ({
              resourceType: 'Basic',
              identifier: [{ system: 'urn:test', value: `${code}-${i}` }],
              code: { coding: [{ system: 'urn:test', code }] },
            }),
          })),
        ),
      );
    const found = async (code: string): Promise<number> =>
      (await world.ids(caller, `Basic?code=urn:test|${code}&_count=1000`)).length;
    /** Each look-up reads what waits. */
    const waitingKiB = (): Promise<number> =>
      withClient(world.database.connection('owner'), async (on) => {
        await on.query('set enable_seqscan = off');
        const { rows } = await on.query<{ 'QUERY PLAN': readonly { Plan: Record<string, number> }[] }>(
          'explain (analyze, buffers, timing off, format json) select from fhir.basic where tok @> array[1, 2]::bigint[]',
        );
        const plan = rows[0]?.['QUERY PLAN'][0]?.Plan ?? {};
        return ((plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)) * PAGE_KIB;
      });
    await write(MANY_WRITES - 1, 'few');
    const few = await waitingKiB();
    expect(few).below(2 * 64);
    await write(1000, 'many');
    expect(await waitingKiB()).above(2 * 64);
    expect(await found('many')).equal(1000);
    await write(1, 'one');
    expect(await waitingKiB()).below(2 * 64);
    expect([await found('few'), await found('many'), await found('one')]).deep.equal([MANY_WRITES - 1, 1000, 1]);
  });
});
