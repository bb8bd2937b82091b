/** A Redis of its own, from the program of this system; tests that need one say so where there is none. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TestRedis {
  readonly url: string;
  /** One command as redis-cli would send it; resolves to the raw reply. */
  command(...words: readonly string[]): Promise<string>;
  /** kill -9 */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function startRedis(): Promise<TestRedis> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const command = (...words: readonly string[]): Promise<string> => send(port, words);
  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    command,
    async start() {
      child = spawn(
        'redis-server',
        ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        {
          stdio: 'ignore',
        },
      );
      for (let tries = 0; ; tries++) {
        if ((await command('PING').catch(() => '')).startsWith('+PONG')) return;
        if (tries > 200) throw new Error('redis-server does not answer');
        await sleep(25);
      }
    },
    async kill() {
      if (!child || child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    stop: () => redis.kill(),
  };
  await redis.start();
  return redis;
}

function send(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let reply = '';
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('error', reject);
    socket.on('data', (data) => {
      reply += data.toString('latin1');
    });
    socket.on('close', () => resolve(reply));
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
    socket.write(`*${words.length}\r\n${parts}*1\r\n$4\r\nQUIT\r\n`);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
