/** Another pharmacy is nominated: what waits goes along, the token before is good no more, both pharmacies are told. SECURITY RX-07 */
import { expect } from 'chai';
import { codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const [A, B] = ['pharmacy-a', 'pharmacy-b'];

describe('nomination › what waits goes along [RX-07]', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let nell: Record<string, string>;
  let atA: Record<string, string>;
  let atB: Record<string, string>;
  before(async () => {
    server = await startTestServer({ env: { RATE_LIMITS: 'read=off,write=off,search=off' } });
    world = await makePharmacyWorld(server);
    nell = await world.patient('patient-nell');
    atA = await world.pharmacist(A);
    atB = await world.pharmacist(B);
  });
  after(() => server.stop());
  beforeEach(async () => void (await nominate(A)));

  const nominate = async (pharmacyId: string) => {
    const answer = await world.call('POST', `/api/pharmacies/${pharmacyId}/nominate`, nell);
    expect(answer.status, JSON.stringify(answer.json)).equal(200);
    return answer.json;
  };
  const verify = async ({ token }: { token: string }, headers: Record<string, string>) =>
    (await world.call('POST', '/api/prescriptions/verify', headers, { token })).json;
  const fhir = async (path: string, headers: Record<string, string> = server.bearer) =>
    (await world.call('GET', `/fhir/R4/${path}`, headers)).json;
  const tokenOf = async ({
    orderId,
  }: Prescribed): Promise<{ token: string; payload: { id: string; nonce: string; pharmacy: { code: string } } }> => {
    const { json } = await world.call('GET', '/api/medications', nell);
    const all = JSON.stringify(json);
    expect(all).include(orderId);
    const found = (json.medications ?? json).find((one: object) => JSON.stringify(one).includes(orderId));
    return found;
  };
  const dispense = (tokenId: string, nonce: string, pharmacyId: string, headers: Record<string, string>) =>
    world.call('POST', '/api/prescriptions/dispense', headers, {
      prescription_id: tokenId,
      nonce,
      pharmacy_code: codeOf(pharmacyId),
      pharmacist_name: 'Piotr Zielinski',
    });
  const toldOf = async ({ taskId }: Prescribed, kind: string): Promise<readonly string[]> => {
    const page = await fhir('Communication?_count=200&_sort=-sent');
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
    const found: readonly any[] = (page.entry ?? []).map((entry: any) => entry.resource);
    return found
      .filter((one) => one.about?.[0]?.reference === `Task/${taskId}` && one.category[0].coding[0].code === kind)
      .map((one) => one.recipient[0].reference)
      .sort();
  };

  it('the entry, the order and a new token are the other pharmacy’s; the token before is good no more', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    const answer = await nominate(B);
    expect(answer.prescriptions_moved).equal(1);
    const task = await fhir(`Task/${one.taskId}`);
    expect(task.owner.reference).equal('Organization/pharmacy-b');
    expect(task.status).equal('ready');
    const order = await fhir(`MedicationRequest/${one.orderId}`);
    expect(order.dispenseRequest.performer.reference).equal('Organization/pharmacy-b');
    for (const headers of [atA, atB]) {
      const verdict = await verify(one.token, headers);
      expect([verdict.valid, verdict.details.step_failed]).deep.equal([false, 'prescription_lookup']);
    }
    expect((await dispense(one.token.tokenId, one.token.nonce, A, atA)).status).equal(404);
    const next = await tokenOf(one);
    expect(next.payload.id).not.equal(one.token.tokenId);
    expect(next.payload.pharmacy.code).equal(codeOf(B));
    expect((await verify(next, atB)).valid).equal(true);
    expect((await verify(next, atA)).details.step_failed).equal('pharmacy_check');
    expect((await dispense(next.payload.id, next.payload.nonce, A, atA)).status).equal(403);
    expect((await dispense(next.payload.id, next.payload.nonce, B, atB)).status).equal(200);
    expect(await toldOf(one, 'prescription-moved')).deep.equal(['Organization/pharmacy-a', 'Patient/patient-nell']);
    expect(await toldOf(one, 'prescription-new')).deep.equal(['Organization/pharmacy-b']);
  });

  it('[CP-07] the pharmacy before sees neither entry nor order any more', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    expect((await fhir(`Task/${one.taskId}`, atA)).resourceType).equal('Task');
    await nominate(B);
    expect((await fhir(`Task/${one.taskId}`, atA)).resourceType).equal('OperationOutcome');
    const queue = (await world.call('GET', '/api/pharmacy/queue', atA)).json;
    expect(JSON.stringify(queue)).not.include(one.taskId);
    expect(JSON.stringify((await world.call('GET', '/api/pharmacy/queue', atB)).json)).include(one.taskId);
  });

  it('what the pharmacy has verified stays with it, and so does what is no more to be dispensed', async () => {
    const verified = await world.prescribe({ pharmacyId: A });
    expect((await verify(verified.token, atA)).valid).equal(true);
    const dispensed = await world.prescribe({ pharmacyId: A });
    expect((await dispense(dispensed.token.tokenId, dispensed.token.nonce, A, atA)).status).equal(200);
    const cancelled = await world.prescribe({ pharmacyId: A, orderStatus: 'cancelled' });
    const elsewhere = await world.prescribe({ pharmacyId: 'pharmacy-c' });
    const others = await world.prescribe({ pharmacyId: A, patientId: 'patient-tobe', patient: 'Tobe Okafor' });
    await nominate(B);
    for (const [one, owner] of [
      [verified, A],
      [dispensed, A],
      [cancelled, A],
      [elsewhere, 'pharmacy-c'],
      [others, A],
    ] as const)
      expect((await fhir(`Task/${one.taskId}`)).owner.reference).equal(`Organization/${owner}`);
    expect((await verify(verified.token, atA)).valid).equal(true);
  });

  it('what another has verified, or anybody, does not keep it', async () => {
    const one = await world.prescribe({ pharmacyId: A });
    await verify(one.token, atB);
    await verify(one.token, {});
    await nominate(B);
    expect((await fhir(`Task/${one.taskId}`)).owner.reference).equal('Organization/pharmacy-b');
  });

  it('nominated at the same moment as it is dispensed: one of the two', async () => {
    for (let i = 0; i < 10; i += 1) {
      await nominate(A);
      const one = await world.prescribe({ pharmacyId: A });
      const [{ status }] = await Promise.all([dispense(one.token.tokenId, one.token.nonce, A, atA), nominate(B)]);
      const task = await fhir(`Task/${one.taskId}`);
      if (status === 200)
        expect([task.status, task.owner.reference]).deep.equal(['completed', 'Organization/pharmacy-a']);
      else expect([task.status, task.owner.reference]).deep.equal(['ready', 'Organization/pharmacy-b']);
    }
  });

  it('a controlled drug goes with its time: the new token lives no longer than the one before', async () => {
    const expiresAt = Date.now() + 5 * 24 * 60 * 60_000;
    const one = await world.prescribe({ pharmacyId: A, priority: 'controlled', schedule: '2', expiresAt });
    await nominate(B);
    const task = await fhir(`Task/${one.taskId}`);
    expect(task.priority).equal('asap');
    const next = await tokenOf(one);
    const verdict = await verify(next, atB);
    expect(verdict.valid, JSON.stringify(verdict)).equal(true);
    expect(Date.parse((next.payload as unknown as { expiry: string }).expiry)).equal(
      Math.floor(expiresAt / 1000) * 1000,
    );
  });
});
