/** kill -9 of the server while it imports: every line is applied, each exactly once. docs/bulk.md, SECURITY RL-17 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient } from '../support/fhir-client.ts';
import { databaseUrl, operatorToken } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 3, long: 12 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const LINES = 20_000 * Math.ceil(kills / 3);
const FAULT_EVERY = 1000;

describe('$import › kill -9 [RL-17]', function () {
  this.timeout(300_000 + kills * 60_000);
  let database: TestDatabase;
  let dataDir: string;
  let child: ChildProcess | undefined;
  before(async () => {
    database = await createDatabase();
    dataDir = makeTempFolder();
  });
  after(async () => {
    child?.kill('SIGTERM');
    if (child && child.exitCode === null) await once(child, 'exit');
    await database.drop();
  });

  async function start(): Promise<FhirClient> {
    child = spawn(process.execPath, [MAIN], {
      cwd: dataDir,
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: '0',
        MLLP_PORT: '0',
        SPINE_PORT: 'off',
        PAYER_PORT: 'off',
        DATA_DIR: join(dataDir, 'data'),
        DATABASE_URL: databaseUrl(database),
        UNSAFE_DATABASE: 'allow',
        LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    for (let tries = 0; tries < 2400; tries++) {
      const ports = readPorts();
      if (ports !== undefined && ports.pid === child.pid) {
        const token = await operatorToken({ dataDir: join(dataDir, 'data') });
        return createFhirClient({ fhirBaseUrl: ports.fhir, bearer: { authorization: `Bearer ${token}` } });
      }
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      await sleep(50);
    }
    throw new Error('the server did not start');
  }
  function readPorts(): { readonly pid: number; readonly fhir: string } | undefined {
    try {
      return JSON.parse(readFileSync(join(dataDir, 'data/ports.json'), 'utf8')) as { pid: number; fhir: string };
    } catch {
      return undefined;
    }
  }
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
      child?.kill('SIGKILL');
      await once(child as ChildProcess, 'exit');
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
