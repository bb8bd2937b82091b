/** A pharmacy says that something is ready to collect, and staff read what they are told. MISSION M10, M13 */
import { expect } from 'chai';
import { privacyConsent } from '../../support/consents.ts';
import { withClient } from '../../support/database.ts';
import { type Answer, codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../../support/pharmacy.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';

const CATEGORY = 'https://mortar-fhir.org/CodeSystem/communication-category';
const HOUR_MS = 3_600_000;

describe('rest › workflow › ready to collect', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let a: Record<string, string>;
  let nell: Record<string, string>;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,verify=off' } });
    world = await makePharmacyWorld(server);
    a = await world.pharmacist('pharmacy-a');
    nell = await world.patient('patient-nell');
  });
  after(() => server.stop());

  const prepare = (id: string, headers = a, body: object = {}): Promise<Answer> =>
    world.call('POST', `/api/prescriptions/${id}/ready`, headers, body);
  const toldOf = async ({ token }: Prescribed, headers = nell): Promise<Answer['json'][]> => {
    const { json } = await world.call('GET', '/api/notifications?limit=100', headers);
    return json.notifications.filter(
      ({ kind, text }: { kind: string; text: string }) => kind === 'prescription-ready' && text.includes(token.tokenId),
    );
  };
  const dispense = ({ token }: Prescribed): Promise<Answer> =>
    world.call('POST', '/api/prescriptions/dispense', a, {
      prescription_id: token.tokenId,
      nonce: token.nonce,
      pharmacy_code: codeOf('pharmacy-a'),
      pharmacist_name: 'Piotr Zielinski',
    });
  const lineOf = async ({ taskId }: Prescribed, status = 'pending'): Promise<Answer['json']> => {
    const { json } = await world.call('GET', `/api/pharmacy/queue?status=${status}&page_size=200`, a);
    return json.prescriptions.find(({ id }: { id: string }) => id === taskId);
  };

  it('the patient is told once, however many say so at the same moment, and the queue shows it', async () => {
    const made = await world.prescribe();
    expect(await lineOf(made)).include({ ready_to_collect: false });
    const answers = await Promise.all(Array.from({ length: 10 }, () => prepare(made.token.tokenId)));
    const first = answers[0]?.json.details.ready_to_collect_at;
    for (const { status, json } of answers)
      expect([status, json.success, json.details]).eql([
        200,
        true,
        { prescription_id: made.token.tokenId, ready_to_collect_at: first },
      ]);
    expect(await lineOf(made)).include({ status: 'ready', ready_to_collect: true, ready_to_collect_at: first });
    const [told, ...more] = await toldOf(made);
    expect([told.text, more.length]).eql([
      `Prescription ${made.token.tokenId} is ready to collect from Pharmacy a.`,
      0,
    ]);
    // By the order as well, and nothing more happens.
    expect((await prepare(made.orderId)).json.details.ready_to_collect_at).equal(first);
    expect(await toldOf(made)).length(1);
  });

  it('[DP-07] what leaves names neither medicine nor pharmacy', async () => {
    await world.put({
      resourceType: 'Patient',
      id: 'patient-mail',
      name: [{ family: 'Quillfeather', given: ['Ada'] }],
      telecom: [{ system: 'email', value: 'ada@example.org' }],
    });
    const made = await world.prescribe({ patientId: 'patient-mail', patient: 'Ada Quillfeather' });
    expect((await prepare(made.token.tokenId)).status).equal(200);
    let mails: Answer['json'][] = [];
    for (let i = 0; i < 600 && mails.length === 0; i += 1) {
      mails = (await world.call('GET', '/dev/mailbox?to=ada@example.org', {})).json.messages;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(mails).length(1);
    expect(mails[0].subject).equal('You have a message about your prescriptions');
    expect(JSON.stringify(mails)).not.match(/amoxicillin|pharmacy a|collect|PHB-RX/i);
  });

  it('[RX-05] the same request again gets the same answer', async () => {
    const made = await world.prescribe();
    const headers = { ...a, 'idempotency-key': `ready-${made.taskId}` };
    const first = await prepare(made.token.tokenId, headers);
    expect(await prepare(made.token.tokenId, headers)).deep.include({ status: 200, json: first.json });
  });

  it('it is dispensed afterwards, and is ready no more', async () => {
    const made = await world.prescribe();
    await prepare(made.token.tokenId);
    expect((await dispense(made)).status).equal(200);
    expect(await lineOf(made, 'dispensed')).include({ dispensed: true, ready_to_collect: false });
    const again = await prepare(made.token.tokenId);
    expect([again.status, again.json.details]).eql([409, { step_failed: 'dispensed_check' }]);
  });

  it('what is on hold, cancelled or late is not ready to collect, and nobody is told', async () => {
    for (const [status, answer, step] of [
      ['on-hold', 409, 'status_check'],
      ['cancelled', 422, 'status_check'],
      ['failed', 422, 'expiry_check'],
    ] as const) {
      const made = await world.prescribe();
      const task = (await world.call('GET', `/fhir/R4/Task/${made.taskId}`, server.bearer)).json;
      await world.put({ ...task, status });
      const refused = await prepare(made.token.tokenId);
      expect([refused.status, refused.json.details.step_failed], status).eql([answer, step]);
      expect(await toldOf(made)).length(0);
    }
    const late = await world.prescribe({ issuedAt: Date.now() - 2 * HOUR_MS, expiresAt: Date.now() - HOUR_MS });
    expect((await prepare(late.token.tokenId)).json.details.step_failed).equal('expiry_check');
  });

  describe('by FHIR', () => {
    const business = {
      coding: [{ system: 'https://mortar-fhir.org/CodeSystem/dispensing', code: 'ready-to-collect' }],
    };
    const write = async ({ taskId }: Prescribed, change: object, headers = a): Promise<Answer> => {
      const { json: task } = await world.call('GET', `/fhir/R4/Task/${taskId}`, headers);
      const body = { ...task, ...change };
      return world.call('PUT', `/fhir/R4/Task/${taskId}`, headers, JSON.parse(JSON.stringify(body)));
    };
    const until = async (made: Prescribed): Promise<Answer['json'][]> => {
      for (let i = 0; i < 600; i += 1) {
        const told = await toldOf(made);
        if (told.length > 0) return told;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error('the patient was not told');
    };
    /** Until the jobs of all that was written are done. */
    const settled = async (): Promise<void> => {
      for (let i = 0, count = 1; count > 0; i += 1) {
        expect(i).below(600);
        await new Promise((resolve) => setTimeout(resolve, 50));
        count = await withClient(
          server.database.connection('owner'),
          async (client) =>
            (await client.query("select 1 from mortar.job where kind = 'ready-to-collect' and state <> 'dead'"))
              .rowCount ?? 0,
        );
      }
    };

    it('the patient is told as by the endpoint, once, and the queue shows it', async () => {
      const made = await world.prescribe();
      expect((await write(made, { businessStatus: business })).status).equal(200);
      const [told] = await until(made);
      expect(told.text).equal(`Prescription ${made.token.tokenId} is ready to collect from Pharmacy a.`);
      expect(await lineOf(made)).include({ status: 'ready', ready_to_collect: true });
      // The endpoint says when it was, and tells nobody again; nor does it when it is said, unsaid and said again.
      expect((await prepare(made.token.tokenId)).json.success).equal(true);
      await write(made, { note: [{ text: 'On the third shelf' }] });
      await write(made, { businessStatus: undefined });
      expect(await lineOf(made)).include({ ready_to_collect: false });
      await write(made, { businessStatus: business, executionPeriod: { start: new Date().toISOString() } });
      await settled();
      expect(await toldOf(made)).length(1);
    });

    it('by a JSON Patch in a transaction as well', async () => {
      const made = await world.prescribe();
      const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/businessStatus', value: business }]));
      const { status } = await world.call('POST', '/fhir/R4', a, {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          {
            resource: {
              resourceType: 'Binary',
              contentType: 'application/json-patch+json',
              data: patch.toString('base64'),
            },
            request: { method: 'PATCH', url: `Task/${made.taskId}` },
          },
        ],
      });
      expect(status).equal(200);
      expect(await until(made)).length(1);
    });

    it('who was told by the endpoint is not told again by what it wrote', async () => {
      const made = await world.prescribe();
      await prepare(made.token.tokenId);
      await settled();
      expect(await toldOf(made)).length(1);
    });

    it('of what is on hold, late, or said in another system nobody is told', async () => {
      const held = await world.prescribe();
      const late = await world.prescribe({ issuedAt: Date.now() - 2 * HOUR_MS, expiresAt: Date.now() - HOUR_MS });
      const other = await world.prescribe();
      expect((await write(held, { status: 'on-hold', businessStatus: business }, server.bearer)).status).equal(200);
      await write(late, { businessStatus: business }, server.bearer);
      await write(other, { businessStatus: { coding: [{ system: 'https://example.org', code: 'ready-to-collect' }] } });
      await settled();
      for (const one of [held, late, other]) expect(await toldOf(one)).length(0);
    });

    it('[CP-01] [AZ-01] another pharmacy does not write it, and nobody is told', async () => {
      const made = await world.prescribe();
      const { json: task } = await world.call('GET', `/fhir/R4/Task/${made.taskId}`, a);
      const refused = await world.call('PUT', `/fhir/R4/Task/${made.taskId}`, await world.pharmacist('pharmacy-b'), {
        ...task,
        businessStatus: business,
      });
      expect(refused.status).within(403, 404);
      await settled();
      expect(await toldOf(made)).length(0);
    });
  });

  it('[CP-01] [CP-08] [AZ-01] nobody else says so: it is not there for them', async () => {
    const made = await world.prescribe();
    const b = await world.pharmacist('pharmacy-b');
    const unknown = await prepare('PHB-RX-00000000', b);
    const others = await prepare(made.token.tokenId, b);
    expect([others.status, others.json.code, others.json.detail]).eql([404, unknown.json.code, unknown.json.detail]);
    expect((await prepare(made.token.tokenId, nell)).status).equal(403);
    expect((await prepare(made.token.tokenId, {})).status).equal(401);
    expect((await prepare(made.token.tokenId, a, { pharmacy_code: codeOf('pharmacy-b') })).status).equal(403);
    expect((await prepare(made.token.tokenId, a, { owner: 'me' })).status).equal(400);
    const actor = [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: 'Organization/pharmacy-a' } }];
    const kept = await world.prescribe({ patientId: 'patient-tobe', patient: 'Tobe Okafor' });
    await world.put(privacyConsent('patient-tobe', { type: 'deny', actor }, { id: 'ready', dateTime: '2026-01-01' }));
    expect((await prepare(kept.token.tokenId)).status).equal(404);
    expect((await lineOf(made)).ready_to_collect).equal(false);
  });

  it('[AU-01] the trail says who said so, of whose prescription', async () => {
    const made = await world.prescribe();
    await prepare(made.token.tokenId, { ...a, 'x-request-id': 'ready-trail' });
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        "select outcome, pat is not null as named from audit.entry where correlation = 'ready-trail' and operation = 'prescription-ready'",
      );
      expect(rows).eql([{ outcome: 0, named: true }]);
    });
  });

  it('what is ready stays where it is when another pharmacy is nominated', async () => {
    await world.put({ resourceType: 'Patient', id: 'patient-moves', name: [{ family: 'Larkspur', given: ['Ivo'] }] });
    const ivo = await world.patient('patient-moves');
    await world.call('POST', '/api/pharmacies/pharmacy-a/nominate', ivo, {});
    const those = { patientId: 'patient-moves', patient: 'Ivo Larkspur' };
    const [ready, waiting] = [await world.prescribe(those), await world.prescribe(those)];
    await prepare(ready.token.tokenId);
    const { json } = await world.call('POST', '/api/pharmacies/pharmacy-b/nominate', ivo, {});
    expect(json.prescriptions_moved).equal(1);
    expect(await lineOf(ready)).include({ ready_to_collect: true });
    expect(await lineOf(waiting)).equal(undefined);
  });

  describe('what staff are told', () => {
    const list = (headers: Record<string, string>, query = ''): Promise<Answer> =>
      world.call('GET', `/api/notifications?limit=100${query}`, headers);
    let receptionist: Record<string, string>;
    let clerk: Record<string, string>;
    let d: Record<string, string>;
    before(async () => {
      d = await world.pharmacist('pharmacy-d');
      const works = async (id: string, role: string): Promise<Record<string, string>> => {
        const email = `${id}@example.org`;
        await world.call('POST', '/api/v2/admin/users', server.bearer, {
          name: id,
          email,
          roles: [role],
          organization_ids: ['pharmacy-c'],
          practitioner_id: id,
        });
        await world.put({ resourceType: 'Practitioner', id, name: [{ family: id }] });
        return { authorization: `Bearer ${await operatorToken(server, { user: email })}` };
      };
      receptionist = await works('desk', 'RECEPTIONIST');
      clerk = await works('clerk', 'STAFF');
      const told = (id: string, recipient: string, more: object = {}): Promise<void> =>
        world.put({
          resourceType: 'Communication',
          id,
          status: 'completed',
          category: [{ coding: [{ system: CATEGORY, code: 'prescription-new' }] }],
          subject: { reference: 'Patient/patient-nell' },
          recipient: [{ reference: recipient }],
          sent: new Date().toISOString(),
          payload: [{ contentString: id }],
          ...more,
        });
      await told('told-a', 'Organization/pharmacy-d');
      await told('told-b', 'Organization/pharmacy-b');
      await told('told-c', 'Organization/pharmacy-c');
      await told('told-desk', 'Practitioner/desk');
      await told('told-clerk', 'Practitioner/clerk');
      await told('letter-clerk', 'Practitioner/clerk', { category: [{ text: 'letter' }] });
      await told('told-patient', 'Patient/patient-nell');
      // No notice: what clinicians write to one another is not for the desk.
      await told('letter-a', 'Organization/pharmacy-d', { category: [{ text: 'letter' }] });
      await told('letter-desk', 'Practitioner/desk', { category: [{ text: 'letter' }] });
      await told('sealed-a', 'Organization/pharmacy-d', {
        meta: { security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }] },
      });
    });
    const texts = ({ json }: Answer): string[] => json.notifications.map(({ text }: { text: string }) => text);

    it('[CP-01] a pharmacist reads those of the pharmacy, a receptionist their own and those of their place', async () => {
      const own = await list(d, '&organization_id=pharmacy-d');
      expect([own.status, texts(own)]).eql([200, ['told-a']]);
      expect(texts(await list(receptionist))).eql(['told-desk']);
      expect(texts(await list(receptionist, '&organization_id=pharmacy-c'))).eql(['told-c']);
    });

    it('[CP-01] [AZ-01] staff of other kinds read what they themselves are told, and nothing of their place', async () => {
      const own = await list(clerk);
      expect([own.status, texts(own)]).eql([200, ['told-clerk']]);
      expect(texts(await list(clerk, '&organization_id=pharmacy-c'))).eql([]);
    });

    it('[CP-01] [CP-08] none of others: not by the list, not by FHIR', async () => {
      for (const headers of [d, receptionist, clerk])
        expect((await list(headers, '&organization_id=pharmacy-b')).status).equal(403);
      const ids = async (headers: Record<string, string>): Promise<string[]> =>
        (await world.call('GET', '/fhir/R4/Communication?_count=100', headers)).json.entry
          ?.map(({ resource }: { resource: { id: string } }) => resource.id)
          .sort();
      expect(await ids(d)).eql(['told-a']);
      expect(await ids(receptionist)).eql(['told-c', 'told-desk']);
      expect(await ids(clerk)).eql(['told-clerk']);
      expect((await world.call('GET', '/fhir/R4/Communication/told-c', clerk)).status).equal(404);
      for (const id of ['told-b', 'told-patient', 'letter-a', 'letter-desk', 'letter-clerk', 'sealed-a'])
        for (const headers of [d, receptionist, clerk])
          expect((await world.call('GET', `/fhir/R4/Communication/${id}`, headers)).status, id).equal(404);
      const changed = await world.call('PUT', '/fhir/R4/Communication/told-a', d, { resourceType: 'Communication' });
      expect(changed.status).within(400, 404);
    });

    it('[FA-06] what a patient keeps from the pharmacy is not in its list', async () => {
      const actor = [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: 'Organization/pharmacy-d' } }];
      await world.put(privacyConsent('patient-nell', { type: 'deny', actor }, { id: 'told', dateTime: '2026-01-01' }));
      expect(texts(await list(d, '&organization_id=pharmacy-d'))).eql([]);
    });

    it('kinds that are in the app alone are not switched on for mail', async () => {
      const { status, json } = await world.call('PUT', '/api/notifications/preferences?organization_id=pharmacy-d', d, {
        kinds: { 'prescription-new': { email: true } },
      });
      expect([status, JSON.stringify(json)]).satisfy(
        ([code, text]: [number, string]) => code === 400 && /prescription-new are in the app alone/.test(text),
      );
    });
  });
});
