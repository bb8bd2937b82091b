/** Reads by id for callers who may not see every row: what is hidden answers like what never was. SECURITY CP-01, CP-12 */
import type { StoredVersion } from '../ports/resource-store.ts';
import { notFound } from '../standards/fhir/outcome.ts';
import { toVersion, vreadStatement } from './reader.ts';
import type { RidCodec } from './rid.ts';
import type { StoreCondition } from './search/condition.ts';
import { compileFilter } from './search/filters.ts';
import { isMatch } from './search/judge.ts';
import { contextOf, type Run, type SearchTools } from './search/search-tools.ts';
import { and } from './search/sql.ts';
import { tableOf } from './tables.ts';
import { oldRow, type RowBuilder } from './writer.ts';

/** The current version; throws not-found when it is hidden, deleted or absent. */
export async function readVisible(
  search: SearchTools,
  type: string,
  id: string,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<StoredVersion> {
  const context = contextOf(search);
  const { params } = context;
  const where = and([
    `m.rid = ${params.add(String(search.keys.rids.rid(id)), 'bigint')}`,
    "m.op <> 'D'",
    ...conditions.map((condition) => compileFilter(context, type, condition)),
  ]);
  const [row] = await run(
    `select m.id, m.ver, m.lu, m.op, m.content, m.pat from ${tableOf(type).main} m where ${where}`,
    params.values,
  );
  if (!row || row[0] !== id) throw notFound(`${type}/${id}`);
  return toVersion(type, row);
}

/** One version: it and the current one must be visible. */
export async function vreadVisible(
  tools: { readonly search: SearchTools; readonly rowOf: RowBuilder; readonly rids: RidCodec },
  type: string,
  id: string,
  versionId: number,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<StoredVersion> {
  const absent = notFound(`${type}/${id}/_history/${versionId}`);
  const current = await readVisible(tools.search, type, id, conditions, run).catch((error: unknown) => {
    throw isNotFound(error) ? absent : error;
  });
  if (current.versionId === versionId) return current;
  tools.rids.lanes(id);
  const { text, values } = vreadStatement(tableOf(type), tools.rids.hi, tools.rids.lo, versionId);
  const [row] = await run(text, values);
  const version = row && row[0] === id ? toVersion(type, row) : undefined;
  if (!version || !(await isMatch(tools.search, (v) => oldRow(tools.rowOf, v), version, conditions, run))) throw absent;
  return version;
}

const isNotFound = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'status' in error && error.status === 404;
