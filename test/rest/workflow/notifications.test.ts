/** Notices by every way, over real sockets: mailbox, SMS provider, push service. MISSION M13; docs/notifications.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { withClient } from '../../support/database.ts';
import { type NotifiedServer, startNotified } from '../../support/notified.ts';
import { AMOXICILLIN, openPractice, type Practice, patientOf } from '../../support/prescribing.ts';
import { type PushService, startPushService } from '../../support/push-service.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

interface Kept {
  readonly id: string;
  readonly channel: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

describe('rest › workflow › notifications', function () {
  this.timeout(180_000);
  let server: TestServer;
  let practice: Practice;
  let sms: NotifiedServer;
  let pushes: PushService;
  before(async () => {
    sms = await startNotified();
    pushes = await startPushService();
    server = await startTestServer({
      env: { SMS_URL: `${sms.url}/messages`, SMS_TOKEN: 'a-token', SMS_SENDER: 'Mortar', PUSH_TARGETS: pushes.host },
    });
    practice = await openPractice(server);
    const telecom = [
      { system: 'phone', use: 'mobile', value: '07700 900123' },
      { system: 'email', value: 'tobe@example.org' },
    ];
    await practice.fhir('PUT', 'Patient/pat', patientOf('pat', '9990000026', { telecom }));
  });
  after(async () => {
    await server.stop();
    await sms.stop();
    await pushes.stop();
  });

  const mailbox = async (to = ''): Promise<readonly Kept[]> => {
    const answer = await fetch(`${server.url}/dev/mailbox?to=${encodeURIComponent(to)}`);
    return ((await answer.json()) as { messages: Kept[] }).messages;
  };
  const until = async <T>(what: string, find: () => Promise<T | undefined> | T | undefined): Promise<T> => {
    for (let i = 0; i < 600; i += 1) {
      const found = await find();
      if (found !== undefined) return found;
      await sleep(50);
    }
    throw new Error(`it did not come to this: ${what}`);
  };
  const preferences = (body: object, who = 'pat') => practice.call(who, 'PUT', '/api/notifications/preferences', body);
  const rows = (text: string, values: readonly unknown[] = []) =>
    withClient(server.database.connection('owner'), async (client) => (await client.query(text, [...values])).rows);
  /** What became of the patient's notices of this kind, the newest first. */
  const outcomes = async (kind: string, who = 'pat') => {
    const { body } = await practice.call(who, 'GET', '/api/notifications');
    return body.notifications.filter((one: { kind: string }) => one.kind === kind);
  };
  /** Asks for a medicine, and waits until every way has done with the patient's notice of it. */
  async function asked(who = 'pat') {
    const before = (await outcomes('request-received', who)).length;
    await practice.ask([AMOXICILLIN], who);
    return until('a notice that is settled', async () => {
      const found = await outcomes('request-received', who);
      if (found.length === before || found[0].deliveries.length === 0) return undefined;
      return found[0].deliveries.every(({ state }: { state: string }) => state !== 'waiting') ? found[0] : undefined;
    });
  }

  it('[DP-07] a request is told of by e-mail, and by text message only where somebody asked for it', async () => {
    const { deliveries, text } = await asked();
    expect(text).match(/has been received/);
    expect(
      deliveries.map((one: { channel: string; state: string; basis: string }) => [one.channel, one.state, one.basis]),
    ).eql([['email', 'sent', 'service']]);
    // To the address of the account, which goes before that of the record.
    const mail = await until('the mail', async () => (await mailbox('pat@example.org'))[0]);
    expect(mail.subject).equal('You have a message about your prescriptions');
    expect(mail.text)
      .contain(`${server.url}/account`)
      .and.not.match(/amoxicillin|okafor|millbrook/i);
    expect(sms.received).length(0);
  });

  it('[DP-10] text messages go to the mobile once they were asked for, with what that rests on', async () => {
    const { status, body } = await preferences({ kinds: { '*': { sms: true } } });
    expect([status, body.kinds['request-received'].sms, body.kinds['request-received'].email]).eql([200, true, true]);
    const { deliveries } = await asked();
    expect(
      deliveries.map((one: { channel: string; state: string; basis: string }) => [one.channel, one.state, one.basis]),
    ).eql([
      ['email', 'sent', 'service'],
      ['sms', 'sent', 'consent'],
    ]);
    const [posted] = await sms.waitFor(1);
    const message = JSON.parse(posted?.text ?? '{}');
    expect(message).include({ to: '+447700900123', from: 'Mortar' });
    expect(message.text)
      .match(/Sign in to read it/)
      .and.not.match(/amoxicillin|okafor/i);
    expect(posted?.headers).include({ authorization: 'Bearer a-token', 'idempotency-key': message.id });
  });

  it('[RL-24] [RL-21] what the provider does not take now comes again under the same key; what it refuses does not', async () => {
    const before = sms.received.length;
    sms.answer = () => (sms.received.length === before ? 503 : 201);
    const again = await asked();
    expect(again.deliveries.find((one: { channel: string }) => one.channel === 'sms').state).equal('sent');
    const [first, second] = sms.received.slice(before);
    expect([first?.status, second?.status, first?.headers['idempotency-key']]).eql([
      503,
      201,
      second?.headers['idempotency-key'],
    ]);
    expect(first?.text).equal(second?.text);
    sms.answer = () => 422;
    const refused = await asked();
    const one = refused.deliveries.find(({ channel }: { channel: string }) => channel === 'sms');
    expect([one.state, one.why]).eql(['dead', 'refused']);
    expect(refused.deliveries.find(({ channel }: { channel: string }) => channel === 'email').state).equal('sent');
    sms.answer = () => 200;
    await preferences({ kinds: { '*': { sms: false } } });
  });

  it('[DP-10] what is switched off between the notice and its leaving is not sent', async () => {
    // Quiet hours keep it back: the hour that is now, and the two around it.
    const hour = (ahead: number): string => new Date(Date.now() + ahead * 3_600_000).toISOString().slice(11, 16);
    await preferences({
      kinds: { '*': { sms: true } },
      quiet_hours: { from: hour(-1), until: hour(1), time_zone: 'UTC' },
    });
    await practice.ask([AMOXICILLIN]);
    const job = await until('a job that waits for the end of the quiet hours', async () => {
      const [found] = await rows(
        "select id, payload from mortar.job where kind = 'notice-deliver-one' and run_at > now() + interval '10 minutes'",
      );
      return found;
    });
    const count = sms.received.length;
    await preferences({ kinds: { '*': { sms: false } }, quiet_hours: null });
    await rows('update mortar.job set run_at = now() where id = $1', [job.id]);
    const state = await until('its end', async () => {
      const [found] = await rows('select state, why from mortar.notice_delivery where id = $1', [job.payload.delivery]);
      return found.state === 'waiting' ? undefined : found;
    });
    expect([state.state, state.why, sms.received.length]).eql(['skipped', 'switched-off', count]);
  });

  it('browsers: encrypted for each alone, and taken away when the push service knows them no more', async () => {
    const [first, second] = [pushes.browser('first'), pushes.browser('second')];
    const { body: shown } = await practice.call('pat', 'GET', '/api/notifications/push');
    expect(Buffer.from(shown.public_key, 'base64url')).length(65);
    for (const { subscription } of [first, second])
      expect((await practice.call('pat', 'POST', '/api/notifications/push', subscription)).status).equal(201);
    const lying = await rows("select encode(content, 'escape') as text from mortar.push_subscription");
    expect(JSON.stringify(lying)).not.contain(pushes.host).and.not.contain(first.subscription.keys.auth);
    await asked();
    await until('both', () => (pushes.received.length >= 2 ? true : undefined));
    for (const [path, browser] of [
      ['/first', first],
      ['/second', second],
    ] as const) {
      const pushed = pushes.received.find((one) => one.path === path);
      expect(pushed?.headers).include({ 'content-encoding': 'aes128gcm', ttl: '86400' });
      expect(pushed?.headers.authorization).contain(`k=${shown.public_key}`);
      expect(pushed && browser.read(pushed)).include({
        title: 'You have a message about your prescriptions',
        link: `${server.url}/account`,
      });
    }
    pushes.answer = ({ path }) => (path === '/first' ? 410 : 201);
    await asked();
    const { body: left } = await practice.call('pat', 'GET', '/api/notifications/push');
    expect(left.subscriptions).length(1);
    const removed = await practice.call('pat', 'DELETE', `/api/notifications/push/${left.subscriptions[0].id}`);
    expect(removed.status).equal(204);
    expect((await practice.call('pat', 'DELETE', `/api/notifications/push/${left.subscriptions[0].id}`)).status).equal(
      404,
    );
  });

  it('[IN-40] [IN-46] a browser that is none is refused, each with what is wrong', async () => {
    const { subscription } = pushes.browser('x');
    for (const [body, words] of [
      [{ ...subscription, endpoint: 'http://169.254.169.254/latest' }, /https URL/],
      [{ ...subscription, endpoint: 'http://127.0.0.1:1/x' }, /https URL/],
      [{ ...subscription, endpoint: 'https://user:pw@push.example/x' }, /user name/],
      [{ ...subscription, endpoint: 'x' }, /https URL/],
      [{ ...subscription, keys: { ...subscription.keys, p256dh: 'AAAA' } }, /p256dh/],
      [{ ...subscription, owner: 'Patient/other' }, /no member/],
      [{ endpoint: subscription.endpoint }, /keys is missing/],
    ] as const) {
      const { status, body: problem } = await practice.call('pat', 'POST', '/api/notifications/push', body);
      expect([status, JSON.stringify(problem)]).satisfy(
        ([code, text]: [number, string]) => code === 400 && words.test(text),
        JSON.stringify(body),
      );
    }
  });

  it('[DP-10] the link of a mail switches its kind off, after a question, and by one POST', async () => {
    const link = async (): Promise<string> => {
      await asked('other');
      const [mail] = (await mailbox()).filter(({ to }) => to === 'other@example.org');
      return /https?:\S+unsubscribe\S+/.exec(mail?.text ?? '')?.[0] ?? '';
    };
    await practice.fhir(
      'PUT',
      'Patient/other',
      patientOf('other', '9990000034', { telecom: [{ system: 'email', value: 'other@example.org' }] }),
    );
    const address = await link();
    const page = await fetch(address);
    expect([page.status, page.headers.get('content-type')]).eql([200, 'text/html; charset=utf-8']);
    const { body: before } = await practice.call('other', 'GET', '/api/notifications/preferences');
    expect(before.kinds['request-received'].email).equal(true);
    const form = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
    expect((await fetch(address, { method: 'POST', body: form })).status).equal(200);
    const { body } = await practice.call('other', 'GET', '/api/notifications/preferences');
    expect([
      body.kinds['request-received'].email,
      body.kinds['prescription-approved'].email,
      body.kinds['break-glass'].email,
    ]).eql([false, true, true]);
    await fetch(`${address}&all=true`, { method: 'POST', body: form });
    const { body: after } = await practice.call('other', 'GET', '/api/notifications/preferences');
    expect([after.kinds['prescription-approved'].email, after.kinds['break-glass'].email]).eql([false, true]);
    expect((await fetch(`${address.slice(0, -3)}AAA`)).status).equal(404);
    expect((await fetch(`${server.url}/unsubscribe?t=x`, { method: 'POST' })).status).equal(404);
  });

  it('[CP-01] [IN-47] nobody sees or changes what others are told; staff have their own and their organization', async () => {
    const { body } = await practice.call('other', 'GET', '/api/notifications?limit=100');
    expect(body.notifications.every(({ text }: { text: string }) => !/undefined/.test(text))).equal(true);
    const [mine] = await rows(
      "select count(*)::int as n from mortar.notice_delivery where recipient = 'Patient/other'",
    );
    const told = body.notifications.flatMap(({ deliveries }: { deliveries: object[] }) => deliveries);
    expect(told.length).equal(mine.n);
    expect((await practice.call('pat', 'GET', '/api/notifications/preferences?organization_id=surgery')).status).equal(
      403,
    );
    expect(
      (await practice.call('away', 'PUT', '/api/notifications/preferences?organization_id=surgery', {})).status,
    ).equal(403);
    const { status, body: own } = await practice.call(
      'doc',
      'GET',
      '/api/notifications/preferences?organization_id=surgery',
    );
    expect([status, own.available_channels, own.kinds['prescription-requested'].email]).eql([200, ['email'], true]);
    const nobody = await fetch(`${server.url}/api/notifications`);
    expect(nobody.status).equal(401);
    const { body: trail } = await practice.call('pat', 'GET', '/api/notifications/preferences');
    expect(Object.keys(trail.kinds)).not.include('pharmacy-digest');
  });

  for (const [name, body, words] of [
    ['a kind that there is not', { kinds: { 'no-such-kind': { email: true } } }, /no notices of this kind/],
    ['a channel that there is not', { kinds: { '*': { pigeon: true } } }, /no member/],
    ['hours that are none', { quiet_hours: { from: '24:00', until: '07:00' } }, /quiet_hours.from/],
    ['a zone that is none', { quiet_hours: { from: '21:00', until: '07:00', time_zone: 'Mars/Base' } }, /time zone/],
    ['somebody else', { recipient: 'Patient/other' }, /no member/],
    ['__proto__', { kinds: JSON.parse('{"constructor": {"email": true}}') }, /no notices of this kind/],
  ] as const)
    it(`[IN-46] preferences with ${name} are refused, and nothing is changed`, async () => {
      const before = (await practice.call('pat', 'GET', '/api/notifications/preferences')).body;
      const { status, body: problem } = await preferences(body);
      expect(status).equal(400);
      expect(JSON.stringify(problem)).match(words);
      expect((await practice.call('pat', 'GET', '/api/notifications/preferences')).body).eql(before);
    });

  it('[IN-47] nobody is flooded: ten an hour by one way, the rest are in the app', async () => {
    const mails = "from mortar.notice_delivery where recipient = 'Patient/pat' and channel = 'email'";
    const count = async (where: string): Promise<number> =>
      (await rows(`select count(*)::int as n ${mails} and ${where}`))[0].n;
    const before = await count('true');
    for (let i = 0; i < 12; i += 1) await practice.ask([AMOXICILLIN]);
    await until('all settled', async () => ((await count("state <> 'waiting'")) >= before + 12 ? true : undefined));
    expect([await count("state = 'sent'"), await count("why = 'too-many'")]).eql([10, before + 2]);
  });

  it('a practice is written to once in a while for all that waits, not for each', async () => {
    const [found] = await rows(
      "select count(*) filter (where state = 'sent' and sent_with is null)::int as mails, count(*)::int as all from mortar.notice_delivery where recipient = 'Organization/surgery'",
    );
    // It has no address: nothing is sent, and nothing tried again.
    expect(found.mails).equal(0);
    await practice.fhir('PUT', 'Organization/elsewhere', {
      resourceType: 'Organization',
      id: 'elsewhere',
      name: 'Other Surgery',
      telecom: [{ system: 'email', value: 'desk@surgery.example' }],
    });
    await practice.fhir(
      'PUT',
      'Patient/other',
      patientOf('other', '9990000034', { generalPractitioner: [{ reference: 'Organization/elsewhere' }] }),
    );
    for (let i = 0; i < 5; i += 1) await practice.ask([AMOXICILLIN], 'other');
    await until('the mail', async () => (await mailbox('desk@surgery.example'))[0]);
    await practice.ask([AMOXICILLIN], 'other');
    const later = await until('the next one waits', async () => {
      const [job] = await rows(
        "select id from mortar.job where kind = 'notice-deliver-group' and run_at > now() + interval '3 hours'",
      );
      return job;
    });
    expect(later).not.equal(undefined);
    const [mail] = await mailbox('desk@surgery.example');
    expect(mail?.text).match(/New requests in your worklist: [1-5]\./);
    expect(await mailbox('desk@surgery.example')).length(1);
  });

  it('[DP-04] whose record is erased leaves neither preferences nor browsers nor deliveries', async () => {
    const { removeAccounts } = await import('../../../src/postgres/protection/elsewhere.ts');
    const { subscription } = pushes.browser('third');
    await practice.call('pat', 'POST', '/api/notifications/push', subscription);
    for (const { text, values } of removeAccounts(['pat'], [])) await rows(text, values);
    for (const table of ['notice_delivery', 'notice_preference', 'push_subscription'])
      expect(await rows(`select 1 from mortar.${table} where recipient = 'Patient/pat'`), table).length(0);
    expect(await rows("select 1 from mortar.notice_delivery where patient = 'pat'")).length(0);
  });

  it('[WB-08] the mailbox is a page too, without script, and is not shown through a proxy', async () => {
    const page = await fetch(`${server.url}/dev/mailbox`, { headers: { accept: 'text/html' } });
    expect(page.headers.get('content-security-policy')).match(/default-src 'none'/);
    expect(await page.text())
      .contain('<h1>Mailbox</h1>')
      .and.contain('pat@example.org');
    expect((await fetch(`${server.url}/dev/mailbox`, { headers: { 'x-forwarded-for': '203.0.113.7' } })).status).equal(
      404,
    );
    expect((await fetch(`${server.url}/dev/mailbox`, { method: 'POST' })).status).equal(405);
    expect((await fetch(`${server.url}/dev/other`)).status).equal(404);
  });
});
