/** A partner that takes files of HL7 v2 over HTTPS. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCa } from './ca.ts';
import { answer } from './v2-peer.ts';

export interface BatchPartner {
  readonly port: number;
  /** Files as they came. */
  readonly received: string[];
  /** What it answers: status and body; `hang`: nothing. */
  act: (file: string) => { readonly status?: number; readonly body?: string } | 'hang';
  stop(): Promise<void>;
}

/** The messages of a file, cut by hand. */
export const messagesOf = (file: string): readonly string[] =>
  file
    .replace(/\r(?:BTS|FTS).*$/s, '\r')
    .split(/(?=^MSH)/m)
    .filter((text) => text.startsWith('MSH'));

/** A batch of answers: `codeOf` says which, and undefined that there is none of this message. */
export const answersTo = (file: string, codeOf: (message: string) => string | undefined = () => 'AA'): string => {
  const answers = messagesOf(file).flatMap((message) => {
    const code = codeOf(message);
    return code === undefined ? [] : [answer(message, code)];
  });
  return `BHS|^~\\&|GPSYS\r${answers.join('')}BTS|${answers.length}\r`;
};

export async function startBatchPartner(ca: TestCa): Promise<BatchPartner> {
  const { certificate, key } = ca.server();
  const received: string[] = [];
  const server = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const file = Buffer.concat(chunks).toString();
      received.push(file);
      const act = partner.act(file);
      if (act === 'hang') return;
      response.writeHead(act.status ?? 200, { 'Content-Type': 'application/hl7-v2' });
      response.end(act.body ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const partner: BatchPartner = {
    port: (server.address() as AddressInfo).port, // it listens
    received,
    act: (file) => ({ body: answersTo(file) }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return partner;
}
