/** SCRIPT to partners as durable jobs: order, the same MessageID again, patience and its end. docs/ncpdp.md "Pushing" */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import { createScriptSendJobs, scriptSendJob } from '../../src/jobs/script-send-jobs.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { StoredMessage } from '../../src/ports/message-log.ts';
import type { ScriptOutcome } from '../../src/ports/script-push.ts';
import type { ProcessingStop } from '../../src/ports/subject-rights.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

const CALLER = serviceCaller('test');
const HOUR_MS = 3_600_000;
const ANSWER = Buffer.from('<Status/>');
const DELIVERED: ScriptOutcome = { kind: 'delivered', answer: ANSWER };

describe('jobs › SCRIPT to partners', () => {
  let store: MessageStore;
  let runner: JobRunner;
  let now = Date.now();
  let isActive = true;
  /** `receiver controlId text`, as they were sent. */
  let sent: string[] = [];
  let taken: string[] = [];
  let act: (controlId: string) => ScriptOutcome;

  before(async () => {
    store = await openMessageStore();
    const { handlers } = createScriptSendJobs({
      messages: store.messages,
      exchange: {
        async send({ receiver }, { controlId, raw }) {
          sent.push(`${receiver} ${controlId} ${raw}`);
          await sleep(5);
          return act(controlId);
        },
      },
      targets: {
        find: (receiver) =>
          receiver === 'P:gone' ? undefined : { receiver, url: new URL('https://partner.example/script') },
      },
      isPartner: async () => isActive,
      take: async (answer, receiver) => {
        taken.push(`${receiver} ${answer}`);
        return !answer.includes('bad');
      },
      delaysMs: [10, 20],
      now: () => now,
      random: () => 0,
      log: silentLog,
    });
    runner = createJobRunner({
      table: store.jobs,
      handlers,
      concurrency: 8,
      pollMs: 20,
      sweepMs: 50,
      now: Date.now,
      random: () => 0,
      stop: { restrictedAmong: async () => new Set() } as unknown as ProcessingStop,
      log: silentLog,
    });
  });
  after(async () => {
    await runner.stop(1000);
    await store.stop();
  });
  beforeEach(() => {
    sent = [];
    taken = [];
    act = () => DELIVERED;
    isActive = true;
    now = Date.now();
  });

  async function queue(controlId: string, receiver = 'P:0300123', at = now): Promise<string> {
    const id = randomUUID();
    const raw = Buffer.from(`<Message>${controlId}</Message>`);
    const hash = createHash('sha256').update(raw).digest();
    await store.queue({
      message: {
        id,
        direction: 'out',
        dialect: 'script',
        kind: 'NewRx',
        controlId,
        receiver,
        hash,
        raw,
        receivedAt: at,
      },
      job: scriptSendJob(id, receiver, at),
    });
    return id;
  }
  async function ends(id: string, state: string): Promise<StoredMessage> {
    for (let tries = 0; tries < 600; tries++) {
      const message = await store.messages.read(CALLER, id);
      if (message.state === state) return message;
      await sleep(10);
    }
    throw new Error(`it is not ${state}`);
  }
  async function jobsEnd(): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if ((await store.jobs.countOpen('script-send', ['P:0300123'], 1)) === 0) return;
      await sleep(10);
    }
    throw new Error('a job is still open');
  }

  it('delivered: acknowledged, with the answer', async () => {
    const message = await ends(await queue('M-1'), 'acknowledged');
    expect(message.answer?.toString()).equal('<Status/>');
  });
  it('[RL-18] keeps the order of a partner: what must wait holds up its own partner alone', async () => {
    let away = 3;
    act = (controlId) =>
      controlId === 'A-1' && away-- > 0 ? { kind: 'again', answer: ANSWER, error: 'Error 602' } : DELIVERED;
    const ids = [await queue('A-1'), await queue('A-2'), await queue('B-1', 'P:0399999')];
    for (const id of ids) await ends(id, 'acknowledged');
    const order = sent.map((line) => line.split(' ')[1]);
    expect(order.filter((id) => id !== 'B-1')).eql(['A-1', 'A-1', 'A-1', 'A-1', 'A-2']);
  });
  it('[RL-16] what was not answered goes again with the same bytes under the same MessageID', async () => {
    let lost = 2;
    act = () => (lost-- > 0 ? { kind: 'unknown', cause: 'ETIMEDOUT' } : DELIVERED);
    await ends(await queue('M-2'), 'acknowledged');
    expect(sent.length).equal(3);
    expect(new Set(sent).size).equal(1);
  });
  it('[RL-16] what was sent by a process that ended before it heard the answer goes again, the same', async () => {
    let ended = false;
    act = () => {
      if (ended) return DELIVERED;
      ended = true;
      throw new Error('the process ends');
    };
    await ends(await queue('M-3'), 'acknowledged');
    expect(sent.length).equal(2);
    expect(new Set(sent).size).equal(1);
  });
  for (const [outcome, state] of [
    [{ kind: 'rejected', answer: ANSWER, error: 'Error 900 081' }, 'rejected'],
    [{ kind: 'forwarded', answer: ANSWER }, 'sent'],
    [{ kind: 'unclear', answer: ANSWER, error: 'Status 777 is not known' }, 'unknown'],
  ] as const satisfies readonly (readonly [ScriptOutcome, string])[])
    it(`${outcome.kind}: ${state}, and it is not sent again`, async () => {
      act = () => outcome;
      const id = await queue(`O-${outcome.kind}`);
      await jobsEnd();
      const message = await store.messages.read(CALLER, id);
      expect(message).include({ state, ...('error' in outcome && { error: outcome.error }) });
      expect(sent.length).equal(1);
    });
  it('an answer that is a message of its own is worked; one that cannot be taken is no success', async () => {
    act = (controlId) => ({ kind: 'answered', answer: Buffer.from(controlId) });
    await ends(await queue('good'), 'acknowledged');
    const message = await ends(await queue('bad'), 'unknown');
    expect(message.error).match(/not taken/);
    expect(taken).eql(['P:0300123 good', 'P:0300123 bad']);
  });
  it('waits while the partner is not active, and is sent to nobody else', async () => {
    isActive = false;
    const id = await queue('W-1', 'P:0388888');
    const gone = await queue('W-2', 'P:gone');
    await sleep(100);
    expect(sent).eql([]);
    for (const one of [id, gone]) expect((await store.messages.read(CALLER, one)).state).equal('queued');
  });
  it('[RL-37] is given up after a day: dead where it never left, unknown where it may have', async () => {
    act = (controlId) =>
      controlId === 'L-1' ? { kind: 'not-sent', cause: 'ECONNREFUSED' } : { kind: 'unknown', cause: 'ETIMEDOUT' };
    const [never, perhaps] = [await queue('L-1', 'P:1111111'), await queue('L-2', 'P:2222222')];
    await ends(perhaps, 'unknown');
    await ends(never, 'queued');
    now += 25 * HOUR_MS;
    expect((await ends(never, 'dead')).error).equal('ECONNREFUSED');
    for (let tries = 0; (await store.jobs.countOpen('script-send', ['P:2222222'], 1)) > 0; tries += 1) {
      if (tries > 600) throw new Error('it is not given up');
      await sleep(10);
    }
    expect((await store.messages.read(CALLER, perhaps)).state).equal('unknown');
  });
});
