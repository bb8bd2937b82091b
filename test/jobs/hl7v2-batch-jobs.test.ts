/** Files of messages as durable jobs: what is in one, what its answers settle, and when it goes again. docs/hl7v2.md "Feeds" */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createV2BatchJobs } from '../../src/jobs/hl7v2-batch-jobs.ts';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { StoredMessage } from '../../src/ports/message-log.ts';
import type { StoreTransaction } from '../../src/ports/resource-store.ts';
import type { ProcessingStop } from '../../src/ports/subject-rights.ts';
import type { V2Batch, V2BatchOutcome, V2Outcome } from '../../src/ports/v2-feed.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';
import { feedTo } from '../support/v2-feed.ts';

const CALLER = serviceCaller('test');
const feed = feedTo('file:///srv/gp', { batch: 'folder', dailyAt: 0 });
const accepted: V2Outcome = { kind: 'accepted', code: 'AA', answer: Buffer.from('MSA|AA') };
const rejected: V2Outcome = { kind: 'rejected', code: 'AE', answer: Buffer.from('MSA|AE'), error: 'AE 101' };
const refused: V2Outcome = { kind: 'refused', code: 'AR', answer: Buffer.from('MSA|AR'), error: 'AR 207' };

describe('jobs › files of HL7 v2 to partners', () => {
  let store: MessageStore;
  let runner: JobRunner;
  let restricted: readonly string[] = [];
  let now = Date.now();
  const sent: V2Batch[] = [];
  let act: (batch: V2Batch) => V2BatchOutcome | Promise<V2BatchOutcome> = () => ({ kind: 'taken' });

  before(async () => {
    store = await openMessageStore();
    const stop = {
      restrictedAmong: async (ids: readonly string[]) => new Set(ids.filter((id) => restricted.includes(id))),
    } as ProcessingStop;
    const { handlers, schedules } = createV2BatchJobs({
      messages: store.messages,
      jobs: store.jobs,
      store: {
        async transaction(_caller, work) {
          let result: unknown;
          await store.transaction(async (messages) => {
            result = await work({ messages } as StoreTransaction); // it asks for nothing else
          });
          return result as never;
        },
      },
      delivery: {
        async deliver(_feed, batch) {
          sent.push(batch);
          return act(batch);
        },
      },
      feeds: { list: async () => [feed] },
      markOf: (id) => `batch ${id}`,
      stop,
      everyMs: 50,
      quietMs: 100,
      now: () => now,
      log: silentLog,
    });
    runner = createJobRunner({
      table: store.jobs,
      handlers,
      schedules,
      concurrency: 4,
      pollMs: 20,
      sweepMs: 20,
      now: Date.now,
      stop,
      log: silentLog,
    });
  });
  after(async () => {
    await runner.stop(1000);
    await store.stop();
  });
  beforeEach(() => {
    sent.length = 0;
    act = () => ({ kind: 'taken' });
    restricted = [];
    now = Date.now();
  });

  async function queue(...names: readonly string[]): Promise<readonly string[]> {
    const ids = names.map(() => randomUUID());
    await store.transaction(async (messages) => {
      for (const [i, name] of names.entries()) {
        const raw = Buffer.from(`MSH|^~\\&|${name}`);
        const message = { id: ids[i] as string, direction: 'out', dialect: 'hl7v2', kind: 'RDE^O11' } as const;
        const more = {
          controlId: name,
          correlation: 'batch gp',
          hash: Buffer.alloc(32),
          raw,
          receivedAt: now - 5000 + i,
        };
        await messages.queue({ ...message, ...more }, [`MedicationRequest/${name}/_history/1`, `Patient/p-${name}`]);
      }
    });
    return ids;
  }
  async function ends(id: string | undefined, state: string): Promise<StoredMessage> {
    for (let tries = 0; tries < 400; tries++) {
      const message = await store.messages.read(CALLER, id ?? '');
      if (message.state === state) return message;
      await sleep(25);
    }
    throw new Error(`it is not ${state}`);
  }
  const textsOf = ({ messages }: V2Batch): readonly string[] => messages.map((raw) => raw.toString().slice(9));
  /** A job that waits for its next try goes now. */
  const hurry = (): Promise<unknown> =>
    store.pools.writes.query({ text: 'update mortar.job set run_at = now()', values: [] });

  it('what waits is one file, oldest first, and all of it is theirs', async () => {
    const ids = await queue('a1', 'a2', 'a3');
    for (const id of ids) expect((await ends(id, 'acknowledged')).resources.length).equal(2);
    expect(sent.map(textsOf)).eql([['a1', 'a2', 'a3']]);
  });

  it('answers settle each message for itself', async () => {
    act = () => ({
      kind: 'taken',
      answers: new Map<string, V2Outcome>([
        ['b1', accepted],
        ['b2', rejected],
        ['b3', accepted],
      ]),
    });
    const [first, second, third] = await queue('b1', 'b2', 'b3');
    expect((await ends(first, 'acknowledged')).answer?.toString()).equal('MSA|AA');
    expect((await ends(second, 'dead')).error).equal('AE 101');
    await ends(third, 'acknowledged');
    expect(sent.length).equal(1);
  });

  it('[RL-36] what could not leave goes in the end, in the same order', async () => {
    let away = 2;
    act = () => (away-- > 0 ? { kind: 'not-sent', cause: 'nobody is there' } : { kind: 'taken' });
    const ids = await queue('c1', 'c2');
    await ends(ids[0], 'queued');
    while (sent.length < 3) {
      await hurry();
      await sleep(50);
    }
    expect((await ends(ids[1], 'acknowledged')).error).equal(undefined);
    expect(sent.map(textsOf)).eql([
      ['c1', 'c2'],
      ['c1', 'c2'],
      ['c1', 'c2'],
    ]);
  });

  it('[RL-16] a file of which nobody knows whether it came goes again as the same file; what is new makes another', async () => {
    let first = true;
    act = () => {
      if (!first) return { kind: 'taken' };
      first = false;
      return { kind: 'unknown', cause: 'no answer came' };
    };
    const [one] = await queue('d1', 'd2');
    await ends(one, 'unknown');
    const [more] = await queue('d3');
    await hurry();
    await ends(more, 'acknowledged');
    expect(sent.map(textsOf)).eql([['d1', 'd2'], ['d1', 'd2'], ['d3']]);
    expect(sent[0]?.id).equal(sent[1]?.id);
    expect(sent[0]?.id).not.equal(sent[2]?.id);
  });

  it('"not now" of one message: that one goes again, and is a dead letter in the end', async () => {
    act = (batch) => ({
      kind: 'taken',
      answers: new Map(textsOf(batch).map((name) => [name, name === 'e2' ? refused : accepted])),
    });
    const [first, second] = await queue('e1', 'e2');
    await ends(first, 'acknowledged');
    for (let tries = 0; tries < 400 && (await store.messages.read(CALLER, second ?? '')).state !== 'dead'; tries++) {
      await hurry();
      await sleep(25);
    }
    expect((await ends(second, 'dead')).error).equal('AR 207');
    expect(sent.length).within(8, 9);
    expect(sent.slice(1).every((batch) => textsOf(batch).join() === 'e2')).equal(true);
  });

  it('[DP-05] messages of a patient whose data may not be sent wait; those of others go', async () => {
    restricted = ['p-f1'];
    const [held, free] = await queue('f1', 'f2');
    await ends(free, 'acknowledged');
    expect((await store.messages.read(CALLER, held ?? '')).state).equal('queued');
    restricted = [];
    await ends(held, 'acknowledged');
    expect(sent.map(textsOf)).eql([['f2'], ['f1']]);
  });

  it('a thousand messages are a file: what is left makes another', async () => {
    const names = Array.from({ length: 1003 }, (_, n) => `g${String(n).padStart(4, '0')}`);
    const ids = await queue(...names);
    await ends(ids.at(-1), 'acknowledged');
    expect(sent.map(({ messages }) => messages.length)).eql([1000, 3]);
    expect(sent.flatMap(textsOf)).eql(names);
  });

  it('a process that ended while a file was under way: it goes again', async () => {
    const ids = ['h1', 'h2'].map(() => randomUUID());
    await store.transaction(async (messages) => {
      for (const [i, id] of ids.entries()) {
        const message = { id, direction: 'out', dialect: 'hl7v2', kind: 'RDE^O11', correlation: 'batch gp' } as const;
        const more = { controlId: `h${i}`, hash: Buffer.alloc(32), raw: Buffer.from('MSH|^~\\&|h'), receivedAt: now };
        await messages.queue({ ...message, ...more });
      }
      await messages.settleAll(ids.map((id) => ({ id, settlement: { state: 'sent' } })));
    });
    for (const id of ids) await ends(id, 'acknowledged');
    expect(sent.length).equal(1);
  });
});
