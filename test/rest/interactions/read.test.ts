import { expect } from 'chai';
import { createFhirClient, type FhirClient, idOf, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('read, vread', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let id: string;
  let text: string;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const made = await fhir.post('Patient', {
      resourceType: 'Patient',
      name: [{ family: 'Elm', given: ['Ada'] }],
      birthDate: '1980-05-06',
      gender: 'female',
    });
    id = idOf(made);
    text = made.text;
  });
  after(() => stopChecked(server));

  it('answers with the resource as stored, its ETag and Last-Modified', async () => {
    const reply = await fhir.get(`Patient/${id}`);
    expect(reply.status).equal(200);
    expect(reply.text).equal(text);
    expect(reply.headers.get('etag')).equal('W/"1"');
    expect(Date.parse(reply.headers.get('last-modified') ?? '')).within(Date.now() - 60_000, Date.now());
    expect(reply.headers.get('x-content-type-options')).equal('nosniff');
    expect(reply.headers.get('cache-control')).contains('private');
  });

  it('HEAD: the same headers, no body', async () => {
    const get = await fhir.get(`Patient/${id}`);
    const head = await fhir.request('HEAD', `Patient/${id}`);
    expect(head.status).equal(200);
    expect(head.text).equal('');
    for (const name of ['etag', 'last-modified', 'content-length', 'content-type'])
      expect(head.headers.get(name), name).equal(get.headers.get(name));
    expect((await fhir.request('HEAD', 'Patient/none')).status).equal(404);
  });

  it('404 for an id that never was, 410 for one that was deleted', async () => {
    const missing = await fhir.get('Patient/never-was');
    expect(missing.status).equal(404);
    expect(outcomeOf(missing)).include({ severity: 'error', code: 'not-found' });
    const gone = idOf(await fhir.post('Patient', { resourceType: 'Patient' }));
    await fhir.delete(`Patient/${gone}`);
    const deleted = await fhir.get(`Patient/${gone}`);
    expect(deleted.status).equal(410);
    expect(outcomeOf(deleted).code).equal('deleted');
  });

  it('an id belongs to its type', async () => {
    expect((await fhir.get(`Observation/${id}`)).status).equal(404);
  });

  it('reads many at once, each its own', async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, async (_, i) =>
        idOf(await fhir.post('Organization', { resourceType: 'Organization', name: `Org ${i}` })),
      ),
    );
    const replies = await Promise.all([...ids, 'no-such', ...ids].map((each) => fhir.get(`Organization/${each}`)));
    replies.forEach((reply, i) => {
      if (i === 12) expect(reply.status).equal(404);
      else expect(reply.json()).include({ name: `Org ${i < 12 ? i : i - 13}` });
    });
  });

  describe('conditional read', () => {
    for (const [title, headers, status] of [
      ['If-None-Match of the current version', { 'if-none-match': 'W/"1"' }, 304],
      ['If-None-Match without W/', { 'if-none-match': '"1"' }, 304],
      ['If-None-Match of a list', { 'if-none-match': 'W/"9", W/"1"' }, 304],
      ['If-None-Match *', { 'if-none-match': '*' }, 304],
      ['If-None-Match of another version', { 'if-none-match': 'W/"2"' }, 200],
      ['If-Modified-Since later', { 'if-modified-since': 'Wed, 01 Jan 2098 00:00:00 GMT' }, 304],
      ['If-Modified-Since earlier', { 'if-modified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' }, 200],
      ['If-Modified-Since that is no date', { 'if-modified-since': 'yesterday' }, 200],
      [
        'If-None-Match wins over If-Modified-Since',
        { 'if-none-match': 'W/"2"', 'if-modified-since': 'Wed, 01 Jan 2098 00:00:00 GMT' },
        200,
      ],
    ] as const)
      it(`${title}: ${status}`, async () => {
        const reply = await fhir.get(`Patient/${id}`, headers);
        expect(reply.status).equal(status);
        expect(reply.text).equal(status === 304 ? '' : text);
        expect(reply.headers.get('etag')).equal('W/"1"');
      });

    it('the Last-Modified that was sent answers 304', async () => {
      const modified = (await fhir.get(`Patient/${id}`)).headers.get('last-modified') ?? '';
      expect((await fhir.get(`Patient/${id}`, { 'if-modified-since': modified })).status).equal(304);
    });
  });

  describe('vread', () => {
    let changed: string;
    let first: string;
    before(async () => {
      const made = await fhir.post('Patient', { resourceType: 'Patient', active: true });
      first = made.text;
      changed = idOf(made);
      await fhir.put(`Patient/${changed}`, { resourceType: 'Patient', id: changed, active: false });
      await fhir.delete(`Patient/${changed}`);
      await fhir.put(`Patient/${changed}`, { resourceType: 'Patient', id: changed, gender: 'male' });
    });

    it('gives each version as it was', async () => {
      const one = await fhir.get(`Patient/${changed}/_history/1`);
      expect(one.text).equal(first);
      expect(one.headers.get('etag')).equal('W/"1"');
      const two = await fhir.get(`Patient/${changed}/_history/2`);
      expect(two.json()).include({ active: false }).nested.include({ 'meta.versionId': '2' });
      expect((await fhir.get(`Patient/${changed}/_history/4`)).json()).include({ gender: 'male' });
    });

    it('410 for the version that is a deletion', async () => {
      expect((await fhir.get(`Patient/${changed}/_history/3`)).status).equal(410);
    });

    for (const version of ['5', '0', '01', 'x', '99999999999', '-1', '1.0'])
      it(`404 for version ${version}`, async () => {
        const reply = await fhir.get(`Patient/${changed}/_history/${version}`);
        expect(reply.status).equal(404);
        expect(outcomeOf(reply).code).equal('not-found');
      });

    it('takes If-None-Match', async () => {
      const reply = await fhir.get(`Patient/${changed}/_history/2`, { 'if-none-match': 'W/"2"' });
      expect(reply.status).equal(304);
    });
  });

  describe('format', () => {
    for (const [query, accept, status] of [
      ['', 'application/fhir+json', 200],
      ['', 'application/json', 200],
      ['', 'application/fhir+json; fhirVersion=4.0', 200],
      ['', 'text/html, application/xhtml+xml, */*;q=0.8', 200],
      ['', 'application/fhir+xml;q=0.4, application/fhir+json;q=0.5', 200],
      ['', 'text/html', 406],
      ['', 'application/fhir+json; fhirVersion=3.0', 406],
      ['', 'application/json;q=0', 406],
      ['_format=json', 'application/fhir+xml', 200],
      ['_format=application/fhir%2Bjson', 'text/html', 200],
      ['_format=application/fhir+json', 'text/html', 200],
      ['_format=application/json', 'text/html', 200],
      ['_format=ttl', '*/*', 406],
    ] as const)
      it(`[IN-13] _format '${query}' and Accept '${accept}': ${status}`, async () => {
        const reply = await fhir.get(`Patient/${id}?${query}`, { accept });
        expect(reply.status).equal(status);
        expect(reply.headers.get('content-type')).contains('application/fhir+json');
        if (status === 406) expect(outcomeOf(reply).code).equal('not-supported');
        else expect(reply.text).equal(text);
      });

    it('_pretty=true indents', async () => {
      const reply = await fhir.get(`Patient/${id}?_pretty=true`);
      expect(reply.text).contains('\n  "');
      expect(reply.json()).eql(JSON.parse(text));
      expect((await fhir.get(`Patient/${id}?_pretty=false`)).text).equal(text);
    });

    it('_elements gives what is asked for and what is mandatory, tagged SUBSETTED', async () => {
      const reply = await fhir.get(`Patient/${id}?_elements=gender,birthDate`);
      const found = reply.json<{ meta: { tag: { code: string }[] } }>();
      expect(found).include({ gender: 'female', birthDate: '1980-05-06', id }).not.have.property('name');
      expect(found.meta.tag.map((t) => t.code)).eql(['SUBSETTED']);
    });

    it('_summary=true leaves out what is no summary element', async () => {
      const found = (await fhir.get(`Patient/${id}?_summary=true`)).json();
      expect(found).include({ gender: 'female' });
    });

    for (const query of ['_summary=count', '_summary=all', '_sort=name', 'active=true', '%zz=1'])
      it(`refuses ${query} with 400`, async () => {
        const reply = await fhir.get(`Patient/${id}?${query}`);
        expect(reply.status).equal(400);
        expect(outcomeOf(reply).severity).equal('error');
      });
  });
});
