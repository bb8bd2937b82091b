/** An electronic prescription is cancelled, or refused, by the Spine: what becomes of token, queue and request. MISSION M9, M10 */
import { expect } from 'chai';
import { completeForEps, until } from '../support/eps-practice.ts';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };

describe('journey › prescribing, cancelled at the Spine', function () {
  this.timeout(240_000);
  let practice: Practice;
  before(async () => {
    const env = { RATE_LIMITS: 'read=off,write=off,search=off', SPINE_PORT: '0', SPINE_STATE_PORT: '0' };
    practice = await openPractice(await startTestServer({ env }));
    await completeForEps(practice);
  });
  after(() => practice.server.stop());

  const spine = async (path: string, method = 'GET', body?: object): Promise<unknown> => {
    const answer = await fetch(`${practice.server.spine?.stateUrl}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return answer.status === 200 ? answer.json() : undefined;
  };

  interface Approved {
    readonly id: string;
    readonly orderId: string;
    readonly number: string;
    readonly token: { readonly token: string; readonly payload: { readonly id: string; readonly nonce: string } };
  }

  /** Approved; resolves when the Spine has said what it says of it. */
  async function approve(isTaken = true): Promise<Approved> {
    const { id, items } = await practice.ask([AMOXICILLIN]);
    const { status, body } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
      medications: [{ item_id: items[0].id, ...MEDICATION }],
    });
    expect(status, JSON.stringify(body)).equal(200);
    expect(body.eps.status).equal('queued');
    const [orderId] = body.prescription_ids;
    const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
    const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    const number = order.groupIdentifier.value;
    if (isTaken) await until(() => spine(`/prescriptions/${number}`));
    return { id, orderId, number, token: seen.tokens[0] };
  }

  const requestOf = async ({ id }: Approved) => (await practice.fhir('GET', `Task/${id}`)).body;
  const queueOf = async ({ orderId }: Approved) =>
    (await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource;
  const orderOf = async ({ orderId }: Approved) => (await practice.fhir('GET', `MedicationRequest/${orderId}`)).body;
  const stateIs = (one: Approved, status: string) =>
    until(async () => {
      const task = await requestOf(one);
      return task.status === status ? task : undefined;
    });
  const toldOf = async ({ id }: Approved, kind: string): Promise<readonly string[]> => {
    const { body } = await practice.fhir('GET', `Communication?patient=pat&_sort=-sent&_count=100`);
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
    const found: readonly any[] = body.entry.map((entry: any) => entry.resource);
    return found
      .filter((one) => one.about?.[0]?.reference === `Task/${id}` && one.category[0].coding[0].code === kind)
      .map((one) => one.recipient[0].reference)
      .sort();
  };
  const dispense = ({ token }: Approved) =>
    practice.call('disp', 'POST', '/api/prescriptions/dispense', {
      prescription_id: token.payload.id,
      nonce: token.payload.nonce,
      pharmacy_code: 'Z99902',
      pharmacist_name: 'Piotr Zielinski',
    });
  const verify = async ({ token }: Approved) =>
    (await practice.call('disp', 'POST', '/api/prescriptions/verify', { token: token.token })).body;

  it('by the patient: when the Spine has confirmed it, it is over for everybody', async () => {
    const one = await approve();
    const asked = await practice.call('pat', 'PUT', `/api/prescriptions/${one.id}/cancel`);
    expect(asked.status, JSON.stringify(asked.body)).equal(202);
    expect(asked.body.status).equal('APPROVED');
    expect((await practice.call('pat', 'PUT', `/api/prescriptions/${one.id}/cancel`)).body.code).equal('RX-STATE');
    const task = await stateIs(one, 'cancelled');
    expect(task.statusReason.text).equal('The Spine says: Prescription/item was cancelled');
    expect((await orderOf(one)).status).equal('cancelled');
    expect((await orderOf(one)).statusReason.coding[0].code).equal('0005');
    expect((await queueOf(one)).status).equal('cancelled');
    expect(JSON.stringify(await spine(`/prescriptions/${one.number}`))).match(/0005 Cancelled/);
    expect((await practice.call('pat', 'GET', `/api/prescriptions/${one.id}`)).body.status).equal('CANCELLED');
    expect((await verify(one)).reason).equal('Prescription was cancelled');
    expect((await dispense(one)).status).equal(422);
    const everybody = ['Organization/pharmacy', 'Organization/surgery', 'Patient/pat', 'PractitionerRole/doc-role'];
    expect(await toldOf(one, 'prescription-cancelled')).deep.equal(everybody);
    expect(await toldOf(one, 'prescription-on-hold')).deep.equal(['Organization/pharmacy']);
  });

  it('refused by the Spine: approved again, with the reason; asked again it is cancelled', async () => {
    const one = await approve();
    await spine('/settings', 'PATCH', { cancellation: 'off' });
    const asked = await practice.call('gp', 'PATCH', `/api/v2/prescriptions/${one.id}`, { status: 'cancelled' });
    expect(asked.status, JSON.stringify(asked.body)).equal(202);
    const task = await stateIs(one, 'completed');
    expect(task.statusReason.text).match(/Cancellation functionality disabled/);
    expect((await orderOf(one)).status).equal('active');
    const entry = await queueOf(one);
    expect([entry.status, entry.statusReason]).deep.equal(['ready', undefined]);
    expect((await verify(one)).valid).equal(true);
    expect(await toldOf(one, 'cancellation-refused')).include('Patient/pat');
    await spine('/settings', 'PATCH', { cancellation: 'on' });
    const again = await practice.call('gp', 'PATCH', `/api/v2/prescriptions/${one.id}`, { status: 'cancelled' });
    expect(again.status).equal(202);
    await stateIs(one, 'cancelled');
    expect((await orderOf(one)).statusReason.coding[0].code).equal('0004');
  });

  it('a prescriber whom the Spine does not know cannot cancel there; what is dispensed is not cancelled', async () => {
    const one = await approve();
    const unknown = await practice.call('doc', 'PATCH', `/api/v2/prescriptions/${one.id}`, { status: 'cancelled' });
    expect(unknown.status).equal(409);
    expect(unknown.body.code).equal('RX-EPS');
    expect((await dispense(one)).body.success).equal(true);
    const late = await practice.call('gp', 'PATCH', `/api/v2/prescriptions/${one.id}`, { status: 'cancelled' });
    expect(late.body.code).equal('RX-DISPENSED');
  });

  it('a prescription that the Spine does not take ends: token, queue, request; prescriber and practice are told', async () => {
    await spine('/settings', 'PATCH', { deceased: ['9990000026'] });
    try {
      const one = await approve(false);
      const task = await stateIs(one, 'rejected');
      expect(task.statusReason.text).match(/^The Spine refused it: /);
      expect((await orderOf(one)).status).equal('entered-in-error');
      expect((await queueOf(one)).status).equal('cancelled');
      expect((await verify(one)).valid).equal(false);
      expect((await dispense(one)).status).equal(422);
      const told = await toldOf(one, 'prescription-refused');
      expect(told).include.members(['Organization/pharmacy', 'Organization/surgery', 'PractitionerRole/doc-role']);
      expect((await practice.call('pat', 'GET', `/api/prescriptions/${one.id}`)).body.status).equal('REJECTED');
    } finally {
      await spine('/settings', 'PATCH', { deceased: [] });
    }
  });
});
