/** kill -9 of the server while it exports: every resource is given, each exactly once; and what that costs in memory. docs/bulk.md, SECURITY RL-17 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient, type Reply } from '../support/fhir-client.ts';
import { createServerProcess, type RunningServer, type ServerProcess } from '../support/server-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 3, long: 12 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
/** Some steps. */
const ROWS = 150_000 * Math.ceil(kills / 3);
const ASYNC = { prefer: 'respond-async' };
const MIB = 1024;
/** Pages, packed pieces and what the engine has not collected yet; far from the text of all. */
const GROWTH_MAX_MIB = 300;

describe('$export › kill -9 [RL-17]', function () {
  this.timeout(300_000 + kills * 60_000);
  let database: TestDatabase;
  let server: ServerProcess;
  let running: RunningServer;
  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database);
    await withClient(database.connection('owner'), (client) =>
      client.query(
        `insert into fhir.observation (rid, lu, pm, ver, op, id, tok, content)
select g, 0, 0, 1, 'C', 'k' || g, '{}', '{"resourceType":"Observation","id":"k' || g || '","meta":{"versionId":"1"},"status":"final","code":{"text":"'
  || repeat(md5(g::text), 60) || '"}}'
from generate_series(1, $1::int) g`,
        [ROWS],
      ),
    );
  });
  after(async () => {
    await server.stop();
    await database.drop();
  });

  async function start(): Promise<FhirClient> {
    running = await server.start();
    return createFhirClient(running);
  }
  const pathOf = (asked: Reply): string => {
    expect(asked.status, asked.text).equal(202);
    return `$export-status/${asked.headers.get('content-location')?.split('/').at(-1)}`;
  };
  async function finished(fhir: FhirClient, path: string): Promise<{ url: string; count: number }[]> {
    let reply = await fhir.get(path);
    // What a killed server had under way is taken again at the latest when its lease runs out.
    for (let waited = 0; reply.status === 202 && waited < 240_000; waited += 100) {
      await sleep(100);
      reply = await fhir.get(path);
    }
    expect(reply.status, reply.text).equal(200);
    return reply.json<{ output: { url: string; count: number }[] }>().output;
  }

  it('nothing is lost, nothing is given twice', async () => {
    let fhir = await start();
    const path = pathOf(await fhir.get('$export?_type=Observation', ASYNC));
    let interrupted = 0;
    for (let round = 0; round < kills; round++) {
      const from = (await fhir.get(path)).headers.get('x-progress');
      for (let tries = 0; tries < 3000; tries++) {
        const { status, headers } = await fhir.get(path);
        if (status !== 202 || headers.get('x-progress') !== from) break;
        await sleep(5);
      }
      await server.kill();
      const { rows } = await withClient(database.connection('owner'), (client) =>
        client.query(`select 1 from mortar.async_request where state in ('waiting', 'running')`),
      );
      interrupted += rows.length;
      fhir = await start();
    }
    expect(interrupted, 'it was killed in its midst').above(0);
    const seen = new Uint8Array(ROWS + 1);
    for (const { url, count } of await finished(fhir, path)) {
      const { text } = await fhir.get(url);
      let lines = 0;
      for (const [, id] of text.matchAll(/^\{"resourceType":"Observation","id":"k(\d+)".*\}$/gm)) {
        lines += 1;
        seen[Number(id)] = (seen[Number(id)] ?? 0) + 1;
      }
      expect(lines).equal(count);
    }
    expect(seen.subarray(1).every((times) => times === 1)).equal(true);
  });

  it('its memory does not grow with what is exported', async function () {
    await server.stop();
    const fhir = await start();
    const refs = `/proc/${running.pid}/clear_refs`;
    if (!existsSync(refs)) this.skip(); // Linux tells
    const kib = (name: string): number =>
      Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${running.pid}/status`, 'latin1'))?.[1]);
    writeFileSync(refs, '5'); // the peak is counted from here
    const before = kib('VmRSS');
    const output = await finished(fhir, pathOf(await fhir.get('$export?_type=Observation', ASYNC)));
    expect(output.reduce((sum, { count }) => sum + count, 0)).equal(ROWS);
    expect((kib('VmHWM') - before) / MIB, 'MiB').below(GROWTH_MAX_MIB);
  });
});
