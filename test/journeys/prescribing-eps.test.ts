/** Approved orders on their way to the Spine: signed at once by a key for trying, or by the prescriber afterwards. MISSION M3, M9 */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { signDigest } from '../../src/mapping/eps/sign-order.ts';
import { patientRelease } from '../support/eps-messages.ts';
import { askSpine, completeForEps, MEDICATION, openEpsPractice, until } from '../support/eps-practice.ts';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { startTestServer } from '../support/server.ts';
import { startTestSpine, type TestSpine } from '../support/spine.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

describe('journey › prescribing by EPS', function () {
  this.timeout(240_000);

  describe('with the Spine that starts with the server', () => {
    let practice: Practice;
    before(async () => {
      practice = await openEpsPractice();
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
      const path = `/prescriptions/${order.groupIdentifier.value}`;
      const held = await until(() => askSpine(practice.server.spine?.stateUrl, path));
      expect(JSON.stringify(held)).match(/0001 To Be Dispensed/);
      expect((await practice.fhir('GET', `MedicationRequest/${orderId}`)).body.status).equal('active');
      const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
      expect(seen.eps_reference).equal(order.groupIdentifier.value);
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
    let isStopped = false;
    /** As the prescriber does, with their own key. */
    const signed = (digest: string): Promise<string | undefined> => {
      const key = createPrivateKey(readFileSync(join(folder, 'certificates/prescriber.key')));
      const certificate = new X509Certificate(readFileSync(join(folder, 'certificates/prescriber.crt'))).raw;
      return signDigest(digest, { certificate, sign: async (bytes) => sign('sha256', bytes, key) });
    };
    before(async () => {
      folder = makeTempFolder();
      spine = await startTestSpine({ folder });
      const { client } = spine.certificates;
      const server = await startTestServer({
        env: {
          RATE_LIMITS: 'read=off,write=off,search=off',
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
      if (!isStopped) await spine.stop();
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
      const signature = await signed(digest);
      expect((await practice.call('doc', 'POST', path, { timestamp, signature })).body.code).equal('RX-NOT-SIGNER');
      const taken = await practice.call('gp', 'POST', path, { timestamp, signature });
      expect(taken.status, JSON.stringify(taken.body)).equal(202);
      expect((await practice.call('gp', 'POST', path, { timestamp, signature })).status).equal(409);
      const [orderId] = approved.prescription_ids;
      const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
      await until(() => askSpine(spine.stateUrl, `/prescriptions/${order.groupIdentifier.value}`));
      const { body: provenances } = await practice.fhir(
        'GET',
        `Provenance?target=MedicationRequest/${orderId}&_sort=-recorded`,
      );
      const data = provenances.entry
        .flatMap((one: { resource: { signature?: { data?: string }[] } }) => one.resource.signature ?? [])
        .find((one: { data?: string }) => one.data);
      expect(data.data).equal(signature);
      const asked = await practice.call('pat', 'PUT', `/api/prescriptions/${id}/cancel`);
      expect(asked.status, JSON.stringify(asked.body)).equal(202);
      expect(asked.body.status).equal('APPROVED');
      expect(asked.body.message).match(/practice has been asked/);
      // Again: nobody is told twice.
      expect((await practice.call('pat', 'PUT', `/api/prescriptions/${id}/cancel`)).status).equal(202);
      const { body: told } = await practice.fhir('GET', 'Communication?patient=pat&_count=200');
      const recipients = told.entry
        .map((one: { resource: object }) => one.resource)
        .filter(
          (one: { category: { coding: { code: string }[] }[]; about: { reference: string }[] }) =>
            one.category[0]?.coding[0]?.code === 'cancellation-asked' && one.about[0]?.reference === `Task/${id}`,
        )
        .map((one: { recipient: { reference: string }[] }) => one.recipient[0]?.reference)
        .sort();
      expect(recipients).deep.equal(['Organization/surgery', 'PractitionerRole/doc-role']);
      const { body: seen } = await practice.call('gp', 'GET', '/api/provider/prescriptions?status=APPROVED');
      const own = seen.prescriptions.find((one: { id: string }) => one.id === id);
      expect(own.cancellation_asked).match(/^\d{4}-/);
      const { body: entry } = await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`);
      expect(entry.entry[0].resource.status).equal('ready');
      // A pharmacy takes it: what the Spine says then is that it was not cancelled.
      const number = order.groupIdentifier.value;
      const uuid = order.groupIdentifier.extension[0].valueIdentifier.value;
      const released = patientRelease({ kind: 'acute', id: number, uuid, items: [] }, spine.clock.now);
      expect(await spine.tell(released)).equal('AA');
      const cancelled = await practice.call('gp', 'PATCH', `/api/v2/prescriptions/${id}`, { status: 'cancelled' });
      expect(cancelled.status, JSON.stringify(cancelled.body)).equal(202);
      const settled = await until(async () => {
        const { body: task } = await practice.fhir('GET', `Task/${id}`);
        return task.status === 'completed' ? task : undefined;
      });
      expect(settled.statusReason.text).match(/not cancelled. With dispenser. Marked for cancellation/);
      const { body: queue } = await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`);
      expect(queue.entry[0].resource.status).equal('ready');
    });

    it('what nobody has signed was never sent: it is cancelled without the Spine', async () => {
      const { id, items } = await practice.ask([AMOXICILLIN]);
      const { body: approved } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
        medications: [{ item_id: items[0].id, ...MEDICATION }],
      });
      expect(approved.eps.status).equal('to-be-signed');
      expect((await practice.call('pat', 'PUT', `/api/prescriptions/${id}/cancel`)).body.status).equal('CANCELLED');
      const { timestamp } = approved.eps.to_sign;
      const late = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/signature`, {
        timestamp,
        signature: 'AAAA',
      });
      expect(late.status).equal(409);
    });

    it('[RX-04] while the Spine is away, what is being cancelled is on hold: no pharmacy dispenses it', async () => {
      const { id, items } = await practice.ask([AMOXICILLIN]);
      const { body: approved } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
        medications: [{ item_id: items[0].id, ...MEDICATION }],
      });
      const { timestamp, digest } = approved.eps.to_sign;
      const signature = await signed(digest);
      const path = `/api/provider/prescriptions/${id}/signature`;
      expect((await practice.call('gp', 'POST', path, { timestamp, signature })).status).equal(202);
      const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
      const [{ token, payload }] = seen.tokens;
      await spine.stop();
      isStopped = true;
      const asked = await practice.call('gp', 'PATCH', `/api/v2/prescriptions/${id}`, { status: 'cancelled' });
      expect(asked.status, JSON.stringify(asked.body)).equal(202);
      expect((await practice.fhir('GET', `Task/${id}`)).body.status).equal('on-hold');
      const { body: verdict } = await practice.call('disp', 'POST', '/api/prescriptions/verify', { token });
      expect(verdict.valid).equal(false);
      expect(verdict.reason).equal('Prescription is on hold: it is being cancelled');
      const dispensed = await practice.call('disp', 'POST', '/api/prescriptions/dispense', {
        prescription_id: payload.id,
        nonce: payload.nonce,
        pharmacy_code: 'Z99902',
        pharmacist_name: 'Piotr Zielinski',
      });
      expect(dispensed.status).equal(409);
      expect(dispensed.body.message).equal('Prescription is on hold: it is being cancelled');
      const { body: queue } = await practice.call('disp', 'GET', '/api/pharmacy/queue');
      const shown: readonly { readonly prescription_id: string; readonly status: string }[] = queue.prescriptions;
      expect(shown.find((one) => one.prescription_id === payload.id)?.status).equal('held');
      const { body: again } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
      expect(again.status).equal('APPROVED');
      expect(again.tokens[0].token).equal(null);
    });
  });
});
