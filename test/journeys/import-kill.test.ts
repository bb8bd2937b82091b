/** kill -9 of the server while it imports: every line is applied, each exactly once. docs/bulk.md, SECURITY RL-17 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient } from '../support/fhir-client.ts';
import { createServerProcess, type ServerProcess } from '../support/server-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 3, long: 12 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const LINES = 20_000 * Math.ceil(kills / 3);
const FAULT_EVERY = 1000;

describe('$import › kill -9 [RL-17]', function () {
  this.timeout(300_000 + kills * 60_000);
  let database: TestDatabase;
  let server: ServerProcess;
  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database);
  });
  after(async () => {
    await server.stop();
    await database.drop();
  });

  const start = async (): Promise<FhirClient> => createFhirClient(await server.start());
  const stored = (): Promise<{ all: number; distinct: number }> =>
    withClient(database.connection('owner'), async (client) => {
      const { rows } = await client.query<{ all: number; distinct: number }>(
        `select count(*)::int as all, count(distinct content::jsonb #>> '{valueString}')::int as distinct from fhir.observation`,
      );
      return rows[0] as { all: number; distinct: number };
    });

  it('nothing is lost, nothing is done twice', async () => {
    let fhir = await start();
    const lines = Array.from({ length: LINES }, (_, i) =>
      JSON.stringify({
        resourceType: 'Observation',
        status: i % FAULT_EVERY === 7 ? 'no-such-code' : 'final',
        code: { coding: [{ system: 'urn:test', code: 'killed' }] },
        valueString: `line ${i}`,
        note: [{ text: 'n'.repeat(800) }], // more than one piece
      }),
    );
    const asked = await fhir.post('$import', lines.join('\n'), {
      prefer: 'respond-async',
      'content-type': 'application/fhir+ndjson',
    });
    expect(asked.status, asked.text).equal(202);
    const path = `$import-status/${asked.headers.get('content-location')?.split('/').at(-1)}`;
    let interrupted = 0;
    for (let round = 0; round < kills; round++) {
      const { all: before } = await stored();
      for (let tries = 0; tries < 3000 && (await stored()).all === before; tries++) await sleep(10);
      await server.kill();
      if ((await stored()).all < LINES - LINES / FAULT_EVERY) interrupted += 1;
      fhir = await start();
    }
    expect(interrupted, 'it was killed in its midst').above(0);
    // What a killed server had under way is taken again at the latest when its lease runs out.
    let reply = await fhir.get(path);
    for (let waited = 0; reply.status === 202 && waited < 240_000; waited += 200) {
      await sleep(200);
      reply = await fhir.get(path);
    }
    expect(reply.status, reply.text).equal(200);
    const failed = LINES / FAULT_EVERY;
    const manifest = reply.json<{ error: { url: string; count: number }[] }>();
    expect(manifest).deep.include({ lines: LINES, created: LINES - failed, updated: 0, unchanged: 0, failed });
    expect(await stored()).deep.equal({ all: LINES - failed, distinct: LINES - failed });
    const file = await fhir.get(`$import-file/${path.split('/')[1]}/error.ndjson`);
    const ids = file.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids).deep.equal(Array.from({ length: failed }, (_, i) => `line-${i * FAULT_EVERY + 8}`));
  });
});
