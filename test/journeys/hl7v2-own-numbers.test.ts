/** A partner answers under the number that Mortar gave: what it says is of that very resource. docs/hl7v2.md "Feeds" */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf, type MllpSender, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const SNOMED = 'http://snomed.info/sct';
const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const TABLETS = '325072002';

describe('journey › HL7 v2 under our own numbers', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: FhirClient;
  let pharmacy: MllpSender;
  let patient: string;
  let order: string;

  before(async () => {
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
    client = createFhirClient(server);
    pharmacy = await openMllpSender(server.mllpPort as number);
    patient = await make('Patient', {
      identifier: [{ system: NHS_NUMBER, value: '9990000018' }],
      name: [{ family: 'TESTPATIENT', given: ['AMELIA'] }],
    });
    order = await make('MedicationRequest', {
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: { coding: [{ system: SNOMED, code: TABLETS }], text: 'Amoxicillin 500mg capsules' },
      subject: { reference: `Patient/${patient}` },
    });
  });
  after(async () => {
    pharmacy.close();
    await server.stop();
  });

  async function make(type: string, content: Json): Promise<string> {
    const made = await client.post(type, { resourceType: type, ...content });
    expect(made.status, made.text).equal(201);
    return String(made.json()['id']);
  }
  async function found(query: string): Promise<readonly Json[]> {
    const { entry = [] } = (await client.get(query)).json<{ entry?: readonly { resource: Json }[] }>();
    return entry.map(({ resource }) => resource);
  }
  const dispense = (controlId: string, placer: string, number = '9990000018^^^NHS^NH'): string =>
    [
      `MSH|^~\\&|PHARM|RXX|GATEWAY|RXX01|20260302114000||RDS^O13^RDS_O13|${controlId}|P|2.5.1`,
      `PID|1||${number}||TESTPATIENT^AMELIA^^^^^L||19840517|2|||||||||||||||||||||||||NSTS01`,
      `ORC|RE|${placer}|F-${controlId}^PHARM||CM`,
      `RXD|1|${TABLETS}^Amoxicillin 500mg capsules^SCT|20260302114000|21|cap||F-${controlId}`,
    ].join('\r');

  it('a dispense that quotes our order number is of that order, and makes no other', async () => {
    const answer = await pharmacy.send(dispense('OWN-1', `${order}^MORTAR`));
    expect(fieldOf(answer, 'MSA-1'), answer.toString()).equal('AA');
    const [made] = await found('MedicationDispense?identifier=F-OWN-1');
    expect(made?.['authorizingPrescription']).eql([{ reference: `MedicationRequest/${order}` }]);
    expect((await found('MedicationRequest')).map(({ id }) => id)).eql([order]);
    const [kept] = await found(`MedicationRequest?_id=${order}`);
    expect(JSON.stringify(kept)).not.contain('urn:v2:MORTAR');
  });

  it('a patient is found by our number, and given those of the sender', async () => {
    const made = await make('Patient', { name: [{ family: 'TESTPATIENT', given: ['AMELIA'] }] });
    const numbers = `${made}^^^MORTAR^PI~RXX-77^^^RXX^MR`;
    const answer = await pharmacy.send(
      [
        'MSH|^~\\&|PAS|RXX|GATEWAY|RXX01|20260302120000||ADT^A31^ADT_A05|OWN-2|P|2.5.1',
        'EVN||20260302120000',
        `PID|1||${numbers}||TESTPATIENT^AMELIA^ROSE^^^^L||19840517|2`,
        'PV1|1|N',
      ].join('\r'),
    );
    expect(fieldOf(answer, 'MSA-1'), answer.toString()).equal('AA');
    const kept = (await client.get(`Patient/${made}`)).json();
    expect(JSON.stringify(kept['name'])).contain('ROSE');
    expect((kept['identifier'] as Json[]).map(({ value }) => value)).eql(['RXX-77']);
  });

  for (const [what, id] of [
    ['that we never gave', '0198c5f2-7b1e-7c3a-9d7e-1a2b3c4d5e6f'],
    ['that cannot be ours', 'not an id'],
  ] as const)
    it(`a number ${what} is refused, and nothing is made`, async () => {
      const controlId = `OWN-${id.length}`;
      const answer = await pharmacy.send(dispense(controlId, `${id}^MORTAR`));
      expect(fieldOf(answer, 'MSA-1'), answer.toString()).equal('AE');
      expect(await found(`MedicationDispense?identifier=F-${controlId}`)).eql([]);
      expect((await found('MedicationRequest')).map((one) => one['id'])).eql([order]);
    });

  it("an order of somebody else's is refused", async () => {
    const answer = await pharmacy.send(dispense('OWN-9', `${order}^MORTAR`, '9990000026^^^NHS^NH'));
    expect(fieldOf(answer, 'MSA-1'), answer.toString()).equal('AE');
    expect(await found('MedicationDispense?identifier=F-OWN-9')).eql([]);
  });
});
