/**
 * `npm run -s bench:messages -- [--seconds N] [--connections N] [--rounds N] [--json FILE]`
 * Durable messages a second and latency of each dialect's door, against the bare commits that durability needs (the raw
 * message; then five rows and the message's state in a transaction) on the same Postgres and in the same run.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { runLoad, type Sample, type Target, withBody } from './load.ts';
import { startMortar, withPostgres } from './processes.ts';
import { median, writeReport } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const durationMs = Number(flags.seconds) * 1000;
const connections = Number(flags.connections);
const rounds = Number(flags.rounds);
/** Patients that messages are about: most are met again. */
const PATIENTS = 2000;
const GOAL = 300;

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');
let sequence = 0;
const next = (): number => (sequence += 1);

const admit = fixture('hl7v2/own-uk-a01.hl7');
const encoded = fixture('hl7v2/own-rde-o11-taper.hl7');
const newRx = fixture('script/newrx-basic.xml');
const order = fixture('eps/prescription-order-acute.json');
/** Every id of the order, so that each message is another one. */
const orderIds = [...new Set(order.match(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g))];

/** About patient `n`: without the national number, which would make them all the same. */
const aboutPatient = (message: string, n: number): string =>
  message
    .replace('9990000018^^^NHS^NH~', '')
    .replace('RXX1000001', `RXX${n % PATIENTS}`)
    .replace('V2026030201', `V${n % PATIENTS}`);

const MESSAGES = {
  'hl7v2 ADT^A01': () => {
    const n = next();
    return aboutPatient(admit.replace('OWN-A01-1', `A${n}`), n);
  },
  'hl7v2 RDE^O11': () => {
    const n = next();
    return aboutPatient(
      encoded.replace('OWN-RDE-1', `R${n}`).replaceAll('RX-5003', `RX${n}`).replaceAll('RXF-9003', `RF${n}`),
      n,
    );
  },
  'script NewRx': () => {
    const n = next();
    return newRx
      .replace('OWN0001A7F3C9D1', `S${n}`)
      .replace('RX-2026-000101', `O${n}`)
      .replace('MRN-100234', `M${n % PATIENTS}`);
  },
  'fhir prescription-order': () => orderIds.reduce((text, id) => text.replaceAll(id, randomUUID()), order),
} as const;

await withPostgres(async ({ folder, url, owner }) => {
  process.env['UNKNOWN_PARTNERS'] = 'accept';
  const dataDir = join(folder, 'server');
  const mortar = await startMortar(url, dataDir);
  const { mllp } = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as { mllp: number };
  const bare = await openBare(owner);
  const measured = new Map<string, Sample[]>([
    ['bare commits', []],
    ...Object.keys(MESSAGES).map((name) => [name, []] as [string, Sample[]]),
  ]);
  for (let round = 0; round <= rounds; round++) {
    const keep = (name: string, sample: Sample): void => void (round > 0 && measured.get(name)?.push(sample)); // round 0 warms up
    keep('bare commits', await bare.run());
    for (const [name, make] of Object.entries(MESSAGES))
      keep(name, name.startsWith('hl7v2') ? await overMllp(mllp, make) : await overHttp(mortar, name, make));
  }
  print(measured);
  await bare.end();
  await mortar.stop();
});

function overHttp(target: Target, name: string, make: () => string): Promise<Sample> {
  const [path, type] = name.startsWith('script')
    ? (['/ncpdp/script', 'application/xml'] as const)
    : (['/fhir/R4/$process-message', 'application/fhir+json'] as const);
  const next = (): Buffer => withBody(target, 'POST', path, make(), type);
  return runLoad({ port: target.port, connections, durationMs, next });
}

/** One message at a time on each connection, as feeds send them. */
async function overMllp(port: number, make: () => string): Promise<Sample> {
  return sampled(async (until, latencies, count) => {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let sentAt = 0;
      let received = '';
      const send = (): void => {
        if (performance.now() >= until) {
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
        if (!received.includes('\rMSA|AA|')) count.failed += 1;
        received = '';
        latencies.push(performance.now() - sentAt);
        send();
      });
    });
  });
}

async function sampled(
  run: (until: number, latencies: number[], count: { failed: number }) => Promise<void>,
): Promise<Sample> {
  const latencies: number[] = [];
  const count = { failed: 0 };
  const started = performance.now();
  await Promise.all(Array.from({ length: connections }, () => run(started + durationMs, latencies, count)));
  const elapsed = performance.now() - started;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return {
    rate: (latencies.length / elapsed) * 1000,
    p50: at(0.5),
    p99: at(0.99),
    count: latencies.length,
    failed: count.failed,
  };
}

async function openBare(config: pg.ClientConfig): Promise<{ run(): Promise<Sample>; end(): Promise<void> }> {
  const clients = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = new pg.Client(config);
      await client.connect();
      return client;
    }),
  );
  const [admin] = clients as [pg.Client];
  await admin.query(
    'create schema bare; create table bare.m (id uuid primary key, raw text not null, state text); create table bare.t (id uuid primary key, content text not null)',
  );
  const content = 'x'.repeat(900);
  const insert = `insert into bare.t select gen_random_uuid(), '${content}' from generate_series(1, 5)`;
  const free = [...clients];
  return {
    run: () =>
      sampled(async (until, latencies) => {
        const client = free.pop() as pg.Client; // one a connection
        while (performance.now() < until) {
          const at = performance.now();
          const id = randomUUID();
          await client.query({ name: 'm', text: 'insert into bare.m values ($1, $2)', values: [id, newRx] });
          await client.query(`begin; ${insert}; update bare.m set state = 'applied' where id = '${id}'; commit`);
          latencies.push(performance.now() - at);
        }
        free.push(client);
      }),
    end: async () => void (await Promise.all(clients.map((client) => client.end()))),
  };
}

function print(measured: ReadonlyMap<string, readonly Sample[]>): void {
  const base = median((measured.get('bare commits') ?? []).map((s) => s.rate));
  const figures = [...measured].map(([name, samples]) => ({
    name,
    rate: median(samples.map((s) => s.rate)),
    ratio: median(samples.map((s) => s.rate)) / base,
    p50: median(samples.map((s) => s.p50)),
    p99: median(samples.map((s) => s.p99)),
    failed: samples.reduce((sum, s) => sum + s.failed, 0),
  }));
  console.log(
    `durable messages, ${connections} connections, median of ${rounds} rounds of ${flags.seconds} s (goal ${GOAL}/s)\n`,
  );
  console.log('dialect                     messages/s   of bare   p50 ms   p99 ms   failed');
  for (const { name, rate, ratio, p50, p99, failed } of figures)
    console.log(
      `${name.padEnd(26)} ${rate.toFixed(0).padStart(11)} ${ratio.toFixed(2).padStart(9)} ${p50.toFixed(1).padStart(8)} ${p99.toFixed(1).padStart(8)} ${String(failed).padStart(8)}`,
    );
  writeReport(flags.json, { connections, rounds, figures });
}
