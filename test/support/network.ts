/**
 * Keeps tests on this machine. Not nock's own switch: nock sits between every socket and its reader while it is active,
 * answers for the server and slows the database; a test that plays a third party imports it for its own length.
 */
import { Socket } from 'node:net';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** From here on a connection to any other host fails with `EOUTSIDE`. Unix sockets pass. */
export function forbidOutsideNetwork(): void {
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    const host = hostOf(args);
    if (host !== undefined && !LOOPBACK.test(host)) {
      const error = Object.assign(new Error(`tests may not connect to ${host}`), { code: 'EOUTSIDE' });
      process.nextTick(() => this.destroy(error));
      return this;
    }
    return Reflect.apply(connect, this, args) as Socket;
  };
}

/** `connect(options)`, `connect(port, host)`, `connect(path)`, or the list that `net.connect` has made of them. */
function hostOf(args: readonly unknown[]): string | undefined {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
  if (typeof first === 'object' && first !== null) {
    const { host, path } = first as { host?: string; path?: string | null };
    return path == null ? host : undefined;
  }
  return typeof second === 'string' ? second : undefined;
}
