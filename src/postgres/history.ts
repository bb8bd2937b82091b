/** History of an instance, a type or the system, newest first. https://hl7.org/fhir/R4/http.html#history */
import type { HistoryPage, HistoryRequest, StoredVersion } from '../ports/resource-store.ts';
import { notFound } from '../standards/fhir/outcome.ts';
import type { Row } from './pools.ts';
import { toVersion } from './reader.ts';
import type { RidCodec } from './rid.ts';
import type { Cursors } from './search/cursor.ts';
import type { Run } from './search/search-tools.ts';
import { Params } from './search/sql.ts';
import { tableByNumber, tableOf } from './tables.ts';

export interface HistoryTools {
  readonly rids: RidCodec;
  readonly cursors: Cursors;
  /** Rights that a paging position is bound to. */
  readonly callerKey: string;
  /** `_count` of the request, where other numbers are read at a time. */
  readonly pageCount?: number;
  /** On system level: only these. */
  readonly types?: readonly string[];
}

/** Every version, whoever asks: see visible-history.ts. */
export async function readHistory(tools: HistoryTools, request: HistoryRequest, run: Run): Promise<HistoryPage> {
  return request.type !== undefined && request.id !== undefined
    ? instanceHistory(tools, { ...request, type: request.type, id: request.id }, run)
    : changeHistory(tools, request, run);
}

const scopeOf = ({ callerKey, pageCount }: HistoryTools, r: HistoryRequest): string =>
  JSON.stringify([callerKey, r.type, r.id, r.since, r.at, pageCount ?? r.count]);

/** Where the page after this version begins. */
export function cursorAfter(tools: HistoryTools, request: HistoryRequest, version: StoredVersion): string {
  const position =
    request.id === undefined
      ? { at: String(version.lastUpdated), rid: String(tools.rids.rid(version.id)), ver: version.versionId }
      : version.versionId;
  return tools.cursors.format(scopeOf(tools, request), position);
}

async function instanceHistory(
  tools: HistoryTools,
  request: HistoryRequest & { readonly type: string; readonly id: string },
  run: Run,
): Promise<HistoryPage> {
  const { rids, cursors } = tools;
  const { main, history } = tableOf(request.type);
  const scope = scopeOf(tools, request);
  const before = request.cursor === undefined ? undefined : (cursors.parse(scope, request.cursor) as number); // signed
  const params = new Params();
  const rid = params.add(String(rids.rid(request.id)), 'bigint');
  const all = `select m.id, v.ver, v.lu, v.op, v.content, m.pat, lead(v.lu) over (order by v.ver) as until
from ${main} m
cross join lateral (
  select m.ver, m.lu, m.op, m.content
  union all
  select h.ver, h.lu, h.op, h.content from ${history} h where h.rid = m.rid
) v
where m.rid = ${rid} and m.id = ${params.add(request.id, 'text')}`;
  const text = `select x.id, x.ver, x.lu, x.op, x.content, x.pat, count(*) over ()
from (${all}) x
where ${timeFilter(request, params)}${before === undefined ? '' : ` and x.ver < ${params.add(before, 'int')}`}
order by x.ver desc
limit ${params.add(request.count + 1, 'int')}`;
  const rows = await run(text, params.values);
  if (rows.length === 0 && !(await exists(run, main, rids, request.id)))
    throw notFound(`${request.type}/${request.id}`);
  const versions = rows.slice(0, request.count).map((row) => toVersion(request.type, row));
  const last = versions.at(-1);
  return {
    versions,
    ...(before === undefined && { total: rows[0] ? Number(rows[0][6]) : 0 }),
    ...(rows.length > request.count && last && { next: cursorAfter(tools, request, last) }),
  };
}

async function exists(run: Run, main: string, rids: RidCodec, id: string): Promise<boolean> {
  const rows = await run(`select 1 from ${main} where rid = $1::bigint and id = $2::text`, [String(rids.rid(id)), id]);
  return rows.length > 0;
}

/** `_since` and `_at` over columns `lu` and `until` (when the next version took over) of alias `x`. */
function timeFilter(request: HistoryRequest, params: Params): string {
  const parts = ['true'];
  if (request.since !== undefined) parts.push(`x.lu >= ${params.add(request.since, 'bigint')}`);
  if (request.at)
    parts.push(
      `x.lu <= ${params.add(request.at.high, 'bigint')}`,
      `(x.until is null or x.until > ${params.add(request.at.low, 'bigint')})`,
    );
  return parts.join(' and ');
}

interface ChangePosition {
  readonly at: string;
  readonly rid: string;
  readonly ver: number;
}

/** Type and system level: a page of the change table, then the versions by key. */
async function changeHistory(tools: HistoryTools, request: HistoryRequest, run: Run): Promise<HistoryPage> {
  const { cursors } = tools;
  const scope = scopeOf(tools, request);
  const params = new Params();
  const where = ['true'];
  if (request.type !== undefined) where.push(`c.type = ${params.add(tableOf(request.type).number, 'int')}`);
  if (tools.types)
    where.push(
      `c.type = any(${params.add(
        tools.types.map((type) => tableOf(type).number),
        'bigint[]',
      )})`,
    );
  if (request.since !== undefined) where.push(`c.at >= ${params.add(request.since, 'bigint')}`);
  if (request.at) where.push(`c.at <= ${params.add(request.at.high, 'bigint')}`);
  if (request.cursor !== undefined) {
    const p = cursors.parse(scope, request.cursor) as ChangePosition; // signed
    const at = params.add(p.at, 'bigint');
    where.push(
      `c.at <= ${at}`,
      `(c.at, c.rid, c.ver) < (${at}, ${params.add(p.rid, 'bigint')}, ${params.add(p.ver, 'int')})`,
    );
  }
  const changes = await run(
    `select c.type, c.rid, c.ver, c.at
from mortar.change c
where ${where.join(' and ')}
order by c.at desc, c.rid desc, c.ver desc
limit ${params.add(request.count + 1, 'int')}`,
    params.values,
  );
  const page = changes.slice(0, request.count);
  const last = page.at(-1);
  // A version that was replaced before the range began is passed over: such a page is shorter.
  const versions = await versionsByKey(page, request.at?.low, run);
  return {
    versions,
    ...(changes.length > request.count &&
      last && { next: cursors.format(scope, { at: last[3], rid: last[1], ver: last[2] }) }),
  };
}

/** The versions of change rows (type, rid, ver), in their order; one statement a type. `low`: only those still current then. */
export async function versionsByKey(
  changes: readonly Row[],
  low: number | undefined,
  run: Run,
): Promise<StoredVersion[]> {
  const byNumber = new Map<number, Row[]>();
  for (const change of changes) {
    const group = byNumber.get(change[0] as number);
    if (group) group.push(change);
    else byNumber.set(change[0] as number, [change]);
  }
  const found = new Map<string, StoredVersion>();
  await Promise.all(
    [...byNumber].map(async ([number, group]) => {
      const { type, main, history } = tableByNumber(number);
      const rows = await run(
        `select m.id, v.ver, v.lu, v.op, v.content, m.pat, m.rid, n.lu
from unnest($1::bigint[], $2::int[]) k(rid, ver)
join ${main} m on m.rid = k.rid
cross join lateral (
  select m.ver, m.lu, m.op, m.content where m.ver = k.ver
  union all
  select h.ver, h.lu, h.op, h.content from ${history} h where h.rid = k.rid and h.ver = k.ver
) v
left join lateral (
  select m.lu where m.ver = k.ver + 1
  union all
  select h.lu from ${history} h where h.rid = k.rid and h.ver = k.ver + 1
) n on true`,
        [group.map((c) => c[1]), group.map((c) => c[2])],
        'as-empty',
      );
      for (const row of rows) {
        const version = toVersion(type, row);
        // What cannot be opened is left out: it must not break the history of others.
        if (version.content === '' && version.operation !== 'delete') continue;
        if (low === undefined || row[7] === null || Number(row[7]) > low)
          found.set(`${number}:${row[6]}:${row[1]}`, version);
      }
    }),
  );
  return changes.flatMap((c) => found.get(`${c[0]}:${c[1]}:${c[2]}`) ?? []);
}
