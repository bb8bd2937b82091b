/** `Prefer: respond-async`: https://hl7.org/fhir/R4/async.html, RFC 7240 section 4.1 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createInteractionWorker, interactionPayload } from '../../src/rest/async-interaction.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { client } from '../support/callers.ts';
import { bundleOf, createFhirClient, type FhirClient, idOf, type Reply } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const ASYNC = { prefer: 'respond-async' };

describe('respond-async', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let reader: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const token = await operatorToken(server, { scope: 'system/Patient.rs' });
    reader = createFhirClient({ ...server, bearer: { authorization: `Bearer ${token}` } });
  });
  after(() => stopChecked(server));

  const placeOf = (reply: Reply): string => {
    expect(reply.status, reply.text).equal(202);
    expect(reply.headers.get('preference-applied')).equal('respond-async');
    return reply.headers.get('content-location') ?? '';
  };
  async function result(place: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    for (;;) {
      const reply = await fhir.get(place, headers);
      if (reply.status !== 202) return reply;
      expect(reply.headers.get('x-progress')).oneOf(['waiting', 'running']);
      expect(Number(reply.headers.get('retry-after'))).above(0);
      await sleep(50);
    }
  }

  it('a search is taken, done and fetched, as often as one likes, in either format', async () => {
    const id = idOf(await fhir.post('Patient', { resourceType: 'Patient', name: [{ family: 'Later' }] }));
    const place = placeOf(await fhir.get('Patient?family=later', ASYNC));
    expect(place).match(/\/fhir\/R4\/_async\/[0-9a-f-]{36}$/);
    const reply = await result(place);
    expect(reply.status).equal(200);
    expect(reply.headers.get('expires')).a('string');
    const [entry] = bundleOf(reply).entry ?? [];
    expect(bundleOf(reply).type).equal('batch-response');
    expect(entry?.response?.status).equal('200');
    const page = entry?.resource as unknown as ReturnType<typeof bundleOf>;
    expect(page.type).equal('searchset');
    expect(page.entry?.map(({ resource }) => resource?.id)).eql([id]);
    expect((await result(place)).text).equal(reply.text);
    const xml = await result(place, { accept: 'application/fhir+xml' });
    expect(xml.text).contain('<Bundle xmlns="http://hl7.org/fhir">');
  });

  it('a search by POST', async () => {
    const place = placeOf(
      await fhir.post('Patient/_search', 'family=later', {
        ...ASYNC,
        'content-type': 'application/x-www-form-urlencoded',
      }),
    );
    expect(bundleOf(await result(place)).entry?.[0]?.response?.status).equal('200');
  });

  for (const type of ['batch', 'transaction'] as const)
    it(`a ${type} is answered with its own bundle, and the stored resources are there`, async () => {
      const entry = [1, 2].map(() => ({
        resource: { resourceType: 'Basic', code: { text: type } },
        request: { method: 'POST', url: 'Basic' },
      }));
      const place = placeOf(await fhir.post('', { resourceType: 'Bundle', type, entry }, ASYNC));
      const answer = bundleOf(await result(place));
      expect(answer.type).equal(`${type}-response`);
      expect(answer.entry?.map(({ response }) => response?.status)).eql(['201 Created', '201 Created']);
      for (const { response } of answer.entry ?? [])
        expect((await fhir.get(response?.location ?? '')).status).equal(200);
    });

  it('what fails is told in the answer', async () => {
    const search = bundleOf(await result(placeOf(await fhir.get('Patient?nonsense=1', ASYNC))));
    expect(search.entry?.[0]?.response).include({ status: '400' });
    expect(search.entry?.[0]?.response?.outcome?.issue[0]?.severity).equal('error');
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method: 'PUT', url: 'x' } }] };
    const failed = bundleOf(await result(placeOf(await fhir.post('', bundle, ASYNC))));
    expect(failed.entry?.[0]?.response?.status).match(/^4/);
  });

  it('DELETE ends it', async () => {
    const place = placeOf(await fhir.get('Patient', ASYNC));
    expect((await fhir.delete(place)).status).equal(202);
    expect((await fhir.get(place)).status).equal(404);
    expect((await fhir.delete(place)).status).equal(404);
  });

  it('other interactions are answered at once', async () => {
    expect((await fhir.get('Patient/nowhere', ASYNC)).status).equal(404);
    expect((await fhir.get('_async/nowhere')).status).equal(404);
  });

  it('[CP-02] what may not be asked is refused before it is taken', async () => {
    expect((await reader.get('Observation', ASYNC)).status).equal(403);
  });

  it('[CP-21] a result is for who asked, with the rights they asked with', async () => {
    const place = placeOf(await fhir.get('Patient', ASYNC));
    await result(place);
    const other = await reader.get(place);
    expect(other.status).oneOf([404, 410]);
    expect(other.text).not.contain('Patient');
  });

  it('an owner has ten, and is told so', async () => {
    const token = await operatorToken(server, { scope: 'system/Patient.rs' });
    const many = createFhirClient({ ...server, bearer: { authorization: `Bearer ${token}` } });
    const replies: Reply[] = [];
    for (let i = 0; i < 12; i += 1) replies.push(await many.get('Patient?_count=1', ASYNC));
    const statuses = replies.map(({ status }) => status);
    expect(statuses).include(429);
    expect(replies.find(({ status }) => status === 429)?.headers.get('retry-after')).a('string');
    for (const reply of replies) if (reply.status === 202) await many.delete(placeOf(reply));
  });

  describe('after an interruption', () => {
    const now = Date.now();
    const work = (method: string, segments: readonly string[], isInterrupted: boolean, askedAt = now) => ({
      id: 'x',
      kind: 'interaction',
      owner: 'o',
      askedAt,
      step: 0,
      isInterrupted,
      payload: interactionPayload({
        caller: client('system/*.cruds'),
        method,
        segments,
        query: '',
        headers: ASYNC,
        body: Buffer.from('b'),
      }),
    });
    const seen: string[] = [];
    const worker = createInteractionWorker(
      async ({ method, headers, body }) => {
        seen.push(`${method} ${headers['prefer'] ?? ''}${body.toString()}`);
        return { status: 200, headers: {}, body: '{}' };
      },
      () => now,
    );
    const signal = new AbortController().signal;
    it('a search is made again; a bundle is not done twice; what waited too long is not begun', async () => {
      await worker.step(work('GET', ['Patient'], true), signal);
      await worker.step(work('POST', ['Patient', '_search'], true), signal);
      expect(seen).eql(['GET b', 'POST b']);
      for (const one of [work('POST', [], true), work('GET', ['Patient'], false, now - 3_600_001)]) {
        const error = await worker.step(one, signal).catch((e: unknown) => e);
        expect(error).instanceOf(FhirError);
      }
      expect(seen).length(2);
    });
  });
});
