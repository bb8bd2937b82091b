/**
 * The whole way of a medicine, each step by whom it is: asked for, passed on, approved, at the Spine, in the queue, verified,
 * dispensed, told to the Spine; and what the patient and an app of theirs see at the end. MISSION M9, M10
 */
import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { addDispenser, askSpine, dispenseAs, openEpsPractice, type Shown, until } from '../support/eps-practice.ts';
import { agreeInBrowser } from '../support/person.ts';
import { AMOXICILLIN, PASSWORD, type Practice } from '../support/prescribing.ts';

const REDIRECT = 'https://app.example.org/callback';
const SCOPE = 'launch/patient patient/MedicationRequest.rs patient/MedicationDispense.rs patient/Task.rs';

describe('journey › the whole way of a prescription', function () {
  this.timeout(240_000);
  let practice: Practice;
  let id = '';
  let itemId = '';
  let orderId = '';
  let number = '';
  let shown: Shown;
  before(async () => {
    practice = await openEpsPractice({ PATIENT_MFA: 'optional' });
    await addDispenser(practice);
  });
  after(() => practice.server.stop());

  it('the patient asks', async () => {
    const asked = await practice.call('pat', 'POST', '/api/prescriptions', {
      items: [AMOXICILLIN],
      notes: 'Sore throat',
    });
    expect(asked.status, JSON.stringify(asked.body)).equal(201);
    expect(asked.body.status).equal('REQUESTED');
    id = asked.body.id;
    itemId = asked.body.items[0].id;
  });

  it('the pharmacist of the practice passes it on', async () => {
    const medications = [
      { item_id: itemId, quantity: 21, dosage_instructions: 'Take one', frequency: 'three times a day' },
    ];
    const path = `/api/provider/prescriptions/${id}/approve`;
    const passed = await practice.call('pharm', 'POST', path, { medications });
    expect(passed.body.prescriptions_created, JSON.stringify(passed.body)).equal(0);
    const { body } = await practice.call('gp', 'GET', '/api/provider/prescriptions');
    expect(body.prescriptions.find((one: { id: string }) => one.id === id).triage).equal('triaged');
  });

  it('the prescriber approves, and the Spine has it', async () => {
    const medications = [
      { item_id: itemId, quantity: 21, dosage_instructions: 'Take one', frequency: 'three times a day' },
    ];
    const approved = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, { medications });
    expect(approved.status, JSON.stringify(approved.body)).equal(200);
    expect(approved.body.eps).deep.equal({ status: 'queued' });
    [orderId] = approved.body.prescription_ids;
    const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
    number = order.groupIdentifier.value;
    const held = await until(() => askSpine(practice.server.spine?.stateUrl, `/prescriptions/${number}`));
    expect(JSON.stringify(held)).match(/0001 To Be Dispensed/);
  });

  it('the patient has the token', async () => {
    const { body } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    expect(body.status).equal('APPROVED');
    [shown] = body.tokens;
    expect(shown.token.split('.')).length(3);
  });

  it('the pharmacy sees it in its queue, and verifies the token', async () => {
    const { body: queue } = await practice.call('petra', 'GET', '/api/pharmacy/queue');
    const own = queue.prescriptions.find(
      (one: { prescription_id: string }) => one.prescription_id === shown.payload.id,
    );
    expect(own.medication_name).equal(AMOXICILLIN.medication_name);
    const { body } = await practice.call('petra', 'POST', '/api/prescriptions/verify', { token: shown.token });
    expect(body.valid, JSON.stringify(body)).equal(true);
    expect(body.details.patient_name ?? body.details.patient).equal('Tobe Okafor');
  });

  it('[RX-04] the pharmacy dispenses it, once', async () => {
    const done = await dispenseAs(practice, 'petra', shown);
    expect(done.body.success, JSON.stringify(done.body)).equal(true);
    const again = await dispenseAs(practice, 'petra', shown);
    expect([again.status, again.body.success]).deep.equal([409, false]);
    const { body: queue } = await practice.call('petra', 'GET', '/api/pharmacy/queue');
    expect(queue.stats.total).equal(0);
  });

  it('the Spine is told: it is released to the pharmacy, and then Dispensed', async () => {
    const told = await until(async () => {
      const { body } = await practice.call('petra', 'GET', '/api/pharmacy/queue?status=dispensed');
      const own = body.prescriptions.find(
        (one: { prescription_id: string }) => one.prescription_id === shown.payload.id,
      );
      return own.eps_status === 'notified' ? own : undefined;
    });
    expect(told.eps_reason).equal(undefined);
    const { issues } = await askSpine(practice.server.spine?.stateUrl, `/prescriptions/${number}`);
    expect(issues[0]?.status).equal('0006 Dispensed');
    expect(issues[0]?.notifications).length(1);
    expect(issues[0]?.release.odsCode).equal('Z99902');
  });

  it('the patient sees that it was dispensed, and was told', async () => {
    const { body } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    expect(body.status).equal('DISPENSED');
    expect(body.dispensed_date).match(/^\d{4}-\d\d-\d\dT/);
    const { body: told } = await practice.call('pat', 'GET', '/fhir/R4/Communication?recipient=Patient/pat&_count=50');
    const kinds = told.entry.map(
      (one: { resource: { category: { coding: { code: string }[] }[] } }) => one.resource.category[0]?.coding[0]?.code,
    );
    expect(kinds).include.members(['prescription-approved', 'prescription-dispensed']);
  });

  it('[CP-07] an app of the patient sees it through FHIR; another patient’s sees nothing of it', async () => {
    const mine = await appOf('pat');
    const orders = await mine(`MedicationRequest?patient=pat&intent=order&_id=${orderId}`);
    expect(orders.entry?.[0]?.resource['status']).equal('completed');
    expect(JSON.stringify(orders.entry?.[0]?.resource['extension'])).match(
      /"dispenseStatus","valueCoding":\{[^}]*"code":"0001"/,
    );
    const dispenses = await mine('MedicationDispense?patient=pat');
    expect(dispenses.entry?.map(({ resource }) => resource['status'])).deep.equal(['completed']);
    const theirs = await appOf('other');
    expect((await theirs(`MedicationRequest?_id=${orderId}`)).entry ?? []).deep.equal([]);
    expect((await theirs('MedicationDispense')).entry ?? []).deep.equal([]);
  });

  interface Page {
    readonly entry?: readonly { readonly resource: Readonly<Record<string, unknown>> }[];
  }

  /** A public app with PKCE, which the person has let see what it asks for. */
  async function appOf(who: string): Promise<(query: string) => Promise<Page>> {
    const { server } = practice;
    const made = await fetch(`${server.url}/api/v2/admin/clients`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        name: `App of ${who}`,
        scope: SCOPE,
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
      }),
    });
    expect(made.status, await made.clone().text()).equal(201);
    const { client_id: clientId } = (await made.json()) as { client_id: string };
    const discovery = await fetch(`${server.fhirBaseUrl}/.well-known/smart-configuration`);
    const { authorization_endpoint: authorize, token_endpoint: tokens } = (await discovery.json()) as {
      authorization_endpoint: string;
      token_endpoint: string;
    };
    const verifier = randomBytes(48).toString('base64url');
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: REDIRECT,
      scope: SCOPE,
      state: randomBytes(16).toString('base64url'),
      aud: server.fhirBaseUrl,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const back = await agreeInBrowser(`${authorize}?${asked}`, { email: `${who}@example.org`, password: PASSWORD });
    const code = new URL(back).searchParams.get('code') ?? '';
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, client_id: clientId };
    const granted = await fetch(tokens, {
      method: 'POST',
      body: new URLSearchParams({ ...form, code_verifier: verifier }),
    });
    const answer = (await granted.json()) as { access_token?: string; patient?: string };
    expect(answer.patient, JSON.stringify(answer)).equal(who);
    return async (query) => {
      const reply = await fetch(`${server.fhirBaseUrl}/${query}`, {
        headers: { authorization: `Bearer ${answer.access_token}` },
      });
      expect(reply.status).equal(200);
      return (await reply.json()) as Page;
    };
  }
});
