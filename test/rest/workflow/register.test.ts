/** Controlled drugs over the running server: identity, register, balance under concurrency, report. MISSION M10 */
import { expect } from 'chai';
import { withClient } from '../../support/database.ts';
import {
  type Answer,
  codeOf,
  makePharmacyWorld,
  type PharmacyWorld,
  type Prescribed,
  type PrescribeOptions,
} from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const PRODUCT = 'morphine sulfate 10mg tablets';
const CONTROLLED: PrescribeOptions = {
  medication: 'Morphine sulfate 10mg tablets',
  priority: 'controlled',
  schedule: '2',
  quantity: 10,
};

describe('controlled drugs', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let a: Record<string, string>;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,verify=off' } });
    world = await makePharmacyWorld(server);
    a = await world.pharmacist('pharmacy-a');
  });
  after(() => server.stop());

  const prescribe = (): Promise<Prescribed> => world.prescribe(CONTROLLED);
  const dispense = (
    { token }: Prescribed,
    more: object = { patient_id_type: 'nin', patient_id_number: '12345678901' },
  ) =>
    world.call('POST', '/api/prescriptions/dispense', a, {
      prescription_id: token.tokenId,
      nonce: token.nonce,
      pharmacy_code: codeOf('pharmacy-a'),
      pharmacist_name: 'Piotr Zielinski',
      ...more,
    });
  const enter = (body: object): Promise<Answer> =>
    world.call('POST', '/api/pharmacy/register/entries/', a, { product: PRODUCT, reason: 'Delivery note 17', ...body });
  const register = async (): Promise<Answer['json']> =>
    (await world.call('GET', `/api/pharmacy/register?product=${encodeURIComponent(PRODUCT)}`, a)).json;

  it('are what they were approved as, whatever a pharmacy makes of its Task', async () => {
    const made = await world.prescribe({ ...CONTROLLED, kinds: ['controlled'] });
    const { json: task } = await world.call('GET', `/fhir/R4/Task/${made.taskId}`, a);
    const input = task.input.filter((one: Answer['json']) => one.type.coding[0].code !== 'nafdac-schedule');
    const changed = await world.call('PUT', `/fhir/R4/Task/${made.taskId}`, a, { ...task, priority: 'routine', input });
    expect(changed.status).equal(200);
    const answer = await dispense(made, {});
    expect([answer.status, answer.json.code]).eql([422, 'patient-id']);
  });

  it('live 28 days at most', async () => {
    const { token } = await prescribe();
    expect(token.expiresAt - token.issuedAt).equal(28 * 24 * 60 * 60 * 1000);
  });

  for (const [name, more, at] of [
    ['without an identity', {}, 'patient_id_type'],
    [
      'with a kind that is not taken',
      { patient_id_type: 'library card', patient_id_number: '1234' },
      'patient_id_type',
    ],
    ['without a number', { patient_id_type: 'nin' }, 'patient_id_number'],
    ['with a number of three', { patient_id_type: 'passport', patient_id_number: '123' }, 'patient_id_number'],
  ] as const)
    it(`are not handed over ${name}`, async () => {
      const answer = await dispense(await prescribe(), more);
      expect([answer.status, answer.json.code, answer.json.errors[0].at]).eql([422, 'patient-id', at]);
    });

  it('are not handed over beyond what the register holds, and then the prescription stays as it was', async () => {
    const made = await prescribe();
    const answer = await dispense(made);
    expect([answer.status, answer.json.code]).eql([409, 'register-balance']);
    const { json } = await world.call('GET', `/fhir/R4/Task/${made.taskId}`, server.bearer);
    expect(json.status).equal('ready');
  });

  it('come in, go out and are corrected: numbers without a gap, a running balance', async () => {
    expect((await enter({ type: 'stock-in', quantity: 100, name: 'Morphine sulfate 10mg tablets' })).json).include({
      number: 1,
      balance: 100,
    });
    const made = await prescribe();
    expect((await dispense(made)).status).equal(200);
    expect((await enter({ type: 'correction', quantity: -0.5, reason: 'Broken tablet, witnessed' })).json).include({
      number: 3,
      balance: 89.5,
    });
    const { balances, entries } = await register();
    expect(balances).eql([{ product: PRODUCT, name: 'Morphine sulfate 10mg tablets', balance: 89.5 }]);
    expect(entries[1]).include({
      type: 'supply',
      quantity: -10,
      balance: 90,
      prescription_id: made.token.tokenId,
      schedule: '2',
      patient_id_type: 'nin',
      patient_id_number: '12345678901',
      by: 'Piotr Zielinski',
    });
  });

  it('[KS-07] who collected is not in clear in the database', async () => {
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        "select t::text as row, encode(identity, 'escape') as sealed from mortar.controlled_register t",
      );
      expect(rows).length(3);
      expect(JSON.stringify(rows)).not.include('12345678901');
    });
  });

  for (const sql of [
    'update mortar.controlled_register set balance = 1',
    'delete from mortar.controlled_register',
    'truncate mortar.controlled_register',
  ])
    it(`lines are never changed: ${sql.split(' ')[0]}`, async () => {
      await withClient(server.database.connection('owner'), async (client) => {
        const error = await client.query(sql).then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error?.message).match(/never changed/);
      });
    });

  for (const [body, status] of [
    [{ type: 'stock-in', quantity: -1 }, 400],
    [{ type: 'stock-in', quantity: 0 }, 400],
    [{ type: 'correction', quantity: 0.0001 }, 400],
    [{ type: 'supply', quantity: 1 }, 400],
    [{ type: 'correction', quantity: 1, reason: ' ' }, 400],
    [{ type: 'correction', quantity: -1000 }, 409],
  ] as const)
    it(`refuses ${JSON.stringify(body)}`, async () => {
      expect((await enter(body)).status).equal(status);
    });

  it('[RL-23] 20 supplies and 20 deliveries at once: each line has its number and the balance of all before it', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, prescribe));
    await Promise.all([
      ...made.map((one) => dispense(one)),
      ...Array.from({ length: 20 }, () => enter({ type: 'stock-in', quantity: 7 })),
    ]);
    const { entries } = await register();
    const lines = [...entries].sort((x: Answer['json'], y: Answer['json']) => x.number - y.number);
    expect(lines.map(({ number }) => number)).eql(lines.map((_, i) => i + 1));
    let sum = 0;
    for (const { quantity, balance } of lines) {
      sum += quantity;
      expect(balance).equal(sum);
    }
    expect(sum).equal(89.5 + 140 - 50);
  });

  it('[AZ-01] are the own pharmacy’s alone', async () => {
    const b = await world.pharmacist('pharmacy-b');
    expect((await world.call('GET', '/api/pharmacy/register', b)).json).eql({ balances: [], entries: [] });
    const other = await world.call('GET', `/api/pharmacy/register?pharmacy_code=${codeOf('pharmacy-a')}`, b);
    expect(other.status).equal(403);
    expect((await world.call('GET', '/api/pharmacy/register', await world.patient('patient-nell'))).status).equal(403);
  });

  it('are reported as CSV, oldest first, without formulas, and as PDF', async () => {
    await enter({ type: 'correction', quantity: 1, reason: '=cmd("x"), found' });
    const csv = await world.call('GET', '/api/pharmacy/register/report?format=csv', a);
    expect(csv.headers.get('content-type')).match(/^text\/csv/);
    const lines = String(csv.json).trim().split('\r\n');
    expect(lines[0]).equal(
      'at,product,code,number,type,quantity,balance,schedule,prescription_id,patient_id_type,patient_id_number,by,reason',
    );
    expect(lines[1]).match(/,1,stock-in,100,100,/);
    expect(lines.at(-1)).match(/"'=cmd\(""x""\), found"$/);
    const answer = await fetch(`${server.url}/api/pharmacy/register/report?format=pdf`, { headers: a });
    expect(answer.headers.get('content-disposition')).match(/attachment; filename="controlled-drugs-.*\.pdf"/);
    const bytes = Buffer.from(await answer.arrayBuffer()).toString('latin1');
    expect(bytes.slice(0, 8)).equal('%PDF-1.4');
    expect(bytes).include('(Morphine sulfate 10mg tablets)').and.include('%%EOF');
  });
});
