/** A partner is told of what changes in the record: from the change log to its acknowledgement. docs/hl7v2.md "Feeds" */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { answer, controlIdOf, kindOf, startV2Peer, type V2Peer } from '../support/v2-peer.ts';

interface Logged {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly controlId: string;
  readonly receiver: string;
  readonly error?: string;
  readonly resources: readonly string[];
}

const NAMES = 'https://mortar-fhir.org/NamingSystem/';
const MRN = 'urn:v2:RXX:MRN';

describe('journey › HL7 v2 feeds', function () {
  this.timeout(60_000);
  let server: TestServer;
  let peer: V2Peer;
  let client: FhirClient;
  let endpointId: string;

  before(async () => {
    peer = await startV2Peer();
    server = await startTestServer({
      env: {
        HL7V2_FEED_TARGETS: `mllp://localhost:${peer.port}`,
        HL7V2_ANSWER_TIMEOUT_MS: '400',
        UNKNOWN_PARTNERS: 'accept',
      },
    });
    client = createFhirClient(server);
    const made = await client.post('Endpoint', endpoint(peer.port));
    expect(made.status, made.text).equal(201);
    endpointId = String(made.json()['id']);
    await sleep(1500); // until it is known
  });
  after(async () => {
    await server.stop();
    await peer.stop();
  });
  beforeEach(() => {
    peer.received.length = 0;
    peer.act = (text) => [answer(text)];
  });

  const endpoint = (port: number, more: Json = {}): Json => ({
    resourceType: 'Endpoint',
    status: 'active',
    connectionType: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: 'hl7v2-mllp' },
    identifier: [
      { system: `${NAMES}hl7v2-receiver`, value: 'GPSYS|A83008' },
      { system: `${NAMES}hl7v2-sender`, value: 'GPSYS|A83008' },
    ],
    payloadType: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0076', code: 'ADT' }] }],
    address: `mllp://localhost:${port}`,
    header: ['MSH-4: RXX', 'MSH-12: 2.4'],
    ...more,
  });
  const patient = (number: string, family: string, more: Json = {}): Json => ({
    resourceType: 'Patient',
    identifier: [{ type: { coding: [{ code: 'MR' }] }, system: MRN, value: number }],
    name: [{ use: 'official', family, given: ['Ann'] }],
    gender: 'female',
    birthDate: '1984-05-17',
    ...more,
  });
  async function until<T>(find: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
    for (let tries = 0; tries < 400; tries++) {
      const found = await find();
      if (found !== undefined) return found;
      await sleep(25);
    }
    throw new Error(`there is no ${what}`);
  }
  const heard = (count: number): Promise<readonly string[]> =>
    until(() => (peer.received.length >= count ? peer.received.slice() : undefined), `${count} messages`);
  async function logged(controlId: string): Promise<Logged> {
    const reply = await fetch(`${server.url}/gateway/messages?direction=out&control-id=${controlId}`, {
      headers: server.bearer,
    });
    const { messages } = (await reply.json()) as { messages: Logged[] };
    expect(messages.length).equal(1);
    return messages[0] as Logged;
  }
  const inState = (controlId: string, state: string): Promise<Logged> =>
    until(async () => {
      const message = await logged(controlId);
      return message.state === state ? message : undefined;
    }, `message in state ${state}`);
  async function create(resource: Json): Promise<string> {
    const made = await client.post('Patient', resource);
    expect(made.status, made.text).equal(201);
    return String(made.json()['id']);
  }
  async function change(id: string, resource: Json): Promise<void> {
    const made = await client.put(`Patient/${id}`, { ...resource, id });
    expect(made.status, made.text).equal(200);
  }

  it('a new patient is A28, a changed one A31 that takes back what is gone', async () => {
    const id = await create(
      patient('F-1', 'O^Neil & Söhne', { telecom: [{ system: 'phone', value: '0207 000 0000' }] }),
    );
    const [first = ''] = await heard(1);
    expect(first.split('\r')[0]).match(/^MSH\|\^~\\&\|MORTAR\|RXX\|GPSYS\|A83008\|\d{14}\+0000\|\|ADT\^A28\^ADT_A05\|/);
    expect(fieldOf(Buffer.from(first), 'MSH-12')).equal('2.4');
    expect(fieldOf(Buffer.from(first), 'PID-3')).equal('F-1^^^MRN^MR');
    expect(fieldOf(Buffer.from(first), 'PID-5')).equal('O\\S\\Neil \\T\\ Söhne^Ann^^^^^L');
    await change(id, patient('F-1', 'Neil'));
    const [, second = ''] = await heard(2);
    expect(kindOf(second)).equal('ADT^A31^ADT_A05');
    expect(fieldOf(Buffer.from(second), 'PID-13')).equal('""');
    const message = await inState(controlIdOf(second), 'acknowledged');
    expect(message).deep.include({
      kind: 'ADT^A31',
      receiver: 'GPSYS|A83008',
      resources: [`Patient/${id}/_history/2`],
    });
  });

  it('each patient’s messages come in order, one after another, while the partner is slow', async () => {
    peer.act = async (text) => {
      await sleep(Math.random() * 10);
      return [answer(text)];
    };
    const ids = [await create(patient('F-2', 'v1')), await create(patient('F-3', 'v1'))];
    for (let n = 2; n <= 8; n++) await Promise.all(ids.map((id, i) => change(id, patient(`F-${i + 2}`, `v${n}`))));
    const all = await heard(16);
    for (const number of ['F-2', 'F-3']) {
      const mine = all.filter((text) => text.includes(`|${number}^`));
      expect(mine.map((text) => fieldOf(Buffer.from(text), 'PID-5').split('^')[0])).eql(
        [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `v${n}`),
      );
    }
  });

  it('content at fault is a dead letter, the next one goes; it is sent after all when somebody says so [RL-16]', async () => {
    peer.act = (text) => [answer(text, text.includes('BAD') ? 'AE' : 'AA', 'ERR|PID^1^5^102\r')];
    await create(patient('F-4', 'BAD'));
    await create(patient('F-5', 'Good'));
    const [bad = '', good = ''] = await heard(2);
    const dead = await inState(controlIdOf(bad), 'dead');
    expect(dead.error).equal('AE 102 PID-5');
    await inState(controlIdOf(good), 'acknowledged');
    peer.act = (text) => [answer(text)];
    const press = async (): Promise<number> =>
      (await fetch(`${server.url}/gateway/messages/${dead.id}/replay`, { method: 'POST', headers: server.bearer }))
        .status;
    expect(await press()).equal(200);
    await inState(controlIdOf(bad), 'acknowledged');
    expect(peer.received.filter((text) => controlIdOf(text) === controlIdOf(bad)).length).equal(2);
    expect(await press(), 'what was acknowledged is not sent again').equal(400);
    peer.act = (text) => [answer(text, 'AE')];
    await create(patient('F-4a', 'Bad'));
    await create(patient('F-4b', 'Bad'));
    const [, , , fourth = '', fifth = ''] = await heard(5);
    for (const text of [fourth, fifth]) await inState(controlIdOf(text), 'dead');
    peer.act = (text) => [answer(text)];
    const many = `${server.url}/gateway/messages/replay?state=dead&direction=out`;
    const reply = await fetch(many, { method: 'POST', headers: server.bearer });
    expect(await reply.json()).eql({ queued: 2 });
    for (const text of [fourth, fifth]) await inState(controlIdOf(text), 'acknowledged');
  });

  it('a partner that is away loses nothing and is told once, in order', async () => {
    await peer.stop();
    const id = await create(patient('F-6', 'v1'));
    for (let n = 2; n <= 4; n++) await change(id, patient('F-6', `v${n}`));
    await sleep(1200);
    const { port } = peer;
    peer = await startV2Peer({ port });
    const all = await heard(4);
    await inState(controlIdOf(all[3] ?? ''), 'acknowledged');
    expect(peer.received.map((text) => fieldOf(Buffer.from(text), 'PID-5').split('^')[0])).eql([
      'v1',
      'v2',
      'v3',
      'v4',
    ]);
  });

  it('"not now" and silence are tried again, with the same bytes', async () => {
    const acts = ['AR', 'hang', 'AA'];
    peer.act = (text) => {
      const act = acts.shift() ?? 'AA';
      return act === 'hang' ? 'hang' : [answer(text, act)];
    };
    await create(patient('F-7', 'Again'));
    const all = await heard(3);
    await inState(controlIdOf(all[0] ?? ''), 'acknowledged');
    expect(new Set(all).size).equal(1);
  });

  it('the partner is not told what it said itself; of what others add to it, it is', async () => {
    const sender = await openMllpSender(server.mllpPort as number);
    const reply = await sender.send(
      'MSH|^~\\&|GPSYS|A83008|MORTAR|RXX|20260302||ADT^A28|ECHO-1|P|2.4\rEVN|A28|20260302\rPID|1||F-8^^^MRN^MR||Echo^Ann||19840517|F\r',
    );
    sender.close();
    expect(fieldOf(reply, 'MSA-1'), reply.toString()).equal('AA');
    const found = (await client.get('Patient?family=Echo')).json<{ entry: { resource: Json }[] }>();
    const resource = found.entry[0]?.resource as Json;
    await change(String(resource['id']), { ...resource, gender: 'male' });
    const [only = ''] = await heard(1);
    expect(kindOf(only)).equal('ADT^A31^ADT_A05');
    expect(fieldOf(Buffer.from(only), 'PID-8')).equal('M');
    expect(peer.received.length).equal(1);
  });

  it('enhanced mode: what became of it may be told on a connection of the partner’s own', async () => {
    const resource = (await client.get(`Endpoint/${endpointId}`)).json();
    const both = { ...resource, header: ['MSH-4: RXX', 'MSH-15: AL', 'MSH-16: AL'] };
    expect((await client.put(`Endpoint/${endpointId}`, both)).status).equal(200);
    await sleep(1100);
    peer.act = (text) => [answer(text, 'CA')];
    await create(patient('F-9', 'Later'));
    const [text = ''] = await heard(1);
    await inState(controlIdOf(text), 'sent');
    const sender = await openMllpSender(server.mllpPort as number);
    const said = (from: string, code: string): string =>
      `MSH|^~\\&|${from}|MORTAR|RXX|20260302||ACK^A28^ACK|ACK-${code}-${from.length}|P|2.4|||AL|NE\rMSA|${code}|${controlIdOf(text)}\r`;
    // Somebody else cannot say it.
    expect(fieldOf(await sender.send(said('OTHER|X', 'AA')), 'MSA-1')).equal('CR');
    expect((await logged(controlIdOf(text))).state).equal('sent');
    expect(fieldOf(await sender.send(said('GPSYS|A83008', 'AA')), 'MSA-1')).equal('CA');
    sender.close();
    await inState(controlIdOf(text), 'acknowledged');
    expect((await client.put(`Endpoint/${endpointId}`, resource)).status).equal(200);
  });

  it('a feed that is suspended goes on later where it stood', async () => {
    const resource = (await client.get(`Endpoint/${endpointId}`)).json();
    const put = async (status: string): Promise<void> => {
      expect((await client.put(`Endpoint/${endpointId}`, { ...resource, status })).status).equal(200);
      await sleep(1600);
    };
    await put('suspended');
    await create(patient('F-10', 'Waits'));
    await sleep(1200);
    expect(peer.received).eql([]);
    await put('active');
    const [text = ''] = await heard(1);
    expect(fieldOf(Buffer.from(text), 'PID-5')).equal('Waits^Ann^^^^^L');
  });

  it('nothing goes to places that the operator has not named, whatever an Endpoint says', async () => {
    const elsewhere = await startV2Peer();
    const made = await client.post(
      'Endpoint',
      endpoint(elsewhere.port, { identifier: [{ system: `${NAMES}hl7v2-receiver`, value: 'SPY|X' }] }),
    );
    expect(made.status).equal(201);
    await sleep(1600);
    await create(patient('F-11', 'Private'));
    await heard(1);
    await sleep(600);
    expect(elsewhere.connections()).equal(0);
    await elsewhere.stop();
  });
});
