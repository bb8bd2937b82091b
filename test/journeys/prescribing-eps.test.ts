/** Approved orders on their way to the Spine: signed at once by a key for trying, or by the prescriber afterwards. MISSION M3, M9 */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { signDigest } from '../../src/mapping/eps/sign-order.ts';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';
import { startTestSpine, type TestSpine } from '../support/spine.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const LIMITS = { RATE_LIMITS: 'read=off,write=off,search=off' };
const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };

/** What EPS needs to know of who prescribes, and where. */
async function completeForEps({ fhir }: Practice): Promise<void> {
  const put = async (resource: { resourceType: string; id: string }): Promise<void> => {
    const { status, body } = await fhir('PUT', `${resource.resourceType}/${resource.id}`, resource);
    if (status > 201) throw new Error(JSON.stringify(body));
  };
  const ods = (value: string): object[] => [{ system: 'https://fhir.nhs.uk/Id/ods-organization-code', value }];
  await put({
    resourceType: 'Organization',
    id: 'board',
    identifier: ods('Z999'),
    name: 'Riverside (invented)',
  } as never);
  const { body: surgery } = await fhir('GET', 'Organization/surgery');
  await put({
    ...surgery,
    type: [{ coding: [{ system: 'https://fhir.nhs.uk/CodeSystem/organisation-role', code: '76' }] }],
    telecom: [{ system: 'phone', value: '01632 960110', use: 'work' }],
    partOf: { reference: 'Organization/board' },
  });
  await put({
    resourceType: 'Practitioner',
    id: 'doc',
    identifier: [
      { system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '999000000101' },
      { system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: 'C9990001' },
    ],
    name: [{ family: 'Penhallow', given: ['Idris'], prefix: ['Dr'] }],
  } as never);
  await put({
    resourceType: 'PractitionerRole',
    id: 'doc-role',
    identifier: [{ system: 'https://fhir.nhs.uk/Id/sds-role-profile-id', value: '999000000202' }],
    practitioner: { reference: 'Practitioner/doc' },
    organization: { reference: 'Organization/surgery' },
    code: [
      {
        coding: [
          {
            system: 'https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode',
            code: 'S8000:G8000:R8000',
            display: 'Clinical Practitioner Access Role',
          },
        ],
      },
    ],
    telecom: [{ system: 'phone', value: '01632 960111', use: 'work' }],
  } as never);
}

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 200; i++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it does not come about');
}

describe('journey › prescribing by EPS', function () {
  this.timeout(240_000);

  describe('with the Spine that starts with the server', () => {
    let practice: Practice;
    before(async () => {
      const server = await startTestServer({ env: { ...LIMITS, SPINE_PORT: '0', SPINE_STATE_PORT: '0' } });
      practice = await openPractice(server);
      await completeForEps(practice);
    });
    after(() => practice.server.stop());

    it('what is approved is signed by the key for trying, and is at the Spine', async () => {
      const { id, items } = await practice.ask([AMOXICILLIN]);
      const approved = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
        medications: [{ item_id: items[0].id, ...MEDICATION }],
      });
      expect(approved.status, JSON.stringify(approved.body)).equal(200);
      expect(approved.body.eps).deep.equal({ status: 'queued' });
      const [orderId] = approved.body.prescription_ids;
      const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
      expect(order.groupIdentifier.value).match(/^[0-9A-F]{6}-Z99901-[0-9A-F]{5}[0-9A-Z+]$/);
      expect(order.basedOn[0].reference).equal(`MedicationRequest/${items[0].id}`);
      const stateUrl = practice.server.spine?.stateUrl ?? '';
      const held = await until(async () => {
        const answer = await fetch(`${stateUrl}/prescriptions/${order.groupIdentifier.value}`);
        return answer.status === 200 ? ((await answer.json()) as { status: string }) : undefined;
      });
      expect(JSON.stringify(held)).match(/0001 To Be Dispensed/);
      expect((await practice.fhir('GET', `MedicationRequest/${orderId}`)).body.status).equal('active');
      const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
      expect(seen.eps_reference).equal(order.groupIdentifier.value);
      expect((await practice.call('pat', 'PUT', `/api/prescriptions/${id}/cancel`)).body.code).equal('RX-EPS');
    });

    it('what lacks a code is approved, not sent, and it is said why', async () => {
      const { id, items } = await practice.ask([{ ...AMOXICILLIN, medication_name: 'Cetirizine 10mg tablets' }]);
      const approved = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
        medications: [{ item_id: items[0].id, ...MEDICATION }],
      });
      expect(approved.body.eps).deep.equal({
        status: 'not-sent',
        missing: ['the dm+d code of Cetirizine 10mg tablets'],
      });
      expect(approved.body.prescriptions_created).equal(1);
    });
  });

  describe('with another Spine: nothing is sent unsigned', () => {
    let spine: TestSpine;
    let practice: Practice;
    let folder: string;
    before(async () => {
      folder = makeTempFolder();
      spine = await startTestSpine({ folder });
      const { client } = spine.certificates;
      const server = await startTestServer({
        env: {
          ...LIMITS,
          SPINE_URL: spine.url,
          SPINE_CERT_FILE: client.certFile,
          SPINE_KEY_FILE: client.keyFile,
          SPINE_CA_FILE: client.caFile,
          EPS_FROM_ASID: '200000001285',
          EPS_FROM_PARTY_KEY: 'T9991-800001',
          EPS_SIGNER_CA_FILE: join(folder, 'certificates', 'signing-ca.crt'),
          REVOCATION: 'off',
        },
      });
      practice = await openPractice(server);
      await completeForEps(practice);
    });
    after(async () => {
      await practice.server.stop();
      await spine.stop();
    });

    it('the approval says what is to be signed; the signature sends it, once', async () => {
      const { id, items } = await practice.ask([AMOXICILLIN]);
      const { body: approved } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
        medications: [{ item_id: items[0].id, ...MEDICATION }],
      });
      expect(approved.eps.status).equal('to-be-signed');
      const path = `/api/provider/prescriptions/${id}/signature`;
      const { body: again } = await practice.call('gp', 'GET', path);
      expect(again).deep.equal(approved.eps.to_sign);
      const { timestamp, digest } = approved.eps.to_sign;
      const forged = await practice.call('gp', 'POST', path, {
        timestamp,
        signature: Buffer.from('<Signature/>').toString('base64'),
      });
      expect(forged.status).equal(422);
      const early = await practice.call('gp', 'POST', path, {
        timestamp: '2020-01-01T00:00:00+00:00',
        signature: 'AAAA',
      });
      expect(early.body.code).equal('RX-SIGNATURE');
      const key = createPrivateKey(readFileSync(join(folder, 'certificates/prescriber.key')));
      const certificate = new X509Certificate(readFileSync(join(folder, 'certificates/prescriber.crt'))).raw;
      const signature = await signDigest(digest, { certificate, sign: async (bytes) => sign('sha256', bytes, key) });
      expect((await practice.call('doc', 'POST', path, { timestamp, signature })).body.code).equal('RX-NOT-SIGNER');
      const signed = await practice.call('gp', 'POST', path, { timestamp, signature });
      expect(signed.status, JSON.stringify(signed.body)).equal(202);
      expect((await practice.call('gp', 'POST', path, { timestamp, signature })).status).equal(409);
      const [orderId] = approved.prescription_ids;
      const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
      await until(async () => {
        const answer = await fetch(`${spine.stateUrl}/prescriptions/${order.groupIdentifier.value}`);
        return answer.status === 200 ? true : undefined;
      });
      const { body: provenances } = await practice.fhir(
        'GET',
        `Provenance?target=MedicationRequest/${orderId}&_sort=-recorded`,
      );
      const data = provenances.entry
        .flatMap((one: { resource: { signature?: { data?: string }[] } }) => one.resource.signature ?? [])
        .find((one: { data?: string }) => one.data);
      expect(data.data).equal(signature);
    });
  });
});
