/** When senders last said something: kept as long as messages are, and no longer. docs/hl7v2.md "Order" */
import { expect } from 'chai';
import { createMessageJobs } from '../../src/jobs/message-jobs.ts';
import type { Row, Statement } from '../../src/postgres/pools.ts';
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
    await times().lock(FEED, [resource]);
    await times().keep(FEED, [{ resource, versionId: 1, elements: { name: at } }]);
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
