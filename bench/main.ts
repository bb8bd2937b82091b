/**
 * `npm run -s bench -- [--size N | --growth N,N] [--only NAME] [--rounds N] [--seconds S] [--json FILE]`
 * Interleaves the bare `node:http` + `pg` baseline and Mortar on one Postgres and prints rates, latencies and ratios.
 * With `--growth 10000,1000000` it tells what each family of searches costs at these sizes, in processor time: a store of
 * each size, asked in turns.
 */
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { type Case, createCases, type Figures } from './cases.ts';
import { printGrowth } from './growth.ts';
import { runLoad } from './load.ts';
import { cpuBetween, cpuOf, cpuOfTree, rssOf, schedule } from './processes.ts';
import { median, note, writeReport } from './report.ts';
import { openWorld, type World } from './world.ts';

const { values: flags } = parseArgs({
  options: {
    size: { type: 'string', default: '10000' },
    growth: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const sizes = (flags.growth ?? flags.size).split(',').map(Number);
const rounds = Number(flags.rounds);
const durationMs = Number(flags.seconds) * 1000;
const CONNECTIONS = 32;
const WARM_UP_MS = 500;

const worlds: World[] = [];
try {
  for (const size of sizes) worlds.push(await openWorld(size));
  const measured = await measure(
    await Promise.all(worlds.map(async (world) => ({ world, cases: await casesOf(world), bare: new Map() }))),
  );
  const bySize = worlds.map(({ loaded }, i) => ({ size: loaded.resources, figures: measured[i] ?? [] }));
  const last = worlds.at(-1) as World; // of a list that split has made
  const figures = bySize.at(-1)?.figures ?? [];
  print(figures);
  if (flags.growth !== undefined) printGrowth(bySize);
  const disk = await diskUse(last.admin);
  console.log(
    `\nstorage: ${disk.perResource.toFixed(2)} KB for a resource of ${disk.json.toFixed(2)} KB JSON (main, side, history rows and indexes)`,
  );
  console.log(`server memory: ${Math.max(...figures.map((f) => f.rss)).toFixed(0)} MiB at most`);
  writeReport(flags.json, {
    size: sizes.at(-1),
    rounds,
    seconds: durationMs / 1000,
    load: last.loaded.rate,
    disk,
    figures,
    ...(flags.growth !== undefined && { growth: bySize }),
  });
} finally {
  for (const world of worlds) await world.stop();
}

async function casesOf({ admin, mortar, baseline, loaded }: World): Promise<readonly Case[]> {
  const all = await createCases(admin, mortar, baseline.port, loaded);
  return all.filter(
    (c) =>
      (flags.only === undefined || c.name.includes(flags.only) || c.baseline) &&
      (flags.growth === undefined || c.isSearch || c.baseline) &&
      (flags.growth === undefined || c.connections === undefined),
  );
}

interface Measured {
  readonly world: World;
  readonly cases: readonly Case[];
  /** Rates of the baselines in this round. */
  readonly bare: Map<string, number>;
}

/** Every case once a round, at each size in turn: what the machine does meanwhile is met by all sizes. */
async function measure(all: readonly Measured[]): Promise<readonly (readonly Figures[])[]> {
  const samples = all.map(({ cases }) => cases.map((): Figures[] => []));
  const inTurn = async (work: (one: Measured, c: Case) => Promise<Figures>): Promise<readonly Figures[][]> => {
    const found = all.map((): Figures[] => []);
    for (const i of all[0]?.cases.keys() ?? [])
      for (const [n, one] of all.entries()) found[n]?.push(await work(one, one.cases[i] as Case)); // all have the same
    return found;
  };
  await inTurn((one, c) => sampleOf(one, c, WARM_UP_MS));
  for (let round = 1; round <= rounds; round++) {
    note(`round ${round} of ${rounds}`);
    const found = await inTurn((one, c) => sampleOf(one, c, durationMs));
    for (const [n, list] of found.entries()) for (const [i, figures] of list.entries()) samples[n]?.[i]?.push(figures);
  }
  return samples.map((cases) => cases.map(mediansOf));
}

/** Ratios are to the baseline of the same round. */
async function sampleOf({ world, bare }: Measured, c: Case, ms: number): Promise<Figures> {
  const { mortar, baseline, pgPid } = world;
  const { pid } = c.baseline ? baseline : mortar;
  // The baseline is what one has without Mortar, whose own Postgres runs as SCHED_BATCH.
  schedule(pgPid, c.baseline ? 'other' : 'batch');
  const before = [cpuOf(pid), cpuOfTree(pgPid)] as const;
  const sample = await runLoad({
    port: c.port,
    connections: c.connections ?? CONNECTIONS,
    durationMs: ms,
    next: c.next,
  });
  const perRequest = (seconds: number): number => (seconds / Math.max(1, sample.count)) * 1e6;
  if (c.baseline) bare.set(c.name, sample.rate);
  return {
    name: c.name,
    rate: sample.rate * (c.resources ?? 1),
    p50: sample.p50,
    p99: sample.p99,
    ratio: c.against === undefined ? 1 : sample.rate / (bare.get(c.against) ?? Number.NaN),
    failed: sample.failed,
    cpuServer: perRequest(cpuOf(pid) - before[0]),
    cpuPostgres: perRequest(cpuBetween(before[1], cpuOfTree(pgPid))),
    rss: rssOf(mortar.pid),
  };
}

function mediansOf(list: readonly Figures[]): Figures {
  const of = (value: (f: Figures) => number): number => median(list.map(value));
  return {
    name: list[0]?.name ?? '',
    rate: of((f) => f.rate),
    p50: of((f) => f.p50),
    p99: of((f) => f.p99),
    ratio: of((f) => f.ratio),
    failed: list.reduce((sum, f) => sum + f.failed, 0),
    cpuServer: of((f) => f.cpuServer),
    cpuPostgres: of((f) => f.cpuPostgres),
    rss: Math.max(...list.map((f) => f.rss)),
  };
}

function print(figures: readonly Figures[]): void {
  console.log(
    `| ${'case'.padEnd(34)} | ${'rate/s'.padStart(8)} | p50 ms | p99 ms | ratio | server µs | postgres µs | failed |`,
  );
  console.log(`|${'-'.repeat(36)}|---------:|-------:|-------:|------:|----------:|------------:|-------:|`);
  for (const f of figures)
    console.log(
      `| ${f.name.padEnd(34)} | ${f.rate.toFixed(0).padStart(8)} | ${f.p50.toFixed(2).padStart(6)} | ${f.p99.toFixed(2).padStart(6)} | ${f.ratio.toFixed(2).padStart(5)} | ${f.cpuServer.toFixed(0).padStart(9)} | ${f.cpuPostgres.toFixed(0).padStart(11)} | ${String(f.failed).padStart(6)} |`,
    );
}

async function diskUse(admin: pg.Client): Promise<{ perResource: number; json: number }> {
  const { rows } = await admin.query(
    `select coalesce(sum(pg_total_relation_size(c.oid)) filter (where c.reltuples > 0), 0)::float8 as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'fhir' and c.relkind = 'r'`,
  );
  const counted = await admin.query(
    'select count(*)::float8 as n, avg(octet_length(content))::float8 as json from (select content from fhir.patient union all select content from fhir.observation union all select content from fhir.encounter union all select content from fhir.condition union all select content from fhir.medicationrequest) x',
  );
  const { n, json } = counted.rows[0] as { n: number; json: number };
  return { perResource: (rows[0] as { bytes: number }).bytes / n / 1024, json: json / 1024 };
}
