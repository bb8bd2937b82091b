/** Conditions asked of a content that lies in no current row: an old version, or one about to be written. */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { toBigInt } from '../hash.ts';
import type { RowOfVersion } from '../writer.ts';
import type { StoreCondition } from './condition.ts';
import { compileFilter } from './filters.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { and } from './sql.ts';

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Whether a version would be found, were it the current one. A deletion never is. */
export async function isMatch(
  tools: SearchTools,
  rowOf: RowOfVersion,
  version: StoredVersion,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<boolean> {
  if (version.operation === 'delete') return false;
  if (conditions.length === 0) return true;
  const { type, id, lastUpdated, content } = version;
  const row = rowOf(version);
  const context = { ...contextOf(tools), isCandidate: true };
  const { params } = context;
  // As text, so that what is asked of several contents at once goes as one statement.
  const { rid, pat, pm } = { rid: toBigInt(row.ridHi, row.ridLo), pat: row.pat, pm: toBigInt(row.pmHi, row.pmLo) };
  const text = `with m as (
  select ${params.add(String(rid), 'bigint')} as rid, ${params.add(pat ? String(toBigInt(pat.hi, pat.lo)) : null, 'bigint')} as pat,
    ${params.add(lastUpdated, 'bigint')} as lu, ${params.add(orNull(row.sd), 'bigint')} as sd, ${params.add(orNull(row.se), 'bigint')} as se,
    ${params.add(String(pm), 'bigint')} as pm, ${params.add(id, 'text')} as id,
    ${params.add(decimals(row.tok), 'bigint[]')} as tok, ${params.add(content, 'text')} as content
), m_n as (
  select m.rid, u.* from m, unnest(${params.add(decimals(row.nh), 'bigint[]')}, ${params.add(row.nv.map(orNull), 'float8[]')}, ${params.add(row.nw.map(orNull), 'float8[]')}) u(h, v, w)
), m_s as (
  select m.rid, u.* from m, unnest(${params.add(decimals(row.sh), 'bigint[]')}, ${params.add(row.sv, 'text[]')}) u(h, v)
)
select 1 from m where ${and(conditions.map((condition) => compileFilter(context, type, condition)))}`;
  return (await run(text, params.values)).length > 0;
}

/** Lanes (high, low, high, low …) as numbers. */
function decimals(lanes: ArrayLike<number>): readonly string[] {
  const numbers: string[] = [];
  for (let i = 0; i < lanes.length; i += 2) numbers.push(String(toBigInt(lanes[i] as number, lanes[i + 1] as number)));
  return numbers;
}
