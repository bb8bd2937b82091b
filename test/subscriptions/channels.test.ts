/** Subscriptions by websocket, e-mail and message, over real sockets. docs/subscriptions.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { checkWebhook } from '../../src/standards/webhook/signature.ts';
import { registerBackend } from '../support/backend-client.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { type NotifiedServer, startNotified } from '../support/notified.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type SmtpServer, startSmtpServer } from '../support/smtp.ts';

const TOPIC = 'https://mortar-fhir.org/SubscriptionTopic/patient-change';
const PATIENCE_MS = 60_000;

describe('subscriptions › other channels', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  let endpoint: NotifiedServer;
  let smtp: SmtpServer;
  before(async () => {
    endpoint = await startNotified();
    smtp = await startSmtpServer();
    server = await startTestServer({
      env: {
        SUBSCRIPTION_TARGETS: endpoint.host,
        SUBSCRIPTION_MAIL_DOMAINS: 'example.org',
        SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
        MAIL_FROM: 'no-reply@example.org',
      },
    });
    fhir = createFhirClient(server);
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
    await smtp.stop();
  });

  async function open(channel: object, criteria: string): Promise<string> {
    const made = await fhir.post('Subscription', {
      resourceType: 'Subscription',
      status: 'requested',
      reason: 'test',
      criteria,
      channel,
    });
    expect(made.status, made.text).equal(201);
    const { id } = made.json<{ id: string }>();
    await until(async () => (await fhir.get(`Subscription/${id}`)).json()['status'] === 'active');
    return id;
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error('it did not come to pass');
      await sleep(25);
    }
  }

  interface Socket {
    readonly heard: string[];
    readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
    readonly status: Promise<number>;
    send(text: string): void;
    close(): void;
  }
  async function connect(headers: Record<string, string> = {}): Promise<Socket> {
    const socket = new WebSocket(`${server.fhirBaseUrl.replace('http', 'ws')}/$websocket`, { headers });
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(String(data)));
    socket.on('error', () => {});
    const status = new Promise<number>((resolve) => {
      socket.on('open', () => resolve(101));
      socket.on('unexpected-response', (_req, res) => resolve(res.statusCode ?? 0));
    });
    const closed = new Promise<{ code: number; reason: string }>((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
    );
    await status;
    return { heard, closed, status, send: (text) => socket.send(text), close: () => socket.close() };
  }
  const patient = (family: string): Json => ({ resourceType: 'Patient', name: [{ family }] });

  it('[IN-43] signed with a secret that is neither sent nor shown; the same id with each attempt', async () => {
    const key = Buffer.alloc(32, 9);
    const secret = `whsec_${key.toString('base64')}`;
    const before = endpoint.received.length;
    const id = await open(
      {
        type: 'rest-hook',
        endpoint: `${endpoint.url}/signed`,
        payload: 'application/fhir+json',
        header: [`Webhook-Secret: ${secret}`, 'X-Other: told'],
      },
      'Patient?family=Signed',
    );
    expect((await fhir.get(`Subscription/${id}`)).text)
      .include('Webhook-Secret: (kept)')
      .not.include(secret);
    endpoint.answer = () => (endpoint.received.length < before + 2 ? 503 : 200);
    await fhir.post('Patient', patient('Signed'));
    await until(() => endpoint.received.length >= before + 3);
    endpoint.answer = () => 200;
    const [hello, first, second] = endpoint.received.slice(before);
    for (const one of [hello, first, second]) {
      expect(one?.headers).include({ 'x-other': 'told' }).not.have.property('webhook-secret');
      expect(checkWebhook(key, one?.headers ?? {}, Buffer.from(one?.text ?? ''), Date.now())).equal(undefined);
      expect(JSON.stringify(one?.headers)).not.include(secret);
    }
    expect(first?.headers['webhook-id']).equal(second?.headers['webhook-id']).not.equal(hello?.headers['webhook-id']);
    expect([first?.status, second?.status]).eql([503, 200]);
    await fhir.delete(`Subscription/${id}`);
  });

  for (const header of ['Webhook-Secret: hunter2', 'Webhook-Signature: v1,AAAA'])
    it(`[IN-41] ${header.split(':')[0]} as ${header.split(': ')[1]} is refused`, async () => {
      const channel = { type: 'rest-hook', endpoint: `${endpoint.url}/x`, header: [header] };
      const refused = await fhir.post('Subscription', {
        resourceType: 'Subscription',
        status: 'requested',
        reason: 'test',
        criteria: 'Patient?family=X',
        channel,
      });
      expect(refused.status).equal(422);
      expect(refused.text).include('channel.header[0]').not.include('hunter2');
    });

  it('websocket of R4: bind, bound, ping; what came before is told first', async () => {
    const id = await open({ type: 'websocket' }, 'Patient?family=Pinged');
    await fhir.post('Patient', patient('Pinged'));
    await sleep(700);
    const socket = await connect(server.bearer);
    socket.send(`bind ${id}`);
    await until(() => socket.heard.length >= 2);
    expect(socket.heard).deep.equal([`bound ${id}`, `ping ${id}`]);
    await fhir.post('Patient', patient('Other'));
    await fhir.post('Patient', patient('Pinged'));
    await until(() => socket.heard.length >= 3);
    expect(socket.heard.slice(2)).deep.equal([`ping ${id}`]);
    await fhir.delete(`Subscription/${id}`);
    expect((await socket.closed).reason).include('ended');
  });

  it('websocket of a topic: a token, a handshake, notifications with numbers', async () => {
    const id = await open({ type: 'websocket', payload: 'application/fhir+json' }, TOPIC);
    const { parameter } = (await fhir.get(`Subscription/${id}/$get-ws-binding-token`)).json<{
      parameter: { name: string; valueString?: string; valueUrl?: string }[];
    }>();
    const findPart = (name: string) => parameter.find((one) => one.name === name);
    expect(findPart('websocket-url')?.valueUrl).equal(`${server.fhirBaseUrl.replace('http', 'ws')}/$websocket`);
    const socket = await connect();
    socket.send(`bind-with-token ${findPart('token')?.valueString}`);
    await until(() => socket.heard.length >= 1);
    const made = (await fhir.post('Patient', patient('Told'))).json<{ id: string }>();
    await until(() => socket.heard.length >= 2);
    const [hello, event] = socket.heard.map((text) => JSON.parse(text) as Json);
    expect(JSON.stringify(hello)).include('"handshake"');
    expect(JSON.stringify(event))
      .include('"event-notification"')
      .include(`${server.fhirBaseUrl}/Patient/${made.id}`)
      .not.include('Told');
    socket.close();
  });

  it('[CP-17] [IN-02] sockets without a right are refused or closed, and learn nothing', async () => {
    const id = await open({ type: 'websocket' }, 'Patient?family=Hidden');
    expect(await (await connect({ authorization: 'Bearer nonsense' })).status).equal(401);
    expect(await (await connect({ origin: 'https://evil.example' })).status).equal(403);
    const anonymous = await connect();
    anonymous.send(`bind ${id}`);
    expect((await anonymous.closed).code).equal(1008);
    const forged = await connect();
    forged.send('bind-with-token AAAA');
    expect((await forged.closed).code).equal(1008);
    const program = await registerBackend(server, 'system/Subscription.cruds system/Patient.rs');
    const other = await connect(program.bearer);
    other.send(`bind ${id}`);
    expect((await other.closed).code).equal(1008);
    const absent = await connect(program.bearer);
    absent.send('bind nothing-of-this-name');
    expect(await absent.closed).deep.equal(await other.closed);
    const rude = await connect(server.bearer);
    rude.send('x'.repeat(10_000));
    expect((await rude.closed).code).equal(1009);
  });

  it('a request to upgrade to something else is answered as any other', async () => {
    const { request } = await import('node:http');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const req = request(`${server.fhirBaseUrl}/metadata`, { headers: { connection: 'Upgrade', upgrade: 'h2c' } });
      req.on('response', (res) => resolve(res.resume().statusCode)).on('error', reject);
      req.end();
    });
    expect(status).equal(200);
  });

  it('[IN-44] [DP-07] e-mail says that there is something, and never what', async () => {
    const id = await open({ type: 'email', endpoint: 'mailto:clinic@example.org' }, 'Patient?family=Mailed');
    await fhir.post('Patient', patient('Mailed'));
    await until(() => smtp.received.length >= 2);
    for (const { to, raw } of smtp.received) {
      expect(to).deep.equal(['clinic@example.org']);
      expect(raw).include(id).not.include('Mailed');
    }
  });

  it('message: a Bundle message about each resource', async () => {
    const channel = { type: 'message', endpoint: `${endpoint.url}/m`, payload: 'application/fhir+json' };
    await open(channel, 'Patient?family=Messaged');
    await fhir.post('Patient', patient('Messaged'));
    const [, message] = await endpoint.waitFor(2, ({ path }) => path === '/m');
    const bundle = JSON.parse(message?.text ?? '') as { type: string; entry: { resource: Json }[] };
    expect(bundle.type).equal('message');
    expect(bundle.entry.map(({ resource }) => resource['resourceType'])).deep.equal(['MessageHeader', 'Patient']);
    expect((await fhir.post('Bundle/$validate', bundle)).text).not.include('"error"');
  });
});
