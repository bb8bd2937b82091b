/**
 * History as one caller may see it: a version shows when it and the current one may be seen, a deletion when the last
 * version before it might have been. SECURITY CP-12
 */
import type { HistoryPage, HistoryRequest, StoredVersion } from '../ports/resource-store.ts';
import { forbidden, notFound } from '../standards/fhir/outcome.ts';
import type { Access } from './access.ts';
import { cursorAfter, type HistoryTools, readHistory } from './history.ts';
import { toVersion, VERSION_COLUMNS, vreadStatement } from './reader.ts';
import type { StoreCondition } from './search/condition.ts';
import { compileFilter } from './search/filters.ts';
import { isMatch } from './search/judge.ts';
import { contextOf, type Run, type SearchTools } from './search/search-tools.ts';
import { and } from './search/sql.ts';
import { STORED_TYPES, tableOf } from './tables.ts';
import { oldRow, type RowBuilder } from './writer.ts';

export interface VisibleHistoryTools {
  readonly history: HistoryTools;
  readonly search: SearchTools;
  readonly rowOf: RowBuilder;
}

/** Versions looked at for one page at most. */
const SCANNED_MAX = 5_000;
const BATCH_MIN = 100;

export async function visibleHistory(
  tools: VisibleHistoryTools,
  access: Access,
  request: HistoryRequest,
  run: Run,
): Promise<HistoryPage> {
  const conditionsOf = conditionsFor(access, request);
  const { type } = request;
  if (conditionsOf(type ?? '*').length === 0) return readHistory(tools.history, request, run);
  if (
    type !== undefined &&
    request.id !== undefined &&
    !(await mayReadInstance(tools, type, request.id, conditionsOf(type), run))
  )
    throw notFound(`${type}/${request.id}`);
  const history = {
    ...tools.history,
    pageCount: request.count,
    ...(type === undefined && { types: visibleTypes(conditionsOf) }),
  };
  const found: StoredVersion[] = [];
  let cursor = request.cursor;
  let scanned = 0;
  for (;;) {
    const count = Math.max(BATCH_MIN, request.count + 1);
    const page = await readHistory(history, { ...request, count, ...(cursor !== undefined && { cursor }) }, run);
    scanned += page.versions.length;
    for (const version of await visibleOf(tools, page.versions, conditionsOf, run)) {
      const last = found.at(-1);
      if (found.length === request.count && last) return { versions: found, next: cursorAfter(history, request, last) };
      found.push(version);
    }
    if (page.next === undefined) return { versions: found };
    if (scanned >= SCANNED_MAX) return { versions: found, next: page.next };
    cursor = page.next;
  }
}

/** `r` for an instance, `s` for a type; on system level types that may not be searched are left out. SECURITY SC-03 */
function conditionsFor(access: Access, { type, id }: HistoryRequest): (type: string) => readonly StoreCondition[] {
  if (type === undefined) return access.visible;
  const conditions = access.conditions(type, id === undefined ? 's' : 'r');
  return () => conditions;
}

/** Types of which the caller may see something. Throws `forbidden` when there are none. */
function visibleTypes(conditionsOf: (type: string) => readonly StoreCondition[]): readonly string[] {
  const types = STORED_TYPES.filter((type) => !conditionsOf(type).some(({ kind }) => kind === 'never'));
  if (types.length === 0) throw forbidden();
  return types;
}

async function mayReadInstance(
  tools: VisibleHistoryTools,
  type: string,
  id: string,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<boolean> {
  const visible = await currentlyVisible(tools, type, [id], conditions, run);
  return visible.has(id);
}

async function visibleOf(
  tools: VisibleHistoryTools,
  versions: readonly StoredVersion[],
  conditionsOf: (type: string) => readonly StoreCondition[],
  run: Run,
): Promise<readonly StoredVersion[]> {
  const types = [...new Set(versions.map((v) => v.type))];
  const visible = new Map(
    await Promise.all(
      types.map(async (type) => {
        const ids = [...new Set(versions.filter((v) => v.type === type).map((v) => v.id))];
        return [type, await currentlyVisible(tools, type, ids, conditionsOf(type), run)] as const;
      }),
    ),
  );
  const verdicts = await Promise.all(
    versions.map(async (version) => {
      const current = visible.get(version.type)?.get(version.id);
      if (current === undefined) return false;
      if (version.versionId === current) return true;
      const judged = version.operation === 'delete' ? await versionBefore(tools, version, run) : version;
      return isMatch(tools.search, (v) => oldRow(tools.rowOf, v), judged, conditionsOf(version.type), run);
    }),
  );
  return versions.filter((_, i) => verdicts[i]);
}

/** What a deletion took away: its id may have become somebody else's since. */
async function versionBefore(
  { search }: Pick<VisibleHistoryTools, 'search'>,
  { type, id, versionId }: StoredVersion,
  run: Run,
): Promise<StoredVersion> {
  const { rids } = search.keys;
  rids.lanes(id);
  const { text, values } = vreadStatement(tableOf(type), rids.hi, rids.lo, versionId - 1);
  const [row] = await run(text, values);
  if (!row) throw new Error('a deletion without the version that it deleted');
  return toVersion(type, row);
}

/** Of these resources those that may be seen, with the number of their current version. */
async function currentlyVisible(
  tools: Pick<VisibleHistoryTools, 'search' | 'rowOf'>,
  type: string,
  ids: readonly string[],
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<ReadonlyMap<string, number>> {
  const { search, rowOf } = tools;
  const context = contextOf(search);
  const { params } = context;
  const rids = params.add(
    ids.map((id) => String(search.keys.rids.rid(id))),
    'bigint[]',
  );
  const { main, history } = tableOf(type);
  const seen = and(conditions.map((condition) => compileFilter(context, type, condition)));
  const rows = await run(
    `select m.id, m.ver from ${main} m where m.rid = any(${rids}) and m.op <> 'D' and ${seen}`,
    params.values,
  );
  const wanted = new Set(ids);
  const found = new Map(
    rows.filter((row) => wanted.has(row[0] as string)).map((row) => [row[0] as string, row[1] as number]),
  );
  if (conditions.some(({ kind }) => kind === 'never')) return found;
  const rest = ids.filter((id) => !found.has(id));
  if (rest.length === 0) return found;
  // Deleted ones are judged by their last version.
  const columns = VERSION_COLUMNS.map((name) => (name === 'pat' ? 'null' : name === 'id' ? 'm.id' : `h.${name}`));
  const deleted = await run(
    `select ${columns.join(', ')}, m.ver
from ${main} m
cross join lateral (select * from ${history} h where h.rid = m.rid and h.op <> 'D' order by h.ver desc limit 1) h
where m.rid = any($1::bigint[]) and m.op = 'D'`,
    [rest.map((id) => String(search.keys.rids.rid(id)))],
  );
  await Promise.all(
    deleted.map(async (row) => {
      const version = toVersion(type, row);
      if (wanted.has(version.id) && (await isMatch(search, (v) => oldRow(rowOf, v), version, conditions, run)))
        found.set(version.id, row[VERSION_COLUMNS.length] as number);
    }),
  );
  return found;
}
