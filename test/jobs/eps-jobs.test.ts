/** Messages to the Spine as durable jobs: each sent once, and asked about when nothing is known. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createSpineSender, prepareSending, type SpineSender } from '../../src/gateways/eps/submit.ts';
import { createEpsJobs } from '../../src/jobs/eps-jobs.ts';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import type { FaultMode } from '../../src/peers/spine/faults.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { TakenJob } from '../../src/ports/jobs.ts';
import type { StoredMessage } from '../../src/ports/message-log.ts';
import type { SpineExchange, SpineKnowledge, SpineOutcome, SpineReply } from '../../src/ports/spine-exchange.ts';
import { answerOf } from '../../src/workflow/eps/answer.ts';
import type { Outgoing } from '../../src/workflow/eps/send.ts';
import { hashOf, newPrescription, order, patientRelease, type V3Document } from '../support/eps-messages.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';
import { PARTY, startTestSpine, type TestSpine } from '../support/spine.ts';

const CALLER = serviceCaller('test');
const WAIT_MS = 8000;

describe('jobs › eps', () => {
  let store: MessageStore;
  let spine: TestSpine;
  let runner: JobRunner;
  let sender: SpineSender;
  before(async () => {
    store = await openMessageStore();
    spine = await startTestSpine({ timeoutMs: 400, polling: { firstMs: 5, delayMs: 10, totalMs: 60 } });
    sender = createSpineSender({ messages: store.messages, queue: store.queue, pollMs: 50, now: Date.now });
    runner = start();
  });
  afterEach(async () => {
    spine.faults.set([]);
    await spine.spine.change({ asynchronousMs: null });
  });
  after(async () => {
    await runner.stop(2000);
    await spine.stop();
    await store.stop();
  });

  function start(): JobRunner {
    const { handlers } = createEpsJobs({
      messages: store.messages,
      exchange: spine.exchange,
      askAgainMs: 20,
      delayMs: 10,
      delayMaxMs: 50,
      attemptsMax: 30,
      onSettled: sender.settled,
      log: silentLog,
    });
    return createJobRunner({
      table: store.jobs,
      handlers,
      concurrency: 8,
      pollMs: 20,
      sweepMs: 50,
      leaseMs: 300,
      now: Date.now,
      log: silentLog,
    });
  }
  const outgoing = (document: V3Document, requestId: string = randomUUID()): Outgoing => ({
    v3: document.v3,
    ...PARTY,
    requestId,
    hash: hashOf(document),
    at: Date.now(),
  });
  const submit = (document: V3Document, waitMs = WAIT_MS): Promise<StoredMessage> =>
    sender.submit(CALLER, outgoing(document), waitMs);
  const ordered = (made = newPrescription()): V3Document => order(made, { at: spine.clock.now, signer: spine.signer });
  const timesOf = (document: V3Document): number =>
    spine.spine.messages(1000).filter(({ id }) => id === document.id.toUpperCase()).length;

  it('acknowledged › the answer is in the log, byte for byte', async () => {
    const sent = ordered();
    const message = await submit(sent);
    expect(message).deep.include({
      state: 'acknowledged',
      direction: 'out',
      dialect: 'eps',
      kind: 'PORX_IN020101SM31',
      controlId: sent.id,
    });
    expect(message.answer?.toString()).include('typeCode="AA"');
  });

  it('rejected › with the codes of the Spine', async () => {
    const made = newPrescription();
    const message = await submit(order(made, { at: spine.clock.now }));
    expect(message).include({ state: 'rejected', error: 'AE 0003 Digital signature not found' });
    expect(message.answer?.toString()).include('0003');
  });

  it('handed in again › sent once; under its id with other content › conflict', async () => {
    const sent = ordered();
    const [first, second] = await Promise.all([submit(sent), submit(sent)]);
    expect(first.id).equal(second.id);
    expect(timesOf(sent)).equal(1);
    let error: unknown;
    try {
      await sender.submit(CALLER, { ...outgoing(sent), hash: Buffer.alloc(32) }, 0);
    } catch (caught) {
      error = caught;
    }
    expect(error).property('status', 409);
  });

  /** What the Spine has done is found out by asking; the message ends as if nothing had happened. */
  const FAULTS: readonly (readonly [mode: FaultMode, count: number])[] = [
    ['slow', 1],
    ['busy', 3],
    ['error', 2],
    ['error-after', 1],
    ['dropped', 2],
    ['dropped-after', 1],
    ['malformed', 1],
    ['empty', 1],
    ['duplicated', 1],
  ];
  for (const [mode, count] of FAULTS)
    it(`fault ${mode} › an order ends acknowledged, and is there once`, async () => {
      const made = newPrescription();
      const sent = ordered(made);
      spine.faults.set([{ mode, count, ms: 600 }]);
      const message = await submit(sent);
      expect(message.state, message.error).equal('acknowledged');
      expect(spine.spine.find(made.id)?.issues[0]?.status).equal('0001');
      expect(timesOf(sent)).equal(1);
    });

  it('an order whose answer was lost is not sent again: the tracker shows it', async () => {
    const sent = ordered();
    spine.faults.set([
      { mode: 'dropped-after', count: 1 },
      { mode: 'error', count: 50, interaction: 'PORX_IN020101SM31' },
    ]);
    const message = await submit(sent);
    expect(message).include({ state: 'acknowledged', error: 'its answer was lost; the tracker shows it as done' });
    // A second sending would have met the other fault.
    expect(spine.faults.list()[0]?.count).equal(50);
  });

  it('a release whose answer was lost brings its prescription all the same', async () => {
    const made = newPrescription();
    expect((await submit(ordered(made))).state).equal('acknowledged');
    spine.faults.set([{ mode: 'dropped-after', count: 1 }]);
    const message = await submit(patientRelease(made, spine.clock.now));
    expect(message.state).equal('acknowledged');
    expect(message.answer?.toString()).include('<PrescriptionReleaseResponse').include(made.id);
  });

  it('messages of one prescription go out in their order, also past a fault', async () => {
    const made = newPrescription();
    spine.faults.set([{ mode: 'error', count: 2 }]);
    const [first, second] = await Promise.all([
      submit(ordered(made)),
      new Promise<StoredMessage>((done, fail) => {
        setTimeout(() => submit(patientRelease(made, spine.clock.now)).then(done, fail), 30);
      }),
    ]);
    expect([first.state, second.state]).eql(['acknowledged', 'acknowledged']);
    expect(second.answer?.toString()).include('PrescriptionReleaseResponse');
  });

  it('asynchronous and late › waited for, polled, and found after a restart of the worker', async () => {
    await spine.spine.change({ asynchronousMs: 500 });
    const sent = ordered();
    const early = await submit(sent, 120);
    expect(early.state).oneOf(['sent', 'unknown']);
    await runner.stop(0);
    runner = start();
    spine.clock.now += 1000;
    const late = await submit(sent);
    expect(late).include({ id: early.id, state: 'acknowledged' });
    expect(late.answer?.toString()).include('typeCode="AA"');
    expect(timesOf(sent)).equal(1);
  });

  it('a worker that ended while it sent leaves a message that is asked about', async () => {
    const made = newPrescription();
    const sent = ordered(made);
    const queued = prepareSending(outgoing(sent));
    // As a process leaves it that was killed between "sent" and the answer, with the message at the Spine …
    await store.queue({ ...queued, job: { ...queued.job, runAt: Date.now() + 60_000 } });
    await store.messages.settle(queued.message.id, { state: 'sent' });
    await spine.exchange.send({ body: queued.message.raw });
    await store.jobs.add([{ kind: 'eps-send', payload: { message: queued.message.id } }]);
    const message = await submit(sent);
    expect(message).include({ state: 'acknowledged', error: 'its answer was lost; the tracker shows it as done' });
    expect(timesOf(sent)).equal(1);
    // … and without.
    const other = ordered();
    const lost = prepareSending(outgoing(other));
    await store.queue(lost);
    await store.messages.settle(lost.message.id, { state: 'sent' });
    expect((await submit(other)).answer?.toString()).include('typeCode="AA"');
  });

  it('a Spine that takes nothing › queued, and sent when it does', async () => {
    spine.faults.set([{ mode: 'busy', count: 1000 }]);
    const sent = ordered();
    const early = await submit(sent, 200);
    expect(early.state).oneOf(['queued', 'sent']);
    spine.faults.set([]);
    expect((await submit(sent)).state).equal('acknowledged');
  });

  /** Runs the handler on messages at a Spine that does these things in turn; what is in the log afterwards. */
  async function leftBy(outcomes: readonly SpineOutcome[], known: SpineKnowledge): Promise<StoredMessage> {
    const queued = prepareSending(outgoing(ordered()));
    await store.queue({ ...queued, job: { ...queued.job, runAt: Date.now() + 600_000 } });
    const left = [...outcomes];
    const next = async (): Promise<SpineOutcome> => left.shift() ?? { kind: 'unknown', cause: 'nothing more' };
    const exchange: SpineExchange = {
      async send(_message, { onWaiting } = {}) {
        const outcome = await next();
        if (outcome.kind === 'waiting') await onWaiting?.(outcome.pollPath);
        return outcome;
      },
      poll: next,
      ask: async () => known,
    };
    const { handlers } = createEpsJobs({ messages: store.messages, exchange, askAgainMs: 1, log: silentLog });
    const job = { payload: { message: queued.message.id } } as unknown as TakenJob; // it looks at nothing else
    for (let n = 0; n < outcomes.length; n++)
      await handlers[0]?.run(job, new AbortController().signal).catch(() => undefined);
    return store.messages.read(CALLER, queued.message.id);
  }
  const reply = (typeCode: 'AA' | 'AR', ...codes: SpineReply['codes']): SpineOutcome => ({
    kind: 'answered',
    reply: { interaction: 'MCCI_IN010000UK13', acknowledgement: typeCode, codes },
    body: Buffer.from('<answer/>'),
  });
  const HAS_IT = { system: '2.16.840.1.113883.2.1.3.2.4.17.32', code: '202', display: 'Duplicate HL7 ID' };

  it('"not taken", and then "taken before" › it is asked for, and not refused', async () => {
    const busy: SpineOutcome = { kind: 'not-sent', cause: 'status 503' };
    const done = await leftBy([busy, reply('AR', HAS_IT), reply('AA')], { kind: 'applied' });
    expect(done.state).equal('acknowledged');
    // Of one that was never sent before, the id is somebody else's.
    expect((await leftBy([reply('AR', HAS_IT)], { kind: 'applied' })).state).equal('rejected');
  });

  it('an answer that was to be polled and is gone › lost, and not where it was to be', async () => {
    const gone: SpineOutcome = { kind: 'unknown', cause: 'status 404' };
    const done = await leftBy([{ kind: 'waiting', pollPath: '/_poll/1' }, gone], { kind: 'applied' });
    expect([done.state, done.answer?.length]).eql(['acknowledged', 0]);
    const { status, body } = answerOf(done, 'https://mortar.example/fhir/R4');
    expect([status, JSON.stringify(body).includes('lost on the way')]).eql([200, true]);
  });
});
