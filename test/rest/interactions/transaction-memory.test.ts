/** What the server holds while it applies a transaction of as many entries as may be. SECURITY RL-43 */
import { expect } from 'chai';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { createFhirClient, type Json } from '../../support/fhir-client.ts';
import type { LiveMemory } from '../../support/live-memory.ts';
import { createProbe } from '../../support/probe.ts';
import { createServerProcess, type ServerProcess } from '../../support/server-process.ts';

const ENTRIES = 5000;
const TIMES_MAX = 4;
const LOOKS_MIN = 5;

describe('transaction › memory', function () {
  this.timeout(300_000);
  const probe = createProbe<LiveMemory>('live-memory');
  let database: TestDatabase;
  let server: ServerProcess;
  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database, probe.env);
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
  it(`[RL-43] ${ENTRIES} entries hold less than ${TIMES_MAX} times their body`, async () => {
    const running = await server.start();
    const fhir = createFhirClient(running);
    const body = bundle();
    // Once before it counts: what is compiled and prepared then stays.
    expect((await fhir.post('', body)).status).equal(200);
    const { bytes, looks } = await probe.during(running.pid, async () => {
      const answer = await fhir.post('', body);
      expect(answer.status, answer.text.slice(0, 300)).equal(200);
    });
    expect(looks, 'looks while it is written').above(LOOKS_MIN);
    expect(bytes, 'the body at least').above(body.length);
    expect(bytes / body.length).below(TIMES_MAX);
  });
});
