/** An electronic prescription is cancelled, or refused, by the Spine: what becomes of token, queue and request. MISSION M9, M10 */
import { expect } from 'chai';
import {
  type Approved,
  approveForEps,
  askSpine,
  dispenseAs,
  openEpsPractice,
  type Shown,
  until,
} from '../support/eps-practice.ts';
import type { Practice } from '../support/prescribing.ts';

describe('journey › prescribing, cancelled at the Spine', function () {
  this.timeout(240_000);
  let practice: Practice;
  before(async () => {
    practice = await openEpsPractice();
  });
  after(() => practice.server.stop());

  const spine = (path: string, method?: string, body?: object) =>
    askSpine(practice.server.spine?.stateUrl, path, method, body);

  /** Approved; resolves when the Spine has it. */
  async function approve(): Promise<Approved> {
    const one = await approveForEps(practice);
    await until(() => spine(`/prescriptions/${one.number}`));
    return one;
  }

  const requestOf = async ({ id }: Approved) => (await practice.fhir('GET', `Task/${id}`)).body;
  const queueOf = async ({ orderIds: [orderId] }: Approved) =>
    (await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource;
  const orderOf = async ({ orderIds: [orderId] }: Approved) =>
    (await practice.fhir('GET', `MedicationRequest/${orderId}`)).body;
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
  const tokenOf = ({ tokens }: Approved) => tokens[0] as Shown; // one item, one token
  const dispense = (one: Approved) => dispenseAs(practice, 'disp', tokenOf(one));
  const verify = async (one: Approved) =>
    (await practice.call('disp', 'POST', '/api/prescriptions/verify', { token: tokenOf(one).token })).body;

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
      const one = await approveForEps(practice);
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
