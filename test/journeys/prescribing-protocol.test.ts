/** A prescriber signs a standing protocol; what it covers is approved as it is asked for, and nothing else is. MISSION M9 */
import { expect } from 'chai';
import { type CatalogueEntry, toMedicationKnowledge } from '../../src/workflow/prescribing/catalogue/entry.ts';
import { catalogueEntry } from '../support/catalogue.ts';
import { openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const SOON = new Date(Date.now() + 30 * 24 * 60 * 60_000).toISOString().slice(0, 10);
const DROPS = catalogueEntry('Hypromellose 0.3% eye drops', { form: 'drops', strength: '0.3%' });
const GEL = catalogueEntry('Carbomer 0.2% gel', { form: 'gel', strength: '0.2%' });
const LINCTUS = catalogueEntry('Codeine linctus (invented)', { form: 'linctus', ukSchedule: '5' });

describe('journey › standing protocols', function () {
  this.timeout(240_000);
  let practice: Practice;
  let protocolId = '';
  before(async () => {
    const server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,search=off' } });
    practice = await openPractice(server);
    for (const entry of [DROPS, GEL, LINCTUS]) {
      const { status, body } = await practice.fhir(
        'PUT',
        `MedicationKnowledge/${entry.id}`,
        toMedicationKnowledge(entry),
      );
      expect(status, JSON.stringify(body)).equal(201);
    }
    // The catalogue is looked at anew every second.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await practice.call('pat', 'GET', '/api/v2/medications?query=hypromellose');
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });
  after(() => practice.server.stop());

  const itemOf = ({ name }: CatalogueEntry, quantity = 10): object => ({
    medication_name: name,
    dose: 'one drop',
    quantity,
    instructions: 'four times a day',
    is_acute: true,
  });
  const sign = (who: string, medications: readonly object[], validUntil = SOON) =>
    practice.call(who, 'POST', '/api/provider/protocols', { medications, valid_until: validUntil });
  const ask = async (items: readonly object[], who = 'pat') => practice.ask(items, who);

  it('nothing is approved before one is signed', async () => {
    expect((await ask([itemOf(DROPS)], 'other')).status).equal('REQUESTED');
  });

  it('a prescriber signs it; others may not', async () => {
    const medications = [{ medication_id: DROPS.id, max_quantity: 10 }];
    for (const who of ['pat', 'pharm', 'desk']) expect((await sign(who, medications)).status, who).equal(403);
    const signed = await sign('gp', medications);
    expect(signed.status, JSON.stringify(signed.body)).equal(201);
    expect(signed.body).deep.include({
      practice_id: 'surgery',
      valid_until: SOON,
      medications: [{ medication_id: DROPS.id, medication_name: DROPS.name, max_quantity: 10 }],
    });
    protocolId = signed.body.id;
    const { body } = await practice.fhir('GET', `Provenance?target=PlanDefinition/${protocolId}`);
    expect(body.entry[0].resource.signature[0].who.reference).equal('Practitioner/doc');
    const { body: listed } = await practice.call('doc', 'GET', '/api/provider/protocols');
    expect(listed.protocols.map(({ id }: { id: string }) => id)).deep.equal([protocolId]);
  });

  for (const [name, medications, validUntil, code] of [
    ['a controlled drug', [{ medication_id: LINCTUS.id, max_quantity: 10 }], SOON, 'RX-PROTOCOL'],
    ['what needs approval', [{ medication_name: 'Amoxicillin 500mg capsules', max_quantity: 21 }], SOON, 'RX-PROTOCOL'],
    [
      'what the catalogue does not hold',
      [{ medication_name: 'Snake oil', max_quantity: 1 }],
      SOON,
      'RX-UNKNOWN-MEDICINE',
    ],
    ['a day that is over', [{ medication_id: DROPS.id, max_quantity: 10 }], '2020-01-01', 'RX-PROTOCOL'],
    ['more than a year', [{ medication_id: DROPS.id, max_quantity: 10 }], '2099-01-01', 'RX-PROTOCOL'],
  ] as const)
    it(`none with ${name}`, async () => {
      const { status, body } = await sign('gp', medications, validUntil);
      expect([status, body.code]).deep.equal([422, code]);
    });

  it('what it covers is approved at once, in the prescriber’s name, with token and queue entry', async () => {
    const asked = await ask([itemOf(DROPS)]);
    expect(asked.status).equal('APPROVED');
    const { body } = await practice.call('pat', 'GET', `/api/prescriptions/${asked.id}`);
    expect(body.status).equal('APPROVED');
    expect(body.history[0].text).include(`standing protocol PlanDefinition/${protocolId}`);
    expect(body.tokens[0].payload.medication).equal(DROPS.name);
    const { body: order } = await practice.fhir('GET', `MedicationRequest/${body.prescription_ids[0]}`);
    expect(order.requester.reference).equal('Practitioner/doc');
    const { body: queue } = await practice.call('disp', 'GET', '/api/pharmacy/queue');
    expect(queue.prescriptions.map((one: { medication_name: string }) => one.medication_name)).include(DROPS.name);
    const { body: signed } = await practice.fhir('GET', `Provenance?target=MedicationRequest/${order.id}`);
    expect(signed.entry[0].resource.agent[0].who.reference).equal('Practitioner/doc');
  });

  it('what has a warning, is more, or is not named waits for the practice', async () => {
    // The patient has it by now.
    expect((await ask([itemOf(DROPS)])).status).equal('REQUESTED');
    const { status, body: allergy } = await practice.fhir('PUT', 'AllergyIntolerance/drops', {
      resourceType: 'AllergyIntolerance',
      id: 'drops',
      patient: { reference: 'Patient/other' },
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
      },
      code: { text: DROPS.substances[0] },
    });
    expect(status, JSON.stringify(allergy)).equal(201);
    const warned = await ask([itemOf(DROPS)], 'other');
    expect([warned.status, warned.interactionWarnings[0].code]).deep.equal(['REQUESTED', 'RX-ALLERGY']);
    await practice.fhir('DELETE', 'AllergyIntolerance/drops');
    expect((await ask([itemOf(DROPS, 11)], 'other')).status).equal('REQUESTED');
    expect((await ask([itemOf(GEL)], 'other')).status).equal('REQUESTED');
    expect((await ask([itemOf(DROPS), itemOf(GEL)], 'other')).status).equal('REQUESTED');
    expect((await ask([itemOf(LINCTUS)], 'other')).status).equal('REQUESTED');
  });

  it('[CP-10] another practice neither sees nor ends it, and its patients get nothing by it', async () => {
    expect((await practice.call('away', 'GET', '/api/provider/protocols')).body.protocols).deep.equal([]);
    expect((await practice.call('away', 'DELETE', `/api/provider/protocols/${protocolId}`)).status).equal(404);
    const { body: other } = await practice.fhir('GET', 'Patient/other');
    await practice.fhir('PUT', 'Patient/other', {
      ...other,
      generalPractitioner: [{ reference: 'Organization/elsewhere' }],
    });
    expect((await ask([itemOf(DROPS)], 'other')).status).equal('REQUESTED');
    await practice.fhir('PUT', 'Patient/other', { ...other, meta: undefined });
  });

  it('one that was changed is not signed any more', async () => {
    const { body: plan } = await practice.fhir('GET', `PlanDefinition/${protocolId}`);
    await practice.fhir('PUT', `PlanDefinition/${protocolId}`, { ...plan, title: 'Another' });
    expect((await ask([itemOf(DROPS)], 'other')).status).equal('REQUESTED');
    expect((await practice.call('gp', 'GET', '/api/provider/protocols')).body.protocols).deep.equal([]);
  });

  it('who signed it ends it, and then it approves nothing', async () => {
    const signed = await sign('gp', [{ medication_id: GEL.id, max_quantity: 10 }]);
    expect(signed.status).equal(201);
    expect((await ask([itemOf(GEL)], 'other')).status).equal('APPROVED');
    expect((await practice.call('gp', 'DELETE', `/api/provider/protocols/${signed.body.id}`)).status).equal(200);
    expect((await ask([itemOf(GEL)])).status).equal('REQUESTED');
  });
});
