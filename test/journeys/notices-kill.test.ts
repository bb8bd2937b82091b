/**
 * kill -9 of the server while practices are written to: every notice is told of in one message, and a message that left before
 * the server had written that down comes again under its own id. SECURITY RL-17, RL-24; docs/notifications.md
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createServerProcess, type RunningServer, type ServerProcess } from '../support/server-process.ts';
import { type SmtpServer, startSmtpServer, textOf } from '../support/smtp.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 4, long: 40 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const PRACTICES = 12;
const NOTICES = 5;
const HOUR_MS = 3_600_000;
const CATEGORY = 'https://mortar-fhir.org/CodeSystem/communication-category';

describe('notices › kill -9', function () {
  this.timeout(240_000 + kills * 60_000);
  let database: TestDatabase;
  let smtp: SmtpServer;
  let server: ServerProcess;
  before(async () => {
    database = await createDatabase();
    smtp = await startSmtpServer();
    server = createServerProcess(database, {
      RATE_LIMITS: 'write=off,read=off',
      SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      MAIL_FROM: 'no-reply@example.org',
    });
  });
  after(async () => {
    await server.stop();
    await smtp.stop();
    await database.drop();
  });

  const rows = (text: string, values: readonly unknown[] = []) =>
    withClient(database.connection('owner'), async (client) => (await client.query(text, [...values])).rows);
  const store = async ({ fhirBaseUrl, bearer }: RunningServer, resources: readonly object[]): Promise<void> => {
    const entry = resources.map((resource) => {
      const { resourceType, id } = resource as { readonly resourceType: string; readonly id: string };
      return { resource, request: { method: 'PUT', url: `${resourceType}/${id}` } };
    });
    const { status } = await fetch(fhirBaseUrl, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry }),
    });
    expect(status).equal(200);
  };
  const noticesOf = (round: number): object[] =>
    Array.from({ length: PRACTICES * NOTICES }, (_, i) => ({
      resourceType: 'Communication',
      id: `told-${round}-${i}`,
      status: 'completed',
      category: [{ coding: [{ system: CATEGORY, code: 'prescription-requested' }] }],
      recipient: [{ reference: `Organization/practice-${i % PRACTICES}` }],
      sent: new Date().toISOString(),
    }));
  /** Until nothing is due. */
  const settled = async (told: number): Promise<void> => {
    for (let i = 0; i < 1200; i += 1) {
      const [open] = await rows(`select (select count(*)::int from mortar.notice_delivery) as told,
  (select count(*)::int from mortar.job where kind like 'notice-deliver%' and run_at <= now() and state <> 'dead') as due`);
      if (open.told === told && open.due === 0) return;
      await sleep(50);
    }
    throw new Error('there is always something due');
  };

  it('[RL-17] [RL-24] all are told of, each in one message of its own id', async () => {
    let running = await server.start();
    await store(
      running,
      Array.from({ length: PRACTICES }, (_, i) => ({
        resourceType: 'Organization',
        id: `practice-${i}`,
        name: `Practice ${i}`,
        telecom: [{ system: 'email', value: `practice-${i}@practice.example` }],
      })),
    );
    for (let round = 0; round < kills; round += 1) {
      const before = smtp.received.length;
      await store(running, noticesOf(round));
      // In the midst of it: when some have been written to, and others have not.
      while (smtp.received.length < before + 1 + (round % 5)) await sleep(1);
      await server.kill();
      running = await server.start();
      await settled((round + 1) * PRACTICES * NOTICES);
      // One job waits for what waits, and none for what does not.
      const groups = await rows(
        "select distinct recipient || ' email prescription-requested' as name from mortar.notice_delivery where state = 'waiting'",
      );
      const jobs = await rows("select key from mortar.job where kind = 'notice-deliver-group'");
      expect(jobs.map(({ key }) => key).toSorted()).eql(groups.map(({ name }) => name).toSorted());
      // Five hours pass.
      await rows('update mortar.notice_delivery set done_at = done_at - $1', [5 * HOUR_MS]);
      await rows("update mortar.job set run_at = now() where kind = 'notice-deliver-group'");
      await settled((round + 1) * PRACTICES * NOTICES);
      await rows('update mortar.notice_delivery set done_at = done_at - $1', [5 * HOUR_MS]);
    }
    const states = await rows('select state, count(*)::int as n from mortar.notice_delivery group by 1');
    expect(states).eql([{ state: 'sent', n: kills * PRACTICES * NOTICES }]);
    const messages = await rows('select count(*)::int as n from mortar.notice_delivery where sent_with is null');
    const mails = new Map(smtp.received.map((mail) => [/^Message-ID: *(\S+)/im.exec(mail.raw)?.[1], mail]));
    expect(mails.size, 'messages').equal(messages[0].n);
    const counts = [...mails.values()].map((mail) => Number(/worklist: (\d+)\./.exec(textOf(mail))?.[1]));
    expect(counts.reduce((sum, count) => sum + count, 0)).equal(kills * PRACTICES * NOTICES);
  });
});
