/** What pharmacies are told, and what becomes of prescriptions that nobody collects: a server with a clock of its own. MISSION M10, M13 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { withClient } from '../support/database.ts';
import { makePharmacyWorld, type PharmacyWorld } from '../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type SmtpServer, startSmtpServer } from '../support/smtp.ts';

const HOUR_MS = 60 * 60_000;
const DAYS = 3;

describe('jobs of pharmacies', function () {
  this.timeout(300_000);
  let smtp: SmtpServer;
  let server: TestServer;
  let world: PharmacyWorld;
  let offset = 0;
  const now = (): number => Date.now() + offset;
  // A zone in which it is between ten and midnight now, so that the digest of today is due.
  const zone = new Date().getUTCHours() < 12 ? 'Etc/GMT-11' : 'Etc/GMT+2';
  /** The digest of today speaks of it. */
  const beforeEight = (): number => now() - 20 * HOUR_MS;
  before(async () => {
    smtp = await startSmtpServer();
    server = await startTestServer({
      now,
      env: { SMTP_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'no-reply@example.org', MESSAGE_TIME_ZONE: zone },
    });
    world = await makePharmacyWorld(server, now);
  });
  after(async () => {
    await server.stop();
    await smtp.stop();
  });

  interface Mail {
    readonly to: readonly string[];
    readonly subject: string;
    readonly text: string;
  }
  const all = (): Mail[] =>
    smtp.received.map(({ to, raw }) => ({
      to,
      subject: /^Subject: (.*)$/m.exec(raw)?.[1] ?? '',
      // Soft line ends of quoted-printable, and breaks within sentences, are not what was said.
      text: raw.replaceAll(/=\r?\n/g, '').replaceAll('=3D', '='),
    }));
  /** Subjects of what a pharmacy got. */
  const mails = (pharmacy: string): string[] =>
    all()
      .filter(({ to }) => to.includes(`${pharmacy}@pharmacy.example`))
      .map(({ subject }) => subject);
  const until = async (what: string, fits: () => boolean | Promise<boolean>): Promise<void> => {
    for (let i = 0; i < 600; i += 1) {
      if (await fits()) return;
      await sleep(100);
    }
    throw new Error(`it did not come to this: ${what}`);
  };
  const fhir = async (path: string) => (await world.call('GET', `/fhir/R4/${path}`, server.bearer)).json;

  it('a controlled drug is told of at once, once, without name and medicine; nothing else is', async () => {
    await world.prescribeMany(20, () => ({ issuedAt: beforeEight() }));
    await world.prescribe({
      medication: 'Morphine sulfate 10mg tablets',
      priority: 'controlled',
      schedule: '2',
      issuedAt: beforeEight(),
    });
    await until('the alert', () => mails('pharmacy-a').length === 1);
    const [mail] = all();
    expect(`${mail?.subject} ${mail?.text}`)
      .match(/attention[\s\S]*PHB-RX-\d{8}/)
      .and.not.match(/Morphine|Ashworth/i);
    expect(mails('pharmacy-a')).length(1);
  });

  it('[RX-07] what nobody collects ends: the Task has failed, the order is stopped', async () => {
    offset += 30_000;
    const made = await world.prescribe({ issuedAt: now() - HOUR_MS, expiresAt: now() - 1000 });
    const open = await world.prescribe({ issuedAt: now() - HOUR_MS, expiresAt: now() - 1000, pharmacyId: 'any' });
    offset += 61_000;
    for (const { taskId, orderId } of [made, open]) {
      await until('its end', async () => (await fhir(`Task/${taskId}`)).status === 'failed');
      expect((await fhir(`MedicationRequest/${orderId}`)).status).equal('stopped');
    }
  });

  it('one digest a day to each pharmacy with something pending, and none to the others', async () => {
    await world.prescribe({ pharmacyId: 'pharmacy-b', issuedAt: beforeEight() });
    // What came after eight is told of tomorrow, if it is still there.
    const late = await world.prescribe({ pharmacyId: 'pharmacy-c' });
    await world.put({ ...(await fhir(`Task/${late.taskId}`)), status: 'cancelled' });
    await world.prescribe({ pharmacyId: 'pharmacy-d' });
    for (let day = 0; day < DAYS; day += 1) {
      if (day > 0) offset += 24 * HOUR_MS;
      offset += 61_000;
      const digests = (id: string): number => mails(id).filter((subject) => subject.includes('this morning')).length;
      await until(`the digests of day ${day}`, () => digests('pharmacy-a') > day && digests('pharmacy-b') > day);
      // Looked for again every minute: nothing more comes of it.
      offset += 61_000;
      await sleep(6_000);
      expect(['a', 'b', 'c', 'd'].map((letter) => digests(`pharmacy-${letter}`))).eql([day + 1, day + 1, 0, day]);
    }
    const digest = all().find(({ subject }) => subject.includes('this morning'));
    expect(digest?.text).match(
      /21 prescriptions wait[\s\S]*controlled drugs: 1[\s\S]*high risk: 0[\s\S]*routine: 20[\s\S]*http/,
    );
    await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query("select count(*)::int as n from mortar.job where state = 'dead'");
      expect(rows[0].n).equal(0);
    });
  });
});
