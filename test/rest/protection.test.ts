/** Legal holds, erasures and the purge through the running server: two people, step-up, the trail, a restored copy. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { startServer } from '../../src/server.ts';
import { withClient } from '../support/database.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer, testConfig, testLog } from '../support/server.ts';

const FIVE_MINUTES = 5 * 60_000;
const PEOPLE = [
  ['one', 'ADMIN'],
  ['two', 'ADMIN'],
  ['doctor', 'DOCTOR'],
] as const;

describe('rest › protection of data', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  let time = Date.UTC(2026, 5, 1, 9);
  const now = (): number => time;

  before(async () => {
    server = await startTestServer({ now });
    fhir = createFhirClient(server);
    for (const [name, role] of PEOPLE) {
      const { status } = await api('POST', '/api/v2/admin/users', server.token, {
        name,
        email: `${name}@example.org`,
        roles: [role],
      });
      expect(status).equal(201);
    }
    await fhir.put('Patient/p', { resourceType: 'Patient', id: 'p', name: [{ family: 'Plantedfamilyqz' }] });
    await fhir.put('Observation/o', {
      resourceType: 'Observation',
      id: 'o',
      status: 'final',
      code: { text: 'Plantedcodeqz' },
      subject: { reference: 'Patient/p' },
    });
  });
  after(() => server.stop());

  async function api(
    method: string,
    path: string,
    token: string,
    body?: object,
  ): Promise<{ status: number; json: Json }> {
    const reply = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: reply.status, json: (await reply.json()) as Json };
  }
  const as = async (name: string, method: string, path: string, body?: object) =>
    api(method, `/api/v2/${path}`, await operatorToken(server, { user: `${name}@example.org`, now }), body);
  const reason = 'asked for by the coroner';
  const hold = async (target: object): Promise<string> => {
    const { status, json } = await as('one', 'POST', 'holds', { ...target, reason });
    expect(status, JSON.stringify(json)).equal(201);
    expect((await as('two', 'POST', `holds/${json['id']}/approve`)).status).equal(200);
    return String(json['id']);
  };
  const lift = async (id: string): Promise<void> => {
    expect((await as('one', 'POST', `holds/${id}/lift`, { reason })).status).equal(200);
    expect((await as('two', 'POST', `holds/${id}/lift/approve`)).status).equal(200);
  };
  const events = async (operation: string): Promise<{ outcome: number; rule?: string; userName?: string }[]> => {
    const { json } = await api('GET', '/api/v2/audit/events?kind=operation&_count=500', server.token);
    return (json['events'] as { operation: string; outcome: number }[]).filter(
      (event) => event.operation === operation,
    );
  };

  for (const [title, body] of [
    ['nothing', {}],
    ['two targets', { patient: 'p', resource: 'Observation/o' }],
    ['no reason', { patient: 'p', reason: undefined }],
    ['an id that is none', { patient: 'a b' }],
    ['a resource without an id', { resource: 'Observation' }],
    ['a query without parameters', { query: 'Observation?' }],
    ['a query by a parameter there is not', { query: 'Observation?colour=red' }],
    ['a query without a type', { query: 'code=1' }],
  ] as const)
    it(`[DP-02] a hold on ${title} is refused: 400`, async () => {
      const { status, json } = await as('one', 'POST', 'holds', { reason, ...body });
      expect(status, JSON.stringify(json)).equal(400);
    });

  it('[DP-02] a hold on somebody who is not there: 404', async () => {
    expect((await as('one', 'POST', 'holds', { patient: 'nobody', reason })).status).equal(404);
    expect((await as('one', 'POST', 'holds', { query: 'Thing?code=1', reason })).status).equal(404);
    expect((await as('one', 'POST', 'holds/no-such-hold/approve')).status).equal(404);
  });

  it('[DP-02] [AZ-08] one administrator places and lifts it, another approves; each step is in the trail', async () => {
    const { json } = await as('one', 'POST', 'holds', { query: 'Observation?code=1234-5', reason });
    expect(json).include({ state: 'proposed', query: 'Observation?code=1234-5', reason });
    const path = `holds/${json['id']}`;
    expect((await as('one', 'POST', `${path}/approve`)).status, 'alone').equal(403);
    expect((await as('two', 'POST', `${path}/lift`, { reason })).status, 'not active yet').equal(404);
    expect((await as('two', 'POST', `${path}/approve`)).json).include({ state: 'active' });
    expect((await as('two', 'POST', `${path}/approve`)).status, 'again').equal(404);
    expect((await as('two', 'POST', `${path}/lift`)).status, 'no reason').equal(400);
    expect((await as('two', 'POST', `${path}/lift`, { reason })).json).include({ state: 'lifting' });
    expect((await as('two', 'POST', `${path}/lift/approve`)).status, 'alone').equal(403);
    expect((await as('one', 'POST', `${path}/lift/approve`)).json).include({ state: 'lifted' });
    const { json: list } = await as('two', 'GET', 'holds');
    expect((list['holds'] as Json[])[0]).include({ id: json['id'], state: 'lifted' });
    expect(
      (await events('hold-approve')).map(({ outcome, rule, userName }) => [outcome, rule, userName]),
    ).include.deep.members([
      [4, 'second-person', 'one'],
      [0, undefined, 'two'],
    ]);
  });

  for (const [method, path] of [
    ['POST', 'holds'],
    ['GET', 'holds'],
    ['POST', 'holds/00000000-0000-4000-8000-000000000000/approve'],
    ['POST', 'holds/00000000-0000-4000-8000-000000000000/reject'],
    ['POST', 'holds/00000000-0000-4000-8000-000000000000/lift'],
    ['POST', 'holds/00000000-0000-4000-8000-000000000000/lift/approve'],
    ['POST', 'erasures'],
    ['GET', 'erasures'],
    ['GET', 'erasures/00000000-0000-4000-8000-000000000000'],
    ['POST', 'erasures/00000000-0000-4000-8000-000000000000/approve'],
    ['POST', 'erasures/00000000-0000-4000-8000-000000000000/reject'],
    ['GET', 'retention/report'],
  ] as const)
    it(`[AU-04] [DP-02] [LG-12] ${method} /api/v2/${path}: no token, no right, a program, an old proof; all refused`, async () => {
      const url = `/api/v2/${path}`;
      expect((await api(method, url, 'nonsense')).status).equal(401);
      expect((await as('doctor', method, path)).status).equal(403);
      expect((await api(method, url, server.token)).status).equal(403);
      const token = await operatorToken(server, { user: 'one@example.org', now });
      time += FIVE_MINUTES + 1;
      const { status, json } = await api(method, url, token);
      if (method === 'POST')
        expect([status, JSON.stringify(json)]).satisfy(
          ([s, text]: [number, string]) => s === 401 && text.includes('step_up'),
        );
      else expect(status).be.oneOf([200, 404]);
      const { json: trail } = await api('GET', '/api/v2/audit/events?outcome=4&_count=20', server.token);
      const rules = (trail['events'] as Json[]).slice(0, 6).map((event) => event['rule']);
      expect(rules).include.members(method === 'POST' ? ['role', 'person', 'step-up'] : ['role', 'person']);
    });

  it('[DP-04] an erasure: asked for with a basis, looked at, approved by another, done; nothing names the patient any more', async () => {
    const ask = (body: object) =>
      as('one', 'POST', 'erasures', { patient: 'Patient/p', legalBasis: 'objection', reason, ...body });
    expect((await ask({ legalBasis: 'because' })).status).equal(400);
    expect((await ask({ reason: 'no' })).status).equal(400);
    expect((await ask({ patient: 'nobody' })).status).equal(404);
    const asked = await ask({});
    expect(asked.status, JSON.stringify(asked.json)).equal(201);
    expect(asked.json['review']).deep.include({ resources: { Observation: 1, Patient: 1 }, holds: [] });
    expect((await ask({})).status, 'asked for twice').equal(409);
    const path = `erasures/${asked.json['id']}`;
    expect((await as('one', 'POST', `${path}/approve`)).status, 'alone').equal(403);
    const held = await hold({ patient: 'p' });
    expect((await as('two', 'POST', `${path}/approve`)).status, 'under a hold').equal(409);
    await lift(held);
    expect((await as('two', 'POST', `${path}/approve`)).status).equal(202);
    const erasure = await untilDone(path);
    expect(erasure).include({ basis: 'objection', state: 'done' });
    expect(erasure['counts']).deep.include({ resources: { Observation: 1, Patient: 1 } });
    expect(JSON.stringify(erasure)).not.contain('Patient/p').and.not.contain('coroner');
    for (const resource of ['Patient/p', 'Observation/o', 'Patient/p/_history', 'Patient/p/_history/1'])
      expect((await fhir.get(resource)).status, resource).equal(404);
    expect((await fhir.get('Observation?_total=accurate&_summary=count')).json()).include({ total: 0 });
    const tombstones = await rows('select t::text from protection.erasure t');
    expect(tombstones.join('\n')).not.match(/Patient\/p|coroner|Planted/);
    expect((await events('erasure')).map(({ outcome, rule }) => [outcome, rule])).deep.include([0, 'erased']);
  });

  it('[DP-04] [AU-12] the trail stays, and says who had looked', async () => {
    const { json } = await api('GET', '/api/v2/audit/events?patient=p&_count=100', server.token);
    const kinds = (json['events'] as Json[]).map((event) => event['kind']);
    expect(kinds).include.members(['update', 'operation']);
  });

  it('[DP-04] the list of erasures lies beside the database, names nobody, and only its owner can read it', () => {
    const path = join(server.dataDir, 'erasures.jsonl');
    expect(statSync(path).mode & 0o777).equal(0o600);
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(lines).length(2);
    expect(lines[1]).have.keys('id', 'patient', 'at', 'basis');
    expect(JSON.stringify(lines)).not.match(/Patient|"p"|coroner/);
  });

  it('[DP-01] [AU-02] the report says how long what is kept, and what each run came to', async () => {
    // It follows the erasure in the background.
    while ((await events('retention-purge')).length === 0) await setTimeout(50);
    const { status, json } = await as('two', 'GET', 'retention/report');
    expect(status).equal(200);
    expect((json['rules'] as Json[]).map((rule) => rule['category'])).include.members([
      'patient records',
      'dead letters',
    ]);
    const [run] = json['runs'] as Json[];
    expect(run).include({ mode: 'dry-run' });
    expect(run?.['counts']).include({ removed: 0 });
    expect((await events('retention-purge'))[0]).include({ outcome: 0, rule: 'dry-run' });
  });

  it('[DP-04] a database restored from before it has the erasure done again before a door opens; somebody new stays', async () => {
    // The copy knows nothing of the erasure, and has the record that was erased.
    await rows('delete from protection.erasure');
    const past = { resourceType: 'Patient', id: 'p', name: [{ family: 'Plantedfamilyqz' }] };
    const at = time;
    time -= FIVE_MINUTES * 2;
    await fhir.put('Patient/p', past);
    await fhir.put('Observation/o', {
      resourceType: 'Observation',
      id: 'o',
      status: 'final',
      code: { text: 'Plantedcodeqz' },
      subject: { reference: 'Patient/p' },
    });
    time = at + FIVE_MINUTES;
    expect((await fhir.get('Patient/p')).status).equal(200);
    await restart(async () => {
      expect((await fhir.get('Patient/p')).status).equal(404);
      expect((await fhir.get('Observation/o')).status).equal(404);
      expect((await rows('select state from protection.erasure')).flat()).deep.equal(['done']);
      // Registered anew, under the same id.
      expect((await fhir.put('Patient/p', past)).status).equal(201);
      await rows('delete from protection.erasure');
    });
    await restart(async () => {
      expect((await fhir.get('Patient/p')).status).equal(200);
    });
  });

  async function untilDone(path: string): Promise<Json> {
    for (;;) {
      const { json } = await as('two', 'GET', path);
      if (json['state'] === 'done') return json;
      await setTimeout(100);
    }
  }
  const rows = (text: string): Promise<unknown[][]> =>
    withClient(server.database.connection('owner'), async (client) => {
      const result = await client.query<unknown[]>({ text, rowMode: 'array' });
      return result.rows;
    });

  /** Another server on the same database and folder, while `work` asks it. */
  async function restart(work: () => Promise<void>): Promise<void> {
    const config = { ...testConfig(server.database), dataDir: server.dataDir };
    const again = await startServer(config, testLog(), { now });
    const old = fhir;
    const bearer = { authorization: `Bearer ${await operatorToken(again, { now })}` };
    fhir = createFhirClient({ fhirBaseUrl: again.fhirBaseUrl, bearer });
    try {
      await work();
    } finally {
      fhir = old;
      await again.stop();
    }
  }
});
