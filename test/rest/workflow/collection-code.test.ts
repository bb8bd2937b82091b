/** A code by text message to whom collects, over the running server: sent, tried, used once, waived. MISSION M10; SECURITY RX-04, RX-06, IN-44 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { registerBackend } from '../../support/backend-client.ts';
import { withClient } from '../../support/database.ts';
import { type NotifiedServer, startNotified } from '../../support/notified.ts';
import {
  type Answer,
  codeOf,
  makePharmacyWorld,
  type PharmacyWorld,
  type Prescribed,
  type PrescribeOptions,
  systemOf,
} from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const MINUTE_MS = 60_000;
const LIMITS = 'read=off,write=off,verify=off,verify-prescription=off';
const HIGH: PrescribeOptions = { kinds: ['high_value'] };
const MOBILE = '+447700900123';

/** Whose counter it is, and what is said there. */
function counterOf(world: PharmacyWorld) {
  const call = (p: Prescribed, what: string, headers: Record<string, string>, body: object = {}): Promise<Answer> =>
    world.call('POST', `/api/prescriptions/${p.token.tokenId}/${what}`, headers, body);
  return {
    send: (p: Prescribed, headers: Record<string, string>, body: object = {}) =>
      call(p, 'collection-code', headers, body),
    confirm: (p: Prescribed, headers: Record<string, string>, code: string, body: object = {}) =>
      call(p, 'collection-code/confirm', headers, { code, ...body }),
    dispense: (p: Prescribed, headers: Record<string, string>, more: object = {}, pharmacyId = 'pharmacy-a') =>
      world.call('POST', '/api/prescriptions/dispense', headers, {
        prescription_id: p.token.tokenId,
        nonce: p.token.nonce,
        pharmacy_code: codeOf(pharmacyId),
        pharmacist_name: 'Piotr Zielinski',
        ...more,
      }),
  };
}

const nell = (telecom: readonly object[], more: object = {}): Resource => ({
  resourceType: 'Patient',
  id: 'patient-nell',
  name: [{ family: 'Ashworth', given: ['Nell'] }],
  ...(telecom.length > 0 && { telecom }),
  ...more,
});
/** Another of six digits. */
const otherThan = (code: string): string => ((Number(code) + 1) % 1_000_000).toString().padStart(6, '0');
const refusal = ({ status, json }: Answer) => [status, json.success, json.details?.step_failed, json.details?.code];
const refused = (code: string, status = 422) => [status, false, 'collection_code', code];

describe('collection codes', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let at: ReturnType<typeof counterOf>;
  let a: Record<string, string>;
  let b: Record<string, string>;
  /** Moves only where a test moves it. */
  let moment: number | undefined;
  const now = (): number => moment ?? Date.now();
  before(async () => {
    server = await startTestServer({
      now,
      env: { RATE_LIMITS: LIMITS, COLLECTION_CODE_FOR: 'high_value,controlled', HIGH_VALUE_FROM: '100 GBP' },
    });
    world = await makePharmacyWorld(server, now);
    at = counterOf(world);
    a = await world.pharmacist('pharmacy-a');
    b = await world.pharmacist('pharmacy-b');
  });
  // A patient is sent ten an hour at most: each test begins with none.
  beforeEach(async () => {
    await query('delete from mortar.collection_code', []);
    moment = undefined;
    await world.put(nell([{ system: 'phone', use: 'mobile', value: '07700 900123' }]));
  });
  after(() => server.stop());

  const texts = async (): Promise<readonly string[]> => {
    const { json } = await world.call('GET', `/dev/mailbox?to=${encodeURIComponent(MOBILE)}`, {});
    return json.messages.map(({ text }: { text: string }) => text);
  };
  const lastCode = async (): Promise<string> => /\b(\d{6})\b/.exec((await texts())[0] ?? '')?.[1] ?? '';
  const sentCode = async (p: Prescribed, headers = a): Promise<string> => {
    const answer = await at.send(p, headers);
    expect(answer.status, JSON.stringify(answer.json)).equal(200);
    return lastCode();
  };
  const query = async (text: string, values: unknown[]): Promise<readonly Answer['json'][]> =>
    withClient(server.database.connection('owner'), async (client) => (await client.query(text, values)).rows);
  const versionOf = async ({ taskId }: Prescribed): Promise<string> =>
    (await world.call('GET', `/fhir/R4/Task/${taskId}`, server.bearer)).json.meta.versionId;

  it('are asked for high-value and controlled prescriptions alone, and the queue and the token say so', async () => {
    const [dear, cheap, controlled, risky] = await Promise.all([
      world.prescribe(HIGH),
      world.prescribe(),
      world.prescribe({ priority: 'controlled', schedule: '2' }),
      world.prescribe({ priority: 'high_risk', kinds: ['high_risk'] }),
    ]);
    const { json } = await world.call('GET', '/api/pharmacy/queue?page_size=200', a);
    const lineOf = ({ taskId }: Prescribed): Answer['json'] =>
      json.prescriptions.find((one: Answer['json']) => one.id === taskId);
    expect([dear, cheap, controlled, risky].map((one) => lineOf(one).requires_collection_code)).eql([
      true,
      false,
      true,
      false,
    ]);
    expect([dear, cheap].map((one) => lineOf(one).is_high_value)).eql([true, false]);
    const { json: verdict } = await world.call('POST', '/api/prescriptions/verify', a, { token: dear.token.token });
    expect(verdict.details.requires_collection_code).equal(true);
    expect((await at.dispense(cheap, a)).status).equal(200);
    expect((await at.dispense(risky, a)).status).equal(200);
    const identity = { patient_id_type: 'nin', patient_id_number: '12345678901' };
    for (const [one, more] of [
      [dear, {}],
      [controlled, identity],
    ] as const) {
      expect(refusal(await at.dispense(one, a, more))).eql(refused('code-missing'));
      expect(await versionOf(one), 'nothing is written').equal('1');
    }
    expect(refusal(await at.send(cheap, a)), 'nobody is sent what is not needed').eql([
      409,
      false,
      'dispensed_check',
      undefined,
    ]);
    const plain = await world.prescribe();
    expect(refusal(await at.send(plain, a))).eql(refused('code-not-needed'));
  });

  it('a right code dispenses, once', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    expect((await at.dispense(made, a, { collection_code: code })).status).equal(200);
    const again = await at.dispense(made, a, { collection_code: code });
    expect([again.status, again.json.message]).eql([409, 'Prescription already dispensed']);
    expect((await at.send(made, a)).status).equal(409);
  });

  it('[IN-44] [DP-07] the text says the code and nothing else, in the language of the patient', async () => {
    await world.put(
      nell([{ system: 'sms', value: MOBILE }], {
        communication: [{ language: { coding: [{ system: 'urn:ietf:bcp:47', code: 'cy' }] } }],
      }),
    );
    await at.send(await world.prescribe(HIGH), a);
    const [welsh = ''] = await texts();
    expect(welsh).match(/^Eich cod casglu yw \d{6}\. /);
    await world.put(nell([{ system: 'phone', use: 'mobile', value: '07700 900123' }]));
    await at.send(await world.prescribe(HIGH), a);
    const [english = ''] = await texts();
    expect(english).match(/^Your collection code is \d{6}\. /);
    for (const text of [welsh, english]) {
      expect(text.length).most(160);
      expect(text).not.match(/amox|pharmac|fferyll|PHB|Ashworth|Nell|prescri|presgri|medic|meddyg|http/i);
    }
  });

  it('preferences do not silence it: whoever wants no text messages is sent what they collect by', async () => {
    const patient = await world.patient('patient-nell');
    const { status } = await world.call('PUT', '/api/notifications/preferences', patient, {
      kinds: { '*': { sms: false, email: false, push: false } },
      quiet_hours: { from: '00:00', until: '23:59' },
    });
    expect(status).equal(200);
    expect(await sentCode(await world.prescribe(HIGH))).match(/^\d{6}$/);
  });

  it('the fifth wrong one is the last that is heard; a new one is good', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    for (const left of [4, 3, 2, 1, 0]) {
      const answer = await at.dispense(made, a, { collection_code: otherThan(code) });
      expect([...refusal(answer), answer.json.details.tries_left]).eql([...refused('code-wrong'), left]);
    }
    expect(refusal(await at.dispense(made, a, { collection_code: code })), 'the sixth').eql(refused('code-tries'));
    expect(refusal(await at.confirm(made, a, code))).eql(refused('code-tries'));
    const next = await sentCode(made);
    expect((await at.dispense(made, a, { collection_code: next })).status).equal(200);
  });

  it('four wrong ones, and then the right one', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    for (let i = 0; i < 4; i += 1) await at.confirm(made, a, otherThan(code));
    expect((await at.dispense(made, a, { collection_code: code })).status).equal(200);
  });

  it('[RX-06] of fifty wrong ones at the same moment five are heard', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        i % 2 === 0 ? at.confirm(made, a, otherThan(code)) : at.dispense(made, a, { collection_code: otherThan(code) }),
      ),
    );
    const codes = answers.map(({ json }) => json.details.code);
    expect(codes.filter((one) => one === 'code-wrong')).length(5);
    expect(codes.filter((one) => one === 'code-tries')).length(45);
  });

  for (const [after, expected] of [
    [10 * MINUTE_MS - 1, 200],
    [10 * MINUTE_MS, 422],
  ] as const)
    it(`is ${expected === 200 ? 'good' : 'over'} after ${after} ms`, async () => {
      moment = Date.now();
      const made = await world.prescribe(HIGH);
      const code = await sentCode(made);
      moment += after;
      const answer = await at.dispense(made, a, { collection_code: code });
      expect(answer.status).equal(expected);
      if (expected === 422) expect(refusal(answer)).eql(refused('code-expired'));
    });

  for (const [after, expected] of [
    [15 * MINUTE_MS - 1, 200],
    [15 * MINUTE_MS, 422],
  ] as const)
    it(`that was confirmed is ${expected === 200 ? 'good' : 'over'} after ${after} ms, for who says none`, async () => {
      moment = Date.now();
      const made = await world.prescribe(HIGH);
      const said = await at.confirm(made, a, await sentCode(made));
      expect([said.status, said.json.details.confirmed_until]).eql([
        200,
        new Date(moment + 15 * MINUTE_MS).toISOString(),
      ]);
      moment += after;
      const answer = await at.dispense(made, a);
      expect(answer.status).equal(expected);
      if (expected === 422) expect(refusal(answer)).eql(refused('code-missing'));
    });

  it('three are sent within an hour, the fourth an hour after the first', async () => {
    moment = Date.now();
    const made = await world.prescribe(HIGH);
    const first = await sentCode(made);
    moment += 20 * MINUTE_MS;
    await sentCode(made);
    moment += 20 * MINUTE_MS;
    const third = await sentCode(made);
    const count = (await texts()).length;
    moment += 20 * MINUTE_MS - 1;
    const fourth = await at.send(made, a);
    expect([...refusal(fourth), fourth.json.details.retry_after, fourth.headers.get('retry-after')]).eql([
      ...refused('code-too-many', 429),
      1,
      '1',
    ]);
    expect((await texts()).length, 'nothing was sent').equal(count);
    moment += 1;
    const last = await sentCode(made);
    for (const old of [first, third].filter((one) => one !== last))
      expect(refusal(await at.dispense(made, a, { collection_code: old }))).eql(refused('code-wrong'));
    expect((await at.dispense(made, a, { collection_code: last })).status).equal(200);
  });

  it('[IN-47] of twenty askings at the same moment three are sent, and ten an hour to one patient', async () => {
    const made = await world.prescribe(HIGH);
    const answers = await Promise.all(Array.from({ length: 20 }, () => at.send(made, a)));
    expect(answers.filter(({ status }) => status === 200)).length(3);
    expect(answers.filter(({ status }) => status === 429)).length(17);
    const others = await world.prescribeMany(8, () => HIGH);
    const statuses: number[] = [];
    for (const one of others) statuses.push((await at.send(one, a)).status);
    expect(statuses).eql([200, 200, 200, 200, 200, 200, 200, 429]);
  });

  const UNREACHABLE: readonly (readonly [string, Resource, string])[] = [
    ['without a telephone', nell([]), 'code-no-mobile'],
    [
      'with a telephone at home alone',
      nell([{ system: 'phone', use: 'home', value: '01632 960000' }]),
      'code-no-mobile',
    ],
    ['with an old number', nell([{ system: 'phone', use: 'old', value: '07700 900123' }]), 'code-no-mobile'],
    [
      'who has died',
      nell([{ system: 'phone', use: 'mobile', value: '07700 900123' }], { deceasedBoolean: true }),
      'code-deceased',
    ],
  ];
  for (const [name, patient, code] of UNREACHABLE)
    it(`a patient ${name} is not sent one, and it says what to do`, async () => {
      await world.put(patient);
      const made = await world.prescribe(HIGH);
      const answer = await at.send(made, a);
      expect(refusal(answer)).eql(refused(code));
      expect(refusal(await at.dispense(made, a, { collection_code: '123456' }))).eql(refused('code-not-sent'));
    });

  it('[DP-05] a patient whose data may only be stored is sent nothing', async () => {
    await query(
      `insert into protection.restriction (id, patient_id, reason, placed_by, placed_at) values ($1, 'patient-nell', '', 'x', now())`,
      [randomUUID()],
    );
    try {
      const before = (await texts()).length;
      expect(refusal(await at.send(await world.prescribe(HIGH), a))).eql(refused('code-restricted'));
      expect((await texts()).length).equal(before);
    } finally {
      await query('delete from protection.restriction', []);
    }
  });

  it('[CP-01] another pharmacy neither sends nor confirms, and uses no code that is not its own', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    const absent = { ...made, token: { ...made.token, tokenId: 'PHB-RX-99999999' } };
    for (const ask of [at.send, (p: Prescribed, h: Record<string, string>) => at.confirm(p, h, code)]) {
      const [hidden, none] = [await ask(made, b), await ask(absent, b)];
      expect(hidden.status, 'as one that never was').equal(404);
      expect({ ...hidden.json, correlation_id: '' }).eql({ ...none.json, correlation_id: '' });
    }
    const withNonce = await at.send(made, b, { nonce: made.token.nonce });
    expect([withNonce.status, withNonce.json.details.step_failed]).eql([403, 'pharmacy_check']);
    expect((await at.send(made, b, { nonce: randomUUID() })).status).equal(422);
    const patient = await world.patient('patient-nell');
    for (const headers of [patient, {}])
      expect((await at.send(made, headers as Record<string, string>)).status).oneOf([401, 403]);
    expect((await at.dispense(made, b, { collection_code: code }, 'pharmacy-b')).status).equal(403);
    expect((await at.dispense(made, a, { collection_code: code })).status).equal(200);
  });

  it('where no pharmacy is named a code is that of the pharmacy which asked for it', async () => {
    const made = await world.prescribe({ ...HIGH, pharmacyId: 'any' });
    expect((await at.send(made, a)).status, 'in no queue').equal(404);
    const { nonce } = made.token;
    expect((await at.send(made, a, { nonce })).status).equal(200);
    const code = await lastCode();
    expect(refusal(await at.dispense(made, b, { collection_code: code }, 'pharmacy-b'))).eql(refused('code-not-sent'));
    expect((await at.confirm(made, a, code, { nonce })).status).equal(200);
    expect(refusal(await at.dispense(made, b, {}, 'pharmacy-b')), 'confirmed elsewhere').eql(refused('code-missing'));
    expect((await at.dispense(made, a)).status).equal(200);
  });

  it('[RX-04] 200 attempts at once with one right code: one success, 199 learn when, where and by whom', async () => {
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        at.dispense(
          made,
          a,
          i % 4 === 3 ? { collection_code: code } : { collection_code: code, verification_notes: `at ${i}` },
        ),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).length(1);
    const lost = answers.filter(({ status }) => status === 409);
    expect(lost).length(199);
    for (const { json } of lost) expect(json.details.dispensed_by).equal('Pharmacy a');
    const { json } = await world.call(
      'GET',
      `/fhir/R4/MedicationDispense?prescription=MedicationRequest/${made.orderId}`,
      server.bearer,
    );
    expect(json.entry).length(1);
  });

  it('a wrong one counts, and a right one stays good, whatever becomes of the dispensing', async () => {
    // Nothing of this is in the register's stock: the transaction that dispenses fails.
    const made = await world.prescribe({
      medication: 'Fentanyl 25micrograms/hour patches',
      priority: 'controlled',
      schedule: '2',
      quantity: 5,
    });
    const identity = { patient_id_type: 'nin', patient_id_number: '12345678901' };
    const code = await sentCode(made);
    const wrong = await at.dispense(made, a, { ...identity, collection_code: otherThan(code) });
    expect(wrong.json.details.tries_left).equal(4);
    const failed = await at.dispense(made, a, { ...identity, collection_code: code });
    expect([failed.status, failed.json.code]).eql([409, 'register-balance']);
    const [row] = await query(
      'select tries, used_at, confirmed_until is not null as is_confirmed from mortar.collection_code where token = $1',
      [made.token.tokenId],
    );
    expect(row).eql({ tries: 1, used_at: null, is_confirmed: true });
    await world.call('POST', '/api/pharmacy/register/entries', a, {
      product: 'fentanyl 25micrograms/hour patches',
      type: 'stock-in',
      quantity: 10,
      reason: 'Delivery note 18',
    });
    expect((await at.dispense(made, a, identity)).status, 'confirmed it was').equal(200);
  });

  it('[RX-06] [AU-04] wrong ones are in the log, in the trail, and among the failures of the pharmacy', async () => {
    const failures = async (): Promise<number> =>
      (await world.call('GET', '/api/pharmacy/analytics', a)).json.verification.failures;
    const before = await failures();
    const made = await world.prescribe(HIGH);
    const code = await sentCode(made);
    await at.confirm(made, a, otherThan(code));
    await at.dispense(made, a, { collection_code: otherThan(code) });
    await at.dispense(made, a, { collection_code: code });
    const { json } = await world.call('GET', `/api/prescriptions/${made.token.tokenId}/verification-log`, a);
    expect(json.verification_attempts.map((one: Answer['json']) => [one.success, one.reason])).eql([
      [false, 'The collection code is wrong'],
      [false, 'The collection code is wrong'],
      [true, 'Prescription dispensed successfully'],
    ]);
    expect((await failures()) - before).equal(2);
    const { json: trail } = await world.call('GET', '/api/v2/audit/events?kind=verification&_count=5', server.bearer);
    expect(JSON.stringify(trail)).include('code-wrong');
  });

  it('the code lies nowhere: not in a table, not in a Communication, not in an answer', async () => {
    const made = await world.prescribe(HIGH);
    const answer = await at.send(made, a, {});
    const code = await lastCode();
    expect(JSON.stringify(answer.json)).not.include(code);
    await at.confirm(made, a, code);
    const told = await world.call('GET', '/api/notifications?limit=50', await world.patient('patient-nell'));
    expect(JSON.stringify(told.json)).include(`A code for collecting prescription ${made.token.tokenId}`);
    expect(JSON.stringify(told.json)).not.match(new RegExp(`[^.0-9A-Za-z]${code}[^0-9A-Za-z]`));
    const tables = await query(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('mortar', 'fhir', 'audit', 'identity')`,
      [],
    );
    // As a whole word, and no fraction of a second: ids and times are full of digits.
    for (const { name } of tables) {
      const [{ n }] = (await query(`select count(*)::int as n from ${name} t where t::text ~ $1`, [
        `(^|[^.0-9A-Za-z])${code}\\M`,
      ])) as [Answer['json']];
      expect(n, name).equal(0);
    }
  });

  it('[RX-05] the same Idempotency-Key sends one text message', async () => {
    const made = await world.prescribe(HIGH);
    const before = (await texts()).length;
    const headers = { ...a, 'idempotency-key': randomUUID() };
    const first = await at.send(made, headers);
    const second = await at.send(made, headers);
    expect([first.status, second.status, second.json]).eql([200, 200, first.json]);
    expect((await texts()).length - before).equal(1);
  });

  it('[AU-01] a pharmacist hands over without, with a reason: in the record, the log and the trail', async () => {
    const made = await world.prescribe(HIGH);
    const reason = 'She has no telephone';
    const answer = await at.dispense(made, a, { collection_code_waived: reason, verification_notes: 'Known to us' });
    expect(answer.status).equal(200);
    const { json } = await world.call('GET', `/api/prescriptions/${made.token.tokenId}/verification-log`, a);
    expect(json.verification_attempts.at(-1).reason).equal(
      'Prescription dispensed successfully, without a collection code. Known to us. Handed over without a collection code: She has no telephone',
    );
    const { json: trail } = await world.call('GET', '/api/v2/audit/events?kind=dispense&_count=20', server.bearer);
    expect(JSON.stringify(trail)).include('collection-code-waived').and.not.include(reason);
  });

  it('a system does not hand over without, whatever it says', async () => {
    const scope = 'system/Task.rus system/MedicationRequest.rus system/MedicationDispense.crs system/Organization.rs';
    const system = await registerBackend(server, scope);
    await world.put({ ...systemOf(system.clientId, 'pharmacy-a'), id: 'endpoint-a' });
    const made = await world.prescribe(HIGH);
    const without = await at.dispense(made, system.bearer, { collection_code_waived: 'no telephone' });
    expect(refusal(without)).eql(refused('code-waiver-person', 403));
    const code = await sentCode(made, system.bearer);
    expect((await at.dispense(made, system.bearer, { collection_code: code })).status).equal(200);
  });

  const BY_FHIR: readonly (readonly [string, (p: Prescribed, headers: Record<string, string>) => Promise<Answer>])[] = [
    ['a MedicationDispense', (p, headers) => world.call('POST', '/fhir/R4/MedicationDispense', headers, dispenseOf(p))],
    [
      'a MedicationDispense in a transaction',
      (p, headers) =>
        world.call('POST', '/fhir/R4', headers, {
          resourceType: 'Bundle',
          type: 'transaction',
          entry: [{ resource: dispenseOf(p), request: { method: 'POST', url: 'MedicationDispense' } }],
        }),
    ],
    [
      'a Task that is put',
      async (p, headers) => {
        const { json: task } = await world.call('GET', `/fhir/R4/Task/${p.taskId}`, headers);
        return world.call('PUT', `/fhir/R4/Task/${p.taskId}`, headers, { ...task, status: 'completed' });
      },
    ],
    [
      'a Task that is patched',
      async (p, headers) => {
        const answer = await fetch(`${server.fhirBaseUrl}/Task/${p.taskId}`, {
          method: 'PATCH',
          headers: { ...headers, 'content-type': 'application/json-patch+json' },
          body: JSON.stringify([{ op: 'replace', path: '/status', value: 'completed' }]),
        });
        return { status: answer.status, json: await answer.json(), headers: answer.headers };
      },
    ],
  ];
  const dispenseOf = ({ orderId }: Prescribed): object => ({
    resourceType: 'MedicationDispense',
    status: 'completed',
    medicationCodeableConcept: { text: 'Amoxicillin 500mg capsules' },
    subject: { reference: 'Patient/patient-nell' },
    performer: [{ actor: { reference: 'Organization/pharmacy-a' } }],
    authorizingPrescription: [{ reference: `MedicationRequest/${orderId}` }],
  });
  for (const [name, write] of BY_FHIR)
    it(`${name} by FHIR is taken once a code is confirmed, and leaves nothing before`, async () => {
      const made = await world.prescribe(HIGH);
      const early = await write(made, a);
      expect(early.status, JSON.stringify(early.json)).equal(422);
      expect(JSON.stringify(early.json)).include('code-missing');
      expect(await versionOf(made)).equal('1');
      const path = `/fhir/R4/MedicationDispense?prescription=MedicationRequest/${made.orderId}`;
      expect((await world.call('GET', path, server.bearer)).json.entry ?? []).eql([]);
      expect((await at.confirm(made, a, await sentCode(made))).status).equal(200);
      expect((await write(made, a)).status).oneOf([200, 201]);
      const plain = await world.prescribe();
      expect((await write(plain, a)).status, 'without a code where none is asked for').oneOf([200, 201]);
    });

  it('what is sealed in the token is asked for, whatever the pharmacy makes of its Task', async () => {
    const made = await world.prescribe(HIGH);
    const { json: task } = await world.call('GET', `/fhir/R4/Task/${made.taskId}`, server.bearer);
    const input = task.input.filter((one: Answer['json']) => one.type.coding[0].code !== 'high-value');
    await world.put({ ...task, priority: 'routine', input });
    expect(refusal(await at.dispense(made, a))).eql(refused('code-missing'));
  });

  for (const [name, body] of [
    ['five digits', { collection_code: '12345' }],
    ['letters', { collection_code: 'abcdef' }],
    ['a number', { collection_code: 123_456 }],
    ['a blank reason', { collection_code_waived: '  ' }],
  ] as const)
    it(`refuses ${name}`, async () => {
      expect((await at.dispense(await world.prescribe(HIGH), a, body)).status).equal(400);
    });
});

describe('collection codes by a provider, without a way round', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let provider: NotifiedServer;
  let at: ReturnType<typeof counterOf>;
  let a: Record<string, string>;
  before(async () => {
    provider = await startNotified();
    server = await startTestServer({
      env: {
        RATE_LIMITS: LIMITS,
        COLLECTION_CODE_FOR: 'all',
        COLLECTION_CODE_WAIVER: 'refused',
        SMS_URL: `${provider.url}/messages`,
      },
    });
    world = await makePharmacyWorld(server);
    await world.put(nell([{ system: 'phone', use: 'mobile', value: '07700 900123' }]));
    at = counterOf(world);
    a = await world.pharmacist('pharmacy-a');
  });
  after(async () => {
    await server.stop();
    await provider.stop();
  });

  const lastCode = (): string =>
    /\b(\d{6})\b/.exec(JSON.parse(provider.received.at(-1)?.text ?? '{}').text ?? '')?.[1] ?? '';

  it('all: an ordinary prescription as well; nobody does without', async () => {
    const made = await world.prescribe();
    expect(refusal(await at.dispense(made, a, { collection_code_waived: 'no telephone' }))).eql(
      refused('code-waiver', 403),
    );
    expect((await at.send(made, a)).status).equal(200);
    expect((await at.dispense(made, a, { collection_code: lastCode() })).status).equal(200);
  });

  it('a number that takes no text messages is told of, and counts for nothing', async () => {
    const made = await world.prescribe();
    provider.answer = () => 422;
    for (let i = 0; i < 4; i += 1) expect(refusal(await at.send(made, a))).eql(refused('code-refused'));
    const lost = lastCode();
    expect(refusal(await at.dispense(made, a, { collection_code: lost })), 'it never left').eql(
      refused('code-expired'),
    );
    provider.answer = () => 200;
    expect((await at.send(made, a)).status).equal(200);
  });

  it('where it is not known whether it was sent it is good, and counts', async () => {
    const made = await world.prescribe();
    provider.answer = () => 500;
    for (let i = 0; i < 3; i += 1) {
      const answer = await at.send(made, a);
      expect([answer.status, answer.json.code]).eql([502, 'code-unknown']);
    }
    expect((await at.send(made, a)).status).equal(429);
    provider.answer = () => 200;
    expect((await at.dispense(made, a, { collection_code: lastCode() })).status).equal(200);
  });
});
