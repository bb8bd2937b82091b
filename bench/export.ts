/**
 * `npm run -s bench:export -- [--size N] [--rounds N] [--json FILE]`
 * `$export` beside the same rows read by `COPY … TO STDOUT` and by a bare select, in turns on one Postgres: resources a
 * second, the processor time of each process, and how the server's memory grows.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { ask, end, type Manifest, manifestOf, recordLines } from './bulk-data.ts';
import { CopyOut } from './copy-out.ts';
import { cpuBetween, cpuOf, cpuOfTree, type Mortar, rssOf, startMortar, withPostgres } from './processes.ts';
import { RECORD_SIZE } from './records.ts';
import { median, note, writeReport } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    size: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const patients = Math.ceil(Number(flags.size) / RECORD_SIZE);
const TYPES = ['Patient', 'Encounter', 'Observation', 'Condition', 'MedicationRequest'];
const GOAL = 60_000;
/** With every rule of validation on. */
const IMPORT_GOAL = 5000;
const PAGE = 10_000;
/** Patients of one request: about 20 MB. */
const UPLOAD = 250;

interface Figure {
  readonly name: string;
  /** Resources a second. */
  readonly rate: number;
  /** µs of processor time a resource. */
  readonly cpuServer: number;
  readonly cpuPostgres: number;
  /** To the bare select of the same round. */
  readonly ratio: number;
  /** MiB at the end. */
  readonly rss: number;
}

await withPostgres(async ({ folder, url, owner }) => {
  const server = join(folder, 'server');
  let mortar = await startMortar(url, server);
  const pgPid = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  note(`loading ${patients * RECORD_SIZE} resources by $import …`);
  const imported = await load(mortar, pgPid);
  await mortar.stop();
  const admin = new pg.Client(owner);
  await admin.connect();
  try {
    await admin.query('vacuum analyze');
    mortar = await startMortar(url, server);
    const figures = [imported, ...(await measure(mortar, admin, pgPid))];
    print(figures);
    writeReport(flags.json, { resources: patients * RECORD_SIZE, goal: GOAL, figures });
  } finally {
    await mortar.stop();
    await admin.end();
  }
});

/** All resources, each validated as on every write; the time is from the first line sent to the manifest. */
async function load(mortar: Mortar, pgPid: number): Promise<Figure> {
  let elapsed = 0;
  let [server, postgres] = [0, 0];
  for (let from = 0; from < patients; from += UPLOAD) {
    const lines = [...recordLines(from, Math.min(UPLOAD, patients - from))].join('\n');
    const before = [cpuOf(mortar.pid), cpuOfTree(pgPid), performance.now()] as const;
    const status = await ask(mortar, '$import', `${lines}\n`);
    const { failed } = await manifestOf(mortar, status);
    if (failed !== 0) throw new Error(`${failed} lines failed`);
    elapsed += performance.now() - before[2];
    server += cpuOf(mortar.pid) - before[0];
    postgres += cpuBetween(before[1], cpuOfTree(pgPid));
    await end(mortar, status);
  }
  const count = patients * RECORD_SIZE;
  return {
    name: '$import',
    rate: count / (elapsed / 1000),
    cpuServer: (server / count) * 1e6,
    cpuPostgres: (postgres / count) * 1e6,
    ratio: Number.NaN,
    rss: rssOf(mortar.pid),
  };
}

async function measure(mortar: Mortar, admin: pg.Client, pgPid: number): Promise<readonly Figure[]> {
  const tables = TYPES.map((type) => `fhir.${type.toLowerCase()}`);
  const cases: readonly { readonly name: string; readonly pid: number; readonly run: () => Promise<number> }[] = [
    { name: 'bare select', pid: process.pid, run: () => bareSelect(admin, tables) },
    { name: 'bare COPY', pid: process.pid, run: () => bareCopy(admin, tables) },
    { name: '$export', pid: mortar.pid, run: async () => total(await exported(mortar)) },
    {
      name: '$export of patients',
      pid: mortar.pid,
      run: async () => total(await exported(mortar, 'Patient/')),
    },
    { name: '$export and every file', pid: mortar.pid, run: () => taken(mortar) },
  ];
  const samples = new Map<string, Figure[]>(cases.map(({ name }) => [name, []]));
  for (let round = 1; round <= Number(flags.rounds); round++) {
    note(`round ${round} of ${flags.rounds}`);
    let bare = Number.NaN;
    for (const { name, pid, run } of cases) {
      const before = [cpuOf(pid), cpuOfTree(pgPid)] as const;
      const started = performance.now();
      const count = await run();
      const rate = count / ((performance.now() - started) / 1000);
      if (name === 'bare select') bare = rate;
      if (count !== patients * RECORD_SIZE) throw new Error(`${name}: ${count} of ${patients * RECORD_SIZE} resources`);
      const each = (seconds: number): number => (seconds / count) * 1e6;
      samples.get(name)?.push({
        name,
        rate,
        cpuServer: each(cpuOf(pid) - before[0]),
        cpuPostgres: each(cpuBetween(before[1], cpuOfTree(pgPid))),
        ratio: rate / bare,
        rss: rssOf(mortar.pid),
      });
    }
  }
  return [...samples].map(([name, list]) => ({
    name,
    rate: median(list.map(({ rate }) => rate)),
    cpuServer: median(list.map(({ cpuServer }) => cpuServer)),
    cpuPostgres: median(list.map(({ cpuPostgres }) => cpuPostgres)),
    ratio: median(list.map(({ ratio }) => ratio)),
    rss: Math.max(...list.map(({ rss }) => rss)),
  }));
}

function total({ output }: Manifest): number {
  return output.reduce((sum, { count }) => sum + count, 0);
}

async function exported(target: Mortar, level = ''): Promise<Manifest> {
  const status = await ask(target, `${level}$export?_type=${TYPES.join(',')}`);
  const manifest = await manifestOf(target, status);
  await end(target, status);
  return manifest;
}

/** Counts the lines that are given, as a program would read them. */
async function taken(target: Mortar): Promise<number> {
  const status = await ask(target, `$export?_type=${TYPES.join(',')}`);
  const { output } = await manifestOf(target, status);
  let lines = 0;
  for (const { url = '' } of output) {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${target.token}` } });
    for await (const chunk of answer.body ?? []) for (const byte of chunk as Uint8Array) if (byte === 10) lines++;
  }
  await end(target, status);
  return lines;
}

async function bareSelect(admin: pg.Client, tables: readonly string[]): Promise<number> {
  let count = 0;
  for (const table of tables) {
    let after = '-9223372036854775808';
    for (;;) {
      const { rows } = await admin.query<{ rid: string; content: string }>({
        name: `bare ${table}`,
        text: `select rid, content from ${table} where rid > $1 order by rid limit ${PAGE}`,
        values: [after],
      });
      count += rows.length;
      if (rows.length < PAGE) break;
      after = rows.at(-1)?.rid ?? after;
    }
  }
  return count;
}

/** Lets go of what comes: only the stream is measured. */
async function bareCopy(admin: pg.Client, tables: readonly string[]): Promise<number> {
  let count = 0;
  for (const table of tables) {
    const copy = new CopyOut(`copy ${table} (content) to stdout`);
    admin.query(copy as unknown as pg.Query); // anything with `submit` is sent: pg's own queries are such
    count += await copy.done;
  }
  return count;
}

function print(figures: readonly Figure[]): void {
  console.log(`${patients * RECORD_SIZE} resources; goals: $export ${GOAL} a second, $import ${IMPORT_GOAL}\n`);
  console.log(`| ${'case'.padEnd(24)} |   rate/s | to bare | µs of its process | postgres µs | server MiB |`);
  console.log(`|${'-'.repeat(26)}|---------:|--------:|------------------:|------------:|-----------:|`);
  for (const { name, rate, ratio, cpuServer, cpuPostgres, rss } of figures)
    console.log(
      `| ${name.padEnd(24)} | ${rate.toFixed(0).padStart(8)} | ${(Number.isNaN(ratio) ? '' : ratio.toFixed(2)).padStart(7)} | ${cpuServer.toFixed(1).padStart(17)} | ${cpuPostgres.toFixed(1).padStart(11)} | ${rss.toFixed(0).padStart(10)} |`,
    );
}
