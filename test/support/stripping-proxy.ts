/** A reverse proxy that serves another server below a path and takes the path off. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StrippingProxy {
  /** `http://127.0.0.1:…`, without the path. */
  readonly origin: string;
  /** Every path that was asked for and lies elsewhere. */
  readonly missed: readonly string[];
  /** Which server answers; to be set before the first request. */
  forwardTo(port: number): void;
  stop(): Promise<void>;
}

export async function startStrippingProxy(path: string): Promise<StrippingProxy> {
  const missed: string[] = [];
  let port = 0;
  const server = createServer((req, res) => {
    const { url = '', method, headers } = req;
    if (!url.startsWith(`${path}/`)) {
      missed.push(url);
      res.writeHead(404).end('not below the path');
      return;
    }
    const onward = request({ port, host: '127.0.0.1', method, headers, path: url.slice(path.length) }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    missed,
    forwardTo: (to) => {
      port = to;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
