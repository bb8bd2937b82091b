/** A prescription from the prescriber's FHIR to the patient's app, the pharmacy and the claim: client, Mortar, Spine. MISSION M3 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type EpsGateway, startEpsGateway } from '../support/eps-gateway.ts';
import {
  cancellation,
  claim,
  newPrescription,
  notification,
  order,
  type Prescribed,
  patientRelease,
  returnTask,
  withdrawTask,
} from '../support/eps-messages.ts';
import type { Json, Reply } from '../support/fhir-client.ts';

const FULL = ['0001', '0001'];

describe('journeys › eps › operations', () => {
  let g: EpsGateway;
  before(async () => {
    g = await startEpsGateway();
  });
  after(() => g.stop());

  const ok = async (sending: Promise<Reply>, status = 200): Promise<Reply> => {
    const reply = await sending;
    expect(reply.status, reply.text).equal(status);
    return reply;
  };
  async function prescribed(): Promise<Prescribed> {
    const made = newPrescription();
    await ok(g.send('prescriber', order(made, { at: g.now(), signer: g.spine.signer })));
    return made;
  }
  async function taken(): Promise<{ made: Prescribed; requestId: string; responseId: string }> {
    const made = await prescribed();
    const answer = (await ok(g.send('pharmacist', patientRelease(made, g.now())))).json();
    const [passed] = answer['parameter'] as { resource: Json }[];
    const [bundle] = passed?.resource['entry'] as { resource: { entry: { resource: Json }[] } }[];
    const header = bundle?.resource.entry[0]?.resource['response'] as { identifier: string };
    const { value } = passed?.resource['identifier'] as { value: string };
    return { made, requestId: header.identifier, responseId: value };
  }
  /** The status of each item, and how the Spine has it. */
  async function items(made: Prescribed): Promise<readonly string[]> {
    const found = await g.mine(
      `MedicationRequest?group-identifier=https://fhir.nhs.uk/Id/prescription-order-number|${made.id}`,
    );
    return found
      .map((one) => {
        const code = /"dispenseStatus","valueCoding":\{[^}]*"code":"(\d+)"/.exec(JSON.stringify(one))?.[1] ?? '';
        return `${one['status']} ${code}`.trim();
      })
      .sort();
  }

  it('prescribed, released, dispensed in two parts, claimed, claim amended › the patient sees each step', async () => {
    const { made, requestId } = await taken();
    expect(await items(made)).eql(['active 0008', 'active 0008']);
    const part = notification(made, requestId, { at: g.now(), status: '0003', items: ['0001', '0003'] });
    await ok(g.send('pharmacist', part));
    expect(await items(made)).eql(['active 0003', 'completed 0001']);
    await ok(g.send('pharmacist', notification(made, requestId, { at: g.now(), status: '0006', items: FULL })));
    expect(await items(made)).eql(['completed 0001', 'completed 0001']);
    const asked = claim(made, { at: g.now(), status: '0006', items: FULL });
    await ok(g.send('pharmacist', asked));
    const again = claim(made, { at: g.now(), status: '0006', items: FULL, replaces: asked.id });
    await ok(g.send('pharmacist', again));
    expect(g.spine.spine.find(made.id)?.issues[0]?.claims.map(({ id }) => id)).eql([asked.id, again.id]);
  });

  it('[AZ-01] the wrong role › 403, and nothing is sent', async () => {
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    for (const person of ['pharmacist', 'receptionist', 'patient'] as const) await ok(g.send(person, signed), 403);
    await ok(g.send('prescriber', patientRelease(made, g.now())), 403);
    expect(g.spine.spine.find(made.id)).equal(undefined);
  });
});
