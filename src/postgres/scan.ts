/**
 * A type from its first row to its last, as it was at an instant, under the caller's filter: for bulk data. The order is that
 * of the keys, which never change, so that nothing is met twice and nothing passed over. SECURITY CP-12, CP-14, CP-15
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scan, ScanLines, ScanPage, ScanRequest } from '../ports/bulk.ts';
import type { Caller } from '../ports/caller.ts';
import type { HistoryPage, HistoryRequest, StoredVersion } from '../ports/resource-store.ts';
import { MARK } from '../standards/fhir/encryption/sealed-text.ts';
import { unavailable } from '../standards/fhir/outcome.ts';
import type { Condition } from '../standards/fhir/search/request.ts';
import { int8Array } from './binary.ts';
import { translated } from './database-error.ts';
import type { Pipeline } from './pools.ts';
import { toVersion } from './reader.ts';
import { resolveChains } from './search/chains.ts';
import type { StoreCondition } from './search/condition.ts';
import { compileFilter } from './search/filters.ts';
import type { SearchOptions } from './search/search.ts';
import { contextOf, type Run } from './search/search-tools.ts';
import { and } from './search/sql.ts';
import { tableOf } from './tables.ts';

export interface ScanOptions {
  readonly writes: Pipeline;
  readonly run: Run;
  /** The same without a look at what is sealed; absent where nothing is stored encrypted. */
  readonly rawRun?: Run;
  /** What the caller may see of each type; throws 403 where it is nothing. */
  readonly toolsOf: (caller: Caller) => SearchOptions;
  readonly checked: (caller: Caller, type: string) => readonly StoreCondition[];
  readonly history: (caller: Caller, request: HistoryRequest) => Promise<HistoryPage>;
  /** Where elements are stored encrypted: what can be asked of them. */
  readonly rewrite: (condition: Condition) => Condition;
}

const SETTLE_POLL_MS = 50;
const SETTLE_MAX_MS = 60_000;
/** A write has its time before its transaction begins. */
const STAMP_MS = 500;
/** Patients up to which each is asked for by itself. */
const FEW = 100;
/** Rows that are looked at for more of them in one statement. */
const WINDOW = 50_000;
const RID_MIN = '-9223372036854775808';
/** Versions of before that are looked up at once. */
const BEFORE_AT_ONCE = 16;

export function createScan({ writes, run, rawRun, toolsOf, checked, history, rewrite }: ScanOptions): Scan {
  async function conditionsOf(tools: SearchOptions, request: ScanRequest): Promise<readonly StoreCondition[]> {
    const { type, anyOf, patients, since, ids } = request;
    const branches: StoreCondition[] = [];
    for (const asked of anyOf)
      branches.push({ kind: 'every', conditions: await resolveChains(tools, type, asked.map(rewrite), run) });
    return [
      ...(branches.length === 0 ? [] : [{ kind: 'any', conditions: branches } as const]),
      ...(patients === undefined ? [] : [ofPatients(tools, type, patients)]),
      ...(ids === undefined ? [] : [{ kind: 'rids', rids: ids.map((id) => tools.keys.rids.rid(id)) } as const]),
      ...(since === undefined
        ? []
        : [{ kind: 'last-updated', values: [{ prefix: 'ge', low: since, high: since }] } as const]),
    ];
  }

  /** The version that was current at the instant, as far as the caller may see it. */
  async function versionAt(caller: Caller, type: string, id: string, request: ScanRequest) {
    const { at, since = 0 } = request;
    const { versions } = await history(caller, { type, id, at: { low: at, high: at }, count: 1 });
    return versions.filter((one) => one.operation !== 'delete' && one.content !== '' && one.lastUpdated >= since);
  }

  /** Many patients are looked for row by row, in so many rows at once: the last of them, where there are more. */
  async function windowEnd({ type, patients, after }: ScanRequest): Promise<string | undefined> {
    if (!isMany(patients)) return undefined;
    const [row] = await run(
      `select max(rid)::text, count(*)::int from (
  select rid from ${tableOf(type).main} where rid > $1::bigint order by rid limit $2::int
) r`,
      [after ?? RID_MIN, WINDOW],
    );
    return row?.[1] === WINDOW ? (row[0] as string) : undefined;
  }

  async function compile(caller: Caller, request: ScanRequest) {
    const { type, after } = request;
    const end = await windowEnd(request);
    const visible = checked(caller, type);
    const tools = toolsOf(caller);
    const context = contextOf(tools);
    const { params } = context;
    const where = and([
      "m.op <> 'D'",
      ...(after === undefined ? [] : [`m.rid > ${params.add(after, 'bigint')}`]),
      ...(end === undefined ? [] : [`m.rid <= ${params.add(end, 'bigint')}`]),
      ...[...(await conditionsOf(tools, request)), ...visible].map((one) => compileFilter(context, type, one)),
    ]);
    return { params, where, end, main: tableOf(type).main };
  }

  async function page(caller: Caller, request: ScanRequest): Promise<ScanPage> {
    const { type, at, limit } = request;
    const { params, where, end, main } = await compile(caller, request);
    const text = `select m.id, m.ver, m.lu, m.op, m.content, m.pat, m.rid::text from ${main} m
where ${where}
order by m.rid
limit ${params.add(limit, 'int')}`;
    const rows = await run(text, params.values, 'as-empty');
    const last = rows.length === limit ? (rows.at(-1)?.[6] as string) : end;
    const versions: StoredVersion[] = [];
    for (const row of rows) {
      const version = toVersion(type, row);
      if (version.lastUpdated > at) versions.push(...(await versionAt(caller, type, version.id, request)));
      else if (version.content !== '') versions.push(version);
    }
    return { versions, ...(last !== undefined && { next: last }) };
  }

  /** The database joins the texts: one row of any length costs here what a short one does. */
  async function joined(caller: Caller, request: ScanRequest & { readonly bytesMax: number }): Promise<ScanLines> {
    const { type, at, limit, bytesMax } = request;
    const { params, where, end, main } = await compile(caller, request);
    const [atP, limitP, bytesP] = [params.add(at, 'bigint'), params.add(limit, 'int'), params.add(bytesMax, 'bigint')];
    const text = `select string_agg(content, E'\\n') filter (where fits and lu <= ${atP}),
  count(*) filter (where fits and lu <= ${atP})::int, max(rid) filter (where fits)::text,
  count(*) = ${limitP} or not bool_and(fits), array_agg(id) filter (where fits and lu > ${atP})
from (
  select rid, lu, id, content, sum(octet_length(content)) over (order by rid) - octet_length(content) < ${bytesP} as fits
  from (select m.rid, m.lu, m.id, m.content from ${main} m where ${where} order by m.rid limit ${limitP}) page
) page`;
    const [row] = await (rawRun ?? run)(text, params.values);
    const [lines, count, last, isMore, changed] = row as [
      string | null,
      number,
      string | null,
      boolean | null,
      string[] | null,
    ];
    // A text that is sealed is opened by itself.
    if (rawRun && lines?.includes(MARK)) return linesOf(await page(caller, request));
    const before: string[] = [];
    for (let i = 0; i < (changed?.length ?? 0); i += BEFORE_AT_ONCE) {
      const some = (changed ?? []).slice(i, i + BEFORE_AT_ONCE);
      const found = await Promise.all(some.map((id) => versionAt(caller, type, id, request)));
      before.push(...found.flat().map(({ content }) => content));
    }
    const next = isMore && last !== null ? last : end;
    return {
      text: [...(lines === null ? [] : [lines]), ...before].join('\n'),
      count: count + before.length,
      ...(next !== undefined && { next }),
    };
  }

  return {
    page: (caller, request) => translated(() => page(caller, request)),
    lines: (caller, request) => translated(() => joined(caller, request)),
    settle: () =>
      translated(async () => {
        await sleep(STAMP_MS);
        const ask = async (text: string, values: unknown[]) => (await writes.query({ text, values }))[0]?.[0];
        const barrier = await ask('select pg_snapshot_xmax(pg_current_snapshot())::text', []);
        for (let waited = 0; waited < SETTLE_MAX_MS; waited += SETTLE_POLL_MS) {
          if (await ask('select pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8', [barrier])) return;
          await sleep(SETTLE_POLL_MS);
        }
        throw unavailable('A transaction has been under way for too long');
      }),
  };
}

const linesOf = ({ versions, next }: ScanPage): ScanLines => ({
  text: versions.map(({ content }) => content).join('\n'),
  count: versions.length,
  ...(next !== undefined && { next }),
});

const isMany = (patients: ScanRequest['patients']): boolean => typeof patients === 'object' && patients.length > FEW;

function ofPatients({ keys }: SearchOptions, type: string, patients: 'any' | readonly string[]): StoreCondition {
  if (patients === 'any') return { kind: 'patient', conditions: [] };
  if (patients.length === 0) return { kind: 'never' };
  if (isMany(patients)) return membersOf(keys, patients);
  if (type === 'Patient') return { kind: 'id', ids: patients };
  return {
    kind: 'any',
    conditions: patients.map((id) => ({ kind: 'compartment', compartment: 'Patient', id })),
  };
}

/** Of a list that several pages are asked with. */
const known = new WeakMap<readonly string[], StoreCondition>();

function membersOf({ rids, compartment }: SearchOptions['keys'], patients: readonly string[]): StoreCondition {
  const found = known.get(patients);
  if (found) return found;
  const mask = compartment('Patient');
  const own: number[] = [];
  const members: number[] = [];
  for (const id of patients) {
    rids.lanes(id);
    own.push(rids.hi, rids.lo);
    members.push(rids.hi ^ mask.hi, rids.lo ^ mask.lo);
  }
  const made: StoreCondition = {
    kind: 'members',
    rids: int8Array(own, patients.length),
    tokens: int8Array(members, patients.length),
  };
  known.set(patients, made);
  return made;
}
