/**
 * A pharmacy system with an API of its own: told of what waits by a signed Subscription, it tells by signed webhooks what it
 * has done; nothing that is altered, old or another's is taken, and an event is done once. MISSION M10; SECURITY IN-43
 */
import { expect } from 'chai';
import { checkWebhook, signWebhook } from '../../src/standards/webhook/signature.ts';
import { registerBackend } from '../support/backend-client.ts';
import { withClient } from '../support/database.ts';
import { until } from '../support/eps-practice.ts';
import { type NotifiedServer, startNotified } from '../support/notified.ts';
import {
  type Answer,
  codeOf,
  makePharmacyWorld,
  type PharmacyWorld,
  type Prescribed,
  systemOf,
} from '../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const KEY = Buffer.alloc(32, 5);
const secretOf = (key: Buffer): string => `whsec_${key.toString('base64')}`;
const SCOPE =
  'system/Task.rus system/MedicationRequest.rus system/MedicationDispense.crs system/Organization.rs system/Patient.rs system/Subscription.cruds';
const MINUTE_MS = 60_000;

interface Sent {
  readonly key?: Buffer;
  readonly id?: string;
  readonly at?: number;
  readonly subscription?: string;
  /** In the place of what was signed. */
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

describe('journey › webhooks of pharmacy systems', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let endpoint: NotifiedServer;
  let bearer: Record<string, string>;
  let clientId: string;
  let subscription: string;
  let serial = 0;
  before(async () => {
    endpoint = await startNotified();
    server = await startTestServer({
      env: { RATE_LIMITS: 'read=off,write=off,verify=off', SUBSCRIPTION_TARGETS: endpoint.host },
    });
    world = await makePharmacyWorld(server);
    const client = await registerBackend(server, SCOPE, 'Pharmacy system');
    ({ bearer, clientId } = client);
    await world.put({ ...systemOf(clientId, 'pharmacy-a'), id: 'system-a' });
    subscription = await subscribe([`Webhook-Secret: ${secretOf(KEY)}`]);
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
  });

  async function subscribe(header: readonly string[]): Promise<string> {
    const made = await fetch(`${server.fhirBaseUrl}/Subscription`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({
        resourceType: 'Subscription',
        status: 'requested',
        reason: 'What waits at the pharmacy',
        criteria: 'Task?owner=Organization/pharmacy-a&status=ready',
        channel: { type: 'rest-hook', endpoint: `${endpoint.url}/hook`, payload: 'application/fhir+json', header },
      }),
    });
    expect(made.status).equal(201);
    const { id } = (await made.json()) as { id: string };
    await until(async () => {
      const { json } = await world.call('GET', `/fhir/R4/Subscription/${id}`, server.bearer);
      return json.status === 'active' || undefined;
    });
    return id;
  }

  async function send(event: object, sent: Sent = {}): Promise<Answer> {
    serial += 1;
    const { key = KEY, id = `event-${serial}`, at = Date.now(), subscription: to = subscription } = sent;
    const text = JSON.stringify(event);
    const answer = await fetch(`${server.url}/api/webhooks/${to}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signWebhook(key, id, at, text), ...sent.headers },
      body: sent.body ?? text,
    });
    const got = await answer.text();
    return { status: answer.status, json: got === '' ? undefined : JSON.parse(got), headers: answer.headers };
  }
  const ready = ({ token }: Prescribed): object => ({
    type: 'prescription.ready',
    data: { prescription_id: token.tokenId },
  });
  const dispensed = ({ token }: Prescribed): object => ({
    type: 'prescription.dispensed',
    data: {
      prescription_id: token.tokenId,
      nonce: token.nonce,
      pharmacy_code: codeOf('pharmacy-a'),
      pharmacist_name: 'Petra Lindqvist',
    },
  });
  const taskOf = async ({ taskId }: Prescribed): Promise<Answer['json']> =>
    (await world.call('GET', `/fhir/R4/Task/${taskId}`, server.bearer)).json;
  const toldOf = async ({ taskId }: Prescribed, kind: string): Promise<number> => {
    const { json } = await world.call('GET', '/fhir/R4/Communication?_count=200', server.bearer);
    return (json.entry ?? []).filter(
      ({ resource }: Answer['json']) =>
        resource.about?.[0]?.reference === `Task/${taskId}` && resource.category[0].coding[0].code === kind,
    ).length;
  };

  it('told of what waits, it says that it is ready, and that it was handed over', async () => {
    const before = endpoint.received.length;
    const made = await world.prescribe();
    const [told] = await until(async () => {
      const those = endpoint.received.slice(before).filter(({ path }) => path.endsWith(made.taskId));
      return those.length > 0 ? those : undefined;
    });
    expect(checkWebhook(KEY, told?.headers ?? {}, Buffer.from(told?.text ?? ''), Date.now())).equal(undefined);
    const prepared = await send(ready(made));
    expect([prepared.status, prepared.json.success]).eql([200, true]);
    expect(await toldOf(made, 'prescription-ready')).equal(1);
    const done = await send(dispensed(made));
    expect([done.status, done.json.details.pharmacist]).eql([200, 'Petra Lindqvist']);
    expect((await taskOf(made)).status).equal('completed');
  });

  it('[IN-43] [RX-05] an event that comes again, also signed anew and by many at once, is done once', async () => {
    const made = await world.prescribe();
    const first = await send(dispensed(made), { id: 'once' });
    expect(first.status).equal(200);
    for (const at of [Date.now(), Date.now() + 2000]) {
      const again = await send(dispensed(made), { id: 'once', at });
      expect([again.status, again.json]).eql([200, first.json]);
    }
    const other = await send(ready(made), { id: 'once' });
    expect(other.status, 'another event under the same id').equal(422);
    const many = await world.prescribe();
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(dispensed(many), { id: 'many' })));
    expect(answers.map(({ status, json }) => [status, json.details.dispensed_at])).eql(
      Array(10).fill([200, answers[0]?.json.details.dispensed_at]),
    );
    expect(await toldOf(many, 'prescription-dispensed')).equal(1);
  });

  it('[IN-43] [AU-01] what is altered, old or somebody else’s is not taken, and nothing is changed', async () => {
    const made = await world.prescribe();
    const event = dispensed(made);
    const own = JSON.stringify(event);
    const cases: readonly (readonly [string, Sent])[] = [
      ['another body', { body: own.replace('Petra', 'Other') }],
      ['a body with a blank more', { body: `${own} ` }],
      ['another secret', { key: Buffer.alloc(32, 6) }],
      ['six minutes old', { at: Date.now() - 6 * MINUTE_MS }],
      ['from six minutes ahead', { at: Date.now() + 6 * MINUTE_MS }],
      ['another id', { headers: { 'webhook-id': 'other' } }],
      ['an id that no webhook has', { headers: { 'webhook-id': 'a.b' } }],
      ['another time', { headers: { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 1) } }],
      ['no signature', { headers: { 'webhook-signature': '' } }],
      ['a Subscription that is not there', { subscription: 'nowhere' }],
      ['an id that is none', { subscription: '..%2f..%2fadmin' }],
      ['a token of somebody in its place', { key: Buffer.alloc(32, 6), headers: server.bearer }],
    ];
    for (const [name, sent] of cases) {
      const { status, json } = await send(event, sent);
      expect(status, name).oneOf(name === 'an id that is none' ? [400, 401, 404] : [401]);
      expect(JSON.stringify(json), name).not.include(secretOf(KEY));
    }
    expect((await taskOf(made)).status).equal('ready');
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        "select distinct rule from audit.entry where operation = 'pharmacy-webhook' and outcome = 4 and rule like 'webhook-%' order by 1",
      );
      expect(rows.map(({ rule }) => rule)).include.members(['webhook-altered', 'webhook-missing', 'webhook-old']);
    });
  });

  it('[IN-46] events that are none are refused, with what is wrong', async () => {
    const made = await world.prescribe();
    for (const [event, words] of [
      [{ type: 'prescription.lost', data: {} }, /type must be one of/],
      [{ data: {} }, /type is missing/],
      [{ type: 'prescription.ready', data: {} }, /prescription_id is missing/],
      [{ type: 'prescription.ready', data: { prescription_id: 'x' } }, /the number of a prescription like PHB-RX/],
      [{ type: 'prescription.ready', data: { prescription_id: made.token.tokenId, owner: 'me' } }, /no member/],
      [{ type: 'prescription.dispensed', data: { prescription_id: made.token.tokenId } }, /nonce is missing/],
      [{ ...ready(made), as: 'admin' }, /no member/],
    ] as const) {
      const { status, json } = await send(event);
      expect([status, JSON.stringify(json)]).satisfy(
        ([code, text]: [number, string]) => code === 400 && words.test(text),
        JSON.stringify(json),
      );
    }
  });

  it('[CP-08] it speaks for its own pharmacy alone', async () => {
    const made = await world.prescribe({ pharmacyId: 'pharmacy-b' });
    expect((await send(ready(made))).status).equal(403);
    expect((await send(dispensed(made))).status).equal(403);
    expect((await taskOf(made)).status).equal('ready');
    expect(await toldOf(made, 'prescription-ready')).equal(0);
  });

  it('[IN-43] without a secret, off, or when its rights have ended, it is not heard', async () => {
    const made = await world.prescribe();
    const plain = await subscribe(['X-Other: y']);
    expect((await send(ready(made), { subscription: plain })).status).equal(401);
    const short = await subscribe([`Webhook-Secret: ${secretOf(KEY)}`]);
    await world.call('DELETE', `/fhir/R4/Subscription/${short}`, server.bearer);
    expect((await send(ready(made), { subscription: short })).status).equal(401);
    const ended = await world.call('POST', `/api/v2/admin/clients/${clientId}/disable`, server.bearer);
    expect(ended.status).within(200, 204);
    expect((await send(ready(made))).status).equal(401);
    expect((await taskOf(made)).businessStatus).equal(undefined);
  });
});
