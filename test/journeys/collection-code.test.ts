/** From the catalogue's cost to the counter: high value as it is approved, kept as another pharmacy is nominated, code and dispensing. MISSION M10 */
import { expect } from 'chai';
import { toMedicationKnowledge } from '../../src/workflow/prescribing/catalogue/entry.ts';
import { readMedicines } from '../../src/workflow/prescribing/catalogue/file.ts';
import { openPractice, type Practice, patientOf } from '../support/prescribing.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const FILE = `name,form,strength,substances,cost,currency
Adalimumab 40mg pens,pens,40mg,adalimumab,352.14,GBP
Etanercept 50mg pens,pens,50mg,etanercept,99.99,GBP
Imatinib 400mg tablets,tablets,400mg,imatinib,1200,EUR
Zanubrutinib 80mg capsules,capsules,80mg,zanubrutinib,,`;

describe('journey › a medicine of high value', function () {
  this.timeout(180_000);
  let server: TestServer;
  let practice: Practice;
  before(async () => {
    server = await startTestServer({
      env: {
        RATE_LIMITS: 'read=off,write=off,verify=off',
        COLLECTION_CODE_FOR: 'high_value',
        HIGH_VALUE_FROM: '100 GBP',
      },
    });
    practice = await openPractice(server);
    for (const entry of readMedicines(FILE, []).entries)
      expect(
        (await practice.fhir('PUT', `MedicationKnowledge/${entry.id}`, toMedicationKnowledge(entry))).status,
      ).equal(201);
    const telecom = [{ system: 'phone', use: 'mobile', value: '07700 900123' }];
    await practice.fhir('PUT', 'Patient/pat', patientOf('pat', '9990000026', { telecom }));
  });
  after(() => server.stop());

  const item = (medication_name: string): object => ({
    medication_name,
    dose: 'one',
    quantity: 2,
    instructions: 'once a fortnight',
  });

  it('is what the catalogue says so of, and nothing else', async () => {
    const names = [
      'Adalimumab 40mg pens',
      'Etanercept 50mg pens',
      'Imatinib 400mg tablets',
      'Zanubrutinib 80mg capsules',
    ];
    // The catalogue is not older than a second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const issued = await practice.call('doc', 'POST', '/api/provider/prescriptions/issue', {
      patient_id: 'pat',
      items: names.map(item),
    });
    expect(issued.status, JSON.stringify(issued.body)).equal(201);
    const { body } = await practice.call('disp', 'GET', '/api/pharmacy/queue');
    const asked = names.map((name) => {
      const line = body.prescriptions.find((one: { medication_name: string }) => one.medication_name === name);
      return [line.is_high_value, line.requires_collection_code];
    });
    expect(asked).eql([
      [true, true],
      [false, false],
      [false, false],
      [false, false],
    ]);
    const { body: task } = await practice.fhir('GET', 'Task?status=ready&code=dispense&_count=50');
    const marked = task.entry.filter((one: object) => JSON.stringify(one).includes('"high-value"'));
    expect(marked).length(1);
  });

  it('goes to another pharmacy as what it is; the patient says the code there', async () => {
    const made = await practice.fhir('PUT', 'Organization/other-pharmacy', {
      resourceType: 'Organization',
      id: 'other-pharmacy',
      name: 'Other Pharmacy',
      identifier: [{ system: 'https://phb.example/pharmacy-code', value: 'PHB-PH-000002' }],
    });
    expect(made.status).equal(201);
    const moved = await practice.call('pat', 'POST', '/api/pharmacies/other-pharmacy/nominate');
    expect(moved.body.prescriptions_moved, JSON.stringify(moved.body)).equal(4);
    const account = {
      name: 'there',
      email: 'there@example.org',
      roles: ['PHARMACIST'],
      organization_ids: ['other-pharmacy'],
    };
    const added = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { ...server.bearer, 'content-type': 'application/json' },
      body: JSON.stringify(account),
    });
    expect(added.status).equal(201);
    const { body } = await practice.call('there', 'GET', '/api/pharmacy/queue');
    const [line] = body.prescriptions.filter((one: { is_high_value: boolean }) => one.is_high_value);
    expect(line.requires_collection_code).equal(true);
    const { body: medicines } = await practice.call('pat', 'GET', '/api/medications');
    const [, nonce] =
      new RegExp(`"id":"${line.prescription_id}","nonce":"([^"]+)"`).exec(JSON.stringify(medicines)) ?? [];
    const dispense = (more: object) =>
      practice.call('there', 'POST', '/api/prescriptions/dispense', {
        prescription_id: line.prescription_id,
        nonce,
        pharmacy_code: 'PHB-PH-000002',
        pharmacist_name: 'Piotr Zielinski',
        ...more,
      });
    const before = await dispense({});
    expect([before.status, before.body.details.code]).eql([422, 'code-missing']);
    const sent = await practice.call('there', 'POST', `/api/prescriptions/${line.prescription_id}/collection-code`, {});
    expect(sent.status, JSON.stringify(sent.body)).equal(200);
    const box = await (await fetch(`${server.url}/dev/mailbox?to=${encodeURIComponent('+447700900123')}`)).json();
    const [, code] = /\b(\d{6})\b/.exec((box as { messages: { text: string }[] }).messages[0]?.text ?? '') ?? [];
    expect((await dispense({ collection_code: code })).status).equal(200);
  });
});
