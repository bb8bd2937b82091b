import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createSmtpSender } from '../../../src/gateways/mail/smtp.ts';
import type { Mail } from '../../../src/ports/mail.ts';
import { createTestCa } from '../../support/ca.ts';
import { type SmtpServer, startSmtpServer, textOf } from '../../support/smtp.ts';

/** Not one of the names of this machine that plain SMTP is spoken with. */
const ELSEWHERE = '127.0.0.2';
const FROM = 'no-reply@example.org';

const mailOf = (more: Partial<Mail> = {}): Mail => ({
  id: randomUUID(),
  to: 'nell@example.org',
  subject: 'A message about your account',
  text: 'There is a message – look.\n',
  ...more,
});

describe('gateways › mail › SMTP', () => {
  const ca = createTestCa();
  const { certificate: cert, key } = ca.server([ELSEWHERE, '127.0.0.1']);
  const open: SmtpServer[] = [];
  const start = async (options: Parameters<typeof startSmtpServer>[0] = {}): Promise<SmtpServer> => {
    const server = await startSmtpServer(options);
    open.push(server);
    return server;
  };
  after(() => Promise.all(open.map((server) => server.stop())));
  const senderOf = (url: string, more: { ca?: string } = {}) =>
    createSmtpSender({ url, from: FROM, timeoutMs: 2_000, ...more });
  const failureOf = (sent: Promise<unknown>): Promise<Error> =>
    sent.then(
      () => new Error('it was sent'),
      (error: Error) => error,
    );

  it('sends text to one address, by the id that each attempt has', async () => {
    const server = await start();
    const mail = mailOf();
    expect(await senderOf(`smtp://127.0.0.1:${server.port}`)(mail)).equal('sent');
    const [got] = server.received;
    expect(got).deep.include({ from: FROM, to: ['nell@example.org'], wasTls: false });
    expect(got?.raw)
      .match(/^From: no-reply@example\.org\r$/m)
      .and.match(/^To: nell@example\.org\r$/m)
      .and.match(/^Subject: A message about your account\r$/m)
      .and.match(/^Auto-Submitted: auto-generated\r$/m)
      .and.match(/^Content-Type: text\/plain; charset=utf-8\r$/m)
      .and.include(`Message-ID: <${mail.id}@example.org>`);
    expect(got && textOf(got).trim()).equal(mail.text.trim());
  });

  it('[IN-44] with a server elsewhere nothing is said without TLS: neither password nor address', async () => {
    const server = await start({ host: ELSEWHERE });
    const error = await failureOf(senderOf(`smtp://user:geheim@${ELSEWHERE}:${server.port}`)(mailOf()));
    expect(error.message).match(/^the mail server did not take a message \(/);
    expect(server.lines.join('\n')).not.match(/AUTH|MAIL|RCPT|nell/);
    expect(server.received).length(0);
  });

  it('[IN-44] STARTTLS is used where it is offered, with a certificate that is believed', async () => {
    const server = await start({ host: ELSEWHERE, tls: { key, cert } });
    const url = `smtp://us%40er:pass%2Fword@${ELSEWHERE}:${server.port}`;
    expect((await failureOf(senderOf(url)(mailOf()))).message, 'nobody vouches for it').match(/did not take/);
    expect(server.received).length(0);
    expect(await senderOf(url, { ca: ca.certificate })(mailOf())).equal('sent');
    expect(server.received[0]).include({ wasTls: true, auth: 'us@er pass/word' });
  });

  it('smtps: TLS from the start', async () => {
    const server = await start({ host: ELSEWHERE, tls: { key, cert }, isSecure: true });
    expect(await senderOf(`smtps://${ELSEWHERE}:${server.port}`, { ca: ca.certificate })(mailOf())).equal('sent');
    expect(server.received[0]).include({ wasTls: true });
  });

  for (const [title, more] of [
    ['an address with a line of its own', { to: 'a@example.org\r\nBcc: b@example.org' }],
    ['two addresses', { to: 'a@example.org, b@example.org' }],
    ['a name and an address', { to: 'A <a@example.org>' }],
    ['no address', { to: 'nobody' }],
    ['a subject of two lines', { subject: 'Hello\nBcc: b@example.org' }],
    ['a subject with a line separator', { subject: 'Hello\u2028Bcc: b@example.org' }],
    ['an id that is none', { id: 'x>\r\nBcc: b@example.org' }],
  ] as const)
    it(`[IN-44] ${title} is refused, and the server not asked`, async () => {
      const server = await start();
      expect(await senderOf(`smtp://127.0.0.1:${server.port}`)(mailOf(more))).equal('refused');
      expect(server.lines).length(0);
    });

  it('what the server refuses for good is refused; what it refuses for now is an error without the address', async () => {
    const server = await start();
    const send = senderOf(`smtp://127.0.0.1:${server.port}`);
    server.replies.set('RCPT', ['550 no mailbox nell@example.org here', '451 nell@example.org is busy']);
    expect(await send(mailOf())).equal('refused');
    const busy = await failureOf(send(mailOf()));
    expect(busy.message).match(/did not take a message \(\w+, 451\)/);
    expect(`${busy.stack} ${JSON.stringify(busy)}`).not.match(/nell/);
    expect(busy.cause).equal(undefined);
    server.replies.set('EHLO', ['421 not now']);
    expect((await failureOf(send(mailOf()))).message).match(/did not take/);
    expect(await send(mailOf())).equal('sent');
  });

  it('a server that is not there is an error', async () => {
    const server = await start();
    await server.stop();
    expect((await failureOf(senderOf(`smtp://127.0.0.1:${server.port}`)(mailOf()))).message).match(
      /ECONNREFUSED|ESOCKET/,
    );
  });
});
