import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, type Json, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked, storeState } from '../../support/store-state.ts';

const header = (more: Json = {}): Json => ({
  resourceType: 'MessageHeader',
  id: 'header-1',
  eventCoding: { system: 'urn:events', code: 'prescription-order' },
  source: { endpoint: 'urn:source' },
  ...more,
});
const message = (entry: readonly Json[], more: Json = {}): Json => ({
  resourceType: 'Bundle',
  type: 'message',
  ...more,
  entry,
});
const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe('process-message', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const counts = async (): Promise<Record<string, unknown>> =>
    Object.fromEntries(
      await Promise.all(
        ['MessageHeader', 'Patient', 'Observation'].map(async (type) => [
          type,
          (await fhir.get(`${type}?_summary=count`)).json()['total'],
        ]),
      ),
    );

  const order = (n: number, more: Json = {}): Json =>
    message(
      [
        {
          fullUrl: `urn:uuid:${uuid(n)}`,
          resource: header({ id: uuid(n), focus: [{ reference: `urn:uuid:${uuid(n + 2)}` }] }),
        },
        {
          fullUrl: `urn:uuid:${uuid(n + 1)}`,
          resource: { resourceType: 'Patient', id: uuid(n + 1), name: [{ family: 'Oak' }] },
        },
        {
          fullUrl: `urn:uuid:${uuid(n + 2)}`,
          resource: {
            resourceType: 'Observation',
            status: 'final',
            code: { text: 'x' },
            subject: { reference: `urn:uuid:${uuid(n + 1)}` },
          },
        },
      ],
      more,
    );

  it('stores each resource under its id, or the UUID of its fullUrl, and answers with a message', async () => {
    const reply = await fhir.post('$process-message', order(10));
    expect(reply.status, reply.text).equal(200);
    const answer = bundleOf(reply);
    expect(answer.type).equal('message');
    expect(answer.entry?.[0]?.resource).deep.include({
      response: { identifier: uuid(10), code: 'ok' },
      focus: [{ reference: `MessageHeader/${uuid(10)}` }],
    });
    expect((await fhir.post('Bundle', reply.text)).status, 'the answer is a valid bundle').equal(201);
    const stored = (await fhir.get(`Observation/${uuid(12)}`)).json();
    expect(stored).deep.include({ subject: { reference: `Patient/${uuid(11)}` } });
    expect((await fhir.get(`MessageHeader/${uuid(10)}`)).json()).deep.include({
      focus: [{ reference: `Observation/${uuid(12)}` }],
    });
    expect((await fhir.get('Observation?patient.family=oak')).json()).include({ total: 1 });
  });

  it('the same message again changes nothing', async () => {
    await fhir.post('$process-message', order(20));
    const before = await storeState(server);
    expect((await fhir.post('$process-message', order(20))).status).equal(200);
    expect(await storeState(server)).equal(before);
  });

  it('the same message many times at once is stored once', async () => {
    const replies = await Promise.all(Array.from({ length: 16 }, () => fhir.post('$process-message', order(30))));
    for (const reply of replies) expect(reply.status, reply.text).equal(200);
    expect((await fhir.get(`Patient/${uuid(31)}/_history`)).json()).include({ total: 1 });
  });

  it('names the message by its identifier when that can be an id', async () => {
    const responseTo = async (value: string): Promise<unknown> => {
      const reply = await fhir.post('$process-message', order(40, { identifier: { system: 'urn:i', value } }));
      const answer = bundleOf(reply).entry?.[0]?.resource;
      return (answer?.['response'] as { readonly identifier: string } | undefined)?.identifier;
    };
    expect(await responseTo('abc-1')).equal('abc-1');
    expect(await responseTo('no id at all')).equal(uuid(40));
  });

  it('without ids and fullUrls: the same again is the same, another never overwrites it', async () => {
    const bare = (family: string): Json =>
      message([{ resource: header({ id: undefined }) }, { resource: { resourceType: 'Patient', name: [{ family }] } }]);
    const before = (await counts())['Patient'] as number;
    for (const family of ['Ash', 'Elm', 'Ash'])
      expect((await fhir.post('$process-message', bare(family))).status).equal(200);
    expect((await counts())['Patient']).equal(before + 2);
    for (const family of ['ash', 'elm'])
      expect((await fhir.get(`Patient?family=${family}`)).json()).include({ total: 1 });
  });

  it('brings back what was deleted meanwhile', async () => {
    await fhir.post('$process-message', order(50));
    await fhir.delete(`Patient/${uuid(51)}`);
    expect((await fhir.post('$process-message', order(50))).status).equal(200);
    expect((await fhir.get(`Patient/${uuid(51)}`)).json()).nested.include({ 'meta.versionId': '3' });
  });

  const patient = { resourceType: 'Patient', id: 'p' };
  for (const [title, body, status] of [
    ['a transaction', { resourceType: 'Bundle', type: 'transaction' }, 400],
    ['a Patient', patient, 400],
    ['no entries', message([]), 422],
    ['a bundle without entries', { resourceType: 'Bundle', type: 'message' }, 422],
    ['a first entry that is no MessageHeader', message([{ resource: patient }, { resource: header() }]), 422],
    ['an entry without resource', message([{ resource: header() }, { fullUrl: 'urn:uuid:x' }]), [400, 422]],
    ['an invalid resource', message([{ resource: header() }, { resource: { ...patient, gender: 5 } }]), 422],
    ['an unknown type', message([{ resource: header() }, { resource: { resourceType: 'Nonsense' } }]), [400, 422]],
    ['Parameters', message([{ resource: header() }, { resource: { resourceType: 'Parameters' } }]), 400],
    ['the same resource twice', message([{ resource: header() }, { resource: patient }, { resource: patient }]), 400],
    [
      'the same fullUrl twice',
      message([
        { fullUrl: 'urn:uuid:1', resource: header() },
        { fullUrl: 'urn:uuid:1', resource: patient },
      ]),
      422,
    ],
  ] as const)
    it(`${title}: ${String(status)}, nothing is stored`, async () => {
      const before = await storeState(server);
      const reply = await fhir.post('$process-message', body);
      expect(reply.status, reply.text).oneOf(typeof status === 'number' ? [status] : [...status]);
      expect(outcomeOf(reply).severity).equal('error');
      expect(await storeState(server)).equal(before);
    });
});
