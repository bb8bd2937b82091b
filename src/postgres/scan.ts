/**
 * A type from its first row to its last, as it was at an instant, under the caller's filter: for bulk data. The order is that
 * of the keys, which never change, so that nothing is met twice and nothing passed over. SECURITY CP-12, CP-14, CP-15
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scan, ScanPage, ScanRequest } from '../ports/bulk.ts';
import type { Caller } from '../ports/caller.ts';
import type { HistoryPage, HistoryRequest, StoredVersion } from '../ports/resource-store.ts';
import { unavailable } from '../standards/fhir/outcome.ts';
import type { Condition } from '../standards/fhir/search/request.ts';
import { translated } from './database-error.ts';
import type { Pipeline } from './pools.ts';
import { toVersion } from './reader.ts';
import { resolveChains } from './search/chains.ts';
import type { StoreCondition } from './search/condition.ts';
import { compileFilter } from './search/filters.ts';
import { contextOf, type Run } from './search/page.ts';
import type { SearchOptions } from './search/search.ts';
import { and } from './search/sql.ts';
import { tableOf } from './tables.ts';

export interface ScanOptions {
  readonly writes: Pipeline;
  readonly run: Run;
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

export function createScan({ writes, run, toolsOf, checked, history, rewrite }: ScanOptions): Scan {
  async function conditionsOf(tools: SearchOptions, request: ScanRequest): Promise<readonly StoreCondition[]> {
    const { type, anyOf, patients, since } = request;
    const branches: StoreCondition[] = [];
    for (const asked of anyOf)
      branches.push({ kind: 'every', conditions: await resolveChains(tools, type, asked.map(rewrite), run) });
    return [
      ...(branches.length === 0 ? [] : [{ kind: 'any', conditions: branches } as const]),
      ...(patients === undefined ? [] : [ofPatients(type, patients)]),
      ...(since === undefined
        ? []
        : [{ kind: 'last-updated', values: [{ prefix: 'ge', low: since, high: since }] } as const]),
    ];
  }

  /** The version that was current at the instant, as far as the caller may see it. */
  async function versionAt(caller: Caller, { type, id }: StoredVersion, request: ScanRequest) {
    const { at, since = 0 } = request;
    const { versions } = await history(caller, { type, id, at: { low: at, high: at }, count: 1 });
    return versions.filter((one) => one.operation !== 'delete' && one.content !== '' && one.lastUpdated >= since);
  }

  return {
    page: (caller, request) =>
      translated(async (): Promise<ScanPage> => {
        const { type, at, after, limit } = request;
        const visible = checked(caller, type);
        const tools = toolsOf(caller);
        const context = contextOf(tools);
        const { params } = context;
        const where = and([
          "m.op <> 'D'",
          ...(after === undefined ? [] : [`m.rid > ${params.add(after, 'bigint')}`]),
          ...[...(await conditionsOf(tools, request)), ...visible].map((one) => compileFilter(context, type, one)),
        ]);
        const text = `select m.id, m.ver, m.lu, m.op, m.content, m.pat, m.rid::text from ${tableOf(type).main} m
where ${where}
order by m.rid
limit ${params.add(limit, 'int')}`;
        const rows = await run(text, params.values, 'as-empty');
        const last = rows.length === limit ? (rows.at(-1)?.[6] as string) : undefined;
        const versions: StoredVersion[] = [];
        for (const row of rows) {
          const version = toVersion(type, row);
          if (version.lastUpdated > at) versions.push(...(await versionAt(caller, version, request)));
          else if (version.content !== '') versions.push(version);
        }
        return { versions, ...(last !== undefined && { next: last }) };
      }),
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

function ofPatients(type: string, patients: 'any' | readonly string[]): StoreCondition {
  if (patients === 'any') return { kind: 'patient', conditions: [] };
  if (patients.length === 0) return { kind: 'never' };
  if (type === 'Patient') return { kind: 'id', ids: patients };
  return {
    kind: 'any',
    conditions: patients.map((id) => ({ kind: 'compartment', compartment: 'Patient', id })),
  };
}
