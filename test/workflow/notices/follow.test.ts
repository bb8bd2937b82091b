/** Several processes follow the change log at once: each notice goes to each channel once. SECURITY RL-17; docs/notifications.md */
import { expect } from 'chai';
import { serviceCaller } from '../../../src/policy/service-caller.ts';
import type { OpenStore } from '../../../src/postgres/store.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createNoticeFollow } from '../../../src/workflow/notices/follow.ts';
import { noticeKinds } from '../../../src/workflow/notices/kinds.ts';
import { withClient } from '../../support/database.ts';
import { startTestServerAndStore, type TestServer } from '../../support/server.ts';

const NOTICES = 60;
const CALLER = serviceCaller('test');

describe('workflow › notices › several at once', function () {
  this.timeout(120_000);
  let server: TestServer;
  let store: OpenStore;
  before(async () => {
    ({ server, store } = await startTestServerAndStore());
  });
  after(() => server.stop());

  const follower = (store: OpenStore): (() => Promise<number>) =>
    createNoticeFollow({
      store,
      changes: store.changes,
      // Nobody here has an account, preferences or a browser.
      book: { waysOf: async () => new Map() },
      kinds: noticeKinds({ alertGroupMs: 0, alertsAWeek: 3 }),
      channels: ['email'],
      now: Date.now,
    });

  it('[RL-17] none is lost and none is doubled, while notices are still being written', async () => {
    let isWriting = true;
    const follow = async (turn: () => Promise<number>): Promise<void> => {
      for (;;) {
        const isLast = !isWriting;
        await turn().catch((error: unknown) => {
          // Another was first: the next turn goes on where the position stands.
          if (!(error instanceof FhirError && error.status === 409)) throw error;
        });
        if (isLast) return;
      }
    };
    const followers = [follower(store), follower(store), follower(store)].map(follow);
    await Promise.all(
      Array.from({ length: NOTICES }, (_, i) =>
        store.create(
          CALLER,
          {
            resourceType: 'Communication',
            id: `n-${i}`,
            status: 'completed',
            category: [
              {
                coding: [
                  {
                    system: 'https://mortar-fhir.org/CodeSystem/communication-category',
                    code: 'prescription-approved',
                  },
                ],
              },
            ],
            subject: { reference: `Patient/p-${i % 7}` },
            recipient: [{ reference: `Patient/p-${i % 7}` }],
            sent: new Date().toISOString(),
          },
          store.newId(),
        ),
      ),
    );
    isWriting = false;
    await Promise.all(followers);
    // The last turns may all have given way to the server's own.
    await follower(store)().catch(() => 0);
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query(
        'select count(*)::int as n, count(distinct notice)::int as notices from mortar.notice_delivery',
      );
      expect(rows[0]).eql({ n: NOTICES, notices: NOTICES });
    });
  });
});
