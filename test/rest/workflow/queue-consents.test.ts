/** Counts of a queue and Consents: what is kept from who asks is not counted, by whatever door. SECURITY CP-03, CP-08, FA-06 */
import { expect } from 'chai';
import { createPolicy } from '../../../src/policy/policy.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import type { OpenStore } from '../../../src/postgres/store.ts';
import { createPharmacyNotices } from '../../../src/workflow/dispensing/pharmacy-notices.ts';
import { createCallerCounts, pharmacyCaller } from '../../../src/workflow/dispensing/queue-counts.ts';
import { privacyConsent } from '../../support/consents.ts';
import { type Answer, codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../../support/pharmacy.ts';
import { isPatientType, mayNamePatients, parseQuery } from '../../support/policy-store.ts';
import { startTestServerAndStore, type TestServer } from '../../support/server.ts';

const PHARMACY = 'Organization/pharmacy-a';
const actor = (reference: string): object => ({ role: { coding: [{ code: 'IRCP' }] }, reference: { reference } });
const PEOPLE = 6;
const DAY_MS = 86_400_000;

/** A small generator, so that a failure can be run again (Park and Miller). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % sides;
  };
}

describe('a queue and Consents', function () {
  this.timeout(240_000);
  let server: TestServer;
  let store: OpenStore;
  let world: PharmacyWorld;
  let a: Record<string, string>;
  let made: readonly Prescribed[];
  const patientOf = (i: number): string => `kept-${i}`;
  before(async () => {
    ({ server, store } = await startTestServerAndStore({ env: { RATE_LIMITS: 'read=off,write=off,verify=off' } }));
    world = await makePharmacyWorld(server);
    a = await world.pharmacist('pharmacy-a');
    for (let i = 0; i < PEOPLE; i += 1)
      await world.put({ resourceType: 'Patient', id: patientOf(i), name: [{ family: `Kept${i}`, given: ['Una'] }] });
    const start = Date.now();
    made = await world.prescribeMany(42, (i) => ({
      patientId: patientOf(i % PEOPLE),
      patient: `Una Kept${i % PEOPLE}`,
      issuedAt: start - (i % 4) * 5 * DAY_MS - i * 1000,
      priority: i % 7 === 0 ? 'controlled' : i % 5 === 0 ? 'high_risk' : 'routine',
    }));
    for (const { token } of made.slice(0, 9).filter((_, i) => i % 7 !== 0))
      await world.call('POST', '/api/prescriptions/dispense', a, {
        prescription_id: token.tokenId,
        nonce: token.nonce,
        pharmacy_code: codeOf('pharmacy-a'),
        pharmacist_name: 'Piotr Zielinski',
      });
    for (const { taskId } of made.slice(30, 33)) {
      const task = (await world.call('GET', `/fhir/R4/Task/${taskId}`, server.bearer)).json;
      await world.put({ ...task, status: 'failed' });
    }
  });
  after(() => server.stop());

  /** What the page says, and what its lines are. */
  const queue = async (query = ''): Promise<{ stats: Answer['json']; lines: readonly Answer['json'][] }> => {
    const { status, json } = await world.call('GET', `/api/pharmacy/queue?page_size=200&${query}`, a);
    expect(status).equal(200);
    return { stats: json.stats, lines: json.prescriptions };
  };
  /** What the morning's mail to the pharmacy says of what waits; undefined where none is sent. */
  async function digest(): Promise<Answer['json'] | undefined> {
    const { queue } = store.dispensing;
    const policy = createPolicy({ isPatientType, mayNamePatients, now: Date.now });
    const counts = createCallerCounts({ visible: store, searchOf: parseQuery, policy, queue });
    const notices = createPharmacyNotices({
      store,
      queue,
      waiting: (id) => counts.open(pharmacyCaller(id), id),
      pharmacies: { find: async () => undefined },
      url: server.url,
      timeZone: 'Europe/London',
      now: Date.now,
    });
    const text = await notices.digestOf('pharmacy-a');
    if (text === undefined) return undefined;
    const [total, controlled, high_risk, routine] = (text.match(/\b\d+\b/g) ?? []).map(Number);
    return { total, routine, controlled, high_risk };
  }
  async function compare(about: string): Promise<number> {
    let total = 0;
    for (const status of ['pending', 'dispensed', 'expired'])
      for (const more of ['', 'date_range=today', 'date_range=week', 'patient_search=kept']) {
        const { stats, lines } = await queue(`status=${status}&${more}`);
        const of = (priority: string): number => lines.filter((one) => one.priority === priority).length;
        const counted = { controlled: of('controlled'), high_risk: of('high_risk'), routine: of('routine') };
        expect(stats, `${about}: ${status} ${more}`).eql({ total: lines.length, ...counted });
        if (status !== 'pending' || more !== '') continue;
        total = lines.length;
        const told = await digest();
        expect(told, `${about}: the digest`).eql(total === 0 ? undefined : stats);
      }
    return total;
  }
  const consent = (i: number, provision: object, more: object = {}): Promise<void> =>
    world.put(privacyConsent(patientOf(i), provision, { id: `consent-${i}`, dateTime: '2026-01-01', ...more }));
  const inactive = (i: number): Promise<void> => consent(i, { type: 'deny' }, { status: 'inactive' });

  it('without a Consent all are counted', async () => {
    expect(await compare('none')).equal(42 - 7 - 3);
  });

  const all = { type: 'deny' };
  const cases: readonly (readonly [string, object, boolean])[] = [
    ['denies everything', all, true],
    ['denies this pharmacy', { ...all, actor: [actor(PHARMACY)] }, true],
    ['denies another pharmacy', { ...all, actor: [actor('Organization/pharmacy-b')] }, false],
    ['denies all but this pharmacy', { ...all, provision: [{ type: 'permit', actor: [actor(PHARMACY)] }] }, false],
    ['denies Tasks', { ...all, class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Task' }] }, true],
    [
      'denies Observations',
      { ...all, class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Observation' }] },
      false,
    ],
    [
      'denies research',
      { ...all, purpose: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HRESCH' }] },
      false,
    ],
    ['denied until last year', { ...all, period: { end: '2025-01-01' } }, false],
    ['denies from next century', { ...all, period: { start: '2100-01-01' } }, false],
    ['permits', { type: 'permit', actor: [actor(PHARMACY)] }, false],
  ];
  for (const [name, provision, isHidden] of cases)
    it(`[CP-03] [FA-06] a patient ${name}: ${isHidden ? 'not counted' : 'counted'}`, async () => {
      await consent(0, provision);
      try {
        const { lines } = await queue();
        expect(lines.some((one) => one.patient_name === 'Una Kept0')).equal(!isHidden);
        await compare(name);
      } finally {
        await inactive(0);
      }
    });

  it('[CP-03] [FA-06] where all is kept from a pharmacy its digest is not sent', async () => {
    for (let i = 0; i < PEOPLE; i += 1) await consent(i, { type: 'deny', actor: [actor(PHARMACY)] });
    expect(await compare('all of them')).equal(0);
    expect(await digest()).equal(undefined);
    for (let i = 0; i < PEOPLE; i += 1) await inactive(i);
  });

  it('[CP-03] one prescription alone is kept back', async () => {
    const kept = made[12];
    const data = [{ meaning: 'instance', reference: { reference: `Task/${kept?.taskId}` } }];
    const before = await compare('before');
    await consent(0, { type: 'deny', actor: [actor(PHARMACY)], data });
    expect(await compare('one of them')).equal(before - 1);
    expect((await queue()).lines.some(({ id }) => id === kept?.taskId)).equal(false);
    await inactive(0);
  });

  it('[CP-03] live counts and figures are of what may be seen, too', async () => {
    const figures = async (): Promise<Answer['json']> =>
      (await world.call('GET', '/api/pharmacy/analytics', a)).json.volume;
    const live = async (): Promise<Answer['json']> => {
      const stop = new AbortController();
      const answer = await fetch(`${server.url}/api/pharmacy/queue/events`, { headers: a, signal: stop.signal });
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      while (!/data: .*\n/.test(text)) text += (await reader?.read())?.value ?? '';
      stop.abort();
      return JSON.parse(/data: (.*)\n/.exec(text)?.[1] ?? '{}');
    };
    const before = await figures();
    const { stats } = await queue();
    expect([await live(), before.pending]).eql([stats, stats]);
    await consent(1, { type: 'deny', actor: [actor(PHARMACY)] });
    const after = await queue();
    expect(after.stats.total).lessThan(stats.total);
    const left = await figures();
    expect([await live(), left.pending]).eql([after.stats, after.stats]);
    // Seven prescriptions of each; those dispensed and late among them.
    expect(before.issued - left.issued).equal(7);
    const shown = async (status: string): Promise<number> => (await queue(`status=${status}`)).lines.length;
    expect([left.dispensed, left.expired]).eql([await shown('dispensed'), await shown('expired')]);
    await inactive(1);
  });

  for (const seed of [7, 4711, 20_261_122])
    it(`[CP-08] whatever is denied and permitted, the counts are those of the lines, seed ${seed}`, async () => {
      const roll = dice(seed);
      const some = (): object => ({
        ...(roll(2) === 0 && { actor: [actor(roll(2) === 0 ? PHARMACY : 'Organization/pharmacy-b')] }),
        ...(roll(3) === 0 && {
          class: [{ system: 'http://hl7.org/fhir/resource-types', code: roll(2) === 0 ? 'Task' : 'Patient' }],
        }),
        ...(roll(4) === 0 && {
          purpose: [
            { system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: roll(2) === 0 ? 'TREAT' : 'HRESCH' },
          ],
        }),
        ...(roll(4) === 0 && {
          data: [{ meaning: 'instance', reference: { reference: `Task/${made[roll(42)]?.taskId}` } }],
        }),
      });
      for (let round = 0; round < 4; round += 1) {
        const said: Resource[] = [];
        for (let i = 0; i < PEOPLE; i += 1) {
          const type = roll(4) === 0 ? 'permit' : 'deny';
          const other = type === 'deny' ? 'permit' : 'deny';
          const provision = { type, ...some(), ...(roll(2) === 0 && { provision: [{ type: other, ...some() }] }) };
          said.push(provision as never);
          await consent(i, provision);
        }
        await compare(`round ${round} ${JSON.stringify(said)}`);
      }
      for (let i = 0; i < PEOPLE; i += 1) await inactive(i);
    });
});
