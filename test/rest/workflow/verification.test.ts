/** Tokens at the counter, over the running server: verify, dispense once, the log. MISSION M10; SECURITY RX-02 to RX-07 */
import { createHmac, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { withClient } from '../../support/database.ts';
import {
  type Answer,
  codeOf,
  makePharmacyWorld,
  PHARMACIES,
  type PharmacyWorld,
  type Prescribed,
} from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('tokens at the counter', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let a: Record<string, string>;
  let b: Record<string, string>;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'verify=off,verify-prescription=off,write=off,read=off' } });
    world = await makePharmacyWorld(server);
    a = await world.pharmacist('pharmacy-a');
    b = await world.pharmacist('pharmacy-b');
  });
  after(() => server.stop());

  const verify = (body: object, headers = a, pharmacyId = 'pharmacy-a'): Promise<Answer> =>
    world.call('POST', '/api/prescriptions/verify/', headers, { ...body, pharmacy_code: codeOf(pharmacyId) });
  const dispense = (p: Prescribed, headers = a, pharmacyId = 'pharmacy-a', more: object = {}): Promise<Answer> =>
    world.call('POST', '/api/prescriptions/dispense/', headers, {
      prescription_id: p.token.tokenId,
      nonce: p.token.nonce,
      pharmacy_code: codeOf(pharmacyId),
      pharmacist_name: 'Piotr Zielinski',
      ...more,
    });
  const hmac = ({ token }: Prescribed): object => ({ payload: token.payload, signature: token.signature });
  const jws = ({ token }: Prescribed): object => ({ token: token.token });
  const fhir = async (reference: string): Promise<Answer['json']> =>
    (await world.call('GET', `/fhir/R4/${reference}`, server.bearer)).json;

  for (const [form, of] of [
    ['HMAC', hmac],
    ['JWS', jws],
  ] as const)
    it(`[RX-02] a good token in the ${form} form shows the prescription to its pharmacy`, async () => {
      const made = await world.prescribe();
      const { status, json } = await verify(of(made));
      expect(status).equal(200);
      expect(json).deep.include({ valid: true, reason: 'Prescription verified successfully' });
      expect(json.details).include({
        prescription_id: made.token.tokenId,
        patient_name: 'Nell Ashworth',
        patient_hpn: '123 456 7890',
        medication: 'Amoxicillin 500mg capsules',
        dosage: 'Take one capsule three times a day',
        frequency: 'Three times daily',
        dispensed: false,
        nominated_pharmacy: 'Pharmacy a',
        requires_id_verification: false,
      });
    });

  interface Case {
    readonly name: string;
    readonly step: string;
    readonly reason: RegExp;
    readonly shown: () => Promise<object>;
  }
  const wrongMac = 'ab'.repeat(32);
  const otherClaims = ({ token }: Prescribed, change: object): string => {
    const [header = '', body = '', mac = ''] = token.token.split('.');
    const claims = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), ...change };
    return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${mac}`;
  };
  const CASES: readonly Case[] = [
    { name: 'no token', step: 'payload_format', reason: /^Not a/, shown: async () => ({ token: 'abc' }) },
    {
      name: 'no payload',
      step: 'payload_format',
      reason: /^Not a/,
      shown: async () => ({ payload: {}, signature: wrongMac }),
    },
    {
      name: 'a forged HMAC',
      step: 'signature_verification',
      reason: /forgery/,
      shown: async () => ({ ...hmac(await world.prescribe()), signature: wrongMac }),
    },
    {
      name: 'an HMAC by another key',
      step: 'signature_verification',
      reason: /forgery/,
      shown: async () => {
        const { token } = await world.prescribe();
        return { payload: token.payload, signature: createHmac('sha256', 'x').update('y').digest('hex') };
      },
    },
    {
      name: 'an altered payload',
      step: 'signature_verification',
      reason: /altered/,
      shown: async () => {
        const { token } = await world.prescribe();
        return { payload: { ...token.payload, dosage: 'Take ten' }, signature: token.signature };
      },
    },
    {
      name: 'an altered JWS',
      step: 'signature_verification',
      reason: /altered/,
      shown: async () => ({ token: otherClaims(await world.prescribe(), { dose: 'Take ten' }) }),
    },
    {
      name: 'a JWS by a key that is not known',
      step: 'key_validation',
      reason: /key/,
      shown: async () => {
        const [, body, mac] = (await world.prescribe()).token.token.split('.');
        const header = Buffer.from('{"alg":"ES256","kid":"other","typ":"rx+jwt"}').toString('base64url');
        return { token: `${header}.${body}.${mac}` };
      },
    },
    {
      name: 'an unknown token that is signed',
      step: 'prescription_lookup',
      reason: /not found/,
      shown: async () => hmac(await neverStored()),
    },
    {
      name: 'the nonce of another token of the id',
      step: 'nonce_verification',
      reason: /replay/,
      shown: async () => {
        const first = await neverStored();
        await storeAs(first.token.tokenId);
        return jws(first);
      },
    },
    {
      name: 'an expired token',
      step: 'expiry_check',
      reason: /expired/,
      shown: async () => jws(await world.prescribe({ issuedAt: Date.now() - 60_000, expiresAt: Date.now() - 1000 })),
    },
    {
      name: 'one that is cancelled',
      step: 'status_check',
      reason: /cancelled/,
      shown: async () => {
        const made = await world.prescribe();
        await world.put({ ...(await fhir(`Task/${made.taskId}`)), status: 'cancelled' });
        return hmac(made);
      },
    },
    {
      name: "another pharmacy's",
      step: 'pharmacy_check',
      reason: /another pharmacy/,
      shown: async () => hmac(await world.prescribe({ pharmacyId: 'pharmacy-b' })),
    },
    {
      name: 'one that is dispensed',
      step: 'dispensed_check',
      reason: /already dispensed/,
      shown: async () => {
        const made = await world.prescribe();
        expect((await dispense(made)).status).equal(200);
        return jws(made);
      },
    },
  ];
  /** Signed by our keys, and in no queue. */
  const neverStored = async (): Promise<Prescribed> => {
    const made = await world.prescribe();
    const answer = await world.call('DELETE', `/fhir/R4/Task/${made.taskId}`, server.bearer);
    expect(answer.status).lessThan(300);
    return made;
  };
  /** Another token under an id that was given out. */
  const storeAs = async (tokenId: string): Promise<void> => {
    const keys = await import('../../../src/pki/prescription-keys.ts');
    const { openKeyFile } = await import('../../../src/pki/key-file.ts');
    const { createPrescriptionTokens } = await import('../../../src/workflow/dispensing/tokens.ts');
    const { queueTask } = await import('../../../src/workflow/dispensing/queue-entry.ts');
    const again = createPrescriptionTokens({
      keys: keys.openPrescriptionKeys(`${server.dataDir}/keys/prescription.key`, Date.now),
      cipher: openKeyFile(`${server.dataDir}/keys/message.key`),
      nextTokenId: async () => tokenId,
      issuer: server.url,
    });
    const other = await world.prescribe();
    const token = await again.mint({ ...subject(other), issuedAt: Date.now() });
    await world.put(
      queueTask({
        id: `again-${randomUUID()}`,
        orderId: other.orderId,
        patientId: 'patient-nell',
        pharmacyId: 'pharmacy-a',
        requester: 'Practitioner/gp',
        token,
        priority: 'routine',
      }),
    );
  };
  const subject = ({ token: { payload } }: Prescribed) => ({
    ...payload,
    prescriptionId: 'x',
    patientId: 'patient-nell',
  });

  for (const { name, step, reason, shown } of CASES)
    it(`[RX-02] tells a pharmacy apart: ${name}`, async () => {
      const body = await shown();
      const { status, json } = await verify(body);
      expect(status).equal(200);
      expect(json.valid).equal(false);
      expect(json.details.step_failed).equal(step);
      expect(json.reason).match(reason);
      expect(JSON.stringify(json), 'nothing of the patient').not.match(/Ashworth|123 456/);
    });

  it('[RX-06] an anonymous caller and a patient learn valid or not, the same for whatever is wrong', async () => {
    const good = jws(await world.prescribe());
    const bad = await Promise.all(CASES.filter(({ name }) => !name.includes('pharmacy')).map(({ shown }) => shown()));
    for (const headers of [{}, await world.patient('patient-tobe')]) {
      expect((await world.call('POST', '/api/prescriptions/verify', headers, good)).json).eql({
        valid: true,
        reason: 'Prescription verified successfully',
        details: {},
      });
      for (const body of bad)
        expect((await world.call('POST', '/api/prescriptions/verify', headers, body)).json).eql({
          valid: false,
          reason: 'Not valid',
          details: {},
        });
    }
  });

  it('[RX-02] tokens that are shown at the same time are each told about by themselves', async () => {
    const made = await world.prescribeMany(40, (i) => ({ medication: `Medicine ${i}` }));
    const doubled = made[3] as Prescribed; // of forty
    const task = await fhir(`Task/${doubled.taskId}`);
    for (let i = 0; i < 6; i += 1) await world.put({ ...task, id: `copy-${i}-${task.id}` });
    const answers = await Promise.all(made.map((one, i) => verify(i % 2 === 0 ? jws(one) : hmac(one))));
    for (const [i, { json }] of answers.entries())
      if (i === 3) expect(json.details).eql({ step_failed: 'prescription_lookup' });
      else expect(json.details).include({ prescription_id: made[i]?.token.tokenId, medication: `Medicine ${i}` });
  });

  it('[RX-02] both forms or neither are refused, and so is a pharmacy that the caller does not act for', async () => {
    expect((await verify({})).status).equal(400);
    const made = await world.prescribe();
    const other = await world.call('POST', '/api/prescriptions/verify', a, {
      ...jws(made),
      pharmacy_code: codeOf('pharmacy-b'),
    });
    expect([other.status, other.json.code]).eql([403, 'pharmacy']);
  });

  it('dispenses: Task, order, MedicationDispense and Provenance say so, each for the patient', async () => {
    const made = await world.prescribe();
    const { status, json } = await dispense(made, a, 'pharmacy-a', { verification_notes: 'Collected in person' });
    expect(status).equal(200);
    expect(json).deep.include({ success: true, message: 'Prescription dispensed successfully' });
    expect(json.details).include({
      prescription_id: made.token.tokenId,
      patient_name: 'Nell Ashworth',
      medication: 'Amoxicillin 500mg capsules',
      dispensed_by: 'Pharmacy a',
      pharmacist: 'Piotr Zielinski',
    });
    expect((await fhir(`Task/${made.taskId}`)).status).equal('completed');
    expect((await fhir(`MedicationRequest/${made.orderId}`)).status).equal('completed');
    const dispensed = (await fhir(`MedicationDispense?prescription=MedicationRequest/${made.orderId}`)).entry;
    expect(dispensed).length(1);
    expect(dispensed[0].resource).deep.include({ status: 'completed', quantity: { value: 21, unit: 'capsules' } });
    expect(dispensed[0].resource.whenHandedOver).equal(json.details.dispensed_at);
    const provenance = (await fhir(`Provenance?target=Task/${made.taskId}&patient=patient-nell`)).entry;
    expect(provenance[0].resource.agent[0]).deep.include({ onBehalfOf: { reference: 'Organization/pharmacy-a' } });
  });

  const WRONG: readonly (readonly [string, number, RegExp, (made: Prescribed) => Promise<Answer>])[] = [
    [
      'an id that is unknown',
      404,
      /not found/,
      (made) => dispense({ ...made, token: { ...made.token, tokenId: 'PHB-RX-99999999' } }),
    ],
    ['another nonce', 422, /replay/, (made) => dispense({ ...made, token: { ...made.token, nonce: randomUUID() } })],
    ['a nonce of another length', 422, /replay/, (made) => dispense({ ...made, token: { ...made.token, nonce: 'x' } })],
    ['another pharmacy', 403, /another pharmacy/, (made) => dispense(made, b, 'pharmacy-b')],
  ];
  for (const [name, status, message, attempt] of WRONG)
    it(`[RX-04] refuses to dispense with ${name}, and nothing is written`, async () => {
      const made = await world.prescribe();
      const answer = await attempt(made);
      expect([answer.status, answer.json.success]).eql([status, false]);
      expect(answer.json.message).match(message);
      expect((await fhir(`Task/${made.taskId}`)).meta.versionId).equal('1');
    });

  for (const [name, options, message] of [
    ['is expired', { issuedAt: Date.now() - 31 * DAY_MS }, /expired/],
    ['is of an order that does not stand', { orderStatus: 'cancelled' }, /cancelled/],
  ] as const)
    it(`[RX-07] does not dispense what ${name}`, async () => {
      const made = await world.prescribe(options);
      const answer = await dispense(made);
      expect([answer.status, answer.json.success]).eql([422, false]);
      expect(answer.json.message).match(message);
    });

  it('[RX-04] 200 attempts at once from 10 pharmacies: one success, 199 learn when, where and by whom', async () => {
    const made = await world.prescribe({ pharmacyId: 'any' });
    const others = await Promise.all(PHARMACIES.map((id) => world.pharmacist(id)));
    const attempts = others.flatMap((headers, i) =>
      Array.from({ length: 20 }, () => dispense(made, headers, PHARMACIES[i] ?? '')),
    );
    const answers = await Promise.all(attempts);
    const won = answers.filter(({ status }) => status === 200);
    expect(won).length(1);
    const lost = answers.filter(({ status }) => status === 409);
    expect(won.length + lost.length).equal(200);
    for (const { json } of lost)
      expect(json).eql({
        success: false,
        message: 'Prescription already dispensed',
        details: {
          dispensed_at: won[0]?.json.details.dispensed_at,
          dispensed_by: won[0]?.json.details.dispensed_by,
          pharmacist: 'Piotr Zielinski',
        },
      });
    const { entry } = await fhir(`MedicationDispense?prescription=MedicationRequest/${made.orderId}`);
    expect(entry).length(1);
    const task = await fhir(`Task/${made.taskId}`);
    expect(entry[0].resource.performer[0].actor.reference).equal(task.owner.reference);
  });

  it('[RX-04] [AU-01] prescriptions that are dispensed at the same time: each once, by its own pharmacist', async () => {
    const places = PHARMACIES.slice(0, 4);
    const people = await Promise.all(places.map((id) => world.pharmacist(id)));
    const at = (i: number): number => i % places.length;
    const made = await world.prescribeMany(48, (i) => ({ pharmacyId: places[at(i)] ?? '' }));
    const answers = await Promise.all([
      ...made.map((one, i) => dispense(one, people[at(i)], places[at(i)])),
      // Somebody else's, and one that another is at: nobody fails for them.
      ...made.slice(0, 6).map((one, i) => dispense(one, people[at(i + 1)], places[at(i + 1)])),
      ...made.slice(6, 12).map((one, i) => dispense(one, people[at(i + 6)], places[at(i + 6)])),
    ]);
    expect(answers.slice(48, 54).map(({ status }) => status)).eql(Array(6).fill(403));
    for (let i = 0; i < 48; i += 1) {
      const again = i >= 6 && i < 12 ? [answers[i + 48]?.status] : [];
      expect([answers[i]?.status, ...again].sort(), `number ${i}`).eql([200, ...again.map(() => 409)]);
    }
    const all = (await fhir('MedicationDispense?_count=1000')).entry.map(({ resource }: Answer['json']) => resource);
    for (const [i, { orderId }] of made.entries()) {
      const own = all.filter((one: Answer['json']) =>
        JSON.stringify(one.authorizingPrescription).includes(`MedicationRequest/${orderId}"`),
      );
      expect(own).length(1);
      expect(own[0].performer[0].actor.reference).equal(`Organization/${places[at(i)]}`);
    }
    const ids = made.map(({ taskId }) => taskId);
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        `select count(distinct t.xmin::text)::int as transactions, count(*)::int as tasks,
  (select count(*)::int from mortar.prescription_attempt where kind = 'dispense' and success and token = any($2)) as attempts,
  (select array_agg(n order by n) from (
    select count(*)::int as n from audit.entry e join fhir.task u on u.rid = e.rid
    where u.id = any($1) and e.ver = 2 group by e.agent) x) as entries
from fhir.task t where t.id = any($1)`,
        [ids, made.map(({ token }) => token.tokenId)],
      );
      expect(rows[0]).deep.include({ tasks: 48, attempts: 48, entries: [12, 12, 12, 12] });
      expect(rows[0].transactions, 'they share transactions').lessThan(48);
    });
  });

  it('[RX-04] a Task that somebody sets back to ready is not dispensed a second time', async () => {
    const made = await world.prescribe();
    expect((await dispense(made)).status).equal(200);
    await world.put({ ...(await fhir(`Task/${made.taskId}`)), status: 'ready' });
    await world.put({ ...(await fhir(`MedicationRequest/${made.orderId}`)), status: 'active' });
    expect((await dispense(made)).status).equal(409);
    expect((await fhir(`MedicationDispense?prescription=MedicationRequest/${made.orderId}`)).entry).length(1);
  });

  it('[RX-05] the same Idempotency-Key gives the first answer again; another body under it is refused', async () => {
    const made = await world.prescribe();
    const headers = { ...a, 'idempotency-key': randomUUID() };
    const first = await dispense(made, headers);
    const second = await dispense(made, headers);
    expect([first.status, second.status]).eql([200, 200]);
    expect(second.json).eql(first.json);
    expect((await dispense(made, headers, 'pharmacy-a', { verification_notes: 'x' })).status).equal(422);
  });

  it('[RX-06] the log tells each attempt to whoever may see the prescription, and to nobody else', async () => {
    const made = await world.prescribe();
    await verify({ ...hmac(made), signature: wrongMac });
    await world.call('POST', '/api/prescriptions/verify', {}, hmac(made));
    await verify(hmac(made));
    await dispense(made, a, 'pharmacy-a', { verification_notes: 'Patient ID seen' });
    const path = `/api/prescriptions/${made.token.tokenId}/verification-log`;
    const { status, json } = await world.call('GET', path, a);
    expect(status).equal(200);
    expect(json).include({ prescription_id: made.token.tokenId, patient_name: 'Nell Ashworth', dispensed: true });
    expect(json.verification_attempts.map((one: Answer['json']) => [one.pharmacy_id, one.success, one.reason])).eql([
      ['pharmacy-a', false, 'Invalid signature - possible forgery'],
      [null, true, 'Prescription verified successfully'],
      ['pharmacy-a', true, 'Prescription verified successfully'],
      ['pharmacy-a', true, 'Prescription dispensed successfully. Patient ID seen'],
    ]);
    expect(json.verification_attempts[0].ip_address).match(/127|::1/);
    expect((await world.call('GET', path, await world.patient('patient-nell'))).status).equal(200);
    const hidden = await world.call('GET', path, b);
    const absent = await world.call('GET', '/api/prescriptions/PHB-RX-99999999/verification-log', b);
    expect(hidden.status, '[CP-01] as one that never was').equal(404);
    expect({ ...hidden.json, correlation_id: '' }).eql({ ...absent.json, correlation_id: '' });
    expect((await world.call('GET', path, {})).status).equal(401);
  });

  it('[AU-01] verification and dispensing are in the trail', async () => {
    const made = await world.prescribe();
    await verify({ ...hmac(made), signature: wrongMac });
    await dispense(made);
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        'select count(*)::int as n from mortar.prescription_attempt where token = $1',
        [made.token.tokenId],
      );
      expect(rows[0].n).equal(2);
    });
    const { json } = await world.call('GET', '/api/v2/audit/events?kind=verification&_count=1', server.bearer);
    expect(JSON.stringify(json)).include('verification');
  });

  it('[RX-01] public keys are at an address of their own', async () => {
    const { json } = await world.call('GET', '/.well-known/prescription-jwks.json', {});
    expect(json.keys[0]).include({ kty: 'EC', crv: 'P-256', alg: 'ES256' });
  });
});
