/** A transaction of as many entries as may be, while others read. SECURITY RL-43, IN-01 */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const ENTRIES = 5000;
/** Answers while it is under way: 40 to 55, whatever the machine; without turns 10 to 14, those between its statements. */
const READS_MIN = 25;

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
  const countOf = async (type: string): Promise<number> =>
    (await fhir.get(`${type}?_summary=count`)).json<{ total: number }>().total;
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

  it('[RL-10] the same Idempotency-Key again: answered as the first time, byte for byte, and nothing is stored twice', async () => {
    const before = await countOf('Observation');
    const body = bundle({});
    const headers = { 'Idempotency-Key': 'large-transaction' };
    const first = await fhir.post('', body, headers);
    expect(first.status, first.text.slice(0, 300)).equal(200);
    const again = await fhir.post('', body, headers);
    expect(again.status).equal(200);
    expect(again.headers.get('idempotency-replayed')).equal('true');
    expect(again.text).equal(first.text);
    expect((await countOf('Observation')) - before).equal(ENTRIES - 1);
    const other = await fhir.post('', bundle({ valueString: 'another' }), headers);
    expect(other.status).equal(422);
    expect((await countOf('Observation')) - before).equal(ENTRIES - 1);
  });

  it('entries of every kind in one large bundle: made, found, updated, patched, deleted, read', async () => {
    const observation = (text: string, more: Json = {}): Json => ({
      resourceType: 'Observation',
      status: 'final',
      code: { text },
      ...more,
    });
    await fhir.put('Observation/kept', observation('kept', { id: 'kept' }));
    await fhir.put('Observation/patched', observation('patched', { id: 'patched' }));
    await fhir.put('Observation/gone', observation('gone', { id: 'gone' }));
    await fhir.put('Patient/known', {
      resourceType: 'Patient',
      id: 'known',
      identifier: [{ system: 'urn:test', value: 'known' }],
    });
    const filler = { extension: [{ url: 'urn:test:filler', valueString: 'x'.repeat(1000) }] };
    const fillers = Array.from({ length: 300 }, (_, i) => ({
      request: { method: 'PUT', url: `Observation/filler-${i}` },
      resource: observation(`filler ${i}`, { id: `filler-${i}`, ...filler }),
    }));
    const patient = { resourceType: 'Patient', identifier: [{ system: 'urn:test', value: 'known' }] };
    const answer = await fhir.post('', {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        ...fillers,
        { request: { method: 'GET', url: 'Observation/filler-7' } },
        {
          fullUrl: urn(1),
          request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=urn:test|known' },
          resource: patient,
        },
        {
          request: { method: 'POST', url: 'Observation' },
          resource: observation('new', { subject: { reference: urn(1) } }),
        },
        {
          request: { method: 'POST', url: 'Observation' },
          resource: observation('by criteria', { subject: { reference: 'Patient?identifier=urn:test|known' } }),
        },
        {
          request: { method: 'PUT', url: 'Patient?identifier=urn:test|known' },
          resource: { ...patient, active: true },
        },
        {
          request: { method: 'PUT', url: 'Observation/kept', ifMatch: 'W/"1"' },
          resource: observation('changed', { id: 'kept' }),
        },
        {
          request: { method: 'PATCH', url: 'Observation/patched' },
          resource: {
            resourceType: 'Binary',
            contentType: 'application/json-patch+json',
            data: Buffer.from('[{"op":"replace","path":"/status","value":"amended"}]').toString('base64'),
          },
        },
        { request: { method: 'DELETE', url: 'Observation/gone' } },
      ],
    });
    expect(answer.status, answer.text.slice(0, 500)).equal(200);
    const { entry } = answer.json<{ entry: { response: { status: string; location?: string }; resource?: Json }[] }>();
    const last = entry.slice(-8);
    expect(last.map(({ response }) => response.status.slice(0, 3))).deep.equal([
      '200',
      '200',
      '201',
      '201',
      '200',
      '200',
      '200',
      '204',
    ]);
    expect(last[0]?.resource).deep.include({ id: 'filler-7' });
    for (const { response } of last.slice(2, 4)) {
      const made = await fhir.get(response.location?.replace(/.*\/(Observation\/[^/]+).*/, '$1') ?? '');
      expect(made.json()).deep.include({ subject: { reference: 'Patient/known' } });
    }
    expect((await fhir.get('Observation/kept')).json()).deep.include({ code: { text: 'changed' } });
    expect((await fhir.get('Observation/patched')).json()).deep.include({ status: 'amended' });
    expect((await fhir.get('Observation/gone')).status).equal(410);
    expect((await fhir.get('Patient/known')).json()).deep.include({ active: true });
  });

  const FAULTS: readonly (readonly [what: string, change: (text: string) => string, status: number, said: RegExp])[] = [
    ['text that is no JSON', (text) => text.replace('entry 4000"', 'entry 4000'), 400, /JSON|line|character/i],
    [
      'If-None-Match of what is there',
      (text) => {
        const large = JSON.parse(text) as { entry: Json[] };
        large.entry[4000] = {
          request: { method: 'PUT', url: 'Patient/read', ifNoneMatch: '*' },
          resource: { resourceType: 'Patient', id: 'read', active: true },
        };
        return JSON.stringify(large);
      },
      412,
      /Patient\/read has version 1, which If-None-Match rules out/,
    ],
    [
      'a name that comes twice',
      (text) => text.replace('"valueString":"entry 4000"', '"a":1,"a":2'),
      400,
      /twice|duplicate/i,
    ],
    [
      'no resourceType',
      (text) => text.replace(/"resourceType":"Observation",(?="status":"final",.{0,200}"entry 4000")/, ''),
      422,
      /Bundle\.entry/,
    ],
    [
      'another type than its address',
      (text) => text.replace(/(.*)"url":"Observation"/s, '$1"url":"Condition"'),
      400,
      /not a Condition/,
    ],
    [
      'a reference to no entry',
      (text) =>
        text.replace(/(.*)"reference":"[^"]*"/s, `$1"reference":"urn:uuid:11111111-0000-4000-8000-000000000000"`),
      400,
      /names no entry/,
    ],
  ];
  for (const [what, change, status, said] of FAULTS)
    it(`[IN-01] ${what}: refused, and nothing is stored`, async () => {
      const before = await countOf('Observation');
      const text = change(JSON.stringify(bundle({})));
      const failed = await fhir.post('', text);
      expect(failed.status, failed.text.slice(0, 300)).equal(status);
      expect(failed.text).match(said);
      expect(await countOf('Observation')).equal(before);
    });

  it('every fault of every entry is told at once', async () => {
    const many = bundle({}) as { entry: { resource: Json }[] };
    for (const i of [3, 700, 4999]) Object.assign(many.entry[i]?.resource ?? {}, { status: 'no-such-code', odd: 1 });
    const failed = await fhir.post('', many as unknown as Json);
    expect(failed.status).equal(422);
    for (const i of [3, 700, 4999])
      for (const element of ['status', 'odd'])
        expect(failed.text).contain(`Bundle.entry[${i}].resource › Observation.${element}`);
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
