/** What is sent and what is answered, in the store: each once, whoever does it twice. */
import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { readSentEnvelope } from '../../../src/gateways/eps/sent-message.ts';
import { prepareSending, sendingId } from '../../../src/gateways/eps/submit.ts';
import type { Settlement } from '../../../src/ports/message-log.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { criteriaOf as criteriaIn } from '../../../src/rest/criteria.ts';
import { parseJson } from '../../../src/standards/fhir/json.ts';
import { createApplyMessage } from '../../../src/workflow/apply-message.ts';
import { createEpsSend, type EpsSend } from '../../../src/workflow/eps/send.ts';
import { type EpsSender, readSender } from '../../../src/workflow/eps/sender.ts';
import { createEpsRecord, type EpsRecord } from '../../../src/workflow/eps/settle.ts';
import { readAnswer } from '../../mapping/eps/inbound/answer.ts';
import { person } from '../../support/callers.ts';
import { withoutEmptyLists } from '../../support/eps-gateway.ts';
import {
  cancellation,
  claim,
  newPrescription,
  notification,
  order,
  patientRelease,
  returnTask,
} from '../../support/eps-messages.ts';
import { silentLog } from '../../support/log.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../../support/policy-store.ts';

const CALLER = person(['PRESCRIBER', 'PHARMACIST'], { practitioner: 'gp' });
const SETTINGS = { toAsid: '567456789789', toPartyKey: 'YES-0000806', fromAsid: '200000001285', fromPartyKey: 'T-1' };
type Bundle = { readonly identifier: object };
const pathOf = (version: string): string => version.split('/').slice(0, 2).join('/');
const EVERYTHING = { prescribing: true, dispensing: true, tracking: true };

describe('workflow › eps › record', () => {
  let world: PolicyStore;
  let send: EpsSend;
  let record: EpsRecord;
  const recorded: unknown[] = [];
  before(async () => {
    world = await openPolicyStore();
    const { store, services, clock } = world;
    const criteriaOf = (type: string, query: string) => criteriaIn(services, type, query);
    const apply = createApplyMessage({ ...services, criteriaOf, newId: store.newId, now: clock.now });
    const shared = { messages: store.messages, store, apply, criteriaOf, prepareSending };
    const audit = { record: async (event: unknown) => void recorded.push(event) };
    record = createEpsRecord({
      ...shared,
      validate: services.validate,
      sendingId,
      readSent: readSentEnvelope,
      judge: async () => JUDGED,
      toAsid: SETTINGS.toAsid,
      baseUrl: 'http://mortar.test/fhir/R4',
      now: clock.now,
      log: silentLog,
    });
    const { patientsOf } = record;
    const checkRelation = async (): Promise<void> => {}; // in test/journeys/eps-operations.test.ts
    send = createEpsSend({
      ...shared,
      judge: undefined,
      audit,
      checkRelation,
      patientsOf,
      toPartyKey: SETTINGS.toPartyKey,
    });
  });
  after(() => world.stop());

  const sender = (requestId: string = randomUUID()): EpsSender => {
    const headers = {
      'x-request-id': requestId,
      'nhsd-identity-uuid': '555254239107',
      'nhsd-session-urid': '555254240100',
    };
    const known = { userIds: ['555254239107'], roleProfileIds: ['555254240100'] };
    return readSender({ caller: CALLER, headers, functions: EVERYTHING, known }, SETTINGS, world.clock.now());
  };
  async function sent(payload: unknown, as = sender()) {
    const result = await send(CALLER, payload, as);
    if ('refused' in result) throw new Error(JSON.stringify(result.refused));
    return result.message;
  }
  const again = (id: string) => world.store.messages.read(ROOT, id);
  const answered = (state: 'acknowledged' | 'rejected', name: string): Settlement => ({
    state,
    answer: Buffer.from(readAnswer(name)),
  });
  async function current(version: string): Promise<Resource & { meta: { versionId: string } }> {
    const [type = '', id = ''] = version.split('/');
    return parseJson((await world.store.read(ROOT, type, id)).content) as Resource & { meta: { versionId: string } };
  }
  const requests = (resources: readonly string[]): readonly string[] =>
    resources.filter((one) => one.startsWith('MedicationRequest/'));
  const at = Date.parse('2026-11-17T09:00:00Z');

  /** What is wrong with prescriptions of the release that is answered below. */
  const JUDGED = [
    {
      severity: 'error' as const,
      code: 'security' as const,
      diagnostics: 'Signature is invalid',
      expression: ['ParentPrescription/none'],
    },
  ];

  it('sent twice at the same time › one message, one job, the resources once', async () => {
    const { payload } = order(newPrescription(), { at });
    const both = await Promise.all([sent(payload), sent(payload)]);
    const [first] = both;
    expect(both.map(({ id }) => id)).eql([first?.id, first?.id]);
    const { resources, state, askedBy, raw } = await again(first?.id ?? '');
    expect([state, requests(resources).length, askedBy]).eql(['queued', 2, `user ${CALLER.user?.id}`]);
    expect(raw.toString()).include('PORX_IN020101SM31');
    const jobs = (await world.store.jobs.list('ready', 100)).filter(({ kind }) => kind === 'eps-send');
    expect(jobs).lengthOf(1);
    const [patientId] = await world.ids(ROOT, 'Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000034');
    const told = { kind: 'message-out', operation: 'PORX_IN020101SM31', caller: CALLER, outcome: 0, patientId };
    expect(recorded.at(-1)).deep.include(told);
  });

  it('settled twice › its effect is there once, and what the second brings is not kept', async () => {
    const message = await sent(order(newPrescription(), { at }).payload);
    const refused = answered('rejected', 'acknowledgement-refused.xml');
    await Promise.all([record.settle(message, refused), record.settle(message, refused)]);
    await record.settle(message, answered('acknowledged', 'acknowledgement-accepted.xml'));
    const after = await again(message.id);
    expect(after.state).equal('rejected');
    for (const version of requests(message.resources)) {
      const { status, statusReason, meta } = await current(version);
      expect([status, meta.versionId]).eql(['entered-in-error', '2']);
      expect(JSON.stringify(statusReason)).include('The Spine refused it');
    }
  });

  it('refused, corrected and sent again › active, and nothing is left of the refusal', async () => {
    const made = newPrescription();
    const message = await sent(order(made, { at }).payload);
    await record.settle(message, answered('rejected', 'acknowledgement-refused.xml'));
    const better = await sent(order(made, { at }).payload);
    expect(better.id).not.equal(message.id);
    const { status, statusReason } = await current(requests(message.resources)[0] ?? '');
    expect([status, statusReason]).eql(['active', undefined]);
    // Once the Spine may have it, it is not written over.
    expect(await sent(order(made, { at }).payload).catch((e: unknown) => e)).nested.property(
      'issues[0].code',
      'duplicate',
    );
  });

  it('[AZ-01] what another message brought is not written over: a Task and a Claim are refused, a dispense is kept apart', async () => {
    const made = newPrescription();
    const other = { ...sender(), context: { ...sender().context, fromPartyKey: 'T-2' } };
    for (const { payload } of [
      returnTask(made, randomUUID(), { at }),
      claim(made, { at, status: '0006', items: ['0001', '0001'] }),
    ]) {
      const given = withoutEmptyLists(payload);
      const first = await sent(given);
      const error = await sent(given, other).catch((e: unknown) => e);
      expect(error).nested.property('issues[0].code', 'duplicate');
      expect((await again(first.id)).state).equal('queued');
    }
    const { payload } = notification(made, randomUUID(), { at, status: '0006', items: ['0001', '0001'] });
    const told = withoutEmptyLists(payload) as Bundle;
    const first = await sent(told);
    await record.settle(first, answered('acknowledged', 'acknowledgement-accepted.xml'));
    // The same items again, in a message of its own, as an amendment has them; the Spine refuses it.
    const text = JSON.stringify(told).replaceAll('whenHandedOver":"2026', 'whenHandedOver":"2025');
    const amended = { ...(JSON.parse(text) as Bundle), identifier: { ...told.identifier, value: randomUUID() } };
    const second = await sent(amended);
    const dispenses = (resources: readonly string[]): readonly string[] =>
      resources.filter((one) => one.startsWith('MedicationDispense/'));
    expect(dispenses(second.resources).map(pathOf)).not.members(dispenses(first.resources).map(pathOf));
    await record.settle(second, answered('rejected', 'acknowledgement-refused.xml'));
    for (const one of dispenses(first.resources)) expect((await current(one))['status']).equal('completed');
    for (const one of dispenses(second.resources)) expect((await current(one))['status']).equal('entered-in-error');
  });

  it('never sent › on hold, and active once it is', async () => {
    const message = await sent(order(newPrescription(), { at }).payload);
    await record.settle(message, { state: 'dead', error: 'away' });
    const [item = ''] = requests(message.resources);
    expect((await current(item))['status']).equal('on-hold');
    await record.settle(await again(message.id), answered('acknowledged', 'acknowledgement-accepted.xml'));
    const { status, statusReason } = await current(item);
    expect([status, statusReason]).eql(['active', undefined]);
  });

  it('laid aside and handed in again › it waits to be sent once more', async () => {
    const { payload } = order(newPrescription(), { at });
    const message = await sent(payload);
    const jobs = async () => (await world.store.jobs.list('ready', 200)).length;
    const taken = await world.store.jobs.take({ kinds: ['eps-send'], limit: 100, leaseMs: 60_000 });
    const own = taken.filter(({ payload: { message: id } }) => id === message.id);
    for (const one of taken)
      await (own.includes(one) ? world.store.jobs.bury(one, 'away') : world.store.jobs.release(one));
    expect(own).lengthOf(1);
    await record.settle(message, { state: 'dead', error: 'away' });
    const before = await jobs();
    await Promise.all([sent(payload), sent(payload), sent(payload), sent(payload)]);
    const { state, attempts } = await again(message.id);
    expect([state, attempts]).eql(['queued', 2]);
    expect(await jobs()).equal(before + 1);
  });

  it('a release with prescriptions that fail › each goes back to the Spine, once, under the same id', async () => {
    const made = newPrescription();
    const message = await sent(patientRelease(made, at).payload);
    const answer = answered('acknowledged', 'release-patient.xml');
    await Promise.all([record.settle(message, answer), record.settle(message, answer)]);
    const page = await world.store.messages.list(ROOT, { kind: 'PORX_IN100101SM31' }, 10);
    expect(page.messages).not.empty;
    const back = await again(page.messages[0]?.id ?? '');
    expect([back.state, back.sender, back.receiver]).eql(['queued', 'T-1', 'YES-0000806']);
    expect(back.raw.toString()).include('pertinentReturnReason');
    const count = page.messages.length;
    await record.settle(await again(message.id), answer);
    expect((await world.store.messages.list(ROOT, { kind: 'PORX_IN100101SM31' }, 10)).messages).lengthOf(count);
  });

  it('[DP-05] whose data a message holds › by what is stored of it, else by the number that it says', async () => {
    const made = newPrescription();
    const message = await sent(order(made, { at }).payload);
    const [patient] = await world.ids(ROOT, 'Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000034');
    expect(await record.patientsOf(message)).eql([patient]);
    const cancelling = await sent(cancellation(made, { at }).payload);
    expect(cancelling.resources).eql([]);
    expect(await record.patientsOf(cancelling)).eql([patient]);
    expect(await record.patientsOf(await sent(patientRelease(made, at).payload))).eql([]);
  });

  it('[IN-01] more than a message may hold › 413, and nothing is sent or stored', async () => {
    const { payload } = order(newPrescription(), { at });
    const long = JSON.parse(JSON.stringify(payload)) as { entry: { resource: Record<string, unknown> }[] };
    for (const { resource } of long.entry)
      if (resource['resourceType'] === 'Patient')
        resource['name'] = Array.from({ length: 20_000 }, () => ({ family: 'A', given: ['B'] }));
    const error = await sent(long).catch((e: unknown) => e);
    expect(error).property('status', 413);
  });

  it('same message id, other content › 409, and nothing is stored', async () => {
    const { payload } = order(newPrescription(), { at });
    await sent(payload);
    const error = await sent({ ...(payload as object), timestamp: '2026-01-01T00:00:00Z' }).catch((e: unknown) => e);
    expect(error).property('status', 409);
  });

  it('what is not valid R4 › 422, and no message is queued', async () => {
    const { payload } = order(newPrescription(), { at });
    const broken = JSON.parse(JSON.stringify(payload)) as { entry: { resource: Record<string, unknown> }[] };
    for (const { resource } of broken.entry)
      if (resource['resourceType'] === 'MedicationRequest') resource['reported'] = 'yes';
    const before = (await world.store.messages.list(ROOT, {}, 100)).messages.length;
    expect(await sent(broken).catch((e: unknown) => e)).property('status', 422);
    expect((await world.store.messages.list(ROOT, {}, 100)).messages.length).equal(before);
  });

  it('[AU-01] what the rules refuse is in the trail', async () => {
    const refused = await send(CALLER, { resourceType: 'Parameters', parameter: [] }, sender());
    expect(refused).nested.property('refused.status', 400);
    expect(recorded.at(-1)).deep.include({ kind: 'message-out', operation: 'release', outcome: 4 });
  });

  it('a release asked for twice under one request id › one message; under another, another', async () => {
    const { payload } = patientRelease(newPrescription(), at);
    const requestId = randomUUID();
    const [first, second, third] = [
      await sent(payload, sender(requestId)),
      await sent(payload, sender(requestId)),
      await sent(payload),
    ];
    expect(second.id).equal(first.id);
    expect(third.id).not.equal(first.id);
    expect(first.hash).equal(createHash('sha256').update(JSON.stringify(payload)).digest('hex'));
  });
});
