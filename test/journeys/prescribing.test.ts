/** A prescription from the request to its approval, each actor through the public API of the running server. MISSION M9 */
import { expect } from 'chai';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };

describe('journey › prescribing', function () {
  this.timeout(180_000);
  let practice: Practice;
  before(async () => {
    const server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,search=off' } });
    practice = await openPractice(server);
  });
  after(() => practice.server.stop());

  it('a patient asks, sees the request, and the practice sees it too', async () => {
    const made = await practice.call('pat', 'POST', '/api/prescriptions', {
      items: [AMOXICILLIN],
      notes: 'Sore throat',
      additional_information: 'Since Monday',
    });
    expect(made.status).equal(201);
    expect(made.body).include({ status: 'REQUESTED' });
    expect(made.body.request_reference).match(/^REQ-[A-Z0-9.-]+$/);
    const { id } = made.body;
    const listed = await practice.call('pat', 'GET', '/api/prescriptions');
    expect(listed.body.prescriptions[0]).include({
      id,
      status: 'REQUESTED',
      notes: 'Sore throat',
      additional_information: 'Since Monday',
      pharmacy_id: 'pharmacy',
    });
    expect(listed.body.prescriptions[0].items[0]).include({
      medication_name: 'Amoxicillin 500mg capsules',
      quantity: 21,
      dose: 'one capsule',
      instructions: 'three times a day for seven days',
      repeats: 0,
      is_acute: true,
      prescription_id: null,
    });
    const worklist = await practice.call('doc', 'GET', '/api/provider/prescriptions');
    expect(worklist.status).equal(200);
    expect(worklist.body.prescriptions.map((one: { id: string }) => one.id)).include(id);
    const proposal = await practice.fhir('GET', `MedicationRequest/${made.body.items[0].id}`);
    expect(proposal.body).include({ intent: 'proposal', status: 'active' });
  });

  it('a pharmacist of the practice passes it on, a prescriber approves, and everything is there at once', async () => {
    const { id, request_reference: reference, items } = await practice.ask([AMOXICILLIN], 'other');
    const triaged = await practice.call('pharm', 'POST', `/api/provider/prescriptions/${id}/approve`, {
      clinical_notes: 'Looks right',
    });
    expect(triaged.status, JSON.stringify(triaged.body)).equal(200);
    expect(triaged.body).deep.include({ success: true, prescriptions_created: 0, prescription_ids: [] });
    const approved = await practice.call('doc', 'POST', `/api/provider/prescriptions/${id}/approve`, {
      medications: [{ item_id: items[0].id, ...MEDICATION }],
      clinical_notes: 'Review in a week',
    });
    expect(approved.status, JSON.stringify(approved.body)).equal(200);
    expect(approved.body).include({ success: true, request_reference: reference, prescriptions_created: 1 });
    const [orderId] = approved.body.prescription_ids;
    const order = await practice.fhir('GET', `MedicationRequest/${orderId}`);
    expect(order.body).deep.include({
      intent: 'order',
      status: 'active',
      basedOn: [{ reference: `MedicationRequest/${items[0].id}` }],
      requester: { reference: 'Practitioner/doc' },
    });
    const provenance = await practice.fhir('GET', `Provenance?target=MedicationRequest/${orderId}`);
    expect(provenance.body.entry[0].resource.signature[0].who).deep.equal({ reference: 'Practitioner/doc' });
    const queue = await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`);
    expect(queue.body.entry[0].resource).deep.include({
      status: 'ready',
      owner: { reference: 'Organization/pharmacy' },
    });
    const told = await practice.fhir('GET', 'Communication?recipient=Patient/other&_sort=-sent');
    expect(told.body.entry[0].resource.payload[0].contentString).include(orderId).include('Millbrook Pharmacy');
    const seen = await practice.call('other', 'GET', `/api/prescriptions/${id}`);
    expect(seen.body).include({ status: 'APPROVED', pharmacy_id: 'pharmacy' });
    expect(seen.body.items[0]).include({
      prescription_id: orderId,
      approved_quantity: 21,
      clinical_notes: 'Review in a week',
      reviewer: 'Practitioner/doc',
    });
    expect(seen.body.tokens[0].payload.id).match(/^PHB-RX-\d{8}$/);
    const medicines = await practice.call('other', 'GET', '/api/medications');
    expect(medicines.body.medications[0]).include({ id: orderId, token: seen.body.tokens[0].token });
    expect(medicines.body.medications[0].pharmacy).include({ name: 'Millbrook Pharmacy', phone: '01632 960110' });
  });

  it('two approvals at the same moment make one', async () => {
    const { id } = await practice.ask([
      {
        ...AMOXICILLIN,
        medication_name: 'Cetirizine 10mg tablets',
        dose: 'one tablet',
        quantity: 30,
        instructions: 'once a day',
      },
    ]);
    const body = {
      medications: [
        {
          medication_name: 'Cetirizine 10mg tablets',
          quantity: 30,
          dosage_instructions: 'One tablet',
          frequency: 'once a day',
        },
      ],
    };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => practice.call('doc', 'POST', `/api/provider/prescriptions/${id}/approve`, body)),
    );
    expect(answers.map(({ status }) => status).toSorted()).deep.equal([200, 409, 409, 409, 409, 409]);
    expect(
      answers.filter(({ status }) => status === 409).every((one) => ['RX-STATE', 'conflict'].includes(one.body.code)),
    ).equal(true);
    const { body: whole } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    expect(whole.prescription_ids).have.lengthOf(1);
    expect(whole.tokens).have.lengthOf(1);
  });

  it('[RX-05] the same key with the same request is answered as before; with another it is refused', async () => {
    const headers = { 'idempotency-key': 'once-1' };
    const body = {
      items: [{ ...AMOXICILLIN, medication_name: 'Loratadine 10mg tablets', quantity: 30, instructions: 'one a day' }],
    };
    const [first, ...others] = await Promise.all(
      Array.from({ length: 4 }, () => practice.call('pat', 'POST', '/api/prescriptions', body, headers)),
    );
    expect([first, ...others].map((one) => one?.status)).deep.equal([201, 201, 201, 201]);
    expect(new Set([first, ...others].map((one) => one?.body.id)).size).equal(1);
    const another = await practice.call('pat', 'POST', '/api/prescriptions', { ...body, notes: 'x' }, headers);
    expect(another.status).equal(422);
    expect((await practice.call('other', 'POST', '/api/prescriptions', body, headers)).body.id).not.equal(
      first?.body.id,
    );
  });

  it('rejected: the patient is told why, and nothing is ordered', async () => {
    const { id } = await practice.ask([{ ...AMOXICILLIN, medication_name: 'Doxycycline 100mg capsules' }]);
    const rejected = await practice.call('doc', 'POST', `/api/provider/prescriptions/${id}/reject`, {
      reason: 'Please book an appointment first',
    });
    expect(rejected.status).equal(200);
    const seen = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    expect(seen.body).include({ status: 'REJECTED', reason: 'Please book an appointment first' });
    expect(seen.body.prescription_ids).deep.equal([]);
  });

  it('cancelled while it waits, and after approval with what waits at the pharmacy', async () => {
    const waiting = await practice.ask([{ ...AMOXICILLIN, medication_name: 'Senna 7.5mg tablets' }]);
    const first = await practice.call('pat', 'PUT', `/api/prescriptions/${waiting.id}/cancel`);
    expect(first.body).include({ success: true, status: 'CANCELLED' });
    expect((await practice.call('pat', 'PUT', `/api/prescriptions/${waiting.id}/cancel`)).body).include({
      code: 'RX-STATE',
    });
    const ordered = await practice.ask([{ ...AMOXICILLIN, medication_name: 'Loperamide 2mg capsules' }]);
    const approval = await practice.call('doc', 'PUT', `/api/provider/prescriptions/${ordered.id}`, {
      status: 'APPROVED',
      medications: [{ item_id: ordered.items[0].id, ...MEDICATION, quantity: 10 }],
    });
    expect(approval.status, JSON.stringify(approval.body)).equal(200);
    const cancelled = await practice.call('pat', 'PUT', `/api/prescriptions/${ordered.id}/cancel`);
    expect(cancelled.body, JSON.stringify(cancelled.body)).include({ status: 'CANCELLED' });
    const [orderId] = approval.body.prescription_ids;
    expect((await practice.fhir('GET', `MedicationRequest/${orderId}`)).body.status).equal('cancelled');
    expect((await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource.status).equal(
      'cancelled',
    );
  });

  it('issued without a request, with warnings that are kept', async () => {
    await practice.fhir('PUT', 'AllergyIntolerance/pen', {
      resourceType: 'AllergyIntolerance',
      id: 'pen',
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
      },
      code: { text: 'Penicillin' },
      patient: { reference: 'Patient/other' },
    });
    const issued = await practice.call('doc', 'POST', '/api/provider/prescriptions/issue', {
      patient_id: 'other',
      items: [
        {
          medication_name: 'Flucloxacillin 500mg capsules',
          quantity: 28,
          dosage_instructions: 'one capsule',
          frequency: 'four times a day',
        },
      ],
    });
    expect(issued.status, JSON.stringify(issued.body)).equal(201);
    expect(issued.body.interactionWarnings.map((one: { code: string }) => one.code)).include('RX-ALLERGY-CLASS');
    const [orderId] = issued.body.prescription_ids;
    const issues = await practice.fhir('GET', `DetectedIssue?implicated=MedicationRequest/${orderId}`);
    expect(issues.body.total).greaterThan(0);
    const listed = await practice.call('other', 'GET', '/api/prescriptions?status=APPROVED');
    expect(
      listed.body.prescriptions.flatMap((one: { items: { prescription_id: string }[] }) =>
        one.items.map((item) => item.prescription_id),
      ),
    ).include(orderId);
    const history = await practice.call('doc', 'GET', '/api/provider/patients/other/meds');
    expect(history.body.medications.map((one: { id: string }) => one.id)).include(orderId);
  });

  it('what may be asked for again says from when', async () => {
    const { body } = await practice.call('other', 'GET', '/api/prescriptions/repeatable');
    const found = body.medications.find((one: { medication_name: string }) =>
      one.medication_name.startsWith('Amoxicillin'),
    );
    expect(found).include({ can_request: true, quantity: 21 });
  });

  it('[CP-07] another patient, another practice, the front desk', async () => {
    const { id } = await practice.ask([
      {
        ...AMOXICILLIN,
        medication_name: 'Omeprazole 20mg gastro-resistant capsules',
        quantity: 28,
        instructions: 'one a day',
      },
    ]);
    expect((await practice.call('other', 'GET', `/api/prescriptions/${id}`)).status).equal(404);
    expect((await practice.call('other', 'PUT', `/api/prescriptions/${id}/cancel`)).status).equal(404);
    expect(
      (await practice.call('away', 'POST', `/api/provider/prescriptions/${id}/reject`, { reason: 'not mine' })).status,
    ).equal(404);
    expect((await practice.call('pat', 'POST', `/api/provider/prescriptions/${id}/approve`, {})).status).equal(403);
    expect((await practice.call('away', 'GET', '/api/provider/prescriptions')).body.count).equal(0);
    expect(
      (
        await practice.call('away', 'POST', '/api/provider/prescriptions/issue', {
          patient_id: 'pat',
          items: [
            { medication_name: 'Aspirin 75mg tablets', quantity: 28, dosage_instructions: 'one', frequency: 'daily' },
          ],
        })
      ).status,
    ).equal(404);
    expect(
      (await practice.call('desk', 'POST', `/api/provider/prescriptions/${id}/reject`, { reason: 'no time' })).status,
    ).equal(403);
    const desk = await practice.call('desk', 'GET', '/api/provider/prescriptions');
    const shown = desk.body.prescriptions.find((one: { id: string }) => one.id === id);
    expect(shown.items[0]).include({
      medication_name: 'Omeprazole 20mg gastro-resistant capsules',
      dose: '',
      instructions: null,
    });
    expect(shown.notes).equal(null);
  });
});
