/** SCRIPT brought to a pharmacy over mutual TLS, from a Bundle to its answer. docs/ncpdp.md "Pushing" */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { mapToFhir } from '../../src/mapping/script/map-message.ts';
import { formatJson } from '../../src/standards/fhir/json.ts';
import { readScript } from '../../src/standards/script/read.ts';
import { scriptFixture } from '../standards/script/samples.ts';
import { createTestCa, writeTlsFiles } from '../support/ca.ts';
import { createFhirClient, type Json } from '../support/fhir-client.ts';
import { delivered, type ScriptPartner, scriptAnswer, startScriptPartner } from '../support/script-partner.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const NOW = Date.UTC(2026, 3, 20, 12);
const PASSWORD = 'basalt-lark-90';

describe('journey › SCRIPT brought to a partner', function () {
  this.timeout(120_000);
  const ca = createTestCa();
  let partner: ScriptPartner;
  let server: TestServer;

  before(async () => {
    partner = await startScriptPartner(ca);
    const folder = makeTempFolder();
    writeTlsFiles(folder, ca.client('gateway.mortar.test'), ca);
    const file = join(folder, 'targets.json');
    const row = {
      receiver: 'P:0300123',
      url: `https://localhost:${partner.port}/script`,
      user: 'mortar',
      password: PASSWORD,
      cert: 'tls.crt',
      key: 'tls.key',
      ca: 'ca.crt',
    };
    writeFileSync(file, JSON.stringify([row]), { mode: 0o600 });
    server = await startTestServer({ env: { SCRIPT_TARGETS_FILE: file }, now: () => NOW });
    const fhir = createFhirClient(server);
    for (const value of ['D:6301875277001', 'P:0300123']) {
      const endpoint = {
        resourceType: 'Endpoint',
        identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/script-sender', value }],
        status: 'active',
        connectionType: {
          system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
          code: 'direct-project',
        },
        payloadType: [{ text: 'SCRIPT' }],
        // Whatever stands here is called by nobody.
        address: 'https://127.0.0.1:1/elsewhere',
      };
      expect((await fhir.post('Endpoint', endpoint)).status).equal(201);
    }
  });
  after(async () => {
    await server?.stop();
    await partner.stop();
  });
  beforeEach(() => {
    partner.received.length = 0;
    partner.act = delivered;
  });

  /** Resolves to the MessageID. */
  async function queue(name: string, n: string): Promise<string> {
    const text = scriptFixture(name)
      .toString()
      .replaceAll(/<MessageID>[^<]*/g, `<MessageID>PUSH-${n}`)
      .replaceAll('RX-2026-000101', `PUSH-ORDER-${n}`);
    const { message } = readScript(Buffer.from(text));
    const bundle = message && mapToFhir(message, { receivedAt: NOW }).value;
    const reply = await fetch(`${server.url}/gateway/script?from=D:6301875277001&to=P:0300123`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
      body: formatJson(bundle),
    });
    expect(reply.status, await reply.clone().text()).equal(202);
    return ((await reply.json()) as { messageId: string }).messageId;
  }
  async function inState(controlId: string, state: string): Promise<Json> {
    let last: Json | undefined;
    for (let tries = 0; tries < 1000; tries++) {
      const reply = await fetch(`${server.url}/gateway/messages?control-id=${controlId}`, { headers: server.bearer });
      const { messages } = (await reply.json()) as { messages: Json[] };
      last = messages.find(({ direction }) => direction === 'out');
      if (last?.['state'] === state) return last;
      await sleep(20);
    }
    throw new Error(`the message is not ${state} but ${last?.['state']}`);
  }
  const take = (xml: string) =>
    fetch(`${server.url}/ncpdp/script`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/xml' },
      body: xml,
    });

  it('a NewRx is brought to the address of the operator’s file, with certificate and password, and 010 settles it', async () => {
    const id = await queue('newrx-basic', '1');
    await inState(id, 'acknowledged');
    const [pushed, ...more] = partner.received;
    expect(more).eql([]);
    expect(pushed).include({
      messageId: id,
      path: '/script',
      client: 'gateway.mortar.test',
      authorization: `Basic ${Buffer.from(`mortar:${PASSWORD}`).toString('base64')}`,
    });
    expect(readScript(Buffer.from(pushed?.body ?? '')).message?.kind).equal('NewRx');
  });
  it('Error 900 rejects it; a code nobody knows is no success, and a later Status 010 is', async () => {
    partner.act = ({ messageId }) => ({
      body: scriptAnswer(messageId, '<Error><Code>900</Code><DescriptionCode>081</DescriptionCode></Error>'),
    });
    expect(await inState(await queue('newrx-basic', '2'), 'rejected')).include({ error: 'Error 900 081' });
    partner.act = ({ messageId }) => ({ body: scriptAnswer(messageId, '<Status><Code>777</Code></Status>') });
    const id = await queue('newrx-basic', '3');
    expect(await inState(id, 'unknown')).include({ error: 'Status 777 is not known' });
    await take(scriptAnswer(id, '<Status><Code>010</Code></Status>'));
    await inState(id, 'acknowledged');
  });
  it('Status 000 is a step on the way; the answer comes later, by itself', async () => {
    partner.act = ({ messageId }) => ({ body: scriptAnswer(messageId, '<Status><Code>000</Code></Status>') });
    const id = await queue('newrx-basic', '4');
    await inState(id, 'sent');
    await take(scriptAnswer(id, '<Error><Code>900</Code></Error>'));
    await inState(id, 'rejected');
  });
  it('a response in place of a Status is worked as if it had come by itself: a denial stays one', async () => {
    const denial = scriptFixture('cancelrxresponse-denied-transferred').toString();
    partner.act = ({ messageId }) => ({
      body: denial
        .replace(/<MessageID>[^<]*/, '<MessageID>PUSH-DENIAL')
        .replace(/<RelatesToMessageID>[^<]*/, `<RelatesToMessageID>${messageId}`),
    });
    await inState(await queue('cancelrx', '5'), 'acknowledged');
    const { entry = [] } = (await createFhirClient(server).get('Task')).json() as { entry?: { resource: Json }[] };
    const denials = entry.filter(({ resource }) => JSON.stringify(resource['code']).includes('CancelRxResponse'));
    expect(denials.map(({ resource }) => resource['status'])).eql(['rejected']);
  });
});
