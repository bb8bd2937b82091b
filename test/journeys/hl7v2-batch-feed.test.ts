/** Partners that are told once a day, by a file: from the record to the partner and into another system. docs/hl7v2.md "Feeds" */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { splitBatch } from '../../src/standards/hl7v2/batch.ts';
import { parseMessage } from '../../src/standards/hl7v2/parse.ts';
import { answersTo, type BatchPartner, messagesOf, startBatchPartner } from '../support/batch-partner.ts';
import { createTestCa } from '../support/ca.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { controlIdOf, kindOf } from '../support/v2-peer.ts';

const NAMES = 'https://mortar-fhir.org/NamingSystem/';
const WAIT_MS = 60_000;

describe('journey › HL7 v2 files of messages to partners', function () {
  this.timeout(180_000);
  const ca = createTestCa();
  let folder: string;
  let server: TestServer;
  let partner: BatchPartner;
  let client: FhirClient;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mortar-out-'));
    const caFile = join(folder, 'ca.crt');
    writeFileSync(caFile, ca.certificate);
    partner = await startBatchPartner(ca);
    server = await startTestServer({
      env: {
        HL7V2_FEED_TARGETS: `${pathToFileURL(folder).href},https://localhost:${partner.port}/v2/in`,
        HL7V2_FEED_CA_FILE: caFile,
        UNKNOWN_PARTNERS: 'accept',
      },
    });
    client = createFhirClient(server);
  });
  after(async () => {
    await server.stop();
    await partner.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const endpoint = (receiver: string, address: string, kinds: readonly string[], daily: string): Json => ({
    resourceType: 'Endpoint',
    status: 'active',
    connectionType: { system: 'https://mortar-fhir.org/CodeSystem/connection-type', code: 'hl7v2-batch' },
    identifier: [{ system: `${NAMES}hl7v2-receiver`, value: receiver }],
    payloadType: kinds.map((code) => ({ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0076', code }] })),
    address,
    header: ['MSH-4: RXX', `daily: ${daily}`],
  });
  async function create(resource: Json): Promise<string> {
    const made = await client.post(String(resource['resourceType']), resource);
    expect(made.status, made.text).equal(201);
    return String(made.json()['id']);
  }
  async function until<T>(find: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
    for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(100)) {
      const found = await find();
      if (found !== undefined) return found;
    }
    throw new Error(`there is no ${what}`);
  }
  const files = (): readonly string[] => readdirSync(folder).filter((name) => name.endsWith('.hl7'));
  /** Another time of the day that has passed: the day is told again. */
  const tellAgain = async (id: string, resource: Json): Promise<void> => {
    const again = { ...resource, id, header: ['MSH-4: RXX', 'daily: 00:01'] };
    expect((await client.put(`Endpoint/${id}`, again)).status).equal(200);
  };
  async function statesOf(ids: readonly string[]): Promise<readonly unknown[]> {
    return Promise.all(
      ids.map(async (controlId) => {
        const url = `${server.url}/gateway/messages?direction=out&control-id=${controlId}`;
        const { messages } = (await (await fetch(url, { headers: server.bearer })).json()) as { messages: Json[] };
        return messages[0]?.['state'];
      }),
    );
  }

  it('the medication of the day is one file in the folder; another system takes it whole', async () => {
    const wanted = endpoint('GPSYS|A83008', pathToFileURL(folder).href, ['RDE', 'RDS'], '00:00');
    const id = await create(wanted);
    await sleep(2500); // it is known, and has been told that nothing has changed
    const patient = await create({
      resourceType: 'Patient',
      identifier: [{ type: { coding: [{ code: 'MR' }] }, system: 'urn:v2:RXX:MRN', value: 'BF-1' }],
      name: [{ family: 'Daily', given: ['Dora'] }],
    });
    const order = (number: string, text: string): Json => ({
      resourceType: 'MedicationRequest',
      identifier: [{ system: 'urn:v2:RXX', value: number }],
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: { text },
      subject: { reference: `Patient/${patient}` },
      authoredOn: '2026-03-02',
      dosageInstruction: [{ text: 'One at night' }],
    });
    await create(order('BO-1', 'Amitriptyline 10mg tablets'));
    const second = await create(order('BO-2', 'Simvastatin 40mg tablets'));
    await create({
      resourceType: 'MedicationDispense',
      identifier: [{ system: 'urn:v2:RXX', value: 'BD-1' }],
      status: 'completed',
      medicationCodeableConcept: { text: 'Simvastatin 40mg tablets' },
      subject: { reference: `Patient/${patient}` },
      authorizingPrescription: [{ reference: `MedicationRequest/${second}` }],
      whenHandedOver: '2026-03-02T12:00:00Z',
      quantity: { value: 28 },
    });
    await sleep(1500);
    expect(files(), 'nothing is told before its time').eql([]);
    await tellAgain(id, wanted);
    const [name = ''] = await until(() => (files().length > 0 ? files() : undefined), 'file');
    const bytes = readFileSync(join(folder, name));
    const { value: batch, issues } = splitBatch(bytes);
    expect(issues).eql([]);
    expect(batch?.batchHeader?.split('|').slice(2, 6)).eql(['MORTAR', 'RXX', 'GPSYS', 'A83008']);
    const messages = (batch?.messages ?? []).map((raw) => parseMessage(raw).value);
    expect(messages.map((one) => `${one?.value('MSH-9.1')} ${one?.value('MSH-9.2')}`)).eql([
      'RDE O11',
      'RDE O11',
      'RDS O13',
    ]);
    const ids = messages.map((one) => one?.value('MSH-10') ?? '');
    await until(
      async () => ((await statesOf(ids)).every((state) => state === 'acknowledged') ? true : undefined),
      'end',
    );
    // The file as it is, brought to a system that takes batches: ours.
    const reply = await fetch(`${server.url}/hl7v2`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/hl7-v2' },
      body: bytes,
    });
    const answered = splitBatch(Buffer.from(await reply.arrayBuffer())).value;
    expect(answered?.batchHeader?.split('|')[11], 'BHS-12 is BHS-11 of the file').equal(
      batch?.batchHeader?.split('|')[10],
    );
    expect(
      answered?.messages.map((raw) => parseMessage(raw).value?.value('MSA-1')),
      answered?.messages.map(String).join(''),
    ).eql(['AA', 'AA', 'AA']);
    await sleep(1500);
    expect(files(), 'it is told once').eql([name]);
  });

  it('over HTTPS: what the partner answers settles each message; a dead letter goes with the next file', async () => {
    const address = `https://localhost:${partner.port}/v2/in`;
    const wanted = endpoint('LAB|RYY', address, ['ADT'], '00:00');
    const id = await create(wanted);
    await sleep(2500);
    partner.act = (file) => ({ body: answersTo(file, (text) => (text.includes('Faulty') ? 'AE' : 'AA')) });
    for (const [number, family] of [
      ['BF-2', 'Good'],
      ['BF-3', 'Faulty'],
    ] as const)
      await create({
        resourceType: 'Patient',
        identifier: [{ type: { coding: [{ code: 'MR' }] }, system: 'urn:v2:RXX:MRN', value: number }],
        name: [{ family }],
      });
    await tellAgain(id, wanted);
    const [file = ''] = await until(() => (partner.received.length > 0 ? partner.received : undefined), 'file');
    const messages = messagesOf(file);
    expect(messages.map(kindOf)).eql(['ADT^A28^ADT_A05', 'ADT^A28^ADT_A05']);
    const ids = messages.map(controlIdOf);
    await until(async () => ((await statesOf(ids)).join() === 'acknowledged,dead' ? true : undefined), 'end');
    partner.act = (again) => ({ body: answersTo(again) });
    const many = `${server.url}/gateway/messages/replay?state=dead&direction=out`;
    expect(await (await fetch(many, { method: 'POST', headers: server.bearer })).json()).eql({ queued: 1 });
    await until(async () => ((await statesOf(ids)).join() === 'acknowledged,acknowledged' ? true : undefined), 'end');
    expect(partner.received.length).equal(2);
    expect(messagesOf(partner.received[1] ?? '').map(controlIdOf)).eql([ids[1]]);
  });
});
