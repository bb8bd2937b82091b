/** A transaction of as many entries as may be, while others read. SECURITY RL-43, IN-01 */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const ENTRIES = 5000;
/** Answers while it is under way; without turns there are but those between its statements. */
const READS_MIN = 50;

describe('transaction › of 5,000 entries', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await fhir.put('Patient/read', { resourceType: 'Patient', id: 'read' });
  });
  after(() => server.stop());

  const urn = (i: number): string => `urn:uuid:00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
  const bundle = (last: Json): Json => ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: Array.from({ length: ENTRIES }, (_, i) => ({
      fullUrl: urn(i),
      request: { method: 'POST', url: i === 0 ? 'Patient' : 'Observation' },
      resource:
        i === 0
          ? { resourceType: 'Patient', name: [{ family: 'Largest' }] }
          : {
              resourceType: 'Observation',
              status: 'final',
              code: { coding: [{ system: 'urn:test', code: 'large' }] },
              subject: { reference: urn(0) },
              valueString: `entry ${i}`,
              ...(i === ENTRIES - 1 && last),
            },
    })),
  });
  async function whileReading<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly reads: number }> {
    let reads = 0;
    let isOn = true;
    const reading = (async () => {
      while (isOn) {
        expect((await fhir.get('Patient/read')).status).equal(200);
        reads += 1;
      }
    })();
    const result = await work().finally(() => {
      isOn = false;
    });
    const during = reads;
    await reading;
    return { result, reads: during };
  }

  it('[RL-43] reads go on meanwhile; every entry is answered in its place, every reference resolved', async () => {
    const { result, reads } = await whileReading(() => fhir.post('', bundle({})));
    expect(result.status, result.text.slice(0, 300)).equal(200);
    expect(reads).above(READS_MIN);
    const { entry } = result.json<{ entry: { response: { status: string; location: string } }[] }>();
    expect(entry.length).equal(ENTRIES);
    for (const { response } of entry) expect(response.status).equal('201 Created');
    const patient = /Patient\/([^/]+)/.exec(entry[0]?.response.location ?? '')?.[1];
    const last = await fhir.get(
      `Observation/${/Observation\/([^/]+)/.exec(entry.at(-1)?.response.location ?? '')?.[1]}`,
    );
    expect(last.json<Json>()).deep.include({
      subject: { reference: `Patient/${patient}` },
      valueString: `entry ${ENTRIES - 1}`,
    });
    const found = await fhir.get(`Observation?patient=${patient}&_summary=count`);
    expect(found.json<{ total: number }>().total).equal(ENTRIES - 1);
  });

  it('one fault in the last entry, and nothing is stored; it is told where', async () => {
    const before = await fhir.get('Observation?_summary=count');
    const failed = await fhir.post('', bundle({ status: 'no-such-code' }));
    expect(failed.status).equal(422);
    expect(failed.text).contain(`Bundle.entry[${ENTRIES - 1}].resource › Observation.status`);
    expect((await fhir.get('Observation?_summary=count')).json()).deep.include({
      total: before.json<{ total: number }>().total,
    });
  });
});
