/** Emergency access through the running server: opened with a reason, seen, reviewed by another, closed by time. */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

const HOUR_MS = 60 * 60 * 1000;

describe('rest › break-glass', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let time = Date.UTC(2026, 5, 1, 9);
  const now = (): number => time;

  before(async () => {
    server = await startTestServer({ now });
    fhir = createFhirClient(server);
    for (const [id, security] of [
      ['open', undefined],
      ['sealed', [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: '_LEGAL' }]],
    ] as const) {
      await fhir.put('Patient/far', { resourceType: 'Patient', id: 'far', name: [{ family: 'Away' }] });
      const condition = { resourceType: 'Condition', id, subject: { reference: 'Patient/far' } };
      const stored = await fhir.put(`Condition/${id}`, { ...condition, ...(security && { meta: { security } }) });
      expect(stored.status, stored.text).equal(201);
    }
    for (const [name, role] of [
      ['doctor', 'DOCTOR'],
      ['second', 'DOCTOR'],
      ['clerk', 'RECEPTIONIST'],
      ['chief', 'ADMIN'],
    ]) {
      const reply = await api('POST', '/api/v2/admin/users', server.token, {
        name,
        email: `${name}@example.org`,
        roles: [role],
        organization_ids: ['surgery'],
      });
      expect(reply.status).equal(201);
    }
  });
  after(() => server.stop());

  const api = async (
    method: string,
    path: string,
    token: string,
    body?: object,
  ): Promise<{ status: number; json: Json }> => {
    const reply = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: reply.status, json: (await reply.json()) as Json };
  };
  const tokenOf = (name: string): Promise<string> => operatorToken(server, { user: `${name}@example.org`, now });
  const open = async (token: string, request: object = {}) =>
    api('POST', '/api/v2/break-glass', token, {
      patient: 'far',
      reason: 'emergency',
      text: 'Brought in unconscious',
      ...request,
    });
  const statusOf = async (token: string, path: string): Promise<number> =>
    (await fhir.get(path, { authorization: `Bearer ${token}` })).status;

  it('[AU-04] who tries and may not is in the trail, once each: to open, to list, to review', async () => {
    const token = await tokenOf('clerk');
    const from = new Date(time).toISOString();
    const id = '00000000-0000-4000-8000-000000000000';
    expect((await open(token)).status).equal(403);
    expect((await api('GET', '/api/v2/break-glass', token)).status).equal(403);
    expect((await api('POST', `/api/v2/break-glass/${id}/review`, token)).status).equal(403);
    const { json } = await api('GET', `/api/v2/audit/events?kind=access-refused&from=${from}`, server.token);
    const told = (json['events'] as Json[]).filter((event) => event['userName'] === 'clerk');
    expect(told.map(({ outcome, rule, query }) => [outcome, rule, query])).have.deep.members([
      [4, 'role', 'POST /api/v2/break-glass'],
      [4, 'role', 'GET /api/v2/break-glass'],
      [4, 'role', `POST /api/v2/break-glass/${id}/review`],
    ]);
  });

  it('[AZ-02] of who may not nothing is read: not even that it is too much', async () => {
    const body = `{"text":"${'x'.repeat(70_000)}"}`;
    const post = async (token: string): Promise<number> =>
      (
        await fetch(`${server.url}/api/v2/break-glass`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          body,
        })
      ).status;
    expect(await post(await tokenOf('clerk'))).equal(403);
    expect(await post(await tokenOf('doctor'))).equal(413);
  });

  it('[FA-04] opens one record for an hour, to be read; the law’s seal holds (FA-05)', async () => {
    const token = await tokenOf('doctor');
    expect(await statusOf(token, 'Patient/far')).equal(404);
    const opened = await open(token);
    expect(opened.status, JSON.stringify(opened.json)).equal(201);
    expect(opened.json).include({ patient: 'Patient/far', expires_at: new Date(time + HOUR_MS).toISOString() });
    expect(await statusOf(token, 'Patient/far')).equal(200);
    expect(await statusOf(token, 'Condition/open')).equal(200);
    expect(await statusOf(token, 'Condition/sealed')).equal(404);
    const condition = { resourceType: 'Condition', id: 'open', subject: { reference: 'Patient/far' } };
    const written = await fhir.put('Condition/open', condition, { authorization: `Bearer ${token}` });
    expect(written.status).equal(403);
    expect(await statusOf(await tokenOf('second'), 'Patient/far'), 'somebody else').equal(404);
    time += HOUR_MS + 6_000;
    expect(await statusOf(await tokenOf('doctor'), 'Patient/far')).equal(404);
  });

  it('[FA-04] tells whoever reviews, and the patient', async () => {
    const alerts = (await fhir.get('Communication?category=break-glass')).json<{ entry: { resource: Json }[] }>();
    const recipients = alerts.entry.map(({ resource }) => JSON.stringify(resource['recipient']));
    expect(recipients).satisfy((all: string[]) => all.some((one) => one.includes('Patient/far')));
    expect(recipients).satisfy((all: string[]) => all.some((one) => one.includes('Privacy officer')));
  });

  for (const [title, request, status] of [
    ['no reason', { reason: undefined }, 400],
    ['an unknown reason', { reason: 'curiosity' }, 400],
    ['too few words', { text: 'urgent' }, 400],
    ['no patient', { patient: undefined }, 400],
    ['a patient that is none', { patient: 'nobody' }, 404],
  ] as const)
    it(`[FA-04] ${title}: ${status}`, async () => {
      expect((await open(await tokenOf('second'), request)).status).equal(status);
    });

  it('[FA-04] is for clinicians, and by a fresh proof of who asks [LG-12]', async () => {
    expect((await open(await tokenOf('clerk'))).status).equal(403);
    expect((await open(server.token)).status, 'a program').equal(403);
    const token = await tokenOf('second');
    time += 5 * 60_000 + 1;
    const stale = await open(token);
    expect(stale.status).equal(401);
    expect(JSON.stringify(stale.json)).contain('step_up_required');
  });

  it('[FA-04] five a day, counted over all requests at once', async () => {
    const token = await tokenOf('second');
    const replies = await Promise.all(Array.from({ length: 12 }, () => open(token)));
    expect(replies.map(({ status }) => status).sort()).deep.equal([...Array(5).fill(201), ...Array(7).fill(429)]);
  });

  it('[AZ-08] is reviewed by somebody else, once', async () => {
    const chief = await tokenOf('chief');
    const { json } = await api('GET', '/api/v2/break-glass', chief);
    const accesses = json['accesses'] as { id: string; explanation: string }[];
    expect(accesses.length).equal(6);
    const [first] = accesses;
    expect(first?.explanation).equal('Brought in unconscious');
    const path = `/api/v2/break-glass/${first?.id}/review`;
    expect((await api('POST', path, await tokenOf('doctor'))).status, 'a doctor').equal(403);
    expect((await api('POST', path, chief)).status).equal(200);
    expect((await api('POST', path, chief)).status, 'again').equal(404);
  });

  it('[AU-01] is in the audit trail', async () => {
    const { json } = await api('GET', '/api/v2/audit/events?kind=break-glass&_count=100', server.token);
    const outcomes = (json['events'] as { outcome: number }[]).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 0)).length(7);
    expect(outcomes.filter((outcome) => outcome === 4)).length(7);
  });
});
