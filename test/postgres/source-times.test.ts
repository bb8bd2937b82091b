/** When senders last said something: kept as long as messages are, and no longer. docs/hl7v2.md "Order" */
import { expect } from 'chai';
import { createMessageJobs } from '../../src/jobs/message-jobs.ts';
import type { SourceTimes } from '../../src/ports/source-times.ts';
import { type Row, type Statement, sendStatement } from '../../src/postgres/pools.ts';
import { createSourceTimePurge, createSourceTimes } from '../../src/postgres/source-times.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

const DAY_MS = 86_400_000;
const START = Date.parse('2026-03-01T10:00:00Z');
const FEED = 'PAS|RXX';

describe('hl7v2 › what senders have said', () => {
  let store: MessageStore;
  let at = START;
  before(async () => {
    store = await openMessageStore();
  });
  beforeEach(async () => {
    at = START;
    await store.pools.writes.query({ text: 'delete from mortar.source_time', values: [] });
  });
  after(() => store.stop());

  const send = (statement: Statement): Promise<readonly Row[]> => store.pools.writes.query(statement);
  const times = () => createSourceTimes(send, () => at);
  async function say(resource: string): Promise<void> {
    await times().lock([{ feed: FEED, resource }]);
    await times().keep([{ feed: FEED, resource, versionId: 1, elements: { name: at } }]);
  }
  const left = async (...resources: string[]): Promise<string[]> =>
    (await times().read(FEED, resources)).map(({ resource }) => resource).toSorted();

  it('what was last said before a day goes, a few at a time; what was said again since stays', async () => {
    for (const resource of ['Patient/1', 'Patient/2', 'Patient/3']) await say(resource);
    at = START + 10 * DAY_MS;
    await say('Patient/3');
    const purge = createSourceTimePurge(store.pools);
    expect(await purge.purge(START, 10)).equal(0);
    expect(await purge.purge(START + DAY_MS, 1)).equal(1);
    expect(await purge.purge(START + DAY_MS, 10)).equal(1);
    expect(await purge.purge(START + DAY_MS, 10)).equal(0);
    expect(await left('Patient/1', 'Patient/2', 'Patient/3')).eql(['Patient/3']);
    expect((await times().read(FEED, ['Patient/3']))[0]?.elements).eql({ name: at });
  });

  it('of what is asked for twice, by two senders, or was never spoken of, each has its own', async () => {
    await say('Patient/1');
    const asked = [
      { feed: 'LAB|RXX', resource: 'Patient/1' },
      { feed: FEED, resource: 'Patient/1' },
      { feed: FEED, resource: 'Patient/2' },
      { feed: FEED, resource: 'Patient/1' },
    ];
    const locked = await times().lock(asked);
    expect(locked.map(({ resource, versionId }) => `${resource} ${versionId}`)).eql([
      'Patient/1 0',
      'Patient/1 1',
      'Patient/2 0',
      'Patient/1 1',
    ]);
    expect(locked.map(({ elements }) => elements)).eql([{}, { name: at }, {}, { name: at }]);
  });

  it('whoever speaks second of what nobody spoke of before waits for the first, and reads what it has kept', async () => {
    const asked = [{ feed: FEED, resource: 'Patient/9' }];
    const elements = { name: at };
    const [first, second] = await Promise.all([store.pools.transactions.connect(), store.pools.transactions.connect()]);
    try {
      const [one, other] = [first, second].map((on) =>
        createSourceTimes(
          (s) => sendStatement(on, s),
          () => at,
        ),
      ) as [SourceTimes, SourceTimes];
      await Promise.all([first.query('begin'), second.query('begin')]);
      await one.lock(asked);
      let isThrough = false;
      const waiting = other.lock(asked).then((times) => {
        isThrough = true;
        return times;
      });
      await one.keep([{ feed: FEED, resource: 'Patient/9', versionId: 3, elements }]);
      await one.read(FEED, ['Patient/9']);
      expect(isThrough).equal(false);
      await first.query('commit');
      expect(await waiting).eql([{ resource: 'Patient/9', versionId: 3, elements }]);
      await second.query('commit');
    } finally {
      first.release();
      second.release();
    }
  });

  it('it goes with the messages, by the job that deletes these', async () => {
    await say('Patient/1');
    at = START + 5 * DAY_MS;
    await say('Patient/2');
    const { handlers } = createMessageJobs({
      messages: store.messages,
      sourceTimes: createSourceTimePurge(store.pools),
      jobs: store.jobs,
      reprocess: async () => ({ verdict: 'applied' }),
      retentionDays: 3,
      now: () => at,
      log: silentLog,
    });
    const purge = handlers.find(({ kind }) => kind === 'message-purge');
    await purge?.run(
      { id: '', kind: 'message-purge', payload: {}, attempt: 1, fence: 1 },
      new AbortController().signal,
    );
    expect(await left('Patient/1', 'Patient/2')).eql(['Patient/2']);
  });
});
