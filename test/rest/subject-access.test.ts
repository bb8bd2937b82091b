/** Copies of a record through the running server: asked for, made, fetched, gone. SECURITY DP-03 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import pg from 'pg';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { openMllpSender } from '../support/mllp.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const PATH = '/api/v2/subject-access';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

describe('rest › subject access', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let time = Date.UTC(2026, 5, 1, 9);
  const now = (): number => time;
  let patientId = '';

  before(async () => {
    server = await startTestServer({ now, env: { UNKNOWN_PARTNERS: 'accept' } });
    fhir = createFhirClient(server);
    const sender = await openMllpSender(server.mllpPort as number);
    const message = readFileSync(new URL('../../fixtures/hl7v2/own-uk-a01.hl7', import.meta.url), 'utf8');
    await sender.send(message.replaceAll('\n', '\r'));
    sender.close();
    const patients = (await fhir.get('Patient')).json<{ entry: { resource: { id: string } }[] }>();
    patientId = patients.entry[0]?.resource.id ?? '';
    const put = async (resource: Json): Promise<void> => {
      const stored = await fhir.put(`${resource['resourceType']}/${resource['id']}`, resource);
      expect(stored.status, stored.text).equal(201);
    };
    const subject = { reference: `Patient/${patientId}` };
    await put({ resourceType: 'Patient', id: 'other', name: [{ family: 'Planted-Other' }] });
    await put({ resourceType: 'Practitioner', id: 'gp', name: [{ family: 'Fairweather' }] });
    await put({
      resourceType: 'Binary',
      id: 'scan',
      contentType: 'text/plain',
      data: 'c2Nhbg==',
      securityContext: subject,
    });
    await put({
      resourceType: 'DocumentReference',
      id: 'letter',
      status: 'current',
      subject,
      content: [{ attachment: { url: 'Binary/scan' } }],
    });
    await put({
      resourceType: 'Appointment',
      id: 'clinic',
      status: 'booked',
      comment: 'Planted-Comment',
      start: '2026-07-01T10:00:00Z',
      end: '2026-07-01T10:10:00Z',
      participant: [
        { actor: subject, status: 'accepted' },
        { actor: { reference: 'Patient/other', display: 'Planted-Display' }, status: 'accepted' },
        { actor: { reference: 'Practitioner/gp', display: 'Dr Fairweather' }, status: 'accepted' },
      ],
    });
    await put({ resourceType: 'GuidanceResponse', id: 'advice', status: 'success', moduleUri: 'urn:advice', subject });
    await put({ resourceType: 'Contract', id: 'agreed', subject: [subject, { reference: 'Patient/other' }] });
    await put({
      resourceType: 'Condition',
      id: 'asthma',
      subject,
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Like Planted-Mother</div>' },
      contained: [
        {
          resourceType: 'FamilyMemberHistory',
          id: 'mother',
          status: 'completed',
          patient: subject,
          name: 'Planted-Mother',
          relationship: { text: 'mother' },
        },
      ],
      evidence: [{ detail: [{ reference: '#mother' }] }],
    });
    await put({ resourceType: 'Condition', id: 'wrong', subject, code: { text: 'Recorded by mistake' } });
    await fhir.delete('Condition/wrong');
    for (const [name, role, patients] of [
      ['pat', 'PATIENT', [patientId]],
      ['another', 'PATIENT', ['other']],
      ['chief', 'ADMIN', []],
      ['second', 'ADMIN', []],
      ['doctor', 'DOCTOR', []],
    ] as const) {
      const reply = await api('POST', '/api/v2/admin/users', server.token, {
        name,
        email: `${name}@example.org`,
        roles: [role],
        patient_ids: patients,
      });
      expect(reply.status, reply.text).equal(201);
    }
  });
  after(() => server.stop());

  const api = async (method: string, path: string, token: string | undefined, body?: object): Promise<Reply> => {
    const reply = await fetch(server.url + path, {
      method,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    const json = reply.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as Json) : {};
    return { status: reply.status, headers: reply.headers, text, json };
  };
  const tokenOf = (name: string): Promise<string> => operatorToken(server, { user: `${name}@example.org`, now });

  async function untilReady(location: string, token: string): Promise<Json> {
    for (let tries = 0; tries < 200; tries += 1) {
      const { json } = await api('GET', location, token);
      if (json['state'] !== 'waiting') return json;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the copy was not made');
  }
  const eventsOf = async (operation: string): Promise<Json[]> => {
    const { json } = await api('GET', '/api/v2/audit/events?_count=500', server.token);
    return (json['events'] as Json[]).filter((event) => event['operation'] === operation);
  };

  async function query(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client(server.database.connection('owner'));
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  let location = '';
  it('[DP-03] [LG-12] a patient asks for their own record, freshly signed in: 202, and where it will be', async () => {
    const token = await tokenOf('pat');
    time += 6 * 60 * 1000;
    const stale = await api('POST', PATH, token, {});
    expect([stale.status, stale.headers.get('www-authenticate')]).deep.equal([
      401,
      'Bearer error="insufficient_user_authentication", max_age=300',
    ]);
    const asked = await api('POST', PATH, await tokenOf('pat'), {});
    expect(asked.status, asked.text).equal(202);
    location = asked.headers.get('location') ?? '';
    expect(location).match(/^\/api\/v2\/subject-access\/[0-9a-f-]{36}$/);
    expect(asked.json).include({ patient: `Patient/${patientId}` });
  });

  it('[DP-03] it is made in the background: record, files, messages, bookings, deletions, and who looked', async () => {
    const token = await tokenOf('pat');
    const ready = await untilReady(location, token);
    expect(ready, JSON.stringify(ready)).include({
      state: 'ready',
      expires_at: new Date(time + 7 * DAY_MS).toISOString(),
    });
    const bundle = await api('GET', `${location}/bundle`, token);
    expect(bundle.status, bundle.text).equal(200);
    expect(Object.fromEntries(bundle.headers)).include({
      'cache-control': 'no-store',
      'content-type': 'application/fhir+json; charset=utf-8',
      'content-disposition': 'attachment; filename="record.json"',
    });
    const entries = bundle.json['entry'] as { resource: Json }[];
    const of = (type: string): Json[] =>
      entries.map(({ resource }) => resource).filter((one) => one['resourceType'] === type);
    expect(of('Patient').map((one) => one['id'])).deep.equal([patientId]);
    expect(of('Binary').map((one) => one['id'])).deep.equal(['scan']);
    expect(of('Encounter')).lengthOf(1);
    expect(of('Appointment')[0]?.['participant']).deep.equal([
      { actor: { reference: `Patient/${patientId}` }, status: 'accepted' },
      { actor: { reference: 'Practitioner/gp', display: 'Dr Fairweather' }, status: 'accepted' },
    ]);
    expect(of('GuidanceResponse').map((one) => one['id'])).deep.equal(['advice']);
    expect(of('Contract').map((one) => one['subject'])).deep.equal([
      [{ reference: `Patient/${patientId}` }, { display: 'another person' }],
    ]);
    const asthma = of('Condition').find((one) => one['id'] === 'asthma');
    expect(asthma?.['contained']).deep.equal([
      {
        resourceType: 'FamilyMemberHistory',
        id: 'mother',
        status: 'completed',
        patient: { reference: `Patient/${patientId}` },
        relationship: { text: 'mother' },
      },
    ]);
    expect(JSON.stringify(of('List'))).contain('Condition/wrong');
    const [message] = of('Bundle');
    expect(JSON.stringify(message?.['meta'])).contain('ADT^A01');
    expect(JSON.stringify(message)).contain('"resourceType":"Encounter"');
    expect(of('AuditEvent').length).greaterThan(3);
    expect(ready['counts']).deep.equal({
      resources: (ready['counts'] as Json)['resources'],
      messages: 1,
      visits: of('AuditEvent').length,
    });
    expect(bundle.text).not.match(/Planted|Patient\/other/);
    const stored = await fhir.post('Bundle', bundle.text);
    expect(stored.status, stored.text.slice(0, 500)).equal(201);
    await fhir.delete(`Bundle/${stored.json()['id']}`);
  });

  it('[DP-03] [WB-04] the page for people: no scripts, nothing fetched, nobody’s name in its title', async () => {
    const page = await api('GET', `${location}/html`, await tokenOf('pat'));
    expect(page.status).equal(200);
    expect(page.headers.get('content-disposition')).equal('attachment; filename="record.html"');
    expect(page.text)
      .match(/^<!doctype html>/)
      .match(/<\/html>\n$/);
    expect(page.text)
      .contain('<title>A copy of your record</title>')
      .contain('Who looked at your record')
      .contain('Dr Fairweather');
    expect(page.text).not.match(/<script|<img|<link|src=|https?:\/\/[^<]*\.(?:js|css)|Planted|Patient\/other/);
    for (const tag of ['html', 'body', 'main', 'article', 'dl', 'dt', 'dd', 'h2'])
      expect(page.text.split(`<${tag}>`).length + (tag === 'html' ? 1 : 0), tag).equal(
        page.text.split(`</${tag}>`).length,
      );
  });

  it('[DP-03] nobody else sees it: not another patient, a doctor, another administrator; nor without a token', async () => {
    expect((await api('GET', location, undefined)).status).equal(401);
    for (const [name, status] of [
      ['another', 404],
      ['chief', 404],
      ['doctor', 403],
    ] as const)
      for (const path of [location, `${location}/bundle`, `${location}/html`])
        expect((await api('GET', path, await tokenOf(name))).status, `${name} ${path}`).equal(status);
    expect((await api('GET', PATH, await tokenOf('another'))).json).deep.equal({ copies: [] });
    expect((await api('POST', PATH, await tokenOf('another'), { patient: patientId })).status).equal(404);
  });

  it('[DP-03] the records office asks on a patient’s behalf and says why; the patient sees that they did', async () => {
    time += 1000;
    const token = await tokenOf('chief');
    expect((await api('POST', PATH, token, { patient: patientId })).status).equal(400);
    expect((await api('POST', PATH, token, { patient: 'nobody', reason: 'Asked for by letter' })).status).equal(404);
    const asked = await api('POST', PATH, token, { patient: patientId, reason: 'Asked for by letter' });
    expect(asked.status, asked.text).equal(202);
    const other = asked.headers.get('location') ?? '';
    await untilReady(other, token);
    expect((await api('GET', `${other}/html`, token)).status).equal(200);
    expect((await api('GET', other, await tokenOf('second'))).status).equal(404);
    const { json } = await api('GET', PATH, await tokenOf('pat'));
    expect((json['copies'] as Json[]).map((copy) => copy['reason'])).deep.equal(['Asked for by letter', undefined]);
  });

  it('[DP-03] bounded: so many a day, one at a time', async () => {
    const asked = await api('POST', PATH, await tokenOf('pat'), {});
    expect(asked.status).equal(202);
    await untilReady(asked.headers.get('location') ?? '', await tokenOf('pat'));
    expect((await api('POST', PATH, await tokenOf('pat'), {})).status).equal(429);
  });

  it('[DP-03] [KS-07] it lies encrypted under a key of its own', async () => {
    const [row] = await query(
      `select string_agg(encode(bytes, 'escape'), '') as bytes, count(*)::int as pages from protection.copy_page`,
    );
    expect(Number(row?.['pages'])).greaterThan(10);
    expect(String(row?.['bytes'])).not.match(/Fairweather|resourceType|doctype/);
    const keys = await query(`select encode(key, 'hex') as key from protection.copy`);
    expect(new Set(keys.map((one) => one['key'])).size).equal(keys.length);
  });

  it('[DP-03] after seven days it is gone: bytes and key', async () => {
    // Seven days on the clock would end the tokens as well.
    await query(`update protection.copy set expires_at = to_timestamp(${time} / 1000.0)`);
    time += 2 * 60 * 1000;
    expect((await api('GET', `${location}/bundle`, await tokenOf('pat'))).status).equal(410);
    for (let tries = 0; tries < 200; tries += 1) {
      const [row] = await query('select count(*)::int as pages from protection.copy_page');
      if (row?.['pages'] === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const rows = await query('select state, key from protection.copy');
    expect(rows).deep.equal(Array(3).fill({ state: 'gone', key: null }));
    expect(await query('select 1 from protection.copy_page')).deep.equal([]);
    expect((await api('GET', location, await tokenOf('pat'))).json).include({ state: 'gone' });
  });

  it('[DP-03] [AU-01] [AU-04] every step is in the trail, and who tried', async () => {
    for (const [operation, outcomes] of [
      ['subject-access-ask', [0, 4]],
      ['subject-access-made', [0]],
      ['subject-access-download', [0, 4]],
      ['subject-access-list', [0]],
      ['subject-access-expired', [0]],
    ] as const) {
      const events = await eventsOf(operation);
      expect([...new Set(events.map((event) => event['outcome']))].sort(), operation).deep.equal(outcomes);
      for (const event of events.filter((one) => one['outcome'] === 0 && operation !== 'subject-access-list'))
        expect(event['patientIds'], operation).deep.equal([patientId]);
    }
    const refused = (await eventsOf('subject-access-download')).filter((event) => event['userName'] === 'doctor');
    expect(refused.map((event) => event['rule'])).deep.equal(['role', 'role']);
  });
});
