/**
 * A week in which everybody asks at once: 5,000 patients, 1,500 prescriptions for one pharmacy, one in twenty of a controlled
 * drug. The pharmacy gets ten mails at most (MISSION M10), and nothing is lost: every alert is in the app, and every
 * prescription in the queue. `TEST_SIZE=quick`: fewer patients and prescriptions, as many days.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { withClient } from '../support/database.ts';
import { makePharmacyWorld, type PharmacyWorld } from '../support/pharmacy.ts';
import { operatorToken, startTestServer, type TestServer } from '../support/server.ts';
import { type SmtpServer, startSmtpServer } from '../support/smtp.ts';

const isQuick = process.env['TEST_SIZE'] === 'quick';
const PATIENTS = isQuick ? 200 : 5_000;
const PRESCRIPTIONS = isQuick ? 84 : 1_500;
const DAYS = 7;
/** Hours at which prescriptions come. */
const HOURS = [9, 14, 20];
const CONTROLLED_EVERY = 20;
const HOUR_MS = 3_600_000;
const BUNDLE = 250;
const CATEGORY = 'https://mortar-fhir.org/CodeSystem/communication-category';

describe('a pandemic week', function () {
  this.timeout(900_000);
  let smtp: SmtpServer;
  let server: TestServer;
  let world: PharmacyWorld;
  /** Tokens hold a day. */
  let bearer = { authorization: '' };
  // Seven in the morning of the first day.
  let offset = 7 * HOUR_MS + 24 * HOUR_MS - (Date.now() % (24 * HOUR_MS));
  const now = (): number => Date.now() + offset;
  before(async () => {
    smtp = await startSmtpServer();
    server = await startTestServer({
      now,
      env: { SMTP_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'no-reply@example.org', MESSAGE_TIME_ZONE: 'UTC' },
    });
    await signIn();
    world = await makePharmacyWorld(
      {
        ...server,
        get bearer() {
          return bearer;
        },
      },
      now,
    );
  });
  const signIn = async (): Promise<void> => {
    // The server says every five minutes that it is there; here days pass in between.
    await withClient(server.database.connection('owner'), (client) =>
      client.query('update auth.operator_key set seen_at = $1', [new Date(now())]),
    );
    bearer = { authorization: `Bearer ${await operatorToken(server, { now })}` };
  };
  after(async () => {
    await server.stop();
    await smtp.stop();
  });

  const count = (text: string, values: readonly unknown[] = []): Promise<number> =>
    withClient(
      server.database.connection('owner'),
      async (client) => (await client.query(text, [...values])).rows[0].n,
    );
  const store = async (resources: readonly Readonly<Record<string, unknown>>[]): Promise<void> => {
    for (let from = 0; from < resources.length; from += BUNDLE) {
      const entry = resources.slice(from, from + BUNDLE).map((resource) => ({
        resource,
        request: { method: 'PUT', url: `${resource['resourceType']}/${resource['id']}` },
      }));
      const { status } = await world.call('POST', '/fhir/R4', bearer, {
        resourceType: 'Bundle',
        type: 'transaction',
        entry,
      });
      expect(status).equal(200);
    }
  };
  const toHour = (hour: number): void => {
    const sinceMidnight = now() % (24 * HOUR_MS);
    const ahead = hour * HOUR_MS - sinceMidnight;
    offset += ahead > 0 ? ahead : ahead + 24 * HOUR_MS;
  };
  /** What is due is done. */
  const settled = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3; ) {
      await sleep(700);
      const due = await count(
        "select count(*)::int as n from mortar.job where (kind like 'notice-%' or kind = 'controlled-alert') and state <> 'dead' and run_at <= $1",
        [new Date(now())],
      );
      quiet = due === 0 ? quiet + 1 : 0;
    }
  };
  const told = (code: string): Promise<number> =>
    count('select count(*)::int as n from fhir.communication where content like $1', [`%"code":"${code}"%`]);
  const subjects = (): string[] =>
    smtp.received
      .filter(({ to }) => to.includes('pharmacy-a@pharmacy.example'))
      .map(({ raw }) => /^Subject: (.*)$/m.exec(raw)?.[1]?.trim() ?? '');

  it(`${PATIENTS} patients and ${PRESCRIPTIONS} prescriptions: ten mails at most, and none about a routine one`, async () => {
    await store(
      Array.from({ length: PATIENTS }, (_, i) => ({
        resourceType: 'Patient',
        id: `week-${i}`,
        name: [{ family: 'Okafor', given: [`P${i}`] }],
      })),
    );
    let made = 0;
    let controlled = 0;
    const portion = PRESCRIPTIONS / (DAYS * HOURS.length);
    for (let step = 0; step < DAYS * HOURS.length; step += 1) {
      const hour = HOURS[step % HOURS.length] ?? 0;
      if (hour === HOURS[0]) {
        toHour(8);
        offset += 61_000;
        await signIn();
        const day = step / HOURS.length;
        // The first morning nothing waits yet.
        for (let i = 0; i < 300 && (await told('pharmacy-digest')) < day; i += 1) await sleep(100);
        expect(await told('pharmacy-digest')).equal(day);
      }
      toHour(hour);
      const size = Math.round((step + 1) * portion) - made;
      const first = made;
      await world.prescribeMany(size, (index) => {
        const isControlled = (first + index) % CONTROLLED_EVERY === 0;
        if (isControlled) controlled += 1;
        return {
          patientId: `week-${(first + index) % PATIENTS}`,
          ...(isControlled && { priority: 'controlled', schedule: '2', medication: 'Morphine sulfate 10mg tablets' }),
        };
      });
      made += size;
      // As approval does: one for each in the pharmacy's app.
      await store(
        Array.from({ length: size }, (_, i) => ({
          resourceType: 'Communication',
          id: `new-${first + i}`,
          status: 'completed',
          category: [{ coding: [{ system: CATEGORY, code: 'prescription-new' }] }],
          subject: { reference: `Patient/week-${(first + i) % PATIENTS}` },
          recipient: [{ reference: 'Organization/pharmacy-a' }],
          sent: new Date(now()).toISOString(),
          payload: [{ contentString: 'A new prescription waits in the queue.' }],
        })),
      );
      await settled();
      // The first one is told of at once.
      if (step === 0) expect(subjects()).eql(['A prescription that needs your attention']);
    }
    toHour(8);
    offset += 61_000;
    await signIn();
    for (let i = 0; i < 300 && (await told('pharmacy-digest')) < DAYS; i += 1) await sleep(100);
    await settled();
    expect(made).equal(PRESCRIPTIONS);
    const digests = subjects().filter((subject) => subject === 'Your prescriptions this morning').length;
    const alerts = subjects().filter((subject) => subject === 'A prescription that needs your attention').length;
    expect(digests + alerts).equal(subjects().length);
    expect([digests, alerts]).eql([DAYS, 3]);
    expect(subjects().length).at.most(10);
    // Nothing is lost by that: each is in the app, and in the queue before the others.
    expect(await told('controlled-drug')).equal(controlled);
    const { json } = await world.call('GET', '/api/pharmacy/queue?page_size=1', await world.pharmacist('pharmacy-a'));
    expect(json.stats).include({ total: PRESCRIPTIONS, controlled });
    expect(await count("select count(*)::int as n from mortar.job where state = 'dead'")).equal(0);
  });
});
