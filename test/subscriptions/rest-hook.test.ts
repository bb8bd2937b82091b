/** Subscriptions by rest-hook, over real sockets. https://hl7.org/fhir/R4/subscription.html, docs/subscriptions.md */
import { expect } from 'chai';
import { registerBackend } from '../support/backend-client.ts';
import { privacyConsent } from '../support/consents.ts';
import { withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient, type Json, outcomeOf } from '../support/fhir-client.ts';
import { type Notified, type NotifiedServer, startNotified } from '../support/notified.ts';
import { openSubscription, waitForStatus } from '../support/open-subscription.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-';
const TOPIC = 'https://mortar-fhir.org/SubscriptionTopic/prescription-change';

interface StatusPart {
  readonly name: string;
  readonly valueString?: string;
  readonly valueCode?: string;
  readonly part?: readonly { readonly name: string; readonly valueString?: string; readonly valueReference?: Json }[];
}

describe('subscriptions › rest-hook', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  let endpoint: NotifiedServer;
  let n = 0;
  before(async () => {
    endpoint = await startNotified();
    server = await startTestServer({ env: { SUBSCRIPTION_TARGETS: endpoint.host } });
    fhir = createFhirClient(server);
    expect((await fhir.put('Patient/a', { resourceType: 'Patient', id: 'a' })).status).equal(201);
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
  });
  beforeEach(() => {
    endpoint.answer = () => 200;
    n += 1;
  });

  const subscription = (criteria: string, channel: object = {}, more: object = {}): Json => ({
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'test',
    criteria,
    channel: { type: 'rest-hook', endpoint: `${endpoint.url}/${n}`, payload: 'application/fhir+json', ...channel },
    ...more,
  });
  const observation = (code: string, patient = 'a'): Json => ({
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'urn:test', code }] },
    subject: { reference: `Patient/${patient}` },
  });
  const idOf = (reply: { json<T = Json>(): T }): string => reply.json<{ id: string }>().id;
  const mine = ({ path }: Notified): boolean => path.startsWith(`/${n}`);
  const events = (one: Notified): boolean => mine(one) && one.method === 'PUT';

  const untilStatus = (id: string, status: string, client = fhir): Promise<Json> => waitForStatus(client, id, status);
  const open = (resource: Json, client = fhir): Promise<string> => openSubscription(client, resource);

  it('begins with a handshake, is active then, and is sent what matches, in order, and nothing else', async () => {
    await open(subscription(`Observation?code=urn:test|order${n}`));
    expect(endpoint.received.filter(mine).map(({ method, text }) => [method, text])).deep.equal([['POST', '']]);
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) {
      await fhir.post('Observation', observation('another'));
      ids.push(idOf(await fhir.post('Observation', observation(`order${n}`))));
    }
    const got = await endpoint.waitFor(12, events);
    expect(got.map(({ path }) => path)).deep.equal(ids.map((id) => `/${n}/Observation/${id}`));
    expect(JSON.parse(got[0]?.text ?? '')).include({ resourceType: 'Observation', id: ids[0] });
    expect(got[0]?.headers['content-type']).match(/^application\/fhir\+json/);
  });

  it('what matches for a moment is told, as it was; what never did is not', async () => {
    await open(subscription(`Observation?code=urn:test|moment${n}`));
    const [brief, never] = [`brief${n}`, `never${n}`];
    // Replaced before the log of changes is looked at, as a rule.
    for (const [id, code] of [
      [never, 'another'],
      [brief, `moment${n}`],
      [brief, 'over'],
      [never, 'still another'],
    ] as const)
      await fhir.put(`Observation/${id}`, { ...observation(code), id });
    await fhir.post('Observation', observation(`moment${n}`));
    const got = await endpoint.waitFor(2, events);
    expect(got[0]?.path).equal(`/${n}/Observation/${brief}`);
    expect(JSON.parse(got[0]?.text ?? '').meta.versionId).equal('1');
    expect(got.some(({ path }) => path.endsWith(never))).equal(false);
  });

  it('without a payload is sent nothing but that there is something', async () => {
    const reply = await fhir.post('Subscription', {
      ...subscription(`Observation?code=urn:test|none${n}`),
      channel: { type: 'rest-hook', endpoint: `${endpoint.url}/${n}` },
    });
    await untilStatus(idOf(reply), 'active');
    await fhir.post('Observation', observation(`none${n}`));
    const got = await endpoint.waitFor(2, mine);
    expect(got.map(({ method, path, text }) => [method, path, text])).deep.equal([
      ['POST', `/${n}`, ''],
      ['POST', `/${n}`, ''],
    ]);
  });

  it('[IN-41] header fields go to the endpoint and are never shown again', async () => {
    const secret = 'Bearer s3cret-of-the-endpoint';
    const id = await open(subscription(`Observation?code=urn:test|h${n}`, { header: [`Authorization: ${secret}`] }));
    expect(endpoint.received.filter(mine)[0]?.headers.authorization).equal(secret);
    for (const path of [`Subscription/${id}`, `Subscription/${id}/_history`, 'Subscription?_count=100']) {
      const { text, status } = await fhir.get(path);
      expect(status).equal(200);
      expect(text).include('(kept)').not.include('s3cret');
    }
    const rows = await withClient(server.database.connection('owner'), (client) =>
      client.query(`select encode(headers, 'escape') as h from mortar.subscription_owner where headers is not null`),
    );
    expect(JSON.stringify(rows.rows)).not.include('s3cret');
    const again = await fhir.put(`Subscription/${id}`, (await fhir.get(`Subscription/${id}`)).json());
    expect(again.status).equal(422);
    expect(again.text).include('give it again');
  });

  it('[IN-40] [IN-41] refuses what cannot work, saying what and where', async () => {
    const cases: readonly (readonly [object, string])[] = [
      [subscription('Observation'), 'Subscription.criteria'],
      [subscription('Observation?colour=red'), 'colour'],
      [subscription('Observation?code=x&_count=5'), 'controls'],
      [subscription('Nonsense?code=x'), 'Nonsense'],
      [subscription('http://example.org/topic'), 'There is no such topic'],
      [subscription('Observation?code=x', { endpoint: 'http://10.0.0.1/x' }), 'https'],
      [subscription('Observation?code=x', { endpoint: 'https://u:p@example.org/x' }), 'user name'],
      [subscription('Observation?code=x', { endpoint: 'file:///etc/passwd' }), 'https URL'],
      [subscription('Observation?code=x', { header: ['X: 1\r\nY: 2'] }), 'one line'],
      [subscription('Observation?code=x', { header: ['Host: example.org'] }), 'cannot be set'],
      [subscription('Observation?code=x', { header: ['Transfer-Encoding: chunked'] }), 'cannot be set'],
      [subscription('Observation?code=x', { payload: 'text/html' }), 'payload'],
      [subscription('Observation?code=x', { type: 'sms' }), 'channel.type'],
      [subscription('Observation?code=x', { type: 'email', endpoint: 'mailto:a@example.org' }), 'MAIL_DOMAINS'],
    ];
    for (const [resource, words] of cases) {
      const reply = await fhir.post('Subscription', resource);
      expect([400, 422], `${words}: ${reply.text}`).include(reply.status);
      expect(reply.text).include(words);
    }
  });

  it('[IN-40] an address that is not public is not asked, whatever its name is', async () => {
    const before = endpoint.received.length;
    // The port of the endpoint is allowed under 127.0.0.1 alone.
    const reply = await fhir.post(
      'Subscription',
      subscription('Observation?code=x', { endpoint: `https://localhost:${endpoint.port}/x` }),
    );
    const { error } = await untilStatus(idOf(reply), 'error');
    expect(String(error)).match(/port is not allowed|address is not public/);
    expect(endpoint.received.length).equal(before);
    await fhir.delete(`Subscription/${idOf(reply)}`);
  });

  it('what is refused is sent again in its place; the Subscription tells of it while it lasts', async () => {
    const id = await open(subscription(`Observation?code=urn:test|again${n}`));
    let down = true;
    endpoint.answer = (one) => (down && one.method === 'PUT' ? 503 : 200);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(idOf(await fhir.post('Observation', observation(`again${n}`))));
    const { error } = await untilStatus(id, 'error');
    expect(String(error)).include('the answer has status 503');
    down = false;
    const got = await endpoint.waitFor(3, events);
    expect(got.map(({ path }) => path.split('/').at(-1))).deep.equal(ids);
    expect(await untilStatus(id, 'active')).not.include.keys('error');
  });

  it('[CP-17] what the subscriber may not see is neither sent nor counted', async () => {
    const scope = 'system/Subscription.cruds system/Observation.rs';
    const program = await registerBackend(server, scope);
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    for (const id of ['open', 'closed'])
      await fhir.put(`Patient/${id}${n}`, { resourceType: 'Patient', id: `${id}${n}` });
    await fhir.put(`Consent/c${n}`, privacyConsent(`closed${n}`, { type: 'deny' }, { id: `c${n}` }));
    const id = await open(subscription(`Observation?code=urn:test|cp${n}`), theirs);
    await fhir.post('Observation', observation(`cp${n}`, `closed${n}`));
    const seen = idOf(await fhir.post('Observation', observation(`cp${n}`, `open${n}`)));
    const got = await endpoint.waitFor(1, events);
    expect(got.map(({ path }) => path)).deep.equal([`/${n}/Observation/${seen}`]);
    const status = (await theirs.get(`Subscription/${id}/$status`)).text;
    expect(status).include('"events-since-subscription-start","valueString":"1"');
    // Of what is not in its scope there is no event either, nor does a chain tell of it (CP-06).
    const patients = await theirs.post('Subscription', subscription('Patient?active=true'));
    expect(patients.status, patients.text).equal(201);
    await fhir.post('Patient', { resourceType: 'Patient', active: true });
    expect(String((await untilStatus(idOf(patients), 'error', theirs))['error'])).include('rights');
  });

  it('[CP-17] when the rights end, so does the subscription', async () => {
    const program = await registerBackend(server, 'system/Subscription.cruds system/Observation.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    const id = await open(subscription(`Observation?code=urn:test|end${n}`), theirs);
    const off = await fetch(`${server.url}/api/v2/admin/clients/${program.clientId}/disable`, {
      method: 'POST',
      headers: server.bearer,
    });
    expect(off.status).below(300);
    await fhir.post('Observation', observation(`end${n}`));
    expect(String((await untilStatus(id, 'error'))['error'])).include('rights');
    expect(endpoint.received.filter(events)).deep.equal([]);
  });

  it('[CP-17] consent withdrawn between the match and the delivery keeps the event back', async () => {
    const program = await registerBackend(server, 'system/Subscription.cruds system/Observation.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    await fhir.put(`Patient/w${n}`, { resourceType: 'Patient', id: `w${n}` });
    await open(subscription(`Observation?code=urn:test|w${n}`), theirs);
    let asked = 0;
    endpoint.answer = (one) => (one.method === 'PUT' && asked++ < 1 ? 503 : 200);
    // The first is stuck; behind it the second waits, matched already.
    const first = idOf(await fhir.post('Observation', observation(`w${n}`)));
    await fhir.post('Observation', observation(`w${n}`, `w${n}`));
    await fhir.put(`Consent/w${n}`, privacyConsent(`w${n}`, { type: 'deny' }, { id: `w${n}` }));
    const last = idOf(await fhir.post('Observation', observation(`w${n}`)));
    const got = await endpoint.waitFor(2, events);
    expect(got.map(({ path }) => path.split('/').at(-1))).deep.equal([first, last]);
  });

  it('a topic is told in history bundles with numbers, of changes of its elements alone; $events and $replay tell again', async () => {
    const id = await open(
      subscription(
        TOPIC,
        { _payload: { extension: [{ url: `${BACKPORT}payload-content`, valueCode: 'full-resource' }] } },
        {
          _criteria: {
            extension: [{ url: `${BACKPORT}filter-criteria`, valueString: 'MedicationRequest?patient=Patient/a' }],
          },
        },
      ),
    );
    const hello = (JSON.parse(endpoint.received.find(mine)?.text ?? '') as { entry: { resource: Json }[] }).entry[0];
    expect(JSON.stringify(hello)).include('"handshake"');
    const order = (status: string, more: object = {}): Json => ({
      resourceType: 'MedicationRequest',
      id: `m${n}`,
      status,
      intent: 'order',
      medicationCodeableConcept: { text: 'x' },
      subject: { reference: 'Patient/a' },
      ...more,
    });
    await fhir.put(`MedicationRequest/m${n}`, order('active'));
    await fhir.put(`MedicationRequest/m${n}`, order('active', { note: [{ text: 'not an event' }] }));
    await endpoint.waitFor(2, mine);
    await fhir.put(`MedicationRequest/m${n}`, order('cancelled'));
    const got = (await endpoint.waitFor(3, mine)).slice(1).map(({ text }) => JSON.parse(text) as Bundle);
    expect(got.map(({ type }) => type)).deep.equal(['history', 'history']);
    expect(got.map(numbersOf)).deep.equal([['1'], ['2']]);
    expect(got.map(({ entry }) => entry[1]?.resource['status'])).deep.equal(['active', 'cancelled']);
    for (const bundle of got) expect((await fhir.post('Bundle/$validate', bundle)).text).not.include('"error"');

    const events = (await fhir.get(`Subscription/${id}/$events?eventsSinceNumber=2&content=id-only`)).json<Bundle>();
    expect(numbersOf(events)).deep.equal(['2']);
    expect(JSON.stringify(events)).include('query-event').not.include('"medicationCodeableConcept"');
    const replayed = await fhir.post(`Subscription/${id}/$replay`, {
      resourceType: 'Parameters',
      parameter: [{ name: 'eventsSinceNumber', valueString: '1' }],
    });
    expect(replayed.json()).deep.equal({
      resourceType: 'Parameters',
      parameter: [{ name: 'queued', valueInteger: 2 }],
    });
    const twice = (await endpoint.waitFor(5, mine)).slice(3).map(({ text }) => JSON.parse(text) as Bundle);
    expect(twice.map(numbersOf)).deep.equal([['1'], ['2']]);
    const status = (await fhir.get(`Subscription/${id}/$status`)).json<Bundle>();
    expect(status.type).equal('searchset');
    expect(JSON.stringify(status)).include('"valueCode":"active"');
  });

  const prescription = (id: string, patient = 'a'): Json => ({
    resourceType: 'MedicationRequest',
    id,
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: { text: 'x' },
    subject: { reference: `Patient/${patient}` },
  });

  it('a topic tells of deletions, without what was deleted; criteria do not', async () => {
    const full = { extension: [{ url: `${BACKPORT}payload-content`, valueCode: 'full-resource' }] };
    const id = await open(subscription(TOPIC, { _payload: full }));
    const plain = await open(
      subscription(`MedicationRequest?_id=d${n}`, { endpoint: `${endpoint.url}/${n}-criteria` }),
    );
    await fhir.put(`MedicationRequest/d${n}`, prescription(`d${n}`));
    expect((await fhir.delete(`MedicationRequest/d${n}`)).status).equal(204);
    const toTopic = ({ path }: Notified): boolean => path === `/${n}`;
    // The first version may be gone before it is looked at: then the deletion is all there is.
    const isDeletion = ({ text }: Notified): boolean => text.includes('"DELETE"');
    const [told] = await endpoint.waitFor(1, (one) => toTopic(one) && isDeletion(one));
    const bundle = JSON.parse(told?.text ?? '') as Bundle;
    expect(bundle.entry[1]).deep.equal({
      fullUrl: `${server.fhirBaseUrl}/MedicationRequest/d${n}`,
      request: { method: 'DELETE', url: `MedicationRequest/d${n}` },
      response: { status: '204' },
    });
    expect((await fhir.post('Bundle/$validate', bundle)).text).not.include('"error"');
    const events = (await fhir.get(`Subscription/${id}/$events?content=full-resource`)).text;
    expect(events).include('"DELETE"');
    await fhir.put(`MedicationRequest/d${n}`, prescription(`d${n}`));
    const toCriteria = ({ path, method }: Notified): boolean => path.startsWith(`/${n}-criteria/`) && method === 'PUT';
    await endpoint.waitFor(1, toCriteria);
    expect((await fhir.get(`Subscription/${plain}/$events`)).text).not.include('"DELETE"');
  });

  it('[CP-17] nobody is told that something was deleted that they could not see', async () => {
    const program = await registerBackend(server, 'system/Subscription.cruds system/MedicationRequest.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    for (const id of ['shown', 'denied'])
      await fhir.put(`Patient/${id}${n}`, { resourceType: 'Patient', id: `${id}${n}` });
    await fhir.put(`Consent/d${n}`, privacyConsent(`denied${n}`, { type: 'deny' }, { id: `d${n}` }));
    const ids = ['shown', 'denied'].map((name) => `${name}-order${n}`);
    for (const [i, name] of ['shown', 'denied'].entries())
      await fhir.put(`MedicationRequest/${ids[i]}`, prescription(ids[i] as string, `${name}${n}`));
    const id = await open(subscription(TOPIC), theirs);
    for (const one of [...ids].reverse()) expect((await fhir.delete(`MedicationRequest/${one}`)).status).equal(204);
    const [told] = await endpoint.waitFor(1, (one) => mine(one) && one.text.includes('"DELETE"'));
    expect(told?.text).include(`MedicationRequest/${ids[0]}`).and.not.include(`MedicationRequest/${ids[1]}`);
    expect(numbersOf(JSON.parse(told?.text ?? '') as Bundle)).deep.equal(['1']);
    expect((await theirs.get(`Subscription/${id}/$events`)).text).not.include(`MedicationRequest/${ids[1]}`);
  });

  it('$status of a type: of all that the caller may see, by id and by state', async () => {
    const id = await open(subscription(`Observation?code=urn:test|st${n}`));
    const statuses = async (query: string, client = fhir): Promise<string[]> => {
      const reply = await client.get(`Subscription/$status${query}`);
      expect(reply.status, reply.text).equal(200);
      const { entry = [], total } = reply.json<Partial<Bundle> & { total: number }>();
      expect(entry.length).equal(total);
      return entry.map(({ resource }) => JSON.stringify(resource));
    };
    const all = await statuses('');
    expect(all.length).above(3);
    expect(all.filter((one) => one.includes(`/Subscription/${id}"`)).length).equal(1);
    const one = await statuses(`?id=${id}`);
    expect(one.length).equal(1);
    expect(one[0]).include('"query-status"').and.include('"valueCode":"active"');
    expect(await statuses(`?id=${id}&status=error&status=off`)).deep.equal([]);
    expect((await statuses('?status=active')).length).at.least(1);
    expect((await fhir.get('Subscription/$status?status=nope')).status).equal(400);
    expect((await fhir.get('Subscription/$status?id=a%20b')).status).equal(400);
    const posted = await fhir.post('Subscription/$status', {
      resourceType: 'Parameters',
      parameter: [{ name: 'id', valueId: id }],
    });
    expect(posted.json<Bundle & { total: number }>().total).equal(1);
    const blind = await registerBackend(server, 'system/Observation.rs');
    const their = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: blind.bearer });
    expect((await their.get('Subscription/$status')).status).equal(403);
  });

  it('$status of one that is not followed, or not yet: it has told nothing', async () => {
    const made = await fhir.post('Subscription', subscription(`Observation?code=urn:test|new${n}`));
    const atOnce = await fhir.get(`Subscription/${idOf(made)}/$status`);
    expect(atOnce.status, atOnce.text).equal(200);
    const channel = { type: 'websocket' };
    const off = { ...subscription(`Observation?code=urn:test|off${n}`), status: 'off', channel };
    const id = idOf(await fhir.post('Subscription', off));
    const status = await fhir.get(`Subscription/${id}/$status`);
    expect(status.status, status.text).equal(200);
    expect(status.text).include('"valueCode":"off"').and.include('"events-since-subscription-start","valueString":"0"');
    expect((await fhir.get(`Subscription/$status?id=${id}`)).text).include('"valueCode":"off"');
    const token = await fhir.get(`Subscription/${id}/$get-ws-binding-token`);
    expect([token.status, outcomeOf(token).diagnostics]).deep.equal([
      409,
      `Nobody is told yet: the status of Subscription/${id} is 'off'`,
    ]);
  });

  it('a heartbeat comes when there was nothing to tell', async () => {
    await open(subscription(TOPIC, { extension: [{ url: `${BACKPORT}heartbeat-period`, valueUnsignedInt: 10 }] }));
    const beats = await endpoint.waitFor(1, (one) => mine(one) && one.text.includes('"heartbeat"'));
    expect(beats.length).at.least(1);
  });

  it('[CP-17] nobody else has events told again or a socket bound', async () => {
    const id = await open(subscription(`Observation?code=urn:test|other${n}`));
    await fhir.post('Observation', observation(`other${n}`));
    await endpoint.waitFor(1, events);
    const program = await registerBackend(server, 'system/Subscription.cruds');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    expect((await theirs.post(`Subscription/${id}/$replay`, '')).status).equal(403);
    expect((await theirs.get(`Subscription/${id}/$get-ws-binding-token`)).status).equal(403);
    const seen = await theirs.get(`Subscription/${id}/$events?content=full-resource`);
    expect(seen.status).equal(200);
    expect(seen.text).not.include('Observation/');
    const blind = await registerBackend(server, 'system/Observation.rs');
    const their = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: blind.bearer });
    for (const name of ['status', 'events', 'get-ws-binding-token'])
      expect((await their.get(`Subscription/${id}/$${name}`)).status, name).equal(403);
  });

  it('one that is off is told nothing; written anew it goes on', async () => {
    const id = await open(subscription(`Observation?code=urn:test|off${n}`));
    await fhir.put(`Subscription/${id}`, { ...subscription(`Observation?code=urn:test|off${n}`), id, status: 'off' });
    await fhir.post('Observation', observation(`off${n}`));
    await fhir.put(`Subscription/${id}`, { ...subscription(`Observation?code=urn:test|off${n}`), id });
    await untilStatus(id, 'active');
    const seen = idOf(await fhir.post('Observation', observation(`off${n}`)));
    const got = await endpoint.waitFor(1, events);
    expect(got.map(({ path }) => path.split('/').at(-1))).deep.equal([seen]);
    expect((await fhir.delete(`Subscription/${id}`)).status).equal(204);
    expect((await fhir.get(`Subscription/${id}/$status`)).status).equal(410);
  });
});

interface Bundle {
  readonly type: string;
  readonly entry: readonly { readonly resource: Json }[];
}

const numbersOf = ({ entry }: Bundle): (string | undefined)[] =>
  ((entry[0]?.resource['parameter'] ?? []) as StatusPart[])
    .filter(({ name }) => name === 'notification-event')
    .map(({ part = [] }) => part.find(({ name }) => name === 'event-number')?.valueString);
