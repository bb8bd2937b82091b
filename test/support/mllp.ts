/** A sender of HL7 v2 over MLLP, as small as one can be. */
import { connect, type Socket } from 'node:net';

export interface MllpSender {
  /** Sends one message and resolves to the bytes of its acknowledgement; rejects when the connection ends before. */
  send(message: Buffer | string): Promise<Buffer>;
  /** Writes bytes as they are. */
  write(bytes: Buffer): void;
  close(): void;
}

const START = 0x0b;
const END = '\u001c\r';

export const frame = (message: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from([START]), Buffer.from(message), Buffer.from(END)]);

export async function openMllpSender(port: number): Promise<MllpSender> {
  const socket: Socket = connect(port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let received = Buffer.alloc(0);
  const waiting: { resolve(answer: Buffer): void; reject(error: Error): void }[] = [];
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (let end = received.indexOf(END); end >= 0; end = received.indexOf(END)) {
      const answer = received.subarray(received.indexOf(START) + 1, end);
      received = received.subarray(end + END.length);
      waiting.shift()?.resolve(Buffer.from(answer));
    }
  });
  const fail = (error: Error): void => {
    for (const one of waiting.splice(0)) one.reject(error);
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection ended before the acknowledgement')));
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        socket.write(frame(message));
      }),
    write: (bytes) => void socket.write(bytes),
    close: () => void socket.destroy(),
  };
}

/** A field of the first segment of that name: `MSA-1`. */
export function fieldOf(message: Buffer, place: string): string {
  const [name = '', number = '0'] = place.split('-');
  const segment = message
    .toString()
    .split('\r')
    .find((line) => line.startsWith(name));
  const fields = segment?.split(segment[3] ?? '|') ?? [];
  return (name === 'MSH' ? fields[Number(number) - 1] : fields[Number(number)]) ?? '';
}
