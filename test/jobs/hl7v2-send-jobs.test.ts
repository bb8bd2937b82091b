/** Messages to HL7 v2 partners as durable jobs: order, patience and its end. docs/hl7v2.md "Feeds" */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { laneOf, queuedMessage } from '../../src/gateways/hl7v2/feed/queue-message.ts';
import { createV2SendJobs } from '../../src/jobs/hl7v2-send-jobs.ts';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { StoredMessage } from '../../src/ports/message-log.ts';
import type { ProcessingStop } from '../../src/ports/subject-rights.ts';
import type { FeedEvent, V2Outcome } from '../../src/ports/v2-feed.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';
import { feedTo } from '../support/v2-feed.ts';

const CALLER = serviceCaller('test');
const HOUR_MS = 3_600_000;
const ACCEPTED: V2Outcome = { kind: 'accepted', code: 'AA', answer: Buffer.from('MSA|AA') };
const REFUSED: V2Outcome = { kind: 'refused', code: 'AR', answer: Buffer.from('MSA|AR'), error: 'AR 207' };

const feed = feedTo('mllp://localhost:1', { lanes: 4 });
/** Two patients in different lanes. */
const [A, B] = ['a', 'b', 'c', 'd', 'e', 'f'].filter(
  (id, i, all) => i === 0 || laneOf(feed, id) !== laneOf(feed, all[0]),
) as [string, string];

describe('jobs › HL7 v2 to partners', () => {
  let store: MessageStore;
  let runner: JobRunner;
  let now = Date.now();
  let isActive = true;
  let restricted: readonly string[] = [];
  /** Control texts as they were sent. */
  let sent: string[] = [];
  let act: (text: string) => V2Outcome;

  before(async () => {
    store = await openMessageStore();
    const { handlers } = createV2SendJobs({
      messages: store.messages,
      exchange: {
        async send(_feed, _lane, raw) {
          sent.push(raw.toString());
          await sleep(5);
          return act(raw.toString());
        },
      },
      feeds: { list: async () => (isActive ? [feed] : []) },
      refusalsMax: 3,
      delayMs: 10,
      now: () => now,
      random: () => 0.5,
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
      stop: {
        restrictedAmong: async (ids: readonly string[]) => new Set(ids.filter((id) => restricted.includes(id))),
      } as ProcessingStop,
      log: silentLog,
    });
  });
  after(async () => {
    await runner.stop(1000);
    await store.stop();
  });
  beforeEach(() => {
    sent = [];
    act = () => ACCEPTED;
    isActive = true;
    restricted = [];
    now = Date.now();
  });

  let number = 0;
  async function queue(text: string, patientId = A, at = now): Promise<string> {
    const event = { type: 'Patient', id: patientId, versionId: ++number } as FeedEvent;
    const queued = queuedMessage(feed, event, { kind: 'ADT^A31', n: 0, raw: Buffer.from(text), patientId }, at);
    await store.queue(queued);
    return queued.message.id;
  }
  async function ends(id: string, state: string): Promise<StoredMessage> {
    for (let tries = 0; tries < 300; tries++) {
      const message = await store.messages.read(CALLER, id);
      if (message.state === state) return message;
      await sleep(10);
    }
    throw new Error(`it is not ${state}`);
  }

  it('accepted: acknowledged, with the answer', async () => {
    const message = await ends(await queue('one'), 'acknowledged');
    expect(message.answer?.toString()).equal('MSA|AA');
    expect(message).deep.include({ receiver: 'GPSYS|A83008', kind: 'ADT^A31' });
    expect(message.controlId).match(/^[0-9A-Z]{20}$/);
  });

  it('[RL-18] keeps the order of a patient; a message that is refused holds up its own lane alone, and not for ever', async () => {
    act = (text) => (text === 'bad' ? REFUSED : ACCEPTED);
    const bad = await queue('bad', A);
    const after = await queue('after', A);
    const other = await queue('other', B);
    await ends(other, 'acknowledged');
    const dead = await ends(bad, 'dead');
    expect(dead).include({ error: 'AR 207' });
    await ends(after, 'acknowledged');
    expect(sent.filter((text) => text !== 'other')).eql(['bad', 'bad', 'bad', 'after']);
  });

  it('[RL-36] what could not leave is not counted, and goes in the end', async () => {
    let away = 5;
    act = () => (away-- > 0 ? { kind: 'not-sent', cause: 'nobody is there', until: now + 5 } : ACCEPTED);
    const message = await ends(await queue('patient one'), 'acknowledged');
    expect(sent.length).equal(6);
    expect(message.error).equal(undefined);
  });

  it('[RL-37] is given up when it was not answered for three days', async () => {
    act = () => ({ kind: 'unknown', cause: 'no answer came in time' });
    const id = await queue('old', A, now - 71 * HOUR_MS);
    await ends(id, 'unknown');
    now += 2 * HOUR_MS;
    expect((await ends(id, 'dead')).error).equal('no answer came in time');
  });

  it('waits while its feed is not active', async () => {
    isActive = false;
    const id = await queue('paused');
    await sleep(100);
    expect((await store.messages.read(CALLER, id)).state).equal('queued');
    expect(sent).eql([]);
    await store.pools.writes.query({ text: "delete from mortar.job where kind = 'hl7v2-send'", values: [] });
  });

  it('[DP-05] waits while the data of its patient may not be sent; those of others go', async () => {
    restricted = [A];
    const held = await queue('held', A);
    await ends(await queue('free', B), 'acknowledged');
    await sleep(50);
    expect((await store.messages.read(CALLER, held)).state).equal('queued');
    restricted = [];
    await store.jobs.resume(A);
    await ends(held, 'acknowledged');
  });
});
