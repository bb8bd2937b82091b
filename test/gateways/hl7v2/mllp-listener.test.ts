import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import Client, { Message } from 'node-hl7-client';
import {
  createMllpListener,
  type MllpListener,
  type MllpListenerOptions,
} from '../../../src/gateways/hl7v2/mllp-listener.ts';
import { createMllpFramer, formatFrame } from '../../../src/standards/hl7v2/mllp-frame.ts';
import { header } from '../../standards/hl7v2/samples.ts';

const message = (id: string): string => `${header('ADT^A08').replace('MSG-1', id)}\rPID|1||7\r`;
const frame = (text: string): Buffer => formatFrame(Buffer.from(text, 'latin1'));

/** Answers as text, in the order they came. */
async function collect(socket: Socket, count: number): Promise<string[]> {
  const framer = createMllpFramer();
  const answers: string[] = [];
  for await (const chunk of socket) {
    for (const event of framer.push(chunk as Buffer)) if (event.kind === 'frame') answers.push(event.bytes.toString());
    if (answers.length >= count) break;
  }
  return answers;
}

describe('hl7v2 › MLLP listener', () => {
  let listener: MllpListener;
  let received: string[] = [];
  let logged: string[] = [];
  const sockets: Socket[] = [];

  type Options = Partial<Omit<MllpListenerOptions, 'receive'>> & {
    readonly receive?: (raw: Buffer) => Promise<Buffer | readonly Buffer[]>;
  };
  async function start({ receive, ...options }: Options = {}): Promise<void> {
    received = [];
    logged = [];
    const write = (text: string, fields?: Readonly<Record<string, unknown>>): void =>
      void logged.push(`${text} ${String(fields?.['fault'] ?? '')}`.trim());
    listener = await createMllpListener({
      host: '127.0.0.1',
      port: 0,
      log: { debug: write, info: write, warn: write, error: write },
      receive: async (raw) => {
        const text = raw.toString('latin1');
        received.push(text.split('|')[9] ?? text);
        const answer = await (receive?.(raw) ?? Buffer.from(`ack of ${text.split('|')[9] ?? text}`));
        return Buffer.isBuffer(answer) ? [answer] : answer;
      },
      ...options,
    });
  }
  async function dial(): Promise<Socket> {
    const socket = connect(listener.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await listener.stop(100);
  });

  it('answers a message that comes one byte at a time', async () => {
    await start();
    const socket = await dial();
    socket.setNoDelay(true);
    for (const byte of frame(message('A'))) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect(await collect(socket, 1)).eql(['ack of A']);
    expect(received).eql(['A']);
  });

  it('answers several frames of one packet in order, one after another', async () => {
    let running = 0;
    await start({
      receive: async (raw) => {
        expect(++running).equal(1);
        const id = raw.toString().split('|')[9] ?? '';
        await new Promise((resolve) => setTimeout(resolve, id === 'A' ? 30 : 1));
        running--;
        return Buffer.from(`ack of ${id}`);
      },
    });
    const socket = await dial();
    socket.write(Buffer.concat(['A', 'B', 'C', 'D'].map((id) => frame(message(id)))));
    expect(await collect(socket, 4)).eql(['ack of A', 'ack of B', 'ack of C', 'ack of D']);
    expect(listener.counters).include({ messages: 4, connections: 1, faults: 0 });
  });

  it('goes on after noise, a frame that never ended, and one that is not HL7', async () => {
    await start();
    const socket = await dial();
    const noise = Buffer.alloc(2000, 'x');
    const parts = [
      frame(message('A')),
      noise,
      Buffer.from(`\x0b${message('lost')}`),
      frame('hello'),
      frame(message('B')),
    ];
    // A frame without a header does not end the one before it: both are one.
    socket.write(Buffer.concat([parts[0], parts[1], parts[2], parts[4], parts[3]] as Buffer[]));
    expect(await collect(socket, 3)).eql(['ack of A', 'ack of B', 'ack of hello']);
    expect(logged).eql(['MLLP: a fault in the framing noise', 'MLLP: a fault in the framing restarted']);
    expect(listener.counters.faults).equal(2);
  });

  it('answers a batch by a batch, and a broken one by one refusal', async () => {
    await start({
      receive: async (raw) => Buffer.from(`MSH|^~\\&|ack of ${raw.toString().split('|')[9]}\r`),
    });
    const socket = await dial();
    const batch = `FHS|^~\\&|F1|F2|F3|F4|||||F-11\rBHS|^~\\&|B1|B2|B3|B4|||||B-11\r${message('A')}${message('B')}BTS|2\rFTS|1\r`;
    socket.write(Buffer.concat([frame(batch), frame(`BHS|^~\\&\rEVN|x\r${message('C')}`)]));
    const [answer, refusal] = await collect(socket, 2);
    expect(answer?.split('\r')).eql([
      'FHS|^~\\&|F3|F4|F1|F2||||||F-11',
      'BHS|^~\\&|B3|B4|B1|B2||||||B-11',
      'MSH|^~\\&|ack of A',
      'MSH|^~\\&|ack of B',
      'BTS|2',
      'FTS|1',
      '',
    ]);
    expect(refusal).match(/\rMSA\|AR\|/);
  });

  it('refuses a frame that is too long, and closes', async () => {
    await start({ frameBytesMax: 500 });
    const socket = await dial();
    socket.write(Buffer.concat([frame(message('A')), Buffer.from(`\x0b${message('LONG')}${'x'.repeat(1000)}`)]));
    const [first, second] = await collect(socket, 9);
    expect(first).equal('ack of A');
    expect(second).match(/\rMSA\|AR\|LONG\|/);
    expect(received).eql(['A']);
  });

  it('drops a frame whose rest does not come, and closes', async () => {
    await start({ frameTimeoutMs: 50 });
    const socket = await dial();
    socket.write(Buffer.concat([frame(message('A')), Buffer.from(`\x0b${message('B')}`)]));
    expect(await collect(socket, 9)).eql(['ack of A']);
    expect(logged).eql(['MLLP: a fault in the framing partial']);
  });

  it('does not close while it waits between frames', async () => {
    await start({ frameTimeoutMs: 30 });
    const socket = await dial();
    socket.write(frame(message('A')));
    await new Promise((resolve) => setTimeout(resolve, 80));
    socket.write(frame(message('B')));
    expect(await collect(socket, 2)).eql(['ack of A', 'ack of B']);
  });

  it('applies nothing of a frame in which the stream ended; answers what came whole', async () => {
    await start();
    const socket = await dial();
    socket.end(Buffer.concat([frame(message('A')), Buffer.from(`\x0b${message('B')}`)]));
    expect(await collect(socket, 9)).eql(['ack of A']);
    expect(received).eql(['A']);
    expect(logged).eql(['MLLP: a fault in the framing partial']);
  });

  it('gives up a client that never reads, and reads no more from it meanwhile', async () => {
    const big = Buffer.alloc(4 * 1024 * 1024, 'a');
    let calls = 0;
    await start({
      writeTimeoutMs: 100,
      receive: async () => {
        calls++;
        return big;
      },
    });
    const socket = await dial();
    socket.pause();
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    socket.write(Buffer.concat(Array.from({ length: 100 }, (_, n) => frame(message(`M${n}`)))));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(calls).lessThan(10);
    expect(logged).include('MLLP: a client does not read its answers: the connection is closed');
    socket.resume();
    await closed;
  });

  it('tells the sender to come again when the way in fails', async () => {
    await start({
      receive: async () => {
        throw new Error('database');
      },
    });
    const socket = await dial();
    socket.write(frame(message('A')));
    const [answer] = await collect(socket, 1);
    expect(answer).match(/\rMSA\|AR\|A\|/);
    expect(answer).not.include('database');
  });

  it('refuses more connections than its limit', async () => {
    await start({ connectionsMax: 1 });
    const first = await dial();
    const second = connect(listener.port, '127.0.0.1');
    sockets.push(second);
    second.on('error', () => undefined);
    await once(second, 'close');
    first.write(frame(message('A')));
    expect(await collect(first, 1)).eql(['ack of A']);
    expect(listener.counters.refusedConnections).equal(1);
  });

  it('stops after the message under way is answered; the next is not begun', async () => {
    let release: (() => void) | undefined;
    const started = new Promise<void>((resolve) => {
      void start({
        receive: async () => {
          resolve();
          await new Promise<void>((go) => {
            release = go;
          });
          return Buffer.from('ack');
        },
      }).then(async () => {
        const socket = await dial();
        socket.write(Buffer.concat([frame(message('A')), frame(message('B'))]));
      });
    });
    await started;
    const idle = await dial();
    const idleClosed = once(idle.resume(), 'close');
    const stopped = listener.stop(5000);
    await idleClosed;
    release?.();
    expect(await collect(sockets[0] as Socket, 9)).eql(['ack']);
    await stopped;
  });

  it('does not wait longer than it was told to', async () => {
    await start({ receive: () => new Promise(() => undefined) });
    const socket = await dial();
    socket.on('error', () => undefined);
    socket.write(frame(message('A')));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = performance.now();
    await listener.stop(50);
    expect(performance.now() - before).lessThan(30_000);
  });

  it('rejects when its port is taken', async () => {
    await start();
    const error = await createMllpListener({
      host: '127.0.0.1',
      port: listener.port,
      receive: async (raw) => [raw],
      log: { debug() {}, info() {}, warn() {}, error() {} },
    }).then(
      () => undefined,
      (reason: NodeJS.ErrnoException) => reason.code,
    );
    expect(error).equal('EADDRINUSE');
  });

  it('sends as many answers as there are, each in a frame of its own', async () => {
    await start({
      receive: async (raw) => (raw.includes('|A|') ? [Buffer.from('taken'), Buffer.from('applied')] : []),
    });
    const socket = await dial();
    socket.write(Buffer.concat([frame(message('NONE')), frame(message('A'))]));
    expect(await collect(socket, 2)).eql(['taken', 'applied']);
  });

  it('drops a frame whose bytes drip in for ever, and closes [RL-33]', async () => {
    await start({ frameTimeoutMs: 1000, wholeFrameTimeoutMs: 120 });
    const socket = await dial();
    const drip = setInterval(() => socket.write('x'), 10);
    socket.write(Buffer.from([0x0b]));
    await once(socket, 'close');
    clearInterval(drip);
    expect(logged).include('MLLP: a fault in the framing partial');
  });

  it('closes a connection that is idle for too long, and not one that works [RL-33]', async () => {
    await start({ idleTimeoutMs: 150 });
    const [idle, busy] = [await dial(), await dial()];
    const closed: string[] = [];
    idle.on('close', () => closed.push('idle'));
    busy.on('close', () => closed.push('busy'));
    idle.resume();
    for (let n = 0; n < 5; n++) {
      busy.write(frame(message(String(n))));
      await once(busy, 'data');
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(closed).eql(['idle']);
  });

  it('refuses more connections of one address than it may have [RL-33]', async () => {
    await start({ connectionsPerAddressMax: 2 });
    const [first] = [await dial(), await dial()];
    const third = await dial();
    await once(third.resume(), 'close');
    expect(listener.counters.refusedConnections).equal(1);
    first.destroy();
    await once(first, 'close');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const fourth = await dial();
    fourth.write(frame(message('D')));
    expect(await collect(fourth, 1)).eql(['ack of D']);
  });

  it('node-hl7-client sends and understands the answer', async () => {
    await start({
      receive: async (raw) => {
        const id = raw.toString().split('|')[9] ?? '';
        return Buffer.from(`MSH|^~\\&|US||PAS||20260302||ACK^A08^ACK|X|P|2.4\rMSA|AA|${id}\r`);
      },
    });
    const client = new Client({ host: '127.0.0.1', version: '2.4' });
    const answers: string[] = [];
    const connection = client.createConnection({ port: listener.port, version: '2.4' }, async (answer) => {
      answers.push(answer.getMessage().get('MSA.2').toString());
    });
    // One at a time: this client spins for ever on a second message while it waits for an answer.
    for (const id of ['N-1', 'N-2']) {
      await connection.sendMessage(new Message({ text: message(id) }));
      for (let n = 0; n < 100 && answers.at(-1) !== id; n++) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await connection.close();
    client.closeAll();
    expect(answers).eql(['N-1', 'N-2']);
  });
});
