/** What clinical records refer to is not deleted where the setting says so. MISSION M9, Clinical integrity */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';

const code = { text: 'Asthma' };
const REFERRERS: Readonly<Record<string, (target: string) => Json>> = {
  Patient: (subject) => ({ resourceType: 'Condition', subject: { reference: subject }, code }),
  Practitioner: (requester) => ({
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: code,
    subject: { display: 'somebody' },
    requester: { reference: requester },
  }),
  Organization: (owner) => ({ resourceType: 'Task', status: 'ready', intent: 'order', owner: { reference: owner } }),
  Encounter: (encounter) => ({
    resourceType: 'Observation',
    status: 'final',
    code,
    encounter: { reference: encounter },
  }),
  Medication: (medication) => ({
    resourceType: 'MedicationStatement',
    status: 'active',
    medicationReference: { reference: medication },
    subject: { display: 'somebody' },
  }),
};
const TARGETS: Readonly<Record<string, Json>> = {
  Patient: { resourceType: 'Patient' },
  Practitioner: { resourceType: 'Practitioner' },
  Organization: { resourceType: 'Organization', name: 'A practice' },
  Encounter: { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } },
  Medication: { resourceType: 'Medication' },
};

for (const setting of ['refuse', 'allow'] as const)
  describe(`rest › interactions › delete of what is referred to: ${setting}`, function () {
    this.timeout(120_000);
    let server: TestServer;
    let fhir: FhirClient;
    before(async () => {
      server = await startTestServer({ env: { REFERRED_DELETE: setting, CONDITIONAL_DELETE: 'multiple' } });
      fhir = createFhirClient(server);
    });
    after(() => server.stop());
    const put = async (resource: Json, id: string): Promise<string> => {
      const type = String(resource['resourceType']);
      const { status, json } = await fhir.put(`${type}/${id}`, { ...resource, id });
      expect(status, JSON.stringify(json)).equal(201);
      return `${type}/${id}`;
    };
    const remove = async (path: string, headers: Record<string, string> = server.bearer) =>
      fetch(`${server.fhirBaseUrl}/${path}`, { method: 'DELETE', headers });

    for (const type of Object.keys(TARGETS))
      it(`${type}: ${setting === 'refuse' ? '409 until the record is gone' : '204'}`, async () => {
        const target = await put(TARGETS[type] as Json, 'target');
        const record = await put(REFERRERS[type]?.(target) as Json, `of-${type.toLowerCase()}`);
        const answer = await remove(target);
        expect(answer.status).equal(setting === 'allow' ? 204 : 409);
        if (setting === 'allow') return;
        expect(await answer.text())
          .contain('clinical records refer to it')
          .and.not.contain(record);
        expect((await fhir.get(target)).status).equal(200);
        // By criteria, too.
        expect((await remove(`${type}?_id=target`)).status).equal(409);
        expect((await remove(record)).status).equal(204);
        expect((await remove(target)).status).equal(204);
        expect((await remove(target)).status).equal(204);
        expect((await fhir.get(target)).status).equal(410);
      });

    if (setting === 'allow') return;

    it('in a transaction: together with the record it goes; without, nothing of the transaction is done', async () => {
      const target = await put({ resourceType: 'Patient' }, 'together');
      const record = await put({ resourceType: 'Condition', subject: { reference: target }, code }, 'together');
      const bundle = (...paths: readonly string[]): Json => ({
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          { resource: { resourceType: 'Basic', id: 'beside', code }, request: { method: 'PUT', url: 'Basic/beside' } },
          ...paths.map((url) => ({ request: { method: 'DELETE', url } })),
        ],
      });
      expect((await fhir.post('', bundle(target))).status).equal(409);
      expect((await fhir.get('Basic/beside')).status).equal(404);
      expect((await fhir.post('', bundle(target, record))).status).equal(200);
      expect([(await fhir.get(target)).status, (await fhir.get(record)).status]).eql([410, 410]);
    });

    it('[CP-01] who may not delete is refused as ever, whether records refer to it or not', async () => {
      const target = await put({ resourceType: 'Patient' }, 'guarded');
      await put({ resourceType: 'Condition', subject: { reference: target }, code }, 'guarded');
      const token = await operatorToken(server, { scope: 'system/Patient.rs' });
      expect((await remove(target, { authorization: `Bearer ${token}` })).status).equal(403);
    });

    it('what is not about care holds nothing: a Group, an older version', async () => {
      const target = await put({ resourceType: 'Patient' }, 'free');
      await put(
        { resourceType: 'Group', type: 'person', actual: true, member: [{ entity: { reference: target } }] },
        'free',
      );
      const record = await put({ resourceType: 'Condition', subject: { reference: target }, code }, 'moved');
      await fhir.put(record, { resourceType: 'Condition', id: 'moved', subject: { display: 'somebody' }, code });
      expect((await remove(target)).status).equal(204);
    });
  });
