/** A pharmacy's queue over the running server: filters, counts, pages, live changes, figures. MISSION M10 */
import { expect } from 'chai';
import { privacyConsent } from '../../support/consents.ts';
import { withClient } from '../../support/database.ts';
import { type Answer, codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe("a pharmacy's queue", function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let a: Record<string, string>;
  let made: readonly Prescribed[];
  let start: number;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,verify=off' } });
    world = await makePharmacyWorld(server);
    a = await world.pharmacist('pharmacy-a');
    start = Date.now();
    made = await world.prescribeMany(30, (i) => ({
      issuedAt: start - (i % 3) * 4 * DAY_MS - i * 1000,
      priority: i % 10 === 0 ? 'controlled' : i % 5 === 0 ? 'high_risk' : 'routine',
      ...(i % 10 === 0 && { schedule: '2' }),
      strength: '500mg',
      ...(i % 6 === 1 && { patientId: 'patient-tobe', patient: 'Tobe Okafor' }),
    }));
    await world.prescribeMany(5, () => ({ pharmacyId: 'pharmacy-b' }));
    await world.prescribeMany(2, () => ({ issuedAt: start - 31 * DAY_MS }));
  });
  after(() => server.stop());

  const queue = (query = '', headers = a): Promise<Answer> =>
    world.call('GET', `/api/pharmacy/queue/?${query}`, headers);
  const dispense = ({ token }: Prescribed): Promise<Answer> =>
    world.call('POST', '/api/prescriptions/dispense', a, {
      prescription_id: token.tokenId,
      nonce: token.nonce,
      pharmacy_code: codeOf('pharmacy-a'),
      pharmacist_name: 'Piotr Zielinski',
    });

  it('shows what is pending, controlled first, the oldest first of each, in the shape of seed 002', async () => {
    const { status, json } = await queue();
    expect(status).equal(200);
    expect(json).deep.include({
      success: true,
      count: 30,
      stats: { total: 30, routine: 24, controlled: 3, high_risk: 3 },
    });
    const lines = json.prescriptions as Answer['json'][];
    expect(lines).length(30);
    expect(lines.map(({ priority }) => priority)).eql([
      ...Array(3).fill('controlled'),
      ...Array(3).fill('high_risk'),
      ...Array(24).fill('routine'),
    ]);
    const routine = lines.slice(6).map(({ issued_date }) => issued_date);
    expect(routine).eql([...routine].sort());
    expect(lines[0]).include({
      patient_name: 'Nell Ashworth',
      patient_hpn: '123 456 7890',
      medication_name: 'Amoxicillin 500mg capsules',
      strength: '500mg',
      dosage: 'Take one capsule three times a day',
      frequency: 'Three times daily',
      prescriber_name: 'Dr Imogen Fairweather',
      dispensed: false,
      is_controlled: true,
      is_high_risk: false,
      requires_id_verification: true,
      nafdac_schedule: '2',
    });
    expect(JSON.stringify(json), 'no token in it').not.include(made[0]?.token.nonce);
  });

  for (const [query, count] of [
    ['priority=controlled', 3],
    ['priority=high_risk', 3],
    ['priority=routine', 24],
    ['date_range=today', 10],
    ['date_range=week', 20],
    ['date_range=month', 30],
    ['date_range=week&priority=routine', 16],
    ['patient_search=okafor', 5],
    ['patient_search=Tobe%20Oka', 5],
    ['patient_search=999%20456%207890', 30],
    ['patient_search=nobody', 0],
    ['status=dispensed', 0],
    ['status=expired', 2],
    [`pharmacy_code=${codeOf('pharmacy-a')}`, 30],
  ] as const)
    it(`filters: ${query}`, async function () {
      // A day that began less than half a minute ago has lost some of its prescriptions to yesterday.
      if (new Date(start).getUTCHours() === 0 && query.includes('date_range')) this.skip();
      const { json } = await queue(query);
      expect(json.count).equal(count);
      expect(json.prescriptions).length(count);
    });

  it('finds who is in the queue among hundreds who bear the name and are not', async () => {
    for (let from = 0; from < 300; from += 100)
      await world.putAll(
        Array.from({ length: 100 }, (_, n) => ({
          resourceType: 'Patient',
          id: `okafor-${from + n}`,
          name: [{ family: 'Okafor', given: [`Newer${from + n}`] }],
        })),
      );
    const { status, json } = await queue('patient_search=okafor');
    expect(status).equal(200);
    expect(json.count).equal(5);
    expect((await queue('patient_search=newer7%20okafor')).json.count).equal(0);
  });

  it('pages neither repeat nor lose a line', async () => {
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const { json } = await queue(`page_size=7${after}`);
      seen.push(...json.prescriptions.map(({ id }: { id: string }) => id));
      if (json.next === undefined) break;
      after = `&after=${json.next}`;
    }
    expect(new Set(seen).size).equal(30);
    expect(seen).length(30);
  });

  for (const [query, status] of [
    ['status=lost', 400],
    ['priority=urgent', 400],
    ['after=abc', 400],
    ['page_size=0', 400],
    [`pharmacy_code=${codeOf('pharmacy-b')}`, 403],
  ] as const)
    it(`refuses ${query}`, async () => {
      expect((await queue(query)).status).equal(status);
    });

  it('[CP-08] each pharmacy sees its own, and who works for none sees nothing', async () => {
    const b = await queue('', await world.pharmacist('pharmacy-b'));
    expect(b.json.count).equal(5);
    for (const headers of [await world.patient('patient-nell'), await world.pharmacist('nowhere')])
      expect((await queue('', headers)).status).equal(403);
    expect((await queue('', {})).status).equal(401);
  });

  it('[AU-01] [AU-03] the trail has one entry of a page, with the patients whom it showed', async () => {
    await queue('patient_search=nobody&page_size=3', { ...a, 'x-request-id': 'page-of-nobody' });
    await queue('page_size=40', { ...a, 'x-request-id': 'page-of-two' });
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        `select correlation, operation, outcome, coalesce(cardinality(pats), case when pat is null then 0 else 1 end) as n
from audit.entry where correlation like 'page-of-%' order by id`,
      );
      const entry = { operation: 'pharmacy-queue', outcome: 0 };
      expect(rows).eql([
        { correlation: 'page-of-nobody', ...entry, n: 0 },
        { correlation: 'page-of-two', ...entry, n: 2 },
      ]);
      const { rows: all } = await client.query("select 1 from audit.entry where correlation = 'page-of-two'");
      expect(all).length(1);
    });
  });

  it('what is dispensed moves, the newest first; counts follow every way of writing a Task', async () => {
    for (const one of made.slice(1, 4)) expect((await dispense(one)).status).equal(200);
    const pending = await queue();
    expect(pending.json.stats).eql({ total: 27, routine: 21, controlled: 3, high_risk: 3 });
    const done = await queue('status=dispensed');
    expect(done.json.count).equal(3);
    expect(done.json.prescriptions[0]).include({
      dispensed: true,
      dispensed_by: 'Pharmacy a',
      pharmacist: 'Piotr Zielinski',
    });
    await world.call('DELETE', `/fhir/R4/Task/${made[4]?.taskId}`, server.bearer);
    const task = (await world.call('GET', `/fhir/R4/Task/${made[5]?.taskId}`, server.bearer)).json;
    await world.put({ ...task, status: 'cancelled' });
    expect((await queue()).json.stats).eql({ total: 25, routine: 20, controlled: 3, high_risk: 2 });
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(`select owner, state, rank, n from (
  select owner, state, rank, sum(n)::int as n from mortar.dispense_count group by 1, 2, 3 having sum(n) <> 0
  except select owner, state, rank, count(*)::int from mortar.dispense_task group by 1, 2, 3) x`);
      expect(rows, 'counts are those of the rows').eql([]);
    });
  });

  it('tells at once of changes, by counts alone, of its own queue', async () => {
    const stop = new AbortController();
    const answer = await fetch(`${server.url}/api/pharmacy/queue/events`, { headers: a, signal: stop.signal });
    expect(answer.headers.get('content-type')).match(/^text\/event-stream/);
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (fits: (text: string) => boolean): Promise<void> => {
      while (!fits(text)) {
        const { value, done } = (await reader?.read()) ?? { done: true, value: '' };
        if (done) throw new Error(`the stream has ended with ${text}`);
        text += value;
      }
    };
    const events = (): number => text.split('event: queue').length - 1;
    await until(() => events() === 1);
    expect(text).include('"total":25');
    await world.prescribe({ pharmacyId: 'pharmacy-b' });
    await world.prescribe();
    await until(() => events() === 2);
    expect(text).include('"total":26');
    expect(text).not.match(/Ashworth|PHB-RX/);
    stop.abort();
  });

  it('figures: volume, time to dispensing, failures with what is suspicious', async () => {
    const target = made[6];
    for (let i = 0; i < 4; i += 1)
      await world.call('POST', '/api/prescriptions/verify', a, {
        payload: target?.token.payload,
        signature: 'ab'.repeat(32),
      });
    const { status, json } = await world.call('GET', '/api/pharmacy/analytics/', a);
    expect(status).equal(200);
    expect(json.volume.dispensed).equal(3);
    expect(json.volume.pending.total).equal(26);
    expect(json.approval_to_dispense.mean_minutes).greaterThan(0);
    expect(json.verification).deep.include({
      attempts: 4,
      failures: 4,
      suspicious: [{ prescription_id: target?.token.tokenId, failures: 4 }],
    });
    expect((await world.call('GET', '/api/pharmacy/analytics?from=2026-02-01&to=2026-01-01', a)).status).equal(400);
    expect((await world.call('GET', '/api/pharmacy/analytics?from=2020-01-01&to=2026-01-01', a)).status).equal(400);
  });

  it('[FA-06] [CP-03] leaves out the lines that a patient keeps from the pharmacy, and counts them no more', async () => {
    const before = (await queue()).json;
    const named = (lines: Answer['json'][]): number => lines.filter((one) => one.patient_name === 'Tobe Okafor').length;
    expect(named(before.prescriptions)).equal(4);
    const actor = [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: 'Organization/pharmacy-a' } }];
    await world.put(
      privacyConsent('patient-tobe', { type: 'deny', actor }, { id: 'queue-tobe', dateTime: '2026-01-01' }),
    );
    const after = (await queue()).json;
    expect(named(after.prescriptions)).equal(0);
    expect(after.prescriptions).length(before.prescriptions.length - 4);
    const of = (priority: string): number =>
      after.prescriptions.filter((one: Answer['json']) => one.priority === priority).length;
    const left = { controlled: of('controlled'), high_risk: of('high_risk'), routine: of('routine') };
    expect(after.stats).eql({ total: before.stats.total - 4, ...left });
  });
});
