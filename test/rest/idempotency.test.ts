/** `Idempotency-Key`: what comes again is answered as the first time. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { bundleOf, createFhirClient, type FhirClient, type Reply } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

describe('Idempotency-Key', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  const patient = (family: string) => ({ resourceType: 'Patient', name: [{ family }] });
  const key = (value: string = randomUUID()) => ({ 'idempotency-key': value });
  const countOf = async (family: string): Promise<number> =>
    bundleOf(await fhir.get(`Patient?family:exact=${family}&_total=accurate&_count=0`)).total ?? -1;
  const shown = ({ status, text, headers }: Reply): unknown => [
    status,
    text,
    ...['etag', 'location', 'last-modified', 'content-type'].map((name) => headers.get(name)),
  ];
  const transaction = (family: string) => ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: 'urn:uuid:0c6cf7d2-5b5a-4c6e-9c57-3f1a9b1f9a01',
        resource: patient(family),
        request: { method: 'POST', url: 'Patient' },
      },
      {
        resource: {
          resourceType: 'Basic',
          code: { text: 'x' },
          subject: { reference: 'urn:uuid:0c6cf7d2-5b5a-4c6e-9c57-3f1a9b1f9a01' },
        },
        request: { method: 'POST', url: 'Basic' },
      },
      { request: { method: 'GET', url: `Patient?family:exact=${family}` } },
    ],
  });

  for (const [title, path, body] of [
    ['create', 'Patient', patient('Once')],
    ['transaction', '', transaction('Twice')],
  ] as const)
    it(`a ${title} that comes again: the same answer, byte for byte, and done once`, async () => {
      const headers = { ...key(), prefer: 'return=representation' };
      const first = await fhir.post(path, body, headers);
      expect(first.status, first.text).oneOf([200, 201]);
      expect(first.headers.get('idempotency-replayed')).equal(null);
      const again = await fhir.post(path, body, headers);
      expect(shown(again)).eql(shown(first));
      expect(again.headers.get('idempotency-replayed')).equal('true');
      expect(await countOf(title === 'create' ? 'Once' : 'Twice')).equal(1);
    });

  it('sixteen that race: one is done, all have its answer', async () => {
    for (const [path, family] of [
      ['Patient', 'Racer'],
      ['', 'Runner'],
    ] as const) {
      const headers = key();
      const body = path === '' ? transaction(family) : patient(family);
      const replies = await Promise.all(Array.from({ length: 16 }, () => fhir.post(path, body, headers)));
      expect(new Set(replies.map(({ text }) => text)).size, replies[0]?.text).equal(1);
      expect(new Set(replies.map(({ status }) => status)).size).equal(1);
      expect(await countOf(family)).equal(1);
    }
  });

  it('another body, path or preference under the key: 422, and the first stands', async () => {
    const headers = key();
    const first = await fhir.post('Patient', patient('First'), headers);
    expect((await fhir.post('Patient', patient('Second'), headers)).status).equal(422);
    expect((await fhir.post('', transaction('Second'), headers)).status).equal(422);
    expect((await fhir.post('Patient', patient('First'), { ...headers, prefer: 'return=minimal' })).status).equal(422);
    expect(await countOf('Second')).equal(0);
    expect((await fhir.post('Patient', patient('First'), headers)).text).equal(first.text);
  });

  it('what failed is tried again', async () => {
    const headers = key();
    expect((await fhir.post('Patient', { resourceType: 'Patient', gender: 'x' }, headers)).status).equal(422);
    expect((await fhir.post('Patient', patient('Mended'), headers)).status).equal(201);
    const bundle = transaction('Undone');
    const entry = [...bundle.entry, { request: { method: 'GET', url: 'Patient/nowhere' } }];
    const other = key();
    expect((await fhir.post('', { ...bundle, entry }, other)).status).equal(404);
    expect(await countOf('Undone')).equal(0);
    expect((await fhir.post('', bundle, other)).status).equal(200);
  });

  it('[CP-21] a key is its caller’s own, and its answer for the rights it was made under', async () => {
    const headers = key();
    const first = await fhir.post('Patient', patient('Mine'), headers);
    expect(first.status).equal(201);
    const token = await operatorToken(server, { scope: 'system/Patient.c' });
    const narrow = createFhirClient({ ...server, bearer: { authorization: `Bearer ${token}` } });
    const reply = await narrow.post('Patient', patient('Mine'), headers);
    expect(reply.status).equal(409);
    expect(reply.text).not.contain('Mine');
  });

  it('a conditional create', async () => {
    const headers = { ...key(), 'if-none-exist': 'family:exact=Condition' };
    const first = await fhir.post('Patient', patient('Condition'), headers);
    expect(first.status).equal(201);
    expect(shown(await fhir.post('Patient', patient('Condition'), headers))).eql(shown(first));
    expect((await fhir.post('Patient', patient('Condition'), { ...headers, ...key() })).status).equal(200);
  });

  it('400: a batch, an empty key, one that is too long', async () => {
    const batch = { resourceType: 'Bundle', type: 'batch', entry: [] };
    expect((await fhir.post('', { resourceType: 'Bundle', type: 'batch' }, key())).status, JSON.stringify(batch)).equal(
      400,
    );
    for (const value of ['""', 'a b', 'x'.repeat(256)])
      expect((await fhir.post('Patient', patient('Bad'), key(value))).status, value).equal(400);
    expect(await countOf('Bad')).equal(0);
  });

  it('with respond-async', async () => {
    const headers = { ...key(), prefer: 'respond-async' };
    const places: string[] = [];
    for (const _ of [1, 2])
      places.push((await fhir.post('', transaction('Later'), headers)).headers.get('content-location') ?? '');
    const texts = new Set<string>();
    for (const place of places) {
      let reply = await fhir.get(place);
      while (reply.status === 202) reply = await fhir.get(place);
      texts.add(reply.text);
    }
    expect(texts.size).equal(1);
    expect(await countOf('Later')).equal(1);
  });

  it('[KS-07] neither the key nor the answer lies in clear', async () => {
    await fhir.post('Patient', patient('Clearly'), { ...key('clearly-visible-key'), prefer: 'return=representation' });
    const database = new pg.Client(server.database.connection('owner'));
    await database.connect();
    const { rows } = await database.query(
      "select count(*)::int as all, count(*) filter (where k::text like '%clearly-visible%' or encode(answer, 'escape') like '%Clearly%')::int as seen from mortar.request_answer k",
    );
    await database.end();
    expect(rows[0]).property('all').above(0);
    expect(rows[0]).property('seen').equal(0);
  });
});
