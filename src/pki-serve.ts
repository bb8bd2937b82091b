/** `npm run pki -- serve`: lists, authorities and the OCSP responder, over HTTP on this machine. docs/pki.md */
import { createServer } from 'node:http';
import { endWithNpm } from './command.ts';
import { type PkiFolder, readSettings } from './pki/ca/authority.ts';
import { PkiError } from './pki/ca/folder.ts';
import { createPkiHandler } from './pki/ca/responder.ts';
import { UsageError } from './pki-arguments.ts';

export const PORT = 8079;

/** Resolves when the process is told to end. Throws `UsageError` and `PkiError`. */
export async function servePki(pki: PkiFolder, given: string | undefined): Promise<void> {
  const { pathname } = new URL(readSettings(pki).baseUrl);
  const port = Number(given ?? PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new UsageError('--port is a number up to 65535');
  const toStderr = (message: string, fields?: Readonly<Record<string, unknown>>): void =>
    void process.stderr.write(`pki: ${message} ${String(fields?.['error'] ?? '')}\n`);
  const log = { debug() {}, info() {}, warn: toStderr, error: toStderr };
  const server = createServer(createPkiHandler(pki, pathname.replace(/\/$/, ''), log));
  const { promise, resolve: stopped, reject } = Promise.withResolvers<void>();
  server.on('error', (error: NodeJS.ErrnoException) =>
    reject(new PkiError(`port ${port} cannot be used (${error.code}): choose another with --port`)),
  );
  server.listen(port, '127.0.0.1', () => {
    const { port: bound } = server.address() as { readonly port: number }; // it listens on a port
    process.stdout.write(`lists, authorities and answers: http://127.0.0.1:${bound}${pathname}\n`);
  });
  const stop = (): void => void server.close(() => stopped());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  endWithNpm('pki', stop);
  await promise;
}
