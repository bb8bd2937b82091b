/**
 * `npm run hl7v2`: the other end of HL7 v2, for whoever connects a system: sends a file over MLLP and shows the answer, or
 * plays a partner that says AA to whatever it is sent. It reads no message beyond its header. docs/hl7v2.md
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `npm run -s hl7v2 -- send FILE [--port N]                      sends the message in FILE, prints the answer
npm run -s hl7v2 -- listen PORT [--count N] [--wait S]        prints what comes, and answers AA

  --port N     where to; the listener of the server that runs on DATA_DIR when absent
  --count N    ends after so many messages
  --wait S     ends after so many seconds without one, with exit 1; 60 when absent
`;
const START = 0x0b;
const END = Buffer.from('\u001c\r');
const ANSWER_MS = 10_000;

class UsageError extends Error {}

try {
  await run();
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof TypeError;
  process.stderr.write(`hl7v2: ${(error as Error).message}\n${isUsage ? `\n${HELP}` : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: 'string' },
      count: { type: 'string' },
      wait: { type: 'string', default: '60' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const [command, operand, ...more] = positionals;
  if (operand === undefined || more.length > 0) throw new UsageError('say send FILE or listen PORT');
  if (command === 'send') return send(operand, Number(values.port ?? ownPort()));
  if (command === 'listen') return listen(Number(operand), Number(values.count ?? Infinity), Number(values.wait));
  throw new UsageError(`there is no ${String(command)}`);
}

function ownPort(): number {
  const file = join(resolve(process.env['DATA_DIR'] ?? '.data'), 'ports.json');
  try {
    const { mllp } = JSON.parse(readFileSync(file, 'utf8')) as { mllp?: number };
    if (mllp !== undefined) return mllp;
  } catch {
    throw new Error(`${file} is not there: no server runs on this data folder`);
  }
  throw new Error('the HL7 v2 listener is off (MLLP_PORT)');
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(START), message, END]);
}

function shown(message: Buffer): string {
  return `${message.toString().replaceAll('\r', '\n').trimEnd()}\n`;
}

/** Calls back with each whole frame. */
function read(socket: Socket, onFrame: (message: Buffer) => void): void {
  let open = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    open = Buffer.concat([open, chunk]);
    for (let end = open.indexOf(END); end !== -1; end = open.indexOf(END)) {
      onFrame(open.subarray(open.indexOf(START) + 1, end));
      open = open.subarray(end + END.length);
    }
  });
}

/** A line a segment, with CR or LF at its end in the file. */
async function send(file: string, port: number): Promise<void> {
  const path = file === '-' ? 0 : resolve(process.env['INIT_CWD'] ?? '.', file);
  const message = Buffer.from(readFileSync(path, 'latin1').replaceAll(/\r?\n/g, '\r'), 'latin1');
  await new Promise<void>((done, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(framed(message)));
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('there was no answer')));
    socket.on('error', reject);
    read(socket, (answer) => {
      process.stdout.write(shown(answer));
      socket.end();
      done();
    });
  });
}

async function listen(port: number, count: number, waitS: number): Promise<void> {
  let left = count;
  await new Promise<void>((done, reject) => {
    const late = setTimeout(() => {
      server.close();
      reject(new Error('nobody sent anything'));
    }, waitS * 1000);
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      read(socket, (message) => {
        late.refresh();
        process.stdout.write(shown(message));
        socket.write(framed(Buffer.from(accepted(message))));
        left -= 1;
        if (left > 0) return;
        clearTimeout(late);
        server.close();
        socket.end(() => done());
      });
    });
    server.on('error', reject);
    server.listen(port, '127.0.0.1');
  });
}

function accepted(message: Buffer): string {
  const header = message.toString('latin1').split('\r', 1)[0] ?? '';
  const separator = header.charAt(3);
  const [, , from, fromFacility, to, toFacility, at, , , controlId, processing, version] = header.split(separator);
  const head = [
    'MSH',
    '^~\\&',
    to,
    toFacility,
    from,
    fromFacility,
    at,
    '',
    'ACK',
    `A-${controlId}`,
    processing,
    version,
  ];
  return `${head.join(separator)}\rMSA${separator}AA${separator}${controlId}\r`;
}
