/** A message from the pages to the mailbox, through the running server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { readConfig } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { createBrowser } from './auth/authorize/browser.ts';
import { createWatchedStream } from './support/log-canaries.ts';
import { startTestServer, type TestServer } from './support/server.ts';
import { type SmtpServer, startSmtpServer, textOf } from './support/smtp.ts';

describe('e-mail', () => {
  let mail: SmtpServer;
  let server: TestServer;
  before(async () => {
    mail = await startSmtpServer();
    server = await startTestServer({
      env: { SMTP_URL: `smtp://127.0.0.1:${mail.port}`, MAIL_FROM: 'no-reply@example.org' },
      log: createLog({ level: 'debug', stream: createWatchedStream('error') }),
    });
  });
  after(async () => {
    await server?.stop();
    await mail?.stop();
  });

  it('[LG-11] who has forgotten the password gets a link that works; who has no account gets nothing', async () => {
    const added = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        name: 'Bo Lind',
        email: 'bo@example.org',
        roles: ['STAFF'],
        password: 'correct-horse-battery',
      }),
    });
    expect(added.status).equal(201);
    const browser = createBrowser(server.url);
    for (const email of ['nobody@example.org', 'bo@example.org']) {
      await browser.get('/reset');
      expect((await browser.submit({ email })).path).equal('/reset/sent');
    }
    for (let i = 0; i < 300 && mail.received.length === 0; i += 1) await sleep(20);
    expect(mail.received.map(({ to }) => to)).eql([['bo@example.org']]);
    const text = mail.received[0] ? textOf(mail.received[0]) : '';
    const link = /https?:\S+\/reset\/\S+/.exec(text)?.[0] ?? '';
    expect((await browser.get(new URL(link).pathname)).h1).equal('Choose a new password');
  });

  for (const [env, words] of [
    [{ SMTP_URL: 'smtp://mail.example.org' }, /SMTP_URL and MAIL_FROM are given together/],
    [{ MAIL_FROM: 'a@example.org' }, /SMTP_URL and MAIL_FROM are given together/],
    [{ SMTP_URL: 'http://mail.example.org', MAIL_FROM: 'a@example.org' }, /SMTP_URL is a value \(not shown\)/],
    [{ SMTP_URL: 'smtp://user@mail.example.org', MAIL_FROM: 'a@example.org' }, /SMTP_URL/],
    [{ SMTP_URL: 'smtp://u:%zz@mail.example.org', MAIL_FROM: 'a@example.org' }, /SMTP_URL/],
    [{ SMTP_URL: 'smtp://mail.example.org/?pool=1', MAIL_FROM: 'a@example.org' }, /SMTP_URL/],
    [{ SMTP_URL: 'smtp://mail.example.org', MAIL_FROM: 'A <a@example.org>' }, /MAIL_FROM/],
    [{ SMTP_URL: 'smtp://mail.example.org', MAIL_FROM: 'a@example.org\r\nBcc: b@example.org' }, /MAIL_FROM/],
  ] as const)
    it(`the start refuses ${JSON.stringify(env)}`, () => {
      expect(() => readConfig(env)).throw(words);
    });
});
