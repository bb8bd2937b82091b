/** Feeds that are told once a day. docs/hl7v2.md "Feeds" */
import { expect } from 'chai';
import { createFeedRelay } from '../../../src/gateways/hl7v2/feed/relay.ts';
import type { Feed } from '../../../src/ports/v2-feed.ts';

describe('hl7v2 › feed relay', () => {
  it('a feed with a time of day is told from then on, once a day', async () => {
    let at = Date.UTC(2026, 5, 1, 0, 0);
    let waiting = 0;
    const reads: string[] = [];
    const feed = { id: 'daily', lanes: 1, dailyAt: 150, senders: [], profile: {} } as unknown as Feed;
    const position = { xid: '1', rid: '1', versionId: 1, at: '1' };
    const unused = async (): Promise<never> => {
      throw new Error('nothing has changed');
    };
    const relay = createFeedRelay({
      store: { read: unused, vread: unused, transaction: unused },
      changes: {
        async read(consumer) {
          reads.push(consumer);
          return { versions: [], from: position, to: position, isFull: false };
        },
        readSequence: unused,
        writeSequence: unused,
      },
      messages: { read: unused, countOutgoing: unused },
      jobs: { countOpen: async () => waiting },
      feeds: { list: async () => [feed] },
      format: () => ({ value: [], issues: [] }),
      caller: { kind: 'service', name: 'test', correlationId: 'test', scopes: [], otherScopes: [] },
      timeZone: 'Europe/London',
      now: () => at,
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    const turnAt = async (day: number, hours: number, minutes: number): Promise<number> => {
      at = Date.UTC(2026, 5, day, hours, minutes);
      reads.length = 0;
      await relay.turn();
      await relay.turn();
      return reads.length;
    };
    // It is summer: London is an hour ahead.
    expect(await turnAt(1, 1, 29)).equal(0);
    waiting = 200;
    expect(await turnAt(1, 1, 30), 'what waits is sent before').equal(0);
    waiting = 0;
    expect(await turnAt(1, 1, 31)).equal(1);
    expect(await turnAt(1, 20, 0)).equal(0);
    expect(await turnAt(2, 1, 0)).equal(0);
    expect(await turnAt(2, 1, 30)).equal(1);
  });
});
