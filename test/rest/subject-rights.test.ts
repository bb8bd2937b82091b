/** An end to processing, and corrections, through the running server. SECURITY DP-05 */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

const REASON = { reason: 'The patient contests the accuracy' };

describe('rest › subject rights', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let time = Date.UTC(2026, 5, 1, 9);
  const now = (): number => time;
  const tokens = new Map<string, string>();

  before(async () => {
    server = await startTestServer({ now });
    fhir = createFhirClient(server);
    for (const id of ['mine', 'theirs']) {
      await fhir.put(`Patient/${id}`, {
        resourceType: 'Patient',
        id,
        managingOrganization: { reference: 'Organization/surgery' },
      });
      await fhir.put(`Condition/of-${id}`, {
        resourceType: 'Condition',
        id: `of-${id}`,
        subject: { reference: `Patient/${id}` },
        code: { text: 'Asthma' },
      });
    }
    for (const [name, role, patients, organizations] of [
      ['pat', 'PATIENT', ['mine'], []],
      ['chief', 'ADMIN', [], []],
      ['second', 'ADMIN', [], []],
      ['doctor', 'DOCTOR', [], ['surgery']],
      ['stranger', 'DOCTOR', [], ['elsewhere']],
      ['clerk', 'RECEPTIONIST', [], ['surgery']],
    ] as const) {
      const reply = await api('POST', '/api/v2/admin/users', server.token, {
        name,
        email: `${name}@example.org`,
        roles: [role],
        patient_ids: patients,
        organization_ids: organizations,
      });
      expect(reply.status, JSON.stringify(reply.json)).equal(201);
      tokens.set(name, await operatorToken(server, { user: `${name}@example.org`, now }));
    }
  });
  after(() => server.stop());

  const api = async (method: string, path: string, token: string | undefined, body?: object) => {
    const reply = await fetch(server.url + path, {
      method,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, headers: reply.headers, json: (text === '' ? {} : JSON.parse(text)) as Json };
  };
  const as = (name: string, method: string, path: string, body?: object) => api(method, path, tokens.get(name), body);
  const events = async (operation: string): Promise<Json[]> => {
    const { json } = await api('GET', '/api/v2/audit/events?_count=500', server.token);
    return (json['events'] as Json[]).filter((event) => event['operation'] === operation);
  };
  const flags = async (name: string): Promise<Json[]> => {
    const reply = await fhir.get('Flag?patient=Patient/mine', { authorization: `Bearer ${tokens.get(name)}` });
    return (bundleOf(reply).entry ?? []).map(({ resource }) => resource as Json);
  };
  const path = '/api/v2/restrictions/mine';

  it('[DP-05] only administrators, and only with a reason', async () => {
    expect((await api('PUT', path, undefined, REASON)).status).equal(401);
    for (const name of ['pat', 'doctor', 'clerk'])
      for (const method of ['PUT', 'DELETE', 'GET'])
        expect((await as(name, method, path, method === 'GET' ? undefined : REASON)).status).equal(403);
    expect((await as('chief', 'PUT', path, {})).status).equal(400);
    expect((await as('chief', 'PUT', '/api/v2/restrictions/nobody', REASON)).status).equal(404);
    expect((await as('chief', 'GET', path)).status).equal(404);
  });

  it('[DP-05] placed once; whoever opens the record is told by a Flag, and reads it still', async () => {
    const placed = await as('chief', 'PUT', path, REASON);
    expect(placed.status, JSON.stringify(placed.json)).equal(201);
    expect((await as('second', 'PUT', path, REASON)).status, 'stands already').equal(200);
    expect((await as('second', 'GET', '/api/v2/restrictions')).json['restrictions']).have.lengthOf(1);
    const [flag, ...more] = await flags('doctor');
    expect(more).deep.equal([]);
    expect(flag).include({ status: 'active', id: placed.json['id'] });
    const read = await fhir.get('Condition/of-mine', { authorization: `Bearer ${tokens.get('doctor')}` });
    expect(read.status).equal(200);
  });

  it('[DP-05] [AZ-08] lifted only by a second person; the Flag ends', async () => {
    expect((await as('chief', 'DELETE', path)).status, 'no reason').equal(400);
    expect((await as('chief', 'DELETE', path, { reason: 'Found to be accurate' })).status).equal(202);
    expect((await as('chief', 'DELETE', path, { reason: 'Found to be accurate' })).status).equal(409);
    expect((await as('chief', 'GET', path)).json).include({ lift_reason: 'Found to be accurate' });
    expect((await as('second', 'DELETE', path)).status).equal(200);
    expect((await as('chief', 'GET', path)).status).equal(404);
    expect((await flags('doctor')).map((flag) => flag['status'])).deep.equal(['inactive']);
    expect((await as('chief', 'PUT', path, REASON)).status, 'it can be placed again').equal(201);
  });

  it('[DP-05] [AU-01] [AU-04] every step is in the trail, of its patient', async () => {
    const placed = await events('restriction-place');
    expect(placed.filter(({ outcome }) => outcome === 0)).lengthOf(3);
    for (const event of placed.filter(({ outcome }) => outcome === 0)) expect(event['patientIds']).deep.equal(['mine']);
    expect(placed.filter(({ outcome }) => outcome === 4).map(({ rule }) => rule)).include.members(['role']);
    expect((await events('restriction-lift')).filter(({ outcome }) => outcome === 0)).lengthOf(2);
  });

  const requests = '/api/v2/rectifications';
  const ask = (name: string, reference: string, text = 'I never had asthma') =>
    as(name, 'POST', requests, { reference, text });

  it('[DP-05] a patient says what is wrong in their own record, and in no other', async () => {
    for (const [reference, status] of [
      ['Condition/of-theirs', 404],
      ['Patient/theirs', 404],
      ['Organization/surgery', 404],
      ['Nothing/1', 404],
      ['Condition', 400],
    ] as const)
      expect((await ask('pat', reference)).status, reference).equal(status);
    expect((await ask('pat', 'Condition/of-mine', '')).status).equal(400);
    expect((await ask('doctor', 'Condition/of-mine')).status).equal(403);
    const asked = await ask('pat', 'Condition/of-mine');
    expect(asked.status).equal(201);
    expect(asked.json).include({ state: 'open', version: 1, reference: 'Condition/of-mine' });
  });

  it('[DP-05] it waits on a list of those who may answer: administrators, and clinicians of the patient', async () => {
    const seenBy = async (name: string): Promise<number> => {
      const { status, json } = await as(name, 'GET', requests);
      return status === 200 ? (json['rectifications'] as Json[]).length : -status;
    };
    expect([await seenBy('pat'), await seenBy('chief'), await seenBy('doctor')]).deep.equal([1, 1, 1]);
    expect([await seenBy('stranger'), await seenBy('clerk')]).deep.equal([0, -403]);
  });

  it('[DP-05] [AZ-08] accepted with the version that puts it right; the patient sees it; once', async () => {
    const [open] = (await as('doctor', 'GET', requests)).json['rectifications'] as Json[];
    const answer = `${requests}/${open?.['id']}/answer`;
    expect((await as('stranger', 'POST', answer, { accepted: true, version: 2 })).status).equal(404);
    expect((await as('pat', 'POST', answer, { accepted: true, version: 2 })).status).equal(403);
    for (const body of [
      {},
      { accepted: true },
      { accepted: true, version: 1 },
      { accepted: true, version: 2 },
      { accepted: false },
    ])
      expect((await as('doctor', 'POST', answer, body)).status, JSON.stringify(body)).equal(400);
    const subject = { reference: 'Patient/mine' };
    await fhir.put('Condition/of-mine', { resourceType: 'Condition', id: 'of-mine', subject, code: { text: 'Cough' } });
    expect((await as('doctor', 'POST', answer, { accepted: true, version: 2 })).status).equal(200);
    expect((await as('chief', 'POST', answer, { accepted: true, version: 2 })).status).equal(409);
    expect((await as('pat', 'GET', `${requests}/${open?.['id']}`)).json).include({
      state: 'accepted',
      corrected_by: 'Condition/of-mine/_history/2',
    });
  });

  it('[DP-05] refused with a reason, which the patient sees and which stands beside the record', async () => {
    const asked = await ask('pat', 'Condition/of-mine', 'No cough either');
    const refused = await as('chief', 'POST', `${requests}/${asked.json['id']}/answer`, {
      accepted: false,
      reason: 'Two letters confirm it',
    });
    expect(refused.status, JSON.stringify(refused.json)).equal(200);
    const shown = await as('pat', 'GET', `${requests}/${asked.json['id']}`);
    expect(shown.json).include({ state: 'refused', answer: 'Two letters confirm it' });
    for (const name of ['pat', 'doctor']) {
      const note = await fhir.get(`Communication/${asked.json['id']}`, { authorization: `Bearer ${tokens.get(name)}` });
      expect(note.status).equal(200);
      expect(note.text)
        .contain('No cough either')
        .contain('Two letters confirm it')
        .contain('Condition/of-mine/_history/2');
    }
    expect((await events('rectification-answer')).filter(({ outcome }) => outcome === 0)).lengthOf(2);
  });

  it('[DP-05] [LG-12] answers and restrictions need a fresh sign-in', async () => {
    time += 6 * 60 * 1000;
    for (const [method, to] of [
      ['PUT', path],
      ['DELETE', path],
      ['POST', `${requests}/x/answer`],
    ] as const)
      expect((await as('chief', method, to, REASON)).status, to).equal(401);
  });
});
