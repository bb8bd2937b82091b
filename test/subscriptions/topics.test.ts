/** Topics that were posted, over real sockets. docs/subscriptions.md "Topics of your own" */
import { expect } from 'chai';
import { registerBackend } from '../support/backend-client.ts';
import { privacyConsent } from '../support/consents.ts';
import { createFhirClient, type FhirClient, type Json, type Reply } from '../support/fhir-client.ts';
import { type Notified, type NotifiedServer, startNotified } from '../support/notified.ts';
import { openSubscription, waitForStatus } from '../support/open-subscription.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { basicTopic, type TopicParts } from '../support/topics.ts';

const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-';

interface Bundle {
  readonly type: string;
  readonly entry: readonly { readonly fullUrl: string; readonly request: Json; readonly resource: Json }[];
}

describe('subscriptions › topics of one’s own', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  let endpoint: NotifiedServer;
  let n = 0;
  before(async () => {
    endpoint = await startNotified();
    server = await startTestServer({ env: { SUBSCRIPTION_TARGETS: endpoint.host } });
    fhir = createFhirClient(server);
    for (const id of ['a', 'b'])
      expect((await fhir.put(`Patient/${id}`, { resourceType: 'Patient', id, active: true })).status).equal(201);
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
  });
  beforeEach(() => {
    endpoint.answer = () => 200;
    n += 1;
  });

  const url = (): string => `http://example.org/topic/${n}`;
  const topic = (parts: TopicParts): Json => ({ ...basicTopic({ url: url(), ...parts }), id: `t${n}` });
  async function put(resource: Json, status: readonly number[] = [200, 201], client = fhir): Promise<Reply> {
    const reply = await client.put(`${String(resource['resourceType'])}/${String(resource['id'])}`, resource);
    expect(status, reply.text).include(reply.status);
    return reply;
  }
  const encounter = (id: string, status: string, more: Json = {}): Json => ({
    resourceType: 'Encounter',
    id: `${id}${n}`,
    status,
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: 'Patient/a' },
    ...more,
  });
  const observation = (id: string, more: Json = {}): Json => ({
    resourceType: 'Observation',
    id: `${id}${n}`,
    status: 'final',
    code: { coding: [{ system: 'urn:test', code: 'x' }] },
    subject: { reference: 'Patient/a' },
    ...more,
  });
  const subscription = (filters: readonly string[] = [], content = 'id-only', criteria = url()): Json => ({
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'test',
    criteria,
    ...(filters.length > 0 && {
      _criteria: { extension: filters.map((valueString) => ({ url: `${BACKPORT}filter-criteria`, valueString })) },
    }),
    channel: {
      type: 'rest-hook',
      endpoint: `${endpoint.url}/${n}`,
      payload: 'application/fhir+json',
      _payload: { extension: [{ url: `${BACKPORT}payload-content`, valueCode: content }] },
    },
  });
  const statusOf = (id: string, status: string, client = fhir): Promise<Json> => waitForStatus(client, id, status);
  const open = (resource: Json, client = fhir): Promise<string> => openSubscription(client, resource);
  const isEvent = ({ path, text }: Notified): boolean =>
    path.startsWith(`/${n}`) && text.includes('"event-notification"');
  const bundleOf = ({ text }: Notified): Bundle => JSON.parse(text) as Bundle;
  /** `PUT Encounter` or `PUT Encounter/x`, of each event. */
  const what = (one: Notified): string => {
    const { fullUrl, request } = bundleOf(one).entry[1] as Bundle['entry'][number];
    return `${String(request['method'])} ${fullUrl.split('/').slice(-2).join('/')}`;
  };

  it('tells of what its triggers call an event: by what it was and is, created, changed and deleted', async () => {
    await put(
      topic({
        title: 'A visit is over',
        resourceTrigger: [
          {
            resource: 'Encounter',
            supportedInteraction: ['create', 'update'],
            queryCriteria: {
              previous: 'status:not=finished',
              resultForCreate: 'test-passes',
              current: 'status=finished',
              requireBoth: true,
            },
            fhirPathCriteria:
              "(%previous.id.empty() or (%previous.status != 'finished')) and (%current.status = 'finished')",
          },
          { resource: 'Observation', supportedInteraction: ['delete'] },
        ],
      }),
    );
    await open(subscription());
    await put(encounter('one', 'planned'));
    await put(encounter('one', 'finished'));
    await put(encounter('one', 'finished', { length: { value: 5 } }));
    await put(encounter('two', 'finished'));
    await put(observation('o'));
    await put(observation('o', { note: [{ text: 'no event' }] }));
    expect((await fhir.delete(`Encounter/one${n}`)).status).equal(204);
    expect((await fhir.delete(`Observation/o${n}`)).status).equal(204);
    // What comes back is created.
    await put(encounter('one', 'finished'));
    const got = await endpoint.waitFor(4, isEvent);
    expect(got.map(what)).deep.equal([
      `PUT Encounter/one${n}`,
      `PUT Encounter/two${n}`,
      `DELETE Observation/o${n}`,
      `PUT Encounter/one${n}`,
    ]);
    for (const one of got)
      expect((await fhir.post('Bundle/$validate', bundleOf(one) as never)).text).not.include('"error"');
  });

  it('what was judged for a moment is told by what it was, though it was changed meanwhile', async () => {
    await put(
      topic({
        resourceTrigger: [{ resource: 'Encounter', queryCriteria: { current: 'status=arrived' } }],
      }),
    );
    await open(subscription());
    for (const status of ['planned', 'arrived', 'finished']) await put(encounter('m', status));
    await put(encounter('last', 'arrived'));
    const got = await endpoint.waitFor(2, isEvent);
    expect(got.map(what)).deep.equal([`PUT Encounter/m${n}`, `PUT Encounter/last${n}`]);
  });

  it('is narrowed by what it says, type by type, and by nothing else', async () => {
    await put(
      topic({
        resourceTrigger: [{ resource: 'Encounter' }, { resource: 'Observation' }],
        canFilterBy: [
          { filterParameter: 'patient' },
          { resource: 'Encounter', filterParameter: 'date', comparator: ['ge'] },
        ],
      }),
    );
    const refused: readonly (readonly [readonly string[], string])[] = [
      [['Encounter?status=finished'], "cannot be filtered by 'status'"],
      [['Encounter?date=lt2020'], "'date' with 'lt'"],
      [['Observation?date=ge2020'], "cannot be filtered by 'date' of Observation"],
      [['Patient?name=x'], 'Encounter or Observation'],
      [['Encounter?patient=Patient/a&_count=1'], 'controls'],
      [['Encounter?date=gezzz'], 'date'],
      [['?patient=Patient/a'], 'A filter is a search'],
    ];
    for (const [filters, words] of refused) {
      const reply = await fhir.post('Subscription', subscription(filters));
      expect(reply.status, words).equal(422);
      expect(reply.text).include(words);
      expect(reply.text).include('Subscription.criteria');
    }
    await open(subscription(['Encounter?patient=Patient/a', 'Encounter?date=ge2026']));
    await put(encounter('old', 'finished', { period: { start: '2019-01-01', end: '2019-01-02' } }));
    await put(encounter('other', 'finished', { period: { start: '2026-01-01' }, subject: { reference: 'Patient/b' } }));
    await put(encounter('new', 'finished', { period: { start: '2026-01-01' } }));
    // Without a filter of its type, each is told.
    await put(observation('any', { subject: { reference: 'Patient/b' } }));
    const got = await endpoint.waitFor(2, isEvent);
    expect(got.map(what)).deep.equal([`PUT Encounter/new${n}`, `PUT Observation/any${n}`]);
  });

  it('notifications have the shape that the topic says, $events and $replay too', async () => {
    await put(
      topic({
        resourceTrigger: [{ resource: 'Encounter', supportedInteraction: ['update'] }],
        notificationShape: [
          { resource: 'Encounter', include: ['Encounter:patient'], revInclude: ['Observation:encounter'] },
        ],
      }),
    );
    await put(encounter('e', 'planned'));
    await put(observation('of', { encounter: { reference: `Encounter/e${n}` } }));
    const id = await open(subscription([], 'full-resource'));
    await put(encounter('e', 'finished'));
    const [told] = await endpoint.waitFor(1, isEvent);
    const bundle = bundleOf(told as Notified);
    const names = (of: Bundle): string[] =>
      of.entry.slice(1).map(({ resource }) => `${String(resource['resourceType'])}/${String(resource['id'])}`);
    expect(names(bundle)).deep.equal([`Encounter/e${n}`, 'Patient/a', `Observation/of${n}`]);
    expect(bundle.entry[2]?.request).deep.equal({ method: 'GET', url: 'Patient/a' });
    expect(JSON.stringify(bundle.entry[0])).include(`"additional-context"`).and.include(`/Observation/of${n}"`);
    expect((await fhir.post('Bundle/$validate', bundle as never)).text).not.include('"error"');
    const events = (await fhir.get(`Subscription/${id}/$events`)).json<Bundle>();
    expect(names(events)).deep.equal(names(bundle));
    const brief = (await fhir.get(`Subscription/${id}/$events?content=id-only`)).text;
    expect(brief).include(`/Observation/of${n}"`).and.not.include('"urn:test"');
    const empty = (await fhir.get(`Subscription/${id}/$events?content=empty`)).text;
    expect(empty).not.include('Observation').and.not.include('Encounter');
    await fhir.post(`Subscription/${id}/$replay`, { resourceType: 'Parameters' });
    const again = await endpoint.waitFor(2, isEvent);
    expect(names(bundleOf(again[1] as Notified))).deep.equal(names(bundle));
  });

  it('[CP-17] [CP-06] a shape brings nothing that the subscriber may not see', async () => {
    const program = await registerBackend(server, 'system/Subscription.cruds system/Encounter.rs system/Patient.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    await put(
      topic({
        resourceTrigger: [{ resource: 'Encounter' }],
        notificationShape: [
          {
            resource: 'Encounter',
            include: ['Encounter:patient', 'Encounter:diagnosis'],
            revInclude: ['Observation:encounter'],
          },
        ],
      }),
    );
    const [open_, denied] = [`open${n}`, `denied${n}`];
    for (const id of [open_, denied]) await put({ resourceType: 'Patient', id });
    const of = (id: string, more: Json = {}): Json => ({ subject: { reference: `Patient/${id}` }, ...more });
    await put({ ...privacyConsent(denied, { type: 'deny' }, { id: `c${n}` }) } as Json);
    const id = await open(subscription([], 'full-resource'), theirs);
    await put(encounter('hidden', 'planned', of(denied)));
    await put(encounter('shown', 'planned', of(open_)));
    await put(observation('beside', of(open_, { encounter: { reference: `Encounter/shown${n}` } })));
    await put(encounter('shown', 'finished', of(open_)));
    const got = await endpoint.waitFor(2, isEvent);
    for (const { text } of got)
      expect(text).not.include('Observation/').and.not.include(denied).and.not.include('hidden');
    expect(got[1]?.text).include(`Patient/${open_}`);
    // Nor what a shape would bring of somebody whose record is closed to it.
    const events = (await theirs.get(`Subscription/${id}/$events?content=full-resource`)).text;
    expect(events).include(`Patient/${open_}`).and.not.include('Observation/').and.not.include(denied);
    await put({ ...privacyConsent(open_, { type: 'deny' }, { id: `d${n}` }) } as Json);
    const after = (await theirs.get(`Subscription/${id}/$events?content=full-resource`)).text;
    expect(after).not.include(`Patient/${open_}`);
  });

  it('[CP-17] criteria that look at what the subscriber may not see tell it nothing of others’ records', async () => {
    const program = await registerBackend(server, 'system/Subscription.cruds system/Encounter.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    await put(topic({ resourceTrigger: [{ resource: 'Encounter' }, { resource: 'Observation' }] }));
    // A topic over a type that is not in its scope is no way to it.
    const reply = await theirs.post('Subscription', subscription());
    expect(reply.status, reply.text).equal(201);
    const { id } = reply.json<{ id: string }>();
    await statusOf(id, 'active', theirs);
    await put(observation('o'));
    expect(String((await statusOf(id, 'error', theirs))['error'])).include('rights');
    expect(endpoint.received.filter(isEvent)).deep.equal([]);
  });

  it('[CP-06] [CP-17] an event does not tell by its criteria what the subscriber could not find itself', async () => {
    const scope = 'system/Subscription.cruds system/Encounter.rs system/Observation.rs?status=final';
    const program = await registerBackend(server, scope);
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    await put(
      topic({
        resourceTrigger: [
          {
            resource: 'Encounter',
            queryCriteria: { current: 'status=finished&_has:Observation:encounter:code=urn:test|x' },
          },
          { resource: 'Observation', fhirPathCriteria: "%previous.status = 'registered'" },
        ],
      }),
    );
    const root = await open(subscription());
    const their = await open(subscription(), theirs);
    // What points to the visit is not in their scope.
    await put(encounter('hidden', 'planned'));
    await put(observation('h', { status: 'registered', encounter: { reference: `Encounter/hidden${n}` } }));
    await put(encounter('hidden', 'finished'));
    // Nor was it what the next one was before.
    for (const status of ['registered', 'final']) await put(observation('g', { status }));
    await put(encounter('shown', 'planned'));
    await put(observation('s', { encounter: { reference: `Encounter/shown${n}` } }));
    await put(encounter('shown', 'finished'));
    const got = await endpoint.waitFor(4, isEvent);
    const toldTo = (id: string): string[] => got.filter(({ text }) => text.includes(`Subscription/${id}"`)).map(what);
    expect(toldTo(root)).deep.equal([`PUT Encounter/hidden${n}`, `PUT Observation/g${n}`, `PUT Encounter/shown${n}`]);
    expect(toldTo(their)).deep.equal([`PUT Encounter/shown${n}`]);
    // Where no resource of the type is theirs to see, the topic is not either.
    const blind = await registerBackend(server, 'system/Subscription.cruds system/Encounter.rs');
    const nobody = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: blind.bearer });
    const id = await open(subscription(), nobody);
    await put(encounter('shown', 'finished', { length: { value: 5 } }));
    expect(String((await statusOf(id, 'error', nobody))['error'])).include('rights');
  });

  it('is in the capability statement while it is in use, and found as the Basic it is', async () => {
    const canonicals = async (): Promise<string[]> => {
      const { rest } = (await fhir.get('metadata')).json<{ rest: { resource: Json[] }[] }>();
      const found = rest[0]?.resource.find(({ type }) => type === 'Subscription');
      return ((found?.['extension'] ?? []) as { valueCanonical: string }[]).map((one) => one.valueCanonical);
    };
    await put(topic({ version: '1', resourceTrigger: [{ resource: 'Encounter' }] }));
    expect(await canonicals())
      .include(`${url()}|1`)
      .and.include('https://mortar-fhir.org/SubscriptionTopic/patient-change');
    const { entry } = (
      await fhir.get('Basic?code=http://hl7.org/fhir/fhir-types|SubscriptionTopic&_count=100')
    ).json<Bundle>();
    expect(entry.map(({ resource }) => resource['id'])).include(`t${n}`);
    await put(topic({ version: '1', status: 'retired', resourceTrigger: [{ resource: 'Encounter' }] }));
    expect(await canonicals()).not.include(`${url()}|1`);
    await put(topic({ version: '2', resourceTrigger: [{ resource: 'Encounter' }] }));
    expect(await canonicals()).include(`${url()}|2`);
    expect((await fhir.delete(`Basic/t${n}`)).status).equal(204);
    expect(await canonicals()).not.include(`${url()}|2`);
  });

  it('by its version or the newest; another version or none at all is refused', async () => {
    const changes = (of: string): TopicParts => ({ resourceTrigger: [{ resource: of }] });
    await put({ ...topic({ version: '1', ...changes('Encounter') }), id: `t${n}-1` });
    await put({ ...topic({ version: '2', ...changes('Observation') }), id: `t${n}-2` });
    for (const criteria of [`${url()}|3`, `${url()}/x`, 'urn:nothing']) {
      const reply = await fhir.post('Subscription', subscription([], 'id-only', criteria));
      expect(reply.status).equal(422);
      expect(reply.text).include('There is no such topic').and.include('Subscription.criteria');
    }
    const first = await open(subscription([], 'id-only', `${url()}|1`));
    const newest = await open(subscription());
    await put(encounter('e', 'planned'));
    await put(observation('o'));
    const got = await endpoint.waitFor(2, isEvent);
    expect(got.map(({ text }) => (text.includes(`Subscription/${first}"`) ? 'first' : 'newest')).sort()).deep.equal([
      'first',
      'newest',
    ]);
    expect(got.find(({ text }) => text.includes(`Subscription/${newest}"`))?.text).include(`Observation/o${n}`);
    expect((await fhir.get(`Subscription/${first}/$status`)).text).include(`${url()}|1`);
    const same = await fhir.post('Basic', basicTopic({ url: url(), version: '1', ...changes('Encounter') }));
    expect(same.status).equal(422);
    expect(same.text).include(`Basic/t${n}-1`).and.include('duplicate');
  });

  it('changed, it counts as it is from then on; where it is gone or fits no more, its subscriptions say so', async () => {
    const changes = (of: string, more: TopicParts = {}): Json =>
      topic({ resourceTrigger: [{ resource: of }], ...more });
    const byPatient = { canFilterBy: [{ filterParameter: 'patient' }] };
    await put(changes('Encounter', byPatient));
    const plain = await open(subscription());
    const filtered = await open(subscription(['Encounter?patient=Patient/a']));
    await put(encounter('e', 'planned'));
    await endpoint.waitFor(2, isEvent);
    await put(changes('Observation', byPatient));
    await put(encounter('f', 'planned'));
    await put(observation('o'));
    const got = await endpoint.waitFor(3, isEvent);
    expect(got.slice(2).map(what)).deep.equal([`PUT Observation/o${n}`]);
    expect(String((await statusOf(filtered, 'error'))['error']))
      .include('filters do not fit')
      .and.include('write');
    await put(changes('Observation', { status: 'retired' }));
    expect(String((await statusOf(plain, 'error'))['error'])).include('topic is not there');
    await put(observation('p'));
    // Back again, nothing goes on by itself: the subscriber writes the Subscription.
    await put(changes('Observation'));
    await put(observation('q'));
    await put({ ...subscription(), id: plain });
    await statusOf(plain, 'active');
    await put(observation('r'));
    const after = await endpoint.waitFor(4, isEvent);
    expect(after.slice(3).map(what)).deep.equal([`PUT Observation/r${n}`]);
  });

  it('[AZ-01] [CP-17] only programs and who writes definitions say what others are told of', async () => {
    const blind = await registerBackend(server, 'system/Encounter.cruds system/Subscription.cruds');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: blind.bearer });
    const made = topic({ resourceTrigger: [{ resource: 'Encounter' }] });
    expect((await theirs.put(`Basic/t${n}`, made)).status).equal(403);
    const program = await registerBackend(server, 'system/Basic.cruds');
    const writer = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    await put(made, [201], writer);
    // Told of it all the same is only who may read what it is about.
    expect((await writer.post('Subscription', subscription())).status).equal(403);
  });

  it('in a transaction it is checked like anywhere else, and counts when that is committed', async () => {
    const entry = (resource: Json): Json => ({
      request: { method: 'PUT', url: `Basic/${String(resource['id'])}` },
      resource,
    });
    const send = (resource: Json): Promise<Reply> =>
      fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry: [entry(resource)] });
    const bad = await send(topic({ resourceTrigger: [{ resource: 'Encountr' }] }));
    expect(bad.status).equal(422);
    expect(bad.text).include('Encountr');
    expect((await send(topic({ resourceTrigger: [{ resource: 'Encounter' }] }))).status).equal(200);
    await open(subscription());
    await put(encounter('e', 'planned'));
    expect((await endpoint.waitFor(1, isEvent)).map(what)).deep.equal([`PUT Encounter/e${n}`]);
  });
});
