/**
 * `npm run -s bench -- [--size N | --growth N,N] [--only NAME] [--rounds N] [--seconds S] [--json FILE]`
 * Interleaves the bare `node:http` + `pg` baseline and Mortar on one Postgres and prints rates, latencies and ratios.
 * With `--growth 10000,1000000` it tells what each family of searches costs at these sizes, in processor time.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/postgres/embedded.ts';
import { type Case, createCases, type Figures } from './cases.ts';
import { printGrowth } from './growth.ts';
import { type Loaded, loadRecords } from './import.ts';
import { runLoad } from './load.ts';
import { cpuBetween, cpuOf, cpuOfTree, rssOf, startBaseline, startMortar } from './processes.ts';
import { median, note, writeReport } from './report.ts';

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
const size = sizes.at(-1) as number; // of a list that split has made
const rounds = Number(flags.rounds);
const durationMs = Number(flags.seconds) * 1000;
const CONNECTIONS = 32;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const folder = mkdtempSync(join(tmpdir(), 'mortar-bench-'));
chmodSync(folder, 0o711); // Postgres may run as another user
const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silent });
const owner = postgres.connection('owner');
const admin = new pg.Client(owner);
try {
  await admin.connect();
  await admin.query('create schema bare; create table bare.t (id uuid primary key, content text not null)');
  const databaseUrl = urlOf(owner);
  const server = join(folder, 'server');
  let mortar = await startMortar(databaseUrl, server);
  const baseline = await startBaseline(owner);
  const pgPid = Number(readFileSync(join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  const bySize: { readonly size: number; readonly figures: readonly Figures[] }[] = [];
  let loaded: Loaded = { resources: 0, patients: 0, rate: 0 };
  for (const each of sizes) {
    note(`loading ${each} resources …`);
    loaded = await loadRecords(mortar, each, loaded.patients);
    note(`there are ${loaded.resources}, in transaction bundles of 100, ${Math.round(loaded.rate)}/s`);
    await admin.query('vacuum analyze');
    await mortar.stop(); // the next one starts with the statistics of what is there now
    mortar = await startMortar(databaseUrl, server);
    const cases = (await createCases(admin, mortar, baseline.port, loaded)).filter(
      (c) =>
        (flags.only === undefined || c.name.includes(flags.only) || c.baseline) &&
        (flags.growth === undefined || c.isSearch || c.baseline) &&
        (flags.growth === undefined || c.connections === undefined),
    );
    bySize.push({ size: loaded.resources, figures: await measure(cases, mortar.pid, baseline.pid, pgPid) });
  }
  const figures = bySize.at(-1)?.figures ?? [];
  print(figures);
  if (flags.growth !== undefined) printGrowth(bySize);
  const disk = await diskUse();
  console.log(
    `\nstorage: ${disk.perResource.toFixed(2)} KB for a resource of ${disk.json.toFixed(2)} KB JSON (main, side, history rows and indexes)`,
  );
  console.log(`server memory: ${Math.max(...figures.map((f) => f.rss)).toFixed(0)} MiB at most`);
  writeReport(flags.json, {
    size,
    rounds,
    seconds: durationMs / 1000,
    load: loaded.rate,
    disk,
    figures,
    ...(flags.growth !== undefined && { growth: bySize }),
  });
  await baseline.stop();
  await mortar.stop();
} finally {
  await admin.end().catch(() => undefined);
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Every case once a round; ratios are to the baseline of the same round. */
async function measure(
  cases: readonly Case[],
  mortarPid: number,
  baselinePid: number,
  pgPid: number,
): Promise<Figures[]> {
  const samples = new Map<string, Figures[]>(cases.map((c) => [c.name, []]));
  for (const c of cases)
    await runLoad({ port: c.port, connections: c.connections ?? CONNECTIONS, durationMs: 500, next: c.next });
  for (let round = 1; round <= rounds; round++) {
    note(`round ${round} of ${rounds}`);
    const bare = new Map<string, number>();
    for (const c of cases) {
      const pid = c.baseline ? baselinePid : mortarPid;
      const before = [cpuOf(pid), cpuOfTree(pgPid)] as const;
      const sample = await runLoad({
        port: c.port,
        connections: c.connections ?? CONNECTIONS,
        durationMs,
        next: c.next,
      });
      const perRequest = (seconds: number): number => (seconds / Math.max(1, sample.count)) * 1e6;
      if (c.baseline) bare.set(c.name, sample.rate);
      samples.get(c.name)?.push({
        name: c.name,
        rate: sample.rate * (c.resources ?? 1),
        p50: sample.p50,
        p99: sample.p99,
        ratio: c.against === undefined ? 1 : sample.rate / (bare.get(c.against) ?? Number.NaN),
        failed: sample.failed,
        cpuServer: perRequest(cpuOf(pid) - before[0]),
        cpuPostgres: perRequest(cpuBetween(before[1], cpuOfTree(pgPid))),
        rss: rssOf(mortarPid),
      });
    }
  }
  return [...samples.values()].map((list) => ({
    name: list[0]?.name ?? '',
    rate: median(list.map((f) => f.rate)),
    p50: median(list.map((f) => f.p50)),
    p99: median(list.map((f) => f.p99)),
    ratio: median(list.map((f) => f.ratio)),
    failed: list.reduce((sum, f) => sum + f.failed, 0),
    cpuServer: median(list.map((f) => f.cpuServer)),
    cpuPostgres: median(list.map((f) => f.cpuPostgres)),
    rss: Math.max(...list.map((f) => f.rss)),
  }));
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

async function diskUse(): Promise<{ perResource: number; json: number }> {
  const { rows } = await admin.query(
    `select coalesce(sum(pg_total_relation_size(c.oid)) filter (where c.reltuples > 0), 0)::float8 as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'fhir' and c.relkind = 'r'`,
  );
  const counted = await admin.query(
    'select count(*)::float8 as n, avg(octet_length(content))::float8 as json from (select content from fhir.patient union all select content from fhir.observation union all select content from fhir.encounter union all select content from fhir.condition union all select content from fhir.medicationrequest) x',
  );
  const { n, json } = counted.rows[0] as { n: number; json: number };
  return { perResource: (rows[0] as { bytes: number }).bytes / n / 1024, json: json / 1024 };
}

function urlOf(c: pg.ClientConfig): string {
  const url = new URL(`postgresql://${c.user}:${String(c.password)}@localhost/${c.database}`);
  url.searchParams.set('host', c.host ?? '127.0.0.1');
  url.searchParams.set('port', String(c.port));
  return url.href;
}
