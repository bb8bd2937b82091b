/** A prescription from the prescriber's FHIR to the patient's app, the pharmacy and the claim: client, Mortar, Spine. MISSION M3 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { formatJson } from '../../src/standards/fhir/json.ts';
import { type EpsGateway, startEpsGateway } from '../support/eps-gateway.ts';
import {
  cancellation,
  claim,
  NHS_NUMBER,
  newPrescription,
  nominatedRelease,
  notification,
  OTHER_PHARMACY,
  order,
  type Prescribed,
  patientRelease,
  returnTask,
  withdrawTask,
} from '../support/eps-messages.ts';
import { DAY } from '../support/eps-steps.ts';
import type { Json, Reply } from '../support/fhir-client.ts';
import { operatorToken } from '../support/server.ts';

const FULL = ['0001', '0001'];

describe('journeys › eps › operations', () => {
  let g: EpsGateway;
  before(async () => {
    // One place for all jobs but those that send: what follows a message is not held up by others that wait.
    g = await startEpsGateway({ JOB_CONCURRENCY: '1' });
  });
  after(() => g.stop());

  const ok = async (sending: Promise<Reply>, status = 200): Promise<Reply> => {
    const reply = await sending;
    expect(reply.status, reply.text).equal(status);
    return reply;
  };
  async function prescribed(): Promise<Prescribed> {
    const made = newPrescription();
    await ok(g.send('prescriber', order(made, { at: g.now(), signer: g.spine.signer })));
    return made;
  }
  async function taken(): Promise<{ made: Prescribed; requestId: string; responseId: string }> {
    const made = await prescribed();
    const answer = (await ok(g.send('pharmacist', patientRelease(made, g.now())))).json();
    const [passed] = answer['parameter'] as [{ resource: Json }];
    const [bundle] = passed.resource['entry'] as [{ resource: { entry: [{ resource: Json }] } }];
    const { identifier } = bundle.resource.entry[0].resource['response'] as { identifier: string };
    return { made, requestId: identifier, responseId: (passed.resource['identifier'] as { value: string }).value };
  }
  /** The status of each item, and how the Spine has it. */
  async function items(made: Prescribed): Promise<readonly string[]> {
    const numbers = made.items.map((item) => `https://fhir.nhs.uk/Id/prescription-order-item-number|${item}`);
    const found = await g.mine(`MedicationRequest?identifier=${numbers.join(',')}`);
    return found
      .map((one) => {
        const code = /"dispenseStatus","valueCoding":\{[^}]*"code":"(\d+)"/.exec(JSON.stringify(one))?.[1] ?? '';
        return `${one['status']} ${code}`.trim();
      })
      .sort();
  }

  /** The answer, once there is one. */
  async function settled(place: string): Promise<Reply> {
    for (let n = 0; ; n++) {
      const reply = await g.fhir.get(place, g.as('prescriber'));
      if (reply.status !== 202 || n === 300) return reply;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  const stateOf = ({ id }: Prescribed): string => g.spine.spine.find(id)?.issues[0]?.status ?? 'none';

  it('prescribed, released, dispensed in two parts, claimed, claim amended › the patient sees each step', async () => {
    const { made, requestId } = await taken();
    expect(await items(made)).eql(['active 0008', 'active 0008']);
    const part = notification(made, requestId, { at: g.now(), status: '0003', items: ['0001', '0003'] });
    await ok(g.send('pharmacist', part));
    expect(await items(made)).eql(['active 0003', 'completed 0001']);
    await ok(g.send('pharmacist', notification(made, requestId, { at: g.now(), status: '0006', items: FULL })));
    expect(await items(made)).eql(['completed 0001', 'completed 0001']);
    const asked = claim(made, { at: g.now(), status: '0006', items: FULL });
    await ok(g.send('pharmacist', asked));
    const again = claim(made, { at: g.now(), status: '0006', items: FULL, replaces: asked.id });
    await ok(g.send('pharmacist', again));
    expect(g.spine.spine.find(made.id)?.issues[0]?.claims.map(({ id }) => id)).eql([asked.id, again.id]);
    expect((await g.mine('Claim?_sort=_lastUpdated')).map(({ status }) => status).sort()).eql(['active', 'cancelled']);
  });

  it('what V3 has no place for is in the answer of the release again, where the order was sent from here', async () => {
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    await ok(g.send('prescriber', signed));
    const { text } = await ok(g.send('pharmacist', patientRelease(made, g.now())));
    expect(formatJson(signed.payload)).include('"url":"schedule"');
    expect(text).include('"url":"schedule"');
  });

  it('the order as it was prescribed › what V3 has no place for stays when it is released, and the signature is kept', async () => {
    const { made } = await taken();
    const number = `https://fhir.nhs.uk/Id/prescription-order-item-number|${made.items[1]}`;
    const [item] = await g.mine(`MedicationRequest?identifier=${number}`);
    expect(JSON.stringify(item)).include('"url":"schedule"').and.include('"reference":"Organization/pharmacy"');
    const { entry } = (await g.fhir.get(`Provenance?target=MedicationRequest/${item?.['id']}`)).json<{
      entry: { resource: Json }[];
    }>();
    expect(entry.filter(({ resource }) => resource['signature'] !== undefined)).not.empty;
  });

  it('cancelled before and after the release › 200 and 400, and the record says which', async () => {
    const early = await prescribed();
    const answer = (await ok(g.send('prescriber', cancellation(early, { at: g.now() })))).json();
    expect(answer).include({ resourceType: 'Bundle', type: 'message' });
    expect(await items(early)).eql(['active', 'cancelled']);
    const late = await taken();
    await ok(g.send('prescriber', cancellation(late.made, { at: g.now() })), 400);
    expect(await items(late.made)).eql(['active 0008', 'active 0008']);
    const said = await g.mine(`MedicationRequest?identifier=${late.made.items[0]}`);
    expect(JSON.stringify(said)).include('R-0002');
  });

  it('returned › to be dispensed again; withdrawn › with the dispenser again', async () => {
    const given = await taken();
    await ok(g.send('pharmacist', returnTask(given.made, given.responseId, { at: g.now() })));
    expect(await items(given.made)).eql(['active 0007', 'active 0007']);
    const { made, requestId } = await taken();
    const told = notification(made, requestId, { at: g.now(), status: '0006', items: FULL });
    await ok(g.send('pharmacist', told));
    await ok(g.send('pharmacist', withdrawTask(made, told.id, { at: g.now() })));
    expect(await items(made)).eql(['active 0008', 'active 0008']);
    const tasks = (await g.mine('Task')).map(({ status }) => status);
    expect(tasks.sort()).eql(['completed', 'rejected']);
    // A second time there is nothing to withdraw: the Spine refuses, and the Task says so.
    await ok(g.send('pharmacist', withdrawTask(made, told.id, { at: g.now() })), 400);
    expect((await g.mine('Task?status=failed')).length).equal(1);
  });

  it('resent › the first answer, and nothing is sent; other content under the id › 409', async () => {
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    const first = await ok(g.send('prescriber', signed));
    const again = await ok(g.send('prescriber', signed));
    expect(again.text).equal(first.text);
    expect(g.spine.spine.messages(1000).filter(({ id }) => id === signed.id.toUpperCase())).lengthOf(1);
    const { responseId } = await taken();
    const given = returnTask(made, responseId, { at: g.now() });
    await g.send('pharmacist', given);
    const other = { ...given, payload: { ...(given.payload as Json), authoredOn: '2026-01-01T00:00:00Z' } };
    await ok(g.send('pharmacist', other), 409);
  });

  it('a release that is asked for again under its X-Request-ID brings the same prescriptions', async () => {
    const made = await prescribed();
    const ask = patientRelease(made, g.now());
    const headers = { 'X-Request-ID': randomUUID() };
    const first = await ok(g.send('pharmacist', ask, headers));
    expect((await ok(g.send('pharmacist', ask, headers))).text).equal(first.text);
  });

  it('refused by the Spine › its code, and the items are entered in error', async () => {
    const made = newPrescription();
    const sent = order(made, { at: g.now(), signer: g.spine.signer });
    await ok(g.send('prescriber', sent));
    const other = { ...newPrescription(), id: made.id };
    const refused = await ok(g.send('prescriber', order(other, { at: g.now(), signer: g.spine.signer })), 400);
    expect(refused.text).include('DUPLICATE_PRESCRIPTION_ID');
    expect(await items(other)).eql(['entered-in-error', 'entered-in-error']);
    expect(await items(made)).eql(['active', 'active']);
    const same = await ok(g.send('prescriber', order(made, { at: g.now(), signer: g.spine.signer })), 400);
    expect(same.text).include('DUPLICATE_MEDICATIONREQUEST_ID');
    expect(await items(made)).eql(['active', 'active']);
  });

  it('the Spine is away › 202, and the answer is there once it is back; only for who asked', async () => {
    g.spine.faults.set([{ mode: 'busy', count: 1_000 }]);
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    const reply = await ok(g.send('prescriber', signed, { Prefer: 'respond-async' }), 202);
    const place = reply.headers.get('content-location') ?? '';
    expect(await items(made)).eql(['active', 'active']);
    expect((await g.fhir.get(place, g.as('pharmacist'))).status).equal(404);
    g.spine.faults.set([]);
    expect((await settled(place)).status).equal(200);
    expect(stateOf(made)).equal('0001');
  });

  it('the answer is lost, and the server is started again › the Spine is asked, and the order is there once', async () => {
    g.spine.faults.set([{ mode: 'error-after', count: 1 }]);
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    const reply = await ok(g.send('prescriber', signed, { Prefer: 'respond-async' }), 202);
    await g.restart();
    const place = new URL(reply.headers.get('content-location') ?? '');
    expect((await settled(`${g.fhir.base}/$eps-message${place.search}`)).status).equal(200);
    await ok(g.send('prescriber', signed));
    expect(g.spine.spine.messages(1000).filter(({ id }) => id === signed.id.toUpperCase())).lengthOf(1);
    expect(await items(made)).eql(['active', 'active']);
  });

  it('tracked › where the Spine has it, and what is stored follows; without a header of the NHS it is a search', async () => {
    const { made, requestId } = await taken();
    const elsewhere = notification(made, requestId, { at: g.now(), status: '0003', items: ['0001', '0004'] });
    const query = `Task?focus:identifier=https://fhir.nhs.uk/Id/prescription-order-number|${made.id}`;
    const { total, entry } = (await g.fhir.get(query, g.as('pharmacist'))).json<{
      total: number;
      entry: { resource: { businessStatus: { coding: { code: string }[] } } }[];
    }>();
    expect([total, entry[0]?.resource.businessStatus.coding[0]?.code]).eql([1, '0002']);
    expect(await g.spine.tell(elsewhere)).equal('AA');
    expect(await items(made)).eql(['active 0008', 'active 0008']);
    await ok(g.fhir.get(query, g.as('pharmacist')));
    expect(await items(made)).eql(['active 0004', 'completed 0001']);
    expect((await g.fhir.get('Task?status=unknown')).json()['total']).equal(0);
    const wrong = await g.fhir.get('Task?identifier=other|1', g.as('pharmacist'));
    expect([wrong.status, wrong.text.includes('must have system')]).eql([400, true]);
    expect((await g.fhir.get(query, g.as('receptionist'))).status).equal(403);
  });

  it('tracked by a number that ends in +, escaped or not › its Task', async () => {
    let made = newPrescription();
    while (!made.id.endsWith('+')) made = newPrescription();
    await ok(g.send('prescriber', order(made, { at: g.now(), signer: g.spine.signer })));
    for (const id of [made.id, encodeURIComponent(made.id)])
      for (const name of ['identifier', 'focus:identifier']) {
        const { total } = (await ok(g.fhir.get(`Task?${name}=${id}`, g.as('pharmacist')))).json();
        expect(total, `${name}=${id}`).equal(1);
      }
  });

  it('eRD with six issues › each released, dispensed and claimed in its time; completed after the last', async () => {
    const made = newPrescription('erd');
    const begin = g.now();
    await ok(g.send('prescriber', order(made, { at: begin, signer: g.spine.signer })));
    expect(await items(made)).eql(['active']);
    try {
      for (let issue = 1; issue <= 6; issue++) {
        g.spine.clock.now = begin + (issue - 1) * 28 * DAY;
        const { text } = await ok(g.send('pharmacist', patientRelease(made, g.now())));
        expect(await items(made), `issue ${issue}`).eql(['active 0008']);
        const [passed] = JSON.parse(text).parameter as [{ resource: unknown }];
        const verdict = await ok(g.fhir.post('$verify-signature', JSON.stringify(passed.resource), g.as('pharmacist')));
        expect(verdict.text, `issue ${issue}`).include('informational').and.not.include('"error"');
        const requestId = /"response":\{"identifier":"([^"]+)"/.exec(text)?.[1] ?? '';
        const supply = { at: g.now(), status: '0006', items: ['0001'], issue };
        await ok(g.send('pharmacist', notification(made, requestId, supply)));
        expect(await items(made), `issue ${issue}`).eql([issue < 6 ? 'active 0001' : 'completed 0001']);
        await ok(g.send('pharmacist', claim(made, supply)));
        if (issue < 6) await ok(g.send('pharmacist', patientRelease(made, g.now())), 400);
      }
      const over = await ok(g.send('pharmacist', patientRelease(made, g.now())), 400);
      expect(over.text).include('PRESCRIPTION_DISPENSED');
    } finally {
      g.spine.clock.now = begin;
    }
  });

  it('a Spine that takes its time holds up no other job', async () => {
    await g.spine.spine.change({ asynchronousMs: 60_000 });
    try {
      const all = [newPrescription(), newPrescription(), newPrescription()];
      for (const made of all) {
        const signed = order(made, { at: g.now(), signer: g.spine.signer });
        await ok(g.send('prescriber', signed, { Prefer: 'respond-async' }), 202);
      }
      const { server } = g;
      const token = await operatorToken(server, { user: 'patient@example.org' });
      const headers = { authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      const asked = await fetch(`${server.url}/api/v2/subject-access`, { method: 'POST', headers, body: '{}' });
      const place = `${server.url}${asked.headers.get('location')}`;
      const state = async (): Promise<unknown> => ((await (await fetch(place, { headers })).json()) as Json)['state'];
      for (let n = 0; n < 100 && (await state()) === 'waiting'; n++) await new Promise((done) => setTimeout(done, 50));
      expect(await state()).not.equal('waiting');
    } finally {
      await g.spine.spine.change({ asynchronousMs: null });
    }
  });

  it('in a transaction it would be stored and not sent › 422, and nothing is stored', async () => {
    const { made, responseId } = await taken();
    const resource = returnTask(made, responseId, { at: g.now() }).payload;
    const entry = [{ resource, request: { method: 'POST', url: 'Task' } }];
    const body = formatJson({ resourceType: 'Bundle', type: 'transaction', entry });
    const { text } = await ok(g.fhir.post('', body), 422);
    expect(text).include('sent by itself, with POST Task').and.include('Bundle.entry[0]');
    expect(await items(made)).eql(['active 0008', 'active 0008']);
  });

  it('with a header of the NHS, a search that names neither prescription nor patient is a search', async () => {
    const reply = await ok(g.fhir.get('Task?status=unknown', g.as('pharmacist')));
    expect(reply.json()['total']).equal(0);
  });

  it('[AZ-01] a prescriber who has nothing to do with the patient › 403, nothing is sent; for one who is new here › sent', async () => {
    const [made, other] = [newPrescription(), newPrescription()];
    const sent = order(made, { at: g.now(), signer: g.spine.signer });
    await ok(g.fhir.patch('Patient/p34', [{ op: 'remove', path: '/managingOrganization' }]));
    try {
      await ok(g.send('prescriber', sent), 403);
      await ok(g.send('prescriber', cancellation(made, { at: g.now() })), 403);
      expect(g.spine.spine.find(made.id)).equal(undefined);
      const stranger = JSON.parse(
        formatJson(order(other, { at: g.now() }).payload).replaceAll(NHS_NUMBER, '9990548609'),
      ) as Json;
      // It is not signed, so that it is refused for that, and not for whom it is.
      const unsigned = await ok(g.send('prescriber', { ...sent, payload: stranger }), 400);
      expect(unsigned.text).include('Invalid signature format');
    } finally {
      const back = [{ op: 'add', path: '/managingOrganization', value: { reference: 'Organization/surgery' } }];
      await ok(g.fhir.patch('Patient/p34', back));
    }
    await ok(g.send('prescriber', sent));
  });

  it('[AZ-01] [PK-09] a pharmacist speaks for their own pharmacy alone › 403, and nothing is sent', async () => {
    const { made, requestId, responseId } = await taken();
    const asOther = { at: g.now(), status: '0006', items: FULL, pharmacy: OTHER_PHARMACY };
    const before = g.spine.spine.messages(1000).length;
    for (const message of [
      patientRelease(made, g.now(), OTHER_PHARMACY),
      nominatedRelease(g.now(), OTHER_PHARMACY),
      notification(made, requestId, asOther),
      claim(made, asOther),
      returnTask(made, responseId, asOther),
      withdrawTask(made, randomUUID(), asOther),
    ])
      await ok(g.send('pharmacist', message), 403);
    expect(g.spine.spine.messages(1000).length).equal(before);
    expect(await items(made)).eql(['active 0008', 'active 0008']);
    await ok(g.send('pharmacist', returnTask(made, responseId, { at: g.now() })));
  });

  it('[DP-03] the patient’s own copy tells what was sent to the Spine about them', async () => {
    await prescribed();
    const { server } = g;
    const token = await operatorToken(server, { user: 'patient@example.org' });
    const headers = { authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const asked = await fetch(`${server.url}/api/v2/subject-access`, { method: 'POST', headers, body: '{}' });
    const place = `${server.url}${asked.headers.get('location')}`;
    const isReady = async (): Promise<boolean> =>
      ((await (await fetch(place, { headers })).json()) as Json)['state'] !== 'waiting';
    for (let n = 0; n < 200 && !(await isReady()); n++) await new Promise((done) => setTimeout(done, 50));
    const copy = (await (await fetch(`${place}/bundle`, { headers })).json()) as { entry: { resource: Json }[] };
    const messages = copy.entry.filter(({ resource }) => resource['resourceType'] === 'Bundle');
    expect(JSON.stringify(messages)).include('PORX_IN020101SM31').and.include('"resourceType":"MedicationRequest"');
  });

  it('/metadata says that there is a Spine', async () => {
    const { rest } = (await g.fhir.get('metadata')).json<{
      rest: [{ operation: { name: string }[]; resource: { type: string; operation?: { name: string }[] }[] }];
    }>();
    expect(rest[0].operation.map(({ name }) => name)).include('eps-message');
    expect(rest[0].resource.find(({ type }) => type === 'Task')?.operation?.map(({ name }) => name)).eql(['release']);
  });

  it('headers › what is missing or another system’s is refused; raw answers are the Spine’s own', async () => {
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    expect((await g.send('prescriber', signed, { 'X-Request-ID': 'mine' })).text).include('MISSING_FIELD');
    expect((await ok(g.send('prescriber', signed, { 'NHSD-Session-URID': '1' }), 400)).text).include(
      'NHSD-Session-URID',
    );
    await ok(g.send('prescriber', signed, { 'NHSD-ASID': '999999999999' }), 403);
    const raw = await ok(g.send('prescriber', signed, { 'x-raw-response': '1' }));
    expect(raw.headers.get('content-type')).include('application/xml');
    expect(raw.text).include('MCCI_IN010000UK13');
  });

  it('$verify-signature, $validate, $dose-to-text', async () => {
    const made = newPrescription();
    const [signed, bare] = [order(made, { at: g.now(), signer: g.spine.signer }), order(made, { at: g.now() })];
    const post = (name: string, { payload }: typeof signed) =>
      g.fhir.post(name, formatJson(payload), g.as('prescriber'));
    expect((await ok(post('$verify-signature', signed))).text)
      .include('informational')
      .and.not.include('"error"');
    expect((await ok(post('$verify-signature', bare))).text).include('Invalid signature format');
    await ok(post('$validate', signed));
    const wrong = { ...signed, payload: cancellation(made, { at: g.now() }).payload as Json };
    (wrong.payload['entry'] as { resource: Json }[])[1]!.resource['status'] = 'active';
    expect((await ok(post('$validate', wrong), 400)).text).include('MedicationRequest.status must be cancelled.');
    const told = await post('$dose-to-text', signed);
    expect([told.status, told.headers.get('content-type')?.split(';')[0]]).eql([200, 'application/json']);
  });

  it('[AU-01] who sent what, and who was told of whom, is in the trail', async () => {
    const { made } = await taken();
    await ok(g.send('prescriber', cancellation(made, { at: g.now() })), 400);
    const { entry } = (await g.fhir.get('AuditEvent?patient=Patient/p34&_count=50')).json<{
      entry: { resource: Json }[];
    }>();
    const text = JSON.stringify(entry);
    for (const name of ['PORX_IN020101SM31', 'PORX_IN030101SM32', 'eps-answer']) expect(text).include(name);
  });

  it('[AU-01] whom the tracker told of is in the trail, and that it told nothing', async () => {
    const made = await prescribed();
    const number = `https://fhir.nhs.uk/Id/prescription-order-number|${made.id}`;
    const { text } = await ok(g.fhir.get(`Task?focus:identifier=${number}`, g.as('pharmacist')));
    expect(text).include(NHS_NUMBER);
    await ok(g.fhir.get('Task?focus:identifier=other|1', g.as('pharmacist')), 400);
    const trackings = async (query: string): Promise<readonly unknown[]> => {
      const { entry } = (await ok(g.fhir.get(`AuditEvent?${query}&_count=100`))).json<{
        entry: { resource: Json }[];
      }>();
      return entry
        .filter(({ resource }) => JSON.stringify(resource).includes('eps-track'))
        .map(({ resource }) => resource['outcome']);
    };
    expect(await trackings('patient=Patient/p34')).include('0');
    expect(await trackings('outcome=4')).not.empty;
  });

  it('[AZ-01] the wrong role › 403, and nothing is sent', async () => {
    const made = newPrescription();
    const signed = order(made, { at: g.now(), signer: g.spine.signer });
    for (const person of ['pharmacist', 'receptionist', 'patient'] as const) await ok(g.send(person, signed), 403);
    await ok(g.send('prescriber', patientRelease(made, g.now())), 403);
    expect(g.spine.spine.find(made.id)).equal(undefined);
  });
});
