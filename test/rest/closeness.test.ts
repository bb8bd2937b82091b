/** SECURITY FA-08 through the running server: staff who read records that are close to them, or of people of note. */

import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createLog } from '../../src/log.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';

const FAMILY = 'Featherstonehaugh';
const ROAD = '7 Quince Passage';
const POSTCODE = 'ZE9 9ZZ';

describe('rest › records close to staff', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let token: string;
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(
        ...String(chunk)
          .split('\n')
          .filter((line) => line !== ''),
      );
      done();
    },
  });

  before(async function () {
    this.timeout(120_000);
    server = await startTestServer({ log: createLog({ level: 'warn', stream }) });
    fhir = createFhirClient(server);
    const managed = { managingOrganization: { reference: 'Organization/surgery' } };
    const patient = async (id: string, family: string, line: string, more: object = {}): Promise<void> => {
      const address = [{ line: [line], postalCode: POSTCODE }];
      const stored = await fhir.put(`Patient/${id}`, {
        resourceType: 'Patient',
        id,
        name: [{ family }],
        address,
        ...managed,
        ...more,
      });
      expect(stored.status, stored.text).equal(201);
    };
    await patient('self', FAMILY, ROAD);
    await patient('household', 'Other', ROAD);
    await patient('cousin', FAMILY, '12 Quince Passage');
    await patient('neighbour', 'Another', '12 Quince Passage');
    await patient('famous', 'Another', '1 Palace Way', { meta: { security: [{ code: 'VIP' }] } });
    await fhir.put('Practitioner/doc', { resourceType: 'Practitioner', id: 'doc', name: [{ family: FAMILY }] });
    const added = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        name: 'doc',
        email: 'doc@example.org',
        roles: ['DOCTOR'],
        patient_ids: ['self'],
        practitioner_id: 'doc',
        organization_ids: ['surgery'],
      }),
    });
    expect(added.status, await added.text()).equal(201);
    token = await operatorToken(server, { user: 'doc@example.org' });
  });
  after(() => server.stop());

  const read = async (path: string): Promise<void> => {
    const answer = await fhir.get(path, { authorization: `Bearer ${token}` });
    expect(answer.status).equal(200);
  };
  const told = (): Json[] =>
    lines.map((line) => JSON.parse(line) as Json).filter(({ message }) => message === 'security alert');
  /** What alerts there are once nothing more comes. */
  const alerts = async (count: number): Promise<string[]> => {
    for (let tries = 0; tries < 50 && told().length < count; tries++) await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => setTimeout(done, 100));
    return told()
      .map(({ rule }) => String(rule))
      .sort();
  };

  it('[FA-08] neighbours and others raise nothing', async () => {
    await read('Patient/neighbour');
    expect(await alerts(0)).deep.equal([]);
  });
  it('[FA-08] their own record, that of their household or family, and one of note do, once each', async () => {
    for (const id of ['self', 'household', 'cousin', 'famous', 'self', 'household', 'cousin', 'famous'])
      await read(`Patient/${id}`);
    await read('Patient');
    expect(await alerts(4)).deep.equal(['family-record', 'family-record', 'own-record', 'vip-record']);
  });
  it('[FA-08] each has a mark in the trail, by which it is known whose record it was', async () => {
    const reply = await fetch(`${server.url}/api/v2/audit/events?kind=alert&_count=100`, {
      headers: { authorization: `Bearer ${server.token}` },
    });
    const { events } = (await reply.json()) as { events: Json[] };
    const marks = events.map(({ rule, patientIds, userName }) => [rule, patientIds, userName]);
    expect(marks).have.deep.members([
      ['own-record', ['self'], 'doc'],
      ['family-record', ['household'], 'doc'],
      ['family-record', ['cousin'], 'doc'],
      ['vip-record', ['famous'], 'doc'],
    ]);
  });
  it('[FA-08] no name or address is in the log', () => {
    const text = lines.join('\n');
    expect(text).contain('family-record');
    for (const secret of [FAMILY, 'Quince', POSTCODE]) expect(text).not.contain(secret);
  });
});
