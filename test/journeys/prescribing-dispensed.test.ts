/**
 * What was dispensed here by its token is told to the Spine: the pharmacy asks for the prescription, then notifies; once,
 * whatever happens; what the Spine does not take is told to the pharmacy. MISSION M9, M10; docs/eps.md
 */
import { expect } from 'chai';
import { toMedicationKnowledge } from '../../src/workflow/prescribing/catalogue/entry.ts';
import { catalogueEntry } from '../support/catalogue.ts';
import {
  type Approved,
  addDispenser,
  approveForEps,
  askSpine,
  dispenseAs,
  MEDICATION,
  openEpsPractice,
  type Shown,
  until,
} from '../support/eps-practice.ts';
import { AMOXICILLIN, type Practice } from '../support/prescribing.ts';

const PARACETAMOL = {
  medication_name: 'Paracetamol 500mg tablets',
  dose: 'two tablets',
  quantity: 32,
  instructions: 'four times a day',
};
/** Interactions of the messages of a dispenser. */
const RELEASE = 'PORX_IN132004SM30';
const NOTIFICATION = 'PORX_IN080101SM31';

describe('journey › dispensed, and the Spine knows', function () {
  this.timeout(240_000);
  let practice: Practice;
  before(async () => {
    practice = await openEpsPractice();
    await addDispenser(practice);
  });
  after(() => practice.server.stop());

  const spine = (path: string, method?: string, body?: object) =>
    askSpine(practice.server.spine?.stateUrl, path, method, body);
  const approve = (items?: readonly object[], medications?: readonly object[]) =>
    approveForEps(practice, items, medications);

  async function dispense({ tokens }: Approved, n = 0, who = 'petra', more: object = {}): Promise<void> {
    const { status, body } = await dispenseAs(practice, who, tokens[n] as Shown, more);
    expect(status, JSON.stringify(body)).equal(200);
  }

  const entryOf = async (orderId: string) =>
    (await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource;
  const codeOf = (task: { businessStatus?: { coding: { code: string }[] } }): string | undefined =>
    task.businessStatus?.coding[0]?.code;
  /** The entry of the queue, when it has come to this. */
  const entryIs = (orderId: string | undefined, code: string) =>
    until(async () => {
      const task = await entryOf(String(orderId));
      return codeOf(task) === code ? task : undefined;
    });
  const orderOf = async (orderId: string | undefined) =>
    (await practice.fhir('GET', `MedicationRequest/${orderId}`)).body;
  const stateOf = async (number: string): Promise<string> => (await spine(`/prescriptions/${number}`)).issues[0].status;
  /** How many messages of this kind the Spine has taken. */
  const taken = async (interaction: string): Promise<number> =>
    (await spine('/messages')).filter(
      (one: { interaction: string; outcome: string }) => one.interaction === interaction && one.outcome === 'AA',
    ).length;
  const toldOf = async (task: { id: string }): Promise<readonly string[]> => {
    const { body } = await practice.fhir('GET', 'Communication?patient=pat&_sort=-sent&_count=200');
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
    const found: readonly any[] = body.entry.map((entry: any) => entry.resource);
    return found
      .filter((one) => one.about?.[0]?.reference === `Task/${task.id}`)
      .filter((one) => one.category[0].coding[0].code === 'dispense-notification-refused')
      .map((one) => one.recipient[0].reference);
  };

  it('one item: released to the pharmacy, notified, Dispensed; the patient’s order says so', async () => {
    const [released, notified] = [await taken(RELEASE), await taken(NOTIFICATION)];
    const one = await approve();
    await dispense(one);
    const [orderId] = one.orderIds;
    const task = await entryIs(orderId, 'notified');
    expect(task.status).equal('completed');
    expect(await stateOf(one.number)).equal('0006 Dispensed');
    const order = await orderOf(orderId);
    expect(order.status).equal('completed');
    expect(order.dispenseRequest.performer.reference).equal('Organization/pharmacy');
    const url = 'https://fhir.nhs.uk/StructureDefinition/Extension-EPS-DispensingInformation';
    const information = order.extension.find((found: { url: string }) => found.url === url).extension;
    expect(information.find((part: { url: string }) => part.url === 'dispenseStatus').valueCoding.code).equal('0001');
    expect([(await taken(RELEASE)) - released, (await taken(NOTIFICATION)) - notified]).deep.equal([1, 1]);
    expect(await toldOf(task)).deep.equal([]);
    const { body: dispensed } = await practice.fhir('GET', 'MedicationDispense?patient=pat&_count=50');
    const own = dispensed.entry.filter(
      (found: { resource: { authorizingPrescription: { reference: string }[] } }) =>
        found.resource.authorizingPrescription[0]?.reference === `MedicationRequest/${orderId}`,
    );
    expect(own).length(1);
  });

  it('two items, one after the other: one release; the second ends it', async () => {
    const released = await taken(RELEASE);
    const one = await approve([AMOXICILLIN, PARACETAMOL], [MEDICATION, { ...MEDICATION, quantity: 32 }]);
    const [first, second] = one.orderIds;
    const tokenOf = async (orderId: string | undefined): Promise<number> => {
      const { identifier } = await entryOf(String(orderId));
      return one.tokens.findIndex(({ payload }) => payload.id === identifier[0].value);
    };
    await dispense(one, await tokenOf(first));
    await entryIs(first, 'notified');
    expect(await stateOf(one.number)).equal('0003 With Dispenser - Active');
    expect((await orderOf(second)).status).equal('active');
    await dispense(one, await tokenOf(second));
    await entryIs(second, 'notified');
    expect(await stateOf(one.number)).equal('0006 Dispensed');
    expect((await taken(RELEASE)) - released).equal(1);
  });

  it('two items in the same moment: one release, each told once', async () => {
    const [released, notified] = [await taken(RELEASE), await taken(NOTIFICATION)];
    const one = await approve([AMOXICILLIN, PARACETAMOL], [MEDICATION, { ...MEDICATION, quantity: 32 }]);
    await Promise.all([dispense(one, 0), dispense(one, 1)]);
    for (const orderId of one.orderIds) await entryIs(orderId, 'notified');
    expect(await stateOf(one.number)).equal('0006 Dispensed');
    expect([(await taken(RELEASE)) - released, (await taken(NOTIFICATION)) - notified]).deep.equal([1, 2]);
  });

  for (const [mode, interaction] of [
    ['busy', RELEASE],
    ['dropped', NOTIFICATION],
    ['dropped-after', NOTIFICATION],
    ['dropped-after', RELEASE],
  ] as const)
    it(`the Spine is ${mode} at ${interaction}: dispensed at once, told when it is back, once`, async () => {
      const notified = await taken(NOTIFICATION);
      const one = await approve();
      await spine('/faults', 'PUT', [{ mode, count: 2, interaction }]);
      await dispense(one);
      expect((await practice.call('pat', 'GET', `/api/prescriptions/${one.id}`)).body.status).equal('DISPENSED');
      await entryIs(one.orderIds[0], 'notified');
      expect(await stateOf(one.number)).equal('0006 Dispensed');
      expect((await orderOf(one.orderIds[0])).status).equal('completed');
      expect((await taken(NOTIFICATION)) - notified).equal(1);
      await spine('/faults', 'PUT', []);
    });

  it('the Spine does not give it to the pharmacy: the pharmacy is told, with state and reason; the supply stays', async () => {
    const one = await approve();
    await until(() => spine(`/prescriptions/${one.number}`));
    await spine('/settings', 'PATCH', { release: 'off' });
    try {
      await dispense(one);
      const task = await entryIs(one.orderIds[0], 'refused');
      expect(task.businessStatus.text).match(/^The Spine refused it: /);
      expect(task.status).equal('completed');
      expect(await toldOf(task)).deep.equal(['Organization/pharmacy']);
      expect((await orderOf(one.orderIds[0])).status).equal('completed');
      const { body } = await practice.call('petra', 'GET', '/api/pharmacy/queue?status=dispensed');
      const shown = body.prescriptions.find((found: { id: string }) => found.id === task.id);
      expect(shown.eps_status).equal('refused');
      expect(shown.eps_reason).equal(task.businessStatus.text);
      expect((await practice.call('pat', 'GET', `/api/prescriptions/${one.id}`)).body.status).equal('DISPENSED');
    } finally {
      await spine('/settings', 'PATCH', { release: 'on' });
    }
  });

  it('the Spine refuses the notification: the same', async () => {
    const one = await approve([AMOXICILLIN, PARACETAMOL], [MEDICATION, { ...MEDICATION, quantity: 32 }]);
    await dispense(one, 0);
    const tasks = await Promise.all(one.orderIds.map(entryOf));
    const number = one.tokens[0]?.payload.id;
    const isFirst = tasks.map(({ identifier }) => identifier[0].value === number);
    await entryIs(one.orderIds[isFirst.indexOf(true)], 'notified');
    // Its time is over there, and not yet here.
    await spine('/settings', 'PATCH', { clockAheadMs: 200 * 24 * 60 * 60 * 1000 });
    try {
      await dispense(one, 1);
      const task = await entryIs(one.orderIds[isFirst.indexOf(false)], 'refused');
      expect(task.businessStatus.text).match(/^The Spine refused it: /);
      expect(await toldOf(task)).deep.equal(['Organization/pharmacy']);
      expect((await orderOf(one.orderIds[isFirst.indexOf(false)])).status).equal('completed');
    } finally {
      await spine('/settings', 'PATCH', { clockAheadMs: 0 });
    }
  });

  it('somebody whom the Spine does not know dispenses: it is dispensed, not told, and said why', async () => {
    const released = await taken(RELEASE);
    const one = await approve();
    await dispense(one, 0, 'disp');
    const task = await entryIs(one.orderIds[0], 'not-sent');
    expect(task.businessStatus.text).equal('There is no SDS user id, no SDS role profile id, no SDS job role');
    expect(await toldOf(task)).deep.equal(['Organization/pharmacy']);
    expect((await taken(RELEASE)) - released).equal(0);
  });

  it('a controlled drug of Schedule 2 goes with its quantity in words, is dispensed and told', async () => {
    const morphine = catalogueEntry('Morphine 10mg tablets (invented)', {
      strength: '10mg',
      substances: ['morphine'],
      codes: { dmd: '322236009' },
      ukSchedule: '2',
      maxQuantity: 60,
      requiresApproval: true,
    });
    const put = await practice.fhir('PUT', `MedicationKnowledge/${morphine.id}`, toMedicationKnowledge(morphine));
    expect(put.status, JSON.stringify(put.body)).oneOf([200, 201]);
    const item = { ...AMOXICILLIN, medication_name: morphine.name, quantity: 28, instructions: 'twice a day' };
    // The catalogue is read anew every second or so.
    await until(async () => {
      const { body } = await practice.call('gp', 'GET', '/api/v2/medications?query=morphine');
      return JSON.stringify(body).includes(morphine.name) || undefined;
    });
    const one = await approve([item], [{ ...MEDICATION, quantity: 28, frequency: 'twice a day' }]);
    const [orderId] = one.orderIds;
    const order = await orderOf(orderId);
    const url = 'https://fhir.nhs.uk/StructureDefinition/Extension-DM-ControlledDrug';
    const mark = order.extension.find((found: { url: string }) => found.url === url).extension;
    expect(mark[0].valueCoding.code).equal('CD2');
    expect(mark[1].valueString).equal('twenty eight');
    await until(() => spine(`/prescriptions/${one.number}`));
    await practice.call('petra', 'POST', '/api/pharmacy/register/entries', {
      product: order.medicationCodeableConcept.coding[0].code,
      type: 'stock-in',
      quantity: 100,
      reason: 'Delivery',
    });
    await dispense(one, 0, 'petra', { patient_id_type: 'passport', patient_id_number: '999000111' });
    await entryIs(orderId, 'notified');
    expect(await stateOf(one.number)).equal('0006 Dispensed');
  });

  it('[CP-07] another pharmacy learns nothing of it', async () => {
    const one = await approve();
    await dispense(one, 0, 'disp');
    const { id } = await entryIs(one.orderIds[0], 'not-sent');
    for (const path of [`Task/${id}`, `Communication?about=Task/${id}`]) {
      const { body: seen } = await practice.call('away', 'GET', `/fhir/R4/${path}`);
      expect(JSON.stringify(seen)).not.include('eps-notification');
      expect(JSON.stringify(seen)).not.include('dispense-notification-refused');
    }
  });
});
