/** Seed 001's paths over the running server, and the rules as CDS Hooks. MISSION M9; https://cds-hooks.hl7.org/2.0/ */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';

const HOOK_NAME = /^(?:patient-view|order-select|order-sign)$/;

describe('journey › prescribing, seed 001', function () {
  this.timeout(180_000);
  let practice: Practice;
  let amoxicillin: string;
  before(async () => {
    const server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,search=off' } });
    practice = await openPractice(server);
    const { body } = await practice.call('doc', 'GET', '/api/v2/medications?query=amoxicillin%20500');
    amoxicillin = body.medications[0].id;
    await practice.fhir('PUT', 'AllergyIntolerance/pen', {
      resourceType: 'AllergyIntolerance',
      id: 'pen',
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
      },
      criticality: 'high',
      code: { text: 'Penicillin' },
      patient: { reference: 'Patient/pat' },
      reaction: [{ manifestation: [{ text: 'Rash' }], severity: 'moderate' }],
    });
    await practice.fhir('PUT', 'Observation/bp', {
      resourceType: 'Observation',
      id: 'bp',
      status: 'final',
      category: [
        { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
      ],
      code: { text: 'Heart rate' },
      subject: { reference: 'Patient/pat' },
      valueQuantity: { value: 71, unit: '/min' },
      effectiveDateTime: '2026-11-01',
    });
    await practice.fhir('PUT', 'Condition/throat', {
      resourceType: 'Condition',
      id: 'throat',
      code: { text: 'Tonsillitis' },
      subject: { reference: 'Patient/pat' },
      recordedDate: '2026-11-02',
    });
  });
  after(() => practice.server.stop());

  it('a doctor finds themselves, and patients of theirs', async () => {
    expect((await practice.call('doc', 'GET', '/api/v2/doctors/me')).body).include({
      id: 'doc',
      lastName: 'Fairweather',
    });
    expect((await practice.call('pat', 'GET', '/api/v2/doctors/doc')).body).include({ id: 'doc' });
    for (const query of ['name=okafor&dob=1983-11-02', 'patient_id=9990000026', 'patient_id=pat']) {
      const { body } = await practice.call('doc', 'GET', `/api/v2/patients/search?${query}`);
      expect(
        body.patients.map((one: { id: string }) => one.id),
        query,
      ).include('pat');
    }
    expect((await practice.call('doc', 'GET', '/api/v2/patients/search')).status).equal(400);
    expect((await practice.call('away', 'GET', '/api/v2/patients/search?name=okafor')).body.patients).deep.equal([]);
    expect((await practice.call('doc', 'GET', '/api/v2/patients/pat')).body).include({
      id: 'pat',
      dob: '1983-11-02',
      firstName: 'Tobe',
    });
    for (const path of ['', '/summary', '/prescriptions'])
      expect((await practice.call('away', 'GET', `/api/v2/patients/pat${path}`)).status, path).equal(404);
  });

  it('the summary has vitals, diagnoses, allergies and medicines', async () => {
    const { body } = await practice.call('doc', 'GET', '/api/v2/patients/pat/summary');
    expect(body.vitals[0]).include({ name: 'Heart rate', value: 71 });
    expect(body.diagnoses[0]).include({ name: 'Tonsillitis' });
    expect(body.allergies[0]).include({ substance: 'Penicillin', reaction: 'Rash', severity: 'moderate' });
  });

  it('an encounter is opened, a prescription made in it, the patient sees it, and it is cancelled', async () => {
    const opened = await practice.call('doc', 'POST', '/api/v2/encounters', { patientId: 'pat' });
    expect(opened.status, JSON.stringify(opened.body)).equal(201);
    expect(opened.body).include({
      patientId: 'pat',
      doctorId: 'doc',
      facilityId: 'surgery',
      status: 'open',
      endedAt: null,
    });
    const items = [
      {
        medicationId: amoxicillin,
        dose: '500mg',
        route: 'oral',
        frequency: 'TID',
        duration: '10 days',
        quantity: '30 capsules',
        instructions: 'Take with meals',
      },
    ];
    const made = await practice.call('doc', 'POST', '/api/v2/prescriptions', {
      patientId: 'pat',
      encounterId: opened.body.id,
      items,
      notes: 'Follow up in 2 weeks',
    });
    expect(made.status, JSON.stringify(made.body)).equal(201);
    expect(made.body).deep.include({
      status: 'active',
      encounterId: opened.body.id,
      doctor: { id: 'doc', name: 'doc Fairweather' },
      patient: { id: 'pat', name: 'Tobe Okafor' },
      notes: 'Follow up in 2 weeks',
    });
    expect(made.body.interactionWarnings[0]).include({ type: 'allergy', code: 'RX-ALLERGY-CLASS' });
    expect(made.body.items[0]).include({
      medicationId: amoxicillin,
      dose: '500mg',
      route: 'oral',
      quantity: '30 capsules',
      instructions: 'Take with meals',
    });
    const mine = await practice.call('pat', 'GET', `/api/v2/patient/me/prescriptions/${made.body.id}`);
    expect(mine.body).deep.include({ id: made.body.id, status: 'active' });
    expect(mine.body.interactionWarnings[0]).include({ type: 'allergy' });
    expect((await practice.call('other', 'GET', `/api/v2/patient/me/prescriptions/${made.body.id}`)).status).equal(404);
    expect((await practice.call('pat', 'GET', '/api/v2/patient/me/prescriptions')).body.prescriptions[0].id).equal(
      made.body.id,
    );
    expect((await practice.call('doc', 'GET', '/api/v2/patients/pat/prescriptions')).body.prescriptions[0].id).equal(
      made.body.id,
    );
    expect(
      (await practice.call('away', 'PATCH', `/api/v2/prescriptions/${made.body.id}`, { status: 'cancelled' })).status,
    ).equal(404);
    const cancelled = await practice.call('doc', 'PATCH', `/api/v2/prescriptions/${made.body.id}`, {
      status: 'cancelled',
    });
    expect(cancelled.body, JSON.stringify(cancelled.body)).include({ status: 'cancelled' });
    const closed = await practice.call('doc', 'PATCH', `/api/v2/encounters/${opened.body.id}`, { status: 'closed' });
    expect(closed.body).include({ status: 'closed' });
    expect(closed.body.endedAt).match(/^\d{4}-/);
  });

  describe('CDS Hooks', () => {
    const draft = (id: string, name: string, more: object = {}): object => ({
      resource: {
        resourceType: 'MedicationRequest',
        id,
        status: 'draft',
        intent: 'order',
        subject: { reference: 'Patient/pat' },
        medicationCodeableConcept: { text: name },
        dosageInstruction: [{ text: 'one capsule three times a day' }],
        dispenseRequest: { quantity: { value: 21 } },
        ...more,
      },
    });
    const ask = (id: string, hook: string, context: object, more: object = {}) =>
      practice.call('doc', 'POST', `/cds-services/${id}`, {
        hook,
        hookInstance: randomUUID(),
        context: { userId: 'Practitioner/doc', patientId: 'pat', ...context },
        ...more,
      });

    it('the discovery document has the published shape, for anybody', async () => {
      const { services } = (await (await fetch(`${practice.server.url}/cds-services`)).json()) as {
        services: Record<string, unknown>[];
      };
      expect(services).have.lengthOf(3);
      for (const service of services) {
        expect(service['hook']).match(HOOK_NAME);
        expect(service).have.keys('hook', 'id', 'title', 'description', 'prefetch');
      }
    });

    it('patient-view tells allergies; cards have the published shape', async () => {
      const { status, body } = await ask('mortar-patient-view', 'patient-view', {});
      expect(status, JSON.stringify(body)).equal(200);
      expect(body.cards[0].summary).equal('Allergies on record: penicillin');
      for (const card of body.cards) {
        expect(card.summary.length).lessThan(140);
        expect(card.indicator).match(/^(?:info|warning|critical)$/);
        expect(card.source.label).a('string');
        expect(card.uuid).match(/^[0-9a-f-]{36}$/);
      }
    });

    it('order-select looks at what was chosen alone, order-sign at all of it', async () => {
      const draftOrders = {
        resourceType: 'Bundle',
        type: 'collection',
        entry: [
          draft('a', 'Amoxicillin 500mg capsules'),
          draft('b', 'Ciprofloxacin 500mg tablets', { dispenseRequest: { quantity: { value: 29 } } }),
        ],
      };
      const chosen = await ask('mortar-order-select', 'order-select', {
        selections: ['MedicationRequest/b'],
        draftOrders,
      });
      expect(chosen.body.cards.map((one: { source: { topic: { code: string } } }) => one.source.topic.code)).deep.equal(
        ['RX-QUANTITY'],
      );
      expect(chosen.body.cards[0].indicator).equal('critical');
      const signed = await ask('mortar-order-sign', 'order-sign', { draftOrders });
      expect(
        signed.body.cards.map((one: { source: { topic: { code: string } } }) => one.source.topic.code),
      ).include.members(['RX-QUANTITY', 'RX-ALLERGY-CLASS']);
    });

    it('what the client brings along is used, where it is whole', async () => {
      const prefetch = {
        patient: { resourceType: 'Patient', id: 'pat', birthDate: '2020-01-01' },
        allergies: { resourceType: 'Bundle', entry: [] },
        medications: { resourceType: 'Bundle', entry: [] },
      };
      const draftOrders = {
        resourceType: 'Bundle',
        type: 'collection',
        entry: [draft('b', 'Ciprofloxacin 500mg tablets')],
      };
      const { body } = await ask('mortar-order-sign', 'order-sign', { draftOrders }, { prefetch });
      expect(body.cards.map((one: { source: { topic: { code: string } } }) => one.source.topic.code)).deep.equal([
        'RX-AGE',
      ]);
    });

    it('a wrong hook, no patient, no drafts, another’s patient', async () => {
      expect((await ask('mortar-order-sign', 'patient-view', {})).status).equal(400);
      expect((await ask('mortar-patient-view', 'patient-view', { patientId: 5 })).status).equal(400);
      expect((await ask('mortar-order-sign', 'order-sign', {})).status).equal(400);
      const away = await practice.call('away', 'POST', '/cds-services/mortar-patient-view', {
        hook: 'patient-view',
        hookInstance: randomUUID(),
        context: { patientId: 'pat' },
      });
      expect(away.status).equal(404);
    });
  });
});
