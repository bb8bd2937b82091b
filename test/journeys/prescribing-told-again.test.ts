/**
 * The Spine refuses what it is told of a dispensing: the pharmacy sees what and why, puts it right, and tells it again, once.
 * MISSION M9, M10; docs/eps.md "What was dispensed here"
 */
import { expect } from 'chai';
import { withClient } from '../support/database.ts';
import { addDispenser, completeForEps, until } from '../support/eps-practice.ts';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };
const RELEASE = 'PORX_IN132004SM30';
const NOTIFICATION = 'PORX_IN080101SM31';
const SDS_USER = 'https://fhir.nhs.uk/Id/sds-user-id';

describe('journey › refused by the Spine, told again', function () {
  this.timeout(240_000);
  let practice: Practice;
  before(async () => {
    const env = { RATE_LIMITS: 'read=off,write=off,search=off', SPINE_PORT: '0', SPINE_STATE_PORT: '0' };
    practice = await openPractice(await startTestServer({ env }));
    await completeForEps(practice);
    await addDispenser(practice);
  });
  after(() => practice.server.stop());

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  const spine = async (path: string, method = 'GET', body?: object): Promise<any> => {
    const answer = await fetch(`${practice.server.spine?.stateUrl}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return answer.status === 200 ? answer.json() : undefined;
  };
  const taken = async (interaction: string): Promise<number> =>
    (await spine('/messages')).filter(
      (one: { interaction: string; outcome: string }) => one.interaction === interaction && one.outcome === 'AA',
    ).length;

  interface Dispensed {
    readonly orderId: string;
    readonly tokenId: string;
    readonly number: string;
  }

  /** Approved, known to the Spine, and dispensed here by this person. */
  async function dispensed(who = 'petra', before: () => Promise<unknown> = async () => undefined): Promise<Dispensed> {
    const asked = await practice.ask([AMOXICILLIN]);
    const { body } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${asked.id}/approve`, {
      medications: [{ item_id: asked.items[0].id, ...MEDICATION }],
    });
    const [orderId] = body.prescription_ids;
    const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
    const number = order.groupIdentifier.value;
    await until(() => spine(`/prescriptions/${number}`));
    const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${asked.id}`);
    const { payload } = seen.tokens[0];
    await before();
    const { status } = await practice.call(who, 'POST', '/api/prescriptions/dispense', {
      prescription_id: payload.id,
      nonce: payload.nonce,
      pharmacy_code: 'Z99902',
      pharmacist_name: 'Petra Lindqvist',
    });
    expect(status).equal(200);
    return { orderId, tokenId: payload.id, number };
  }

  const entryIs = ({ orderId }: Dispensed, code: string) =>
    until(async () => {
      const { body } = await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`);
      const task = body.entry[0].resource;
      return task.businessStatus?.coding[0]?.code === code ? task : undefined;
    });
  const again = ({ tokenId }: Pick<Dispensed, 'tokenId'>, who = 'petra', body: object = {}) =>
    practice.call(who, 'POST', `/api/prescriptions/${tokenId}/notify-again`, body);
  const untold = async (who = 'petra', query = '') =>
    practice.call(who, 'GET', `/api/pharmacy/eps-notifications${query}`);
  const lineOf = async ({ tokenId }: Dispensed) =>
    (await untold()).body.notifications.find((one: { prescription_id: string }) => one.prescription_id === tokenId);

  it('refused at the release: seen with its reason, told again by many at once, told once', async () => {
    const one = await dispensed('petra', () => spine('/settings', 'PATCH', { release: 'off' }));
    const task = await entryIs(one, 'refused');
    await spine('/settings', 'PATCH', { release: 'on' });
    expect(await lineOf(one)).include({
      eps_status: 'refused',
      eps_reason: task.businessStatus.text,
      dispensed: true,
      since: task.lastModified,
    });
    const [released, notified] = [await taken(RELEASE), await taken(NOTIFICATION)];
    const answers = await Promise.all(Array.from({ length: 8 }, () => again(one)));
    expect(answers.map(({ status }) => status).toSorted()).eql([202, ...Array(7).fill(409)]);
    const done = answers.find(({ status }) => status === 202);
    expect(done?.body.details).eql({ eps_reason_before: task.businessStatus.text });
    const after = await entryIs(one, 'notified');
    expect(after.status).equal('completed');
    expect((await spine(`/prescriptions/${one.number}`)).issues[0].status).equal('0006 Dispensed');
    expect([(await taken(RELEASE)) - released, (await taken(NOTIFICATION)) - notified]).eql([1, 1]);
    expect(await lineOf(one)).equal(undefined);
    // It is told: there is nothing more to tell.
    const more = await again(one);
    expect([more.status, more.body.code]).eql([409, 'eps-notification']);
    const { body: supplies } = await practice.fhir(
      'GET',
      `MedicationDispense?prescription=MedicationRequest/${one.orderId}`,
    );
    expect(supplies.entry, 'what was supplied is not supplied again').length(1);
  });

  it('refused again: seen again, and told once more when it is put right', async () => {
    // Its time is over there when it is notified, and not yet here.
    const one = await dispensed('petra', () => spine('/settings', 'PATCH', { release: 'off' }));
    await entryIs(one, 'refused');
    await spine('/settings', 'PATCH', { release: 'on', clockAheadMs: 200 * 24 * 60 * 60 * 1000 });
    try {
      expect((await again(one)).status).equal(202);
      const task = await until(async () => {
        const found = await entryIs(one, 'refused');
        return found.businessStatus.text ? found : undefined;
      });
      expect(task.businessStatus.text).match(/^The Spine refused it: /);
    } finally {
      await spine('/settings', 'PATCH', { clockAheadMs: 0 });
    }
    expect((await again(one)).status).equal(202);
    await entryIs(one, 'notified');
  });

  it('something was missing: put right in the record, and told', async () => {
    const { body: before } = await practice.fhir('GET', 'Practitioner/petra');
    const { identifier: _without, ...rest } = before;
    const one = await dispensed('petra', () => practice.fhir('PUT', 'Practitioner/petra', rest));
    const task = await entryIs(one, 'not-sent');
    expect(task.businessStatus.text).equal('There is no SDS user id');
    expect((await lineOf(one)).eps_reason).equal('There is no SDS user id');
    const { body: now } = await practice.fhir('GET', 'Practitioner/petra');
    const identifier = [{ system: SDS_USER, value: '999000000113' }];
    await practice.fhir('PUT', 'Practitioner/petra', { ...now, identifier });
    expect((await again(one)).status).equal(202);
    await entryIs(one, 'notified');
  });

  it('what never was answered may have arrived: it is not told under another id', async () => {
    const one = await dispensed('petra', () => spine('/settings', 'PATCH', { release: 'off' }));
    const task = await entryIs(one, 'refused');
    await spine('/settings', 'PATCH', { release: 'on' });
    const businessStatus = {
      coding: [{ system: task.businessStatus.coding[0].system, code: 'not-sent' }],
      text: 'It could not be sent to the Spine',
    };
    expect((await practice.fhir('PUT', `Task/${task.id}`, { ...task, businessStatus })).status).equal(200);
    const refused = await again(one);
    expect([refused.status, refused.body.detail]).satisfy(
      ([status, text]: [number, string]) => status === 409 && /may have it/.test(text),
    );
  });

  it('[CP-01] [CP-07] [AU-01] another pharmacy and others neither see nor tell it; the trail names who did', async () => {
    const one = await dispensed('petra', () => spine('/settings', 'PATCH', { release: 'off' }));
    const task = await entryIs(one, 'refused');
    await spine('/settings', 'PATCH', { release: 'on' });
    const unknown = await again({ tokenId: 'PHB-RX-00000000' });
    for (const who of ['away', 'pat', 'gp']) {
      const { status, body } = await again(one, who);
      expect(status, who).oneOf([403, 404]);
      if (status === 404) expect([body.code, body.detail]).eql([unknown.body.code, unknown.body.detail]);
      const seen = await untold(who);
      expect(JSON.stringify(seen.body), who).not.include(one.tokenId);
    }
    expect((await untold('petra', '?pharmacy_code=PHB-PH-000000')).status).equal(403);
    expect((await again(one, 'petra', { status: 'notified' })).status).equal(400);
    expect((await practice.fhir('GET', `Task/${task.id}`)).body.businessStatus).eql(task.businessStatus);
    expect((await again(one)).status).equal(202);
    await entryIs(one, 'notified');
    await withClient(practice.server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        "select count(*)::int as n from audit.entry where operation = 'eps-notify-again' and outcome = 0 and pat is not null",
      );
      expect(rows[0].n).greaterThan(0);
    });
  });

  it('lists what was never answered, says that there is no more, and takes no place that it did not give', async () => {
    const { notifications, next } = (await untold('petra', '?limit=1')).body;
    // What was left of the tests above: one that never was answered.
    expect(notifications).length(1);
    expect(notifications[0].eps_status).equal('not-sent');
    expect(next).equal(undefined);
    expect((await untold('petra', '?cursor=yesterday')).status).equal(400);
  });
});
