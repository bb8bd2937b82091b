/** What the server holds while it applies a transaction of as many entries as may be. SECURITY RL-43 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { createFhirClient, type Json } from '../../support/fhir-client.ts';
import type { LiveMemory } from '../../support/live-memory.ts';
import { createServerProcess, type ServerProcess } from '../../support/server-process.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

const ENTRIES = 5000;
const TIMES_MAX = 4;
const LOOKS_MIN = 5;
const PROBE = join(import.meta.dirname, '../../support/live-memory.ts');

describe('transaction › memory', function () {
  this.timeout(300_000);
  const file = join(makeTempFolder(), 'live-memory');
  let database: TestDatabase;
  let server: ServerProcess;
  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database, { NODE_OPTIONS: `--import ${PROBE}`, LIVE_MEMORY_FILE: file });
  });
  after(async () => {
    await server.stop();
    await database.drop();
  });

  const urn = (i: number): string => `urn:uuid:00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
  const observation = (i: number): Json => ({
    resourceType: 'Observation',
    identifier: [{ system: 'https://mortar.example/test/observation', value: `O-${i}` }],
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '2339-0', display: 'Glucose' }], text: 'Glucose' },
    subject: { reference: urn(0) },
    effectiveDateTime: '2026-03-02T09:30:00Z',
    valueQuantity: { value: 90 + (i % 20), unit: 'mg/dL', system: 'http://unitsofmeasure.org', code: 'mg/dL' },
    note: [{ text: 'Taken seated after five minutes of rest and sent to the laboratory within the hour. '.repeat(6) }],
  });
  const bundle = (): string =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: Array.from({ length: ENTRIES }, (_, i) => ({
        fullUrl: urn(i),
        request: { method: 'POST', url: i === 0 ? 'Patient' : 'Observation' },
        resource: i === 0 ? { resourceType: 'Patient', name: [{ family: 'Largest' }] } : observation(i),
      })),
    });
  /** Until the probe has written what is wanted of it. */
  async function told<T>(is: (value: unknown) => value is T): Promise<T> {
    for (;;) {
      const value: unknown = existsSync(file) ? parsed(readFileSync(file, 'utf8')) : undefined;
      if (is(value)) return value;
      await sleep(20);
    }
  }
  const isReady = (value: unknown): value is 'measuring' => value === 'measuring';
  const isMeasured = (value: unknown): value is LiveMemory => typeof value === 'object' && value !== null;

  it(`[RL-43] ${ENTRIES} entries hold less than ${TIMES_MAX} times their body`, async () => {
    const running = await server.start();
    const fhir = createFhirClient(running);
    const body = bundle();
    // Once before it counts: what is compiled and prepared then stays.
    expect((await fhir.post('', body)).status).equal(200);
    process.kill(running.pid, 'SIGUSR2');
    await told(isReady);
    const answer = await fhir.post('', body);
    process.kill(running.pid, 'SIGUSR2');
    const { bytes, looks } = await told(isMeasured);
    expect(answer.status, answer.text.slice(0, 300)).equal(200);
    expect(looks, 'looks while it is written').above(LOOKS_MIN);
    expect(bytes, 'the body at least').above(body.length);
    expect(bytes / body.length).below(TIMES_MAX);
  });
});

/** Undefined for a file that is only half written. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
