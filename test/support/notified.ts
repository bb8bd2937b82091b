/** An endpoint of a subscriber: keeps what it is sent, and answers as the test says. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Notified {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly status: number;
}

export interface NotifiedServer {
  readonly port: number;
  readonly host: string;
  readonly url: string;
  /** In the order in which it came, what was refused included. */
  readonly received: readonly Notified[];
  /** Status of the answer; 200 unless given. */
  answer: (request: Omit<Notified, 'status'>) => number;
  /** Waits until there are so many that fit and were taken; throws after half a minute. */
  waitFor(count: number, fits?: (one: Notified) => boolean): Promise<readonly Notified[]>;
  stop(): Promise<void>;
}

const PATIENCE_MS = 60_000;

export async function startNotified(): Promise<NotifiedServer> {
  const received: Notified[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const request = {
        method: req.method ?? '',
        path: req.url ?? '',
        headers: req.headers,
        text: Buffer.concat(chunks).toString(),
      };
      const status = self.answer(request);
      received.push({ ...request, status });
      res.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const self: NotifiedServer = {
    port,
    host,
    url: `http://${host}`,
    received,
    answer: () => 200,
    async waitFor(count, fits = () => true) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const found = received.filter((one) => one.status < 300 && fits(one));
        if (found.length >= count) return found;
        if (Date.now() > deadline)
          throw new Error(
            `${found.length} of ${count} came: ${received.map((one) => `${one.method} ${one.path} ${one.status}`).join(', ')}`,
          );
        await sleep(25);
      }
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}
