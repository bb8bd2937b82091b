/** The pools outlive what Postgres does to their connections. SECURITY RL-02: the backends; the postmaster elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createPools, type PoolOptions, type Pools } from '../../src/postgres/pools.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient, idOf, type Json } from '../support/fhir-client.ts';
import { heapAfterYoung, heapInUse } from '../support/heap.ts';
import { silentLog } from '../support/log.ts';
import { startTestServer, type TestServer, testLog } from '../support/server.ts';
import { storeFaults } from '../support/store-state.ts';

const patient = (i: number): Json => ({ resourceType: 'Patient', multipleBirthInteger: (i % 90) + 1 });

describe('pools', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({ log: { ...testLog(), error: () => {}, warn: () => {} } });
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  const killBackends = (): Promise<number> =>
    withClient(server.database.connection('owner'), async (client) => {
      const { rowCount } = await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'mortar'",
      );
      return rowCount ?? 0;
    });

  /** Runs it on pools of their own, with one connection of each kind unless it is said otherwise. */
  async function withPools(work: (pools: Pools) => Promise<void>, options: Partial<PoolOptions> = {}): Promise<void> {
    const pools = createPools({
      connection: server.database.connection('app'),
      readConnections: 1,
      writeConnections: 1,
      transactionConnections: 1,
      log: silentLog,
      ...options,
    });
    try {
      await work(pools);
    } finally {
      await pools.end();
    }
  }

  it('a statement with a limit of text lets go of what is beyond it, and the connection goes on', () =>
    withPools(async ({ reads }) => {
      const text = "select repeat('x', 1000), n from generate_series(1, 100) n";
      const rows = await reads.query({ text, values: [], textMax: 100_000 });
      expect([rows.length, rows[99]]).deep.equal([100, ['x'.repeat(1000), 100]]);
      const error = await reads.query({ text, values: [], textMax: 99_999 }).catch((e: unknown) => e);
      expect(error).instanceOf(FhirError);
      expect((error as FhirError).issues[0]?.code).equal('too-costly');
      expect(await reads.query({ text: 'select 1', values: [], textMax: 1 })).deep.equal([[1]]);
    }));

  it('the rows of a statement are collected while they are young, also where older ones lie in the old heap', () =>
    withPools(async ({ reads }) => {
      const text = "select repeat('x', 1000), n from generate_series(1, 50) n";
      const askTimes = async (times: number): Promise<void> => {
        for (let i = 0; i < times; i++) await reads.query({ name: 'rows', text, values: [] });
      };
      const load = Promise.all([10, 10, 10, 10].map(askTimes));
      for (let i = 0; i < 3; i++) {
        await askTimes(1);
        heapInUse(); // what is under way moves to the old heap
      }
      await load;
      const before = heapAfterYoung();
      await askTimes(100);
      expect(heapAfterYoung() - before).below(2_000_000); // of 5 MB of rows
    }));

  it('no connection compiles statements, whatever the database is set to', () =>
    withPools(
      async (pools) => {
        for (const pool of [pools.reads, pools.writes, pools.background])
          expect(await pool.query({ text: 'show jit', values: [] })).deep.equal([['off']]);
        expect((await pools.transactions.query('show jit')).rows).deep.equal([{ jit: 'off' }]);
      },
      { connection: { ...server.database.connection('app'), options: '-c jit=on' } },
    ));

  it('a shape of a search is planned once a connection, whatever is asked for', () =>
    withPools(async ({ reads }) => {
      const text = 'select m.id from fhir.patient m where m.rid = $1::bigint limit $2::int';
      for (let i = 0; i < 12; i++) await reads.query({ name: 'once', text, values: [String(i), i] });
      const told = "select generic_plans::int, custom_plans::int from pg_prepared_statements where name = 'once'";
      expect(await reads.query({ text: told, values: [] })).deep.equal([[12, 0]]);
    }));

  const SLOW = { text: 'select pg_sleep(1.5)', values: [] };
  const QUICK = { text: 'select 1', values: [] };

  it('statements that take long keep no quick one waiting while a connection is left', () =>
    withPools(
      async ({ reads }) => {
        const order: string[] = [];
        const slow = [1, 2].map(() => reads.query(SLOW).then(() => order.push('slow')));
        await sleep(200);
        const quick = Array.from({ length: 50 }, () => reads.query(QUICK).then(() => order.push('quick')));
        await Promise.all([...slow, ...quick]);
        expect(order).eql([...Array(50).fill('quick'), 'slow', 'slow']);
      },
      { readConnections: 3 },
    ));

  it('what no request waits for keeps none waiting', () =>
    withPools(async ({ reads, background }) => {
      const order: string[] = [];
      const slow = background.query(SLOW).then(() => order.push('background'));
      await sleep(200);
      await reads.query(QUICK).then(() => order.push('read'));
      await slow;
      expect(order).eql(['read', 'background']);
    }));

  it('[RL-02] idle connections that are ended are replaced: no request fails', async () => {
    const id = idOf(await fhir.post('Patient', patient(1)));
    for (let round = 0; round < 3; round++) {
      expect(await killBackends()).greaterThan(0);
      await sleep(100);
      expect((await fhir.get(`Patient/${id}`)).status).equal(200);
      expect((await fhir.get('Patient?_summary=count')).status).equal(200);
      expect((await fhir.post('Patient', patient(2))).status).equal(201);
      expect((await fhir.put(`Patient?_id=${id}`, { ...patient(round), id, active: round % 2 === 0 })).status).equal(
        200,
      );
    }
  });

  it('[RL-02] under load: what was acknowledged is there, what failed says 503, and it works again', async () => {
    const acknowledged: string[] = [];
    const statuses = new Map<number, number>();
    let stopping = false;
    const worker = async (n: number): Promise<void> => {
      for (let i = 0; !stopping; i++) {
        const reply =
          i % 3 === 0
            ? await fhir.post('', {
                resourceType: 'Bundle',
                type: 'transaction',
                entry: [1, 2, 3].map((k) => ({
                  resource: { resourceType: 'Patient', id: `w${n}-${i}-${k}` },
                  request: { method: 'PUT', url: `Patient/w${n}-${i}-${k}` },
                })),
              })
            : await fhir.post('Patient', patient(i));
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
        if (reply.status === 201) acknowledged.push(`Patient/${idOf(reply)}`);
        if (reply.status === 200) acknowledged.push(...[1, 2, 3].map((k) => `Patient/w${n}-${i}-${k}`));
        if (reply.status === 503) expect(reply.headers.get('retry-after')).match(/^\d+$/);
      }
    };
    const workers = Array.from({ length: 16 }, (_, n) => worker(n));
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await killBackends();
    }
    await sleep(100);
    stopping = true;
    await Promise.all(workers);
    expect([...statuses.keys()].filter((s) => ![200, 201, 503].includes(s))).eql([]);
    expect(acknowledged.length).greaterThan(10);
    for (let i = 0; i < acknowledged.length; i += 50) {
      const replies = await Promise.all(acknowledged.slice(i, i + 50).map((path) => fhir.get(path)));
      expect(replies.filter((r) => r.status !== 200).map((r) => r.text)).eql([]);
    }
    expect(await storeFaults(server)).eql([]);
    const whole = await withClient(server.database.connection('owner'), (client) =>
      client.query(
        "select substring(id from '^w[0-9]+-[0-9]+') from fhir.patient where id like 'w%' group by 1 having count(*) <> 3",
      ),
    );
    expect(whole.rows).eql([]);
  });

  it('a database that gives up is 503 with Retry-After, never 500 and never "not found"', async () => {
    await withClient(server.database.connection('owner'), async (client) => {
      await client.query('begin');
      await client.query('lock table fhir.patient in access exclusive mode');
      const waiting = Promise.all([
        fhir.get('Patient/x'),
        fhir.get('Patient?active=true'),
        fhir.post('Patient', patient(1)),
        fhir.put('Patient/x', { ...patient(1), id: 'x' }),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await client.query(
        "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'mortar' and state = 'active'",
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      await client.query('rollback');
      for (const reply of await waiting) {
        expect(reply.status, reply.text).oneOf([200, 201, 404, 503]);
        if (reply.status === 503) expect(reply.headers.get('retry-after')).match(/^\d+$/);
      }
    });
    expect((await fhir.post('Patient', patient(1))).status).equal(201);
  });
});
