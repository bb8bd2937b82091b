/**
 * `npm run -s bench:hl7v2 -- [--seconds N] [--connections N] [--idle N] [--only pure] [--json FILE]`
 * The figures of HL7 v2 against their goals: the parser beside hl7-standard, in turns on one message; parse and map on one
 * core, wall and CPU; MLLP to durable AA, with its latency; what idle connections cost.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { mapToFhir } from '../src/mapping/hl7v2/map-to-fhir.ts';
import { parseMessage } from '../src/standards/hl7v2/parse.ts';
import { cpuBetween, cpuOf, cpuOfTree, rssOf, startMortar, withPostgres } from './processes.ts';
import { writeReport } from './report.ts';

/** It has no types of its own. */
const HL7 = createRequire(import.meta.url)('hl7-standard') as new (
  text: string,
) => {
  transform(): void;
  get(path: string): unknown;
};

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '16' },
    idle: { type: 'string', default: '2000' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const durationMs = Number(flags.seconds) * 1000;
const ROUNDS = 40;
const ROUND_MS = 25;
/** Messages until the mapper is compiled. */
const WARM_UP = 5000;
const PATHS = ['MSH.9', 'MSH.10', 'PID.3', 'PID.5.1', 'PID.5.2', 'PID.7', 'PID.8', 'PV1.2', 'PV1.3.1', 'PV1.19'];
const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };
/** Patients that messages are about: most are met again. */
const PATIENTS = 2000;
/** Until what a start leaves behind is done with. */
const SETTLE_MS = 5000;
const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/hl7v2', name));

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What is asked for: at least, or at most. */
  readonly goal?: { readonly least?: number; readonly most?: number };
}
const figures: Figure[] = [];
let sequence = 0;
const told = (name: string, value: number, unit: string, goal?: Figure['goal']): void =>
  void figures.push({ name, value, unit, ...(goal && { goal }) });

parsing();
mapping('parse and map an admission with doctors, ward, allergy and diagnosis', 'own-uk-a01.hl7', { least: 5000 });
mapping('parse and map a change of a patient', 'own-uk-a31-null.hl7', { least: 5000 });
if (flags.only !== 'pure') await withServer();
print();

function parsing(): void {
  const bytes = fixture('own-uk-a01.hl7');
  const read = (get: (path: string) => unknown): void => {
    for (const path of PATHS) get(path);
  };
  const cases: readonly (readonly [name: string, goal: Figure['goal'], ours: () => void, theirs: () => void])[] = [
    ['parse lazily', { least: 20 }, () => void parseMessage(bytes), () => void new HL7(bytes.toString()).transform()],
    [
      'parse and read ten values',
      undefined,
      () => read((path) => parseMessage(bytes).value?.value(path)),
      () => {
        const message = new HL7(bytes.toString());
        message.transform();
        read((path) => message.get(path));
      },
    ],
  ];
  for (const [name, goal, ours, theirs] of cases) {
    const best = [0, 0];
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, run] of [ours, theirs].entries()) best[i] = Math.max(best[i] ?? 0, perSecond(run, ROUND_MS));
    const [own = 0, other = 1] = best;
    told(name, own, '/s');
    told(`${name}: times hl7-standard`, own / other, '×', goal);
  }
}

/** Each message is another one, of another patient, as a feed has them. */
function mapping(name: string, file: string, goal: Figure['goal']): void {
  const text = fixture(file).toString();
  const messages = Array.from({ length: 500 }, (_, n) =>
    Buffer.from(text.replaceAll('RXX1000001', `RXX${n}`).replace('TESTPATIENT', `NAME${n}`)),
  );
  let n = 0;
  const run = (): void => {
    const { value } = parseMessage(messages[n++ % messages.length] as Buffer);
    if (value === undefined || mapToFhir(value, CONTEXT).value === undefined) throw new Error(`${file} is not mapped`);
  };
  for (let round = 0; round < WARM_UP; round++) run();
  const before = process.cpuUsage();
  const started = n;
  const rate = perSecond(run, 2000);
  const { user, system } = process.cpuUsage(before);
  told(name, rate, '/s', goal);
  told(`${name}: by CPU time`, ((n - started) * 1e6) / (user + system), '/s');
}

function perSecond(run: () => void, forMs: number): number {
  const before = performance.now();
  let count = 0;
  while (performance.now() - before < forMs) {
    run();
    count += 1;
  }
  return (count * 1000) / (performance.now() - before);
}

async function withServer(): Promise<void> {
  await withPostgres(async ({ folder, url }) => {
    process.env['UNKNOWN_PARTNERS'] = 'accept';
    process.env['MLLP_CONNECTIONS_MAX'] = '5000';
    const dataDir = join(folder, 'server');
    const mortar = await startMortar(url, dataDir);
    const { mllp } = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as { mllp: number };
    await load(mllp, 2000); // warms up
    const postmaster = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
    const cpuBefore = [cpuOf(mortar.pid), cpuOfTree(postmaster)] as const;
    const { rate, p50, p99, failed, count } = await load(mllp, durationMs);
    const server = cpuOf(mortar.pid) - cpuBefore[0];
    const postgres = cpuBetween(cpuBefore[1], cpuOfTree(postmaster));
    told(`MLLP to durable AA, ${flags.connections} connections`, rate, '/s', { least: 500 });
    told('… median', p50, 'ms');
    told('… 99th percentile', p99, 'ms', { most: 100 });
    told('… CPU of the server for each', (server * 1000) / count, 'ms');
    told('… CPU of Postgres for each', (postgres * 1000) / count, 'ms');
    told('… not AA', failed, '', { most: 0 });
    await mortar.stop();
    await idle(url, dataDir);
  });
}

/**
 * What connections cost that say nothing: resident memory of a server that has done nothing else, so that no room left by
 * a load hides it; at its largest, which collections only make smaller.
 */
async function idle(url: string, dataDir: string): Promise<void> {
  const mortar = await startMortar(url, dataDir);
  const { mllp } = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as { mllp: number };
  await sleep(SETTLE_MS);
  const before = rssOf(mortar.pid);
  const sockets = await open(mllp, Number(flags.idle));
  let most = 0;
  for (const end = performance.now() + SETTLE_MS; performance.now() < end; await sleep(100))
    most = Math.max(most, rssOf(mortar.pid));
  told('a server that has just started', before, 'MiB');
  told(`… with ${sockets.length} idle connections`, most, 'MiB');
  told('… what they cost', most - before, 'MiB', { most: 100 });
  for (const socket of sockets) socket.destroy();
  await mortar.stop();
}

async function open(port: number, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n++)
    sockets.push(
      await new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket));
        socket.once('error', reject);
      }),
    );
  return sockets;
}

/** One message at a time on each connection, as feeds send them. */
async function load(port: number, forMs: number) {
  const text = fixture('own-uk-a01.hl7').toString().replace('9990000018^^^NHS^NH~', '');
  const make = (): string => {
    sequence += 1;
    const n = sequence % PATIENTS;
    return text.replace('OWN-A01-1', `A${sequence}`).replace('RXX1000001', `RXX${n}`).replace('V2026030201', `V${n}`);
  };
  const latencies: number[] = [];
  let failed = 0;
  const started = performance.now();
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let sentAt = 0;
      let received = '';
      const send = (): void => {
        if (performance.now() - started >= forMs) {
          socket.end();
          resolve();
          return;
        }
        sentAt = performance.now();
        socket.write(`\u000b${make()}\u001c\r`);
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (!received.endsWith('\u001c\r')) return;
        if (!received.includes('\rMSA|AA|')) failed += 1;
        received = '';
        latencies.push(performance.now() - sentAt);
        send();
      });
    });
  await Promise.all(Array.from({ length: Number(flags.connections) }, one));
  const rate = (latencies.length * 1000) / (performance.now() - started);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return { rate, p50: at(0.5), p99: at(0.99), failed, count: latencies.length };
}

function print(): void {
  const width = Math.max(...figures.map(({ name }) => name.length));
  for (const { name, value, unit, goal } of figures) {
    const asked =
      goal?.least !== undefined ? `at least ${goal.least}` : goal?.most !== undefined ? `at most ${goal.most}` : '';
    const isMet = value >= (goal?.least ?? value) && value <= (goal?.most ?? value);
    const verdict = goal === undefined ? '' : isMet ? 'met' : 'not met';
    const shown = value >= 100 ? value.toFixed(0) : value.toFixed(1);
    console.log(
      `${name.padEnd(width)} ${shown.padStart(9)} ${unit.padEnd(4)} ${asked.padEnd(14)} ${verdict}`.trimEnd(),
    );
  }
  writeReport(flags.json, { connections: Number(flags.connections), figures });
}
