/**
 * `npm run -s bench:pharmacy`: verification, dispensing and the queue of a running server, policy and audit on, from ten
 * pharmacies. `--json FILE` keeps the figures; `--seconds N` how long each is measured; `--queue N` how many prescriptions
 * are open when the queue is measured. docs/pharmacy.md
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import {
  codeOf,
  makePharmacyWorld,
  PHARMACIES,
  type PharmacyWorld,
  type Prescribed,
} from '../test/support/pharmacy.ts';
import { type LoadOptions, runLoad, type Sample } from './load.ts';
import { cpuBetween, cpuOf, cpuOfTree, startMortar, withPostgres } from './processes.ts';
import { writeReport } from './report.ts';

/** With the processor time of a request, ms. */
interface Timed extends Sample {
  readonly server: number;
  readonly postgres: number;
}

type Load = (options: Omit<LoadOptions, 'port'>) => Promise<Timed>;

interface Figure extends Timed {
  readonly name: string;
  /** What issue 9 asks: a rate, or a p99 in ms. */
  readonly goal: string;
  readonly isMet: boolean;
}

const CONNECTIONS = 32;
const SMALL_QUEUE = 100;
/** Patients of whom prescriptions are open. */
const PEOPLE = 2000;
const NAMES = 400;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    queue: { type: 'string', default: '100000' },
  },
});
const durationMs = Number(values.seconds) * 1000;
const large = Number(values.queue);
if (!(durationMs > 0 && durationMs <= 60_000)) throw new Error('--seconds is a number up to 60');
if (!(Number.isInteger(large) && large >= SMALL_QUEUE)) throw new Error(`--queue is a number from ${SMALL_QUEUE}`);

await withPostgres(async ({ url, folder, owner }) => {
  process.env['RATE_LIMITS'] = 'verify=off,verify-prescription=off,read=off,write=off';
  const mortar = await startMortar(url, folder);
  try {
    const base = `http://127.0.0.1:${mortar.port}`;
    const world = await makePharmacyWorld({
      url: base,
      fhirBaseUrl: `${base}/fhir/R4`,
      dataDir: folder,
      bearer: { authorization: `Bearer ${mortar.token}` },
    });
    const people = await Promise.all(PHARMACIES.map((id) => world.pharmacist(id)));
    const postmaster = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
    const load: Load = async (options) => {
      const before = [cpuOf(mortar.pid), cpuOfTree(postmaster)] as const;
      const sample = await runLoad({ ...options, port: mortar.port });
      const ms = (seconds: number): number => (seconds * 1000) / Math.max(1, sample.count);
      const server = ms(cpuOf(mortar.pid) - before[0]);
      return { ...sample, server, postgres: ms(cpuBetween(before[1], cpuOfTree(postmaster))) };
    };
    const figures = [
      ...(await measureTokens(world, mortar.port, people, load)),
      ...(await measureQueue(world, mortar.port, people, load, () => analyse(owner))),
    ];
    for (const { name, rate, p50, p99, failed, server, postgres, goal, isMet } of figures)
      console.log(
        `${name.padEnd(38)} ${rate.toFixed(0).padStart(6)}/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms   server ${server.toFixed(2)} ms   postgres ${postgres.toFixed(2)} ms   ${failed} failed   goal ${goal}   ${isMet ? 'met' : 'missed'}`,
      );
    console.log(`load ${loadavg()[0]?.toFixed(1)}; Node ${process.version}`);
    writeReport(values.json, { load: loadavg(), figures });
  } finally {
    await mortar.stop();
  }
});

/** As the database does by itself after a while. */
async function analyse(owner: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(owner);
  await client.connect();
  await client.query('analyze');
  await client.end();
}

async function measureTokens(
  world: PharmacyWorld,
  port: number,
  people: readonly Record<string, string>[],
  load: Load,
): Promise<Figure[]> {
  const made = await world.prescribeMany(2000, (i) => ({ pharmacyId: PHARMACIES[i % PHARMACIES.length] ?? '' }));
  let turn = 0;
  const verify = (body: (one: Prescribed) => object) => () => {
    turn = (turn + 1) % made.length;
    const [one, at] = [made[turn] as Prescribed, turn % PHARMACIES.length]; // turn is below its length
    return post(port, '/api/prescriptions/verify', people[at], {
      ...body(one),
      pharmacy_code: codeOf(PHARMACIES[at] ?? ''),
    });
  };
  const run = (next: () => Buffer): Promise<Timed> => load({ connections: CONNECTIONS, durationMs, next });
  await run(verify(({ token }) => ({ token: token.token }))); // warms up
  const jws = await run(verify(({ token }) => ({ token: token.token })));
  const hmac = await run(verify(({ token }) => ({ payload: token.payload, signature: token.signature })));
  // Each once: as many as may be dispensed in the time, and a round before to warm up.
  const warm = await world.prescribeMany(1000, (i) => ({ pharmacyId: PHARMACIES[i % PHARMACIES.length] ?? '' }));
  const fresh = await world.prescribeMany(Math.ceil(durationMs / 1000) * 800, (i) => ({
    pharmacyId: PHARMACIES[i % PHARMACIES.length] ?? '',
  }));
  await dispenseAll(port, warm, people, load);
  const dispensed = await dispenseAll(port, fresh, people, load);
  return [figure('verify, JWS', jws, 2000), figure('verify, HMAC', hmac, 2000), figure('dispense', dispensed, 500)];
}

/** Until the time is over, or all are dispensed. */
async function dispenseAll(
  port: number,
  all: readonly Prescribed[],
  people: readonly Record<string, string>[],
  load: Load,
): Promise<Timed> {
  let turn = -1;
  const started = performance.now();
  const durations = Math.min(durationMs, (all.length / 800) * 1000);
  return load({
    connections: CONNECTIONS,
    durationMs: durations,
    next: () => {
      turn += 1;
      const one = all[turn % all.length] as Prescribed; // below its length
      const at = turn % PHARMACIES.length;
      if (turn === all.length) console.log(`all were dispensed after ${Math.round(performance.now() - started)} ms`);
      return post(port, '/api/prescriptions/dispense', people[at], {
        prescription_id: one.token.tokenId,
        nonce: one.token.nonce,
        pharmacy_code: codeOf(PHARMACIES[at] ?? ''),
        pharmacist_name: 'Piotr Zielinski',
      });
    },
  });
}

async function measureQueue(
  world: PharmacyWorld,
  port: number,
  people: readonly Record<string, string>[],
  load: Load,
  settle: () => Promise<void>,
): Promise<Figure[]> {
  // Of a pharmacy that has nothing else: the last one is measured with few, then with many.
  const [small, big] = ['pharmacy-i', 'pharmacy-j'];
  for (let n = 0; n < PEOPLE; n += 1)
    await world.put({ resourceType: 'Patient', id: `person-${n}`, name: [{ family: nameOf(n), given: ['Bench'] }] });
  const fill = (pharmacyId: string, count: number) =>
    world.prescribeMany(count, (i) => ({
      pharmacyId,
      patientId: `person-${(i * 7) % PEOPLE}`,
      patient: `Bench ${nameOf((i * 7) % PEOPLE)}`,
      priority: i % 50 === 0 ? 'controlled' : i % 10 === 0 ? 'high_risk' : 'routine',
      issuedAt: Date.now() - (i % 1000) * 60_000,
    }));
  await fill(small, SMALL_QUEUE);
  await fill(big, large);
  await settle();
  const run = async (at: number, query = '', connections = 4): Promise<Timed> => {
    const next = (): Buffer => get(port, `/api/pharmacy/queue${query}`, people[at]);
    await load({ connections, durationMs: 1500, next }); // warms up
    return load({ connections, durationMs, next });
  };
  const few = await run(8);
  const many = await run(9);
  const share = many.p50 / few.p50;
  const page = (name: string, timed: Timed): Figure => ({
    ...timed,
    name: `queue page, ${name}`,
    goal: 'p99 25 ms',
    isMet: timed.p99 <= 25,
  });
  return [
    { ...page(`${SMALL_QUEUE} open`, few), goal: 'none', isMet: true },
    page(`${large} open`, many),
    // Four at once is all that two cores give, and each then waits for the others.
    page(`${large} open, one reader`, await run(9, '', 1)),
    { ...many, name: `the same, ${share.toFixed(2)} times the small one`, goal: '1.5 times', isMet: share <= 1.5 },
    page('priority and date', await run(9, '?priority=routine&date_range=week')),
    page('patient_search', await run(9, `?patient_search=${nameOf(7)}`)),
    page('expired', await run(9, '?status=expired')),
  ];
}

/** `Aafam` … `Ppfam`: five patients have the same. */
function nameOf(n: number): string {
  const [first, second] = [Math.floor((n % NAMES) / 20), n % 20];
  return `${String.fromCharCode(65 + first)}${String.fromCharCode(97 + second)}fam`;
}

function head(method: string, path: string, port: number, headers: Record<string, string> = {}): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${headers['authorization']}\r\n`;
}

function get(port: number, path: string, headers: Record<string, string> | undefined): Buffer {
  return Buffer.from(`${head('GET', path, port, headers)}\r\n`);
}

function post(port: number, path: string, headers: Record<string, string> | undefined, body: object): Buffer {
  const json = JSON.stringify(body);
  return Buffer.from(
    `${head('POST', path, port, headers)}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
}

function figure(name: string, sample: Timed, rate: number): Figure {
  return { ...sample, name, goal: `${rate}/s`, isMet: sample.rate >= rate && sample.failed === 0 };
}
