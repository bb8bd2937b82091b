/** A mail server that keeps what it is sent. RFC 5321, RFC 3207. */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Head and body as they came. */
  readonly raw: string;
  readonly wasTls: boolean;
  /** `user password`, when it was said. */
  readonly auth?: string;
}

export interface SmtpServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Every line of every client. */
  readonly lines: readonly string[];
  /** Replies to commands of this name in place of its own, one each; 421 ends the conversation. */
  readonly replies: Map<string, string[]>;
  stop(): Promise<void>;
}

export interface SmtpServerOptions {
  readonly host?: string;
  /** Offers STARTTLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Speaks TLS from the start. */
  readonly isSecure?: boolean;
}

const ANSWERS = new Map([
  ['STARTTLS', '220 go ahead'],
  ['DATA', '354 go on'],
  ['QUIT', '221 bye'],
]);

const addressIn = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? '';

export async function startSmtpServer({
  host = '127.0.0.1',
  tls,
  isSecure,
}: SmtpServerOptions = {}): Promise<SmtpServer> {
  const received: ReceivedMail[] = [];
  const lines: string[] = [];
  const replies = new Map<string, string[]>();
  const sockets = new Set<Socket>();
  const upgrade = (socket: Socket): Socket =>
    new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(tls) });

  function talk(socket: Socket, isTls: boolean, greets: boolean): void {
    let mail: { from: string; to: string[]; auth?: string } = { from: '', to: [] };
    let text = '';
    let isData = false;
    const offers = tls && !isTls ? ['250-STARTTLS'] : [];
    const say = (line: string): void => void (socket.writable && socket.write(`${line}\r\n`));
    const take = (line: string): void => {
      lines.push(line);
      const name = line.split(' ')[0]?.toUpperCase() ?? '';
      const set = replies.get(name)?.shift();
      if (set !== undefined) {
        say(set);
        if (set.startsWith('421')) socket.end();
        return;
      }
      const answer = ANSWERS.get(name);
      if (answer) say(answer);
      else if (name === 'EHLO') for (const one of ['250-mail.example', ...offers, '250 AUTH PLAIN']) say(one);
      else if (name === 'AUTH')
        mail.auth = Buffer.from(line.split(' ')[2] ?? '', 'base64')
          .toString()
          .slice(1)
          .replace('\0', ' ');
      else if (name === 'MAIL') mail.from = addressIn(line);
      else if (name === 'RCPT') mail.to.push(addressIn(line));
      if (!answer && name !== 'EHLO') say(name === 'AUTH' ? '235 welcome' : '250 ok');
      isData = name === 'DATA';
      if (name === 'QUIT') socket.end();
      if (name !== 'STARTTLS') return;
      socket.removeAllListeners('data');
      talk(upgrade(socket), true, false);
    };
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      for (;;) {
        const end = text.indexOf(isData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const part = text.slice(0, end);
        text = text.slice(end + (isData ? 5 : 2));
        if (!isData) {
          take(part);
          continue;
        }
        isData = false;
        received.push({ ...mail, raw: part, wasTls: isTls });
        mail = { from: '', to: [] };
        say('250 taken');
      }
    });
    if (greets) say('220 mail.example');
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    if (isSecure) talk(upgrade(socket), true, true);
    else talk(socket, false, true);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    lines,
    replies,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The text of a plain message, its encoding undone. */
export function textOf({ raw }: ReceivedMail): string {
  const [head = '', ...body] = raw.split('\r\n\r\n');
  const text = body.join('\n\n').replaceAll('\r\n', '\n');
  if (/^content-transfer-encoding: base64$/im.test(head)) return Buffer.from(text, 'base64').toString();
  if (!/^content-transfer-encoding: quoted-printable$/im.test(head)) return text;
  const bytes = text
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
