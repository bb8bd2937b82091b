/**
 * `npm run -s bench:import -- [--size N] [--rounds N] [--only NAME] [--profile FOLDER] [--json FILE]`
 * What many resources cost that come together: `$import` with structure alone and with every rule, and transactions of
 * 5,000 entries. Resources a second; processor time of the server and of Postgres, log of the database and memory each.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { ask, end, manifestOf, recordLines } from './bulk-data.ts';
import { postBundle } from './import.ts';
import {
  cpuBetween,
  cpuOf,
  cpuOfTree,
  forgetPeak,
  type Mortar,
  peakOf,
  rssOf,
  startMortar,
  withPostgres,
} from './processes.ts';
import { RECORD_SIZE, recordOf, transactionOf } from './records.ts';
import { median, note, writeReport } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    size: { type: 'string', default: '30000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    profile: { type: 'string' },
    json: { type: 'string' },
  },
});
/** Of one transaction: as many whole patients as 5,000 entries hold. */
const BUNDLE = Math.floor(5000 / RECORD_SIZE);
const patients = Math.ceil(Number(flags.size) / RECORD_SIZE / BUNDLE) * BUNDLE;
const WARM = BUNDLE;
const MIB = 1024 * 1024;

interface Figure {
  readonly name: string;
  /** Resources a second. */
  readonly rate: number;
  /** µs of processor time a resource. */
  readonly cpuServer: number;
  readonly cpuPostgres: number;
  /** Bytes of the database's log a resource. */
  readonly log: number;
  /** Of the most memory there was above that before, to the body. */
  readonly memory: number;
}

interface Case {
  readonly name: string;
  /** Resources a second. */
  readonly goal: number;
  readonly entry?: string;
  /** What is sent for the records of patients. */
  readonly bodiesOf: (from: number, patients: number) => readonly string[];
  /** Resolves when a body's resources are stored. */
  readonly send: (mortar: Mortar, body: string) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: '$import, structure alone',
    goal: 8000,
    entry: 'bench/import-server.ts',
    bodiesOf: linesOf,
    send: importLines,
  },
  { name: '$import, every rule', goal: 5000, bodiesOf: linesOf, send: importLines },
  { name: `transactions of ${BUNDLE * RECORD_SIZE}`, goal: 6000, bodiesOf: bundlesOf, send: postBundle },
].filter(({ name }) => flags.only === undefined || name.includes(flags.only));

await withPostgres(async ({ folder, url, owner }) => {
  const pgPid = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  const samples = new Map<string, Figure[]>(CASES.map(({ name }) => [name, []]));
  let next = 0;
  for (let round = 1; round <= Number(flags.rounds); round++)
    for (const one of CASES) {
      note(`round ${round} of ${flags.rounds}: ${one.name}`);
      const profiling = flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`];
      const mortar = await startMortar(url, join(folder, 'server'), {
        ...(one.entry !== undefined && { entry: one.entry }),
        flags: profiling,
      });
      const admin = new pg.Client(owner);
      await admin.connect();
      try {
        for (const body of one.bodiesOf(next, WARM)) await one.send(mortar, body);
        samples.get(one.name)?.push(await measured(one, mortar, { admin, pgPid, from: next + WARM }));
        next += WARM + patients;
      } finally {
        await admin.end();
        await mortar.stop();
      }
    }
  const figures = [...samples].map(([name, list]) => medianOf(name, list));
  print(figures);
  writeReport(flags.json, { resources: patients * RECORD_SIZE, figures });
});

interface Place {
  readonly admin: pg.Client;
  readonly pgPid: number;
  /** The first patient. */
  readonly from: number;
}

async function measured(
  { name, bodiesOf, send }: Case,
  mortar: Mortar,
  { admin, pgPid, from }: Place,
): Promise<Figure> {
  const bodies = bodiesOf(from, patients);
  forgetPeak(mortar.pid);
  const before = { rss: rssOf(mortar.pid), log: await logPosition(admin) };
  const used = { server: cpuOf(mortar.pid), postgres: cpuOfTree(pgPid), at: performance.now() };
  for (const body of bodies) await send(mortar, body);
  const count = patients * RECORD_SIZE;
  const seconds = (performance.now() - used.at) / 1000;
  return {
    name,
    rate: count / seconds,
    cpuServer: ((cpuOf(mortar.pid) - used.server) / count) * 1e6,
    cpuPostgres: (cpuBetween(used.postgres, cpuOfTree(pgPid)) / count) * 1e6,
    log: ((await logPosition(admin)) - before.log) / count,
    memory: (peakOf(mortar.pid) - before.rss) / (Math.max(...bodies.map((body) => body.length)) / MIB),
  };
}

async function logPosition(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query<{ at: string }>("select pg_current_wal_lsn() - '0/0'::pg_lsn as at");
  return Number(rows[0]?.at);
}

function linesOf(from: number, count: number): readonly string[] {
  return [`${[...recordLines(from, count)].join('\n')}\n`];
}

async function importLines(mortar: Mortar, body: string): Promise<void> {
  const status = await ask(mortar, '$import', body);
  const { failed } = await manifestOf(mortar, status);
  if (failed !== 0) throw new Error(`${failed} lines failed`);
  await end(mortar, status);
}

function bundlesOf(from: number, count: number): readonly string[] {
  return Array.from({ length: count / BUNDLE }, (_, i) => {
    const first = from + i * BUNDLE;
    return JSON.stringify(transactionOf(Array.from({ length: BUNDLE }, (_unused, n) => recordOf(first + n)).flat()));
  });
}

function medianOf(name: string, list: readonly Figure[]): Figure {
  const of = (number: (figure: Figure) => number): number => median(list.map(number));
  return {
    name,
    rate: of(({ rate }) => rate),
    cpuServer: of(({ cpuServer }) => cpuServer),
    cpuPostgres: of(({ cpuPostgres }) => cpuPostgres),
    log: of(({ log }) => log),
    memory: of(({ memory }) => memory),
  };
}

function print(figures: readonly Figure[]): void {
  console.log(`${patients * RECORD_SIZE} resources a case\n`);
  console.log('| case                      | rate/s |  goal | server µs | postgres µs | log bytes | peak to body |');
  console.log('|---------------------------|-------:|------:|----------:|------------:|----------:|-------------:|');
  for (const { name, rate, cpuServer, cpuPostgres, log, memory } of figures)
    console.log(
      `| ${name.padEnd(25)} | ${rate.toFixed(0).padStart(6)} | ${String(CASES.find((one) => one.name === name)?.goal).padStart(5)} | ${cpuServer.toFixed(1).padStart(9)} | ${cpuPostgres.toFixed(1).padStart(11)} | ${log.toFixed(0).padStart(9)} | ${memory.toFixed(1).padStart(12)} |`,
    );
}
