/** What doors say and keep of requests that they refuse. */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

describe('rest › doors', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=3/min' } });
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  const refusals = async (correlationId: string): Promise<Json[]> => {
    const reply = await fetch(`${server.url}/api/v2/audit/events?kind=access-refused`, { headers: server.bearer });
    const { events } = (await reply.json()) as { events: Json[] };
    return events.filter((event) => event['correlationId'] === correlationId);
  };

  for (const [door, method, path] of [
    ['FHIR', 'GET', '/fhir/R4/Patient'],
    ['FHIR, a path that is none', 'GET', '/fhir/R4/Patient/1/2/3/4'],
    ['the message log', 'GET', '/gateway/messages'],
    ['SCRIPT', 'POST', '/ncpdp/script'],
    ['HL7 v2', 'POST', '/hl7v2'],
    ['people', 'GET', '/api/v2/admin/users'],
    ['what was granted', 'GET', '/api/v2/admin/grants'],
    ['emergency access', 'GET', '/api/v2/break-glass'],
    ['the audit trail', 'GET', '/api/v2/audit/events'],
  ] as const)
    it(`[AZ-01] [AU-01] [AU-04] ${door}: 401 without a token, kept with the address alone`, async () => {
      const id = `none-${door.replaceAll(/[^a-z]/gi, '')}`;
      const reply = await fetch(server.url + path, {
        method,
        headers: { 'X-Request-ID': id, 'Content-Type': path === '/hl7v2' ? 'application/hl7-v2' : 'application/xml' },
      });
      expect(reply.status).equal(401);
      expect(reply.headers.get('www-authenticate')).match(/^Bearer realm="[^"]+"$/);
      const [kept, ...more] = await refusals(id);
      expect(more).deep.equal([]);
      expect(kept).include({ outcome: 4, rule: 'login', callerKind: 'anonymous', address: '127.0.0.1' });
    });

  it('[AZ-09] [CP-02] 403 beyond the scope: the rule is kept, and not told', async () => {
    const token = await operatorToken(server, { scope: 'system/Observation.rs' });
    const headers = { authorization: `Bearer ${token}`, 'X-Request-ID': 'narrow' };
    const reply = await fhir.get('Patient', headers);
    expect(reply.status).equal(403);
    expect(reply.headers.get('www-authenticate')).equal('Bearer error="insufficient_scope"');
    expect(reply.text).not.match(/scope|role|system/);
    expect((await refusals('narrow')).map(({ rule }) => rule)).deep.equal(['scope']);
  });

  it('[SC-04] a batch answers 403 for the entry, a transaction as a whole', async () => {
    const token = await operatorToken(server, { scope: 'system/Basic.c' });
    const headers = { authorization: `Bearer ${token}` };
    const entry = [
      { request: { method: 'POST', url: 'Basic' }, resource: { resourceType: 'Basic', code: { text: 'x' } } },
      { request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient' } },
    ];
    const batch = await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry }, headers);
    const { entry: answers } = batch.json<{ entry: { response: { status: string } }[] }>();
    expect(answers.map(({ response }) => response.status.slice(0, 3))).deep.equal(['201', '403']);
    const before = (await fhir.get('Basic?_summary=count')).json()['total'];
    const whole = await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry }, headers);
    expect(whole.status).equal(403);
    expect((await fhir.get('Basic?_summary=count')).json()['total']).equal(before);
  });

  it('[WB-06] a system has no rate', async () => {
    for (let i = 0; i < 5; i++) expect((await fhir.get('Patient/none')).status).equal(404);
  });

  it('[WB-06] an app of a person has one, and is told how much is left', async () => {
    const added = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'Dr Rate', email: 'rate@example.org', roles: ['DOCTOR'] }),
    });
    expect(added.status, await added.clone().text()).equal(201);
    const token = await operatorToken(server, { user: 'rate@example.org' });
    const headers = { authorization: `Bearer ${token}` };
    const replies = [];
    for (let i = 0; i < 4; i++) replies.push(await fhir.get('Organization/none', headers));
    expect(replies.map(({ status }) => status)).deep.equal([404, 404, 404, 429]);
    expect(replies.map((reply) => reply.headers.get('ratelimit-remaining'))).deep.equal(['2', '1', '0', '0']);
    expect(Number(replies[3]?.headers.get('retry-after'))).within(1, 60);
    expect((await fhir.get('Organization', headers)).status, 'searches are counted apart').equal(200);
  });

  it('a flood of refusals does not fill the trail', async () => {
    await Promise.all(Array.from({ length: 100 }, () => fetch(`${server.fhirBaseUrl}/Patient`)));
    const reply = await fetch(`${server.url}/api/v2/audit/events?kind=access-refused&_count=500`, {
      headers: server.bearer,
    });
    const { events } = (await reply.json()) as { events: Json[] };
    expect(events.length).within(20, 125); // at most sixty in each of the minutes this may span
  });
});
